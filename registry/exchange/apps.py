from django.apps import AppConfig


class ExchangeConfig(AppConfig):
    name = "registry.exchange"
    label = "exchange"

    def ready(self) -> None:
        from registry.exchange.exporting import register_table
        from registry.exchange.resources import register
        from registry.exchange.signed import SIGNATURES
        from registry.exchange.sites import SITES, SiteResource

        register(SiteResource)
        register_table(SITES)
        register_table(SIGNATURES)
