from django.apps import AppConfig


class InfusionsConfig(AppConfig):
    name = "registry.infusions"
    label = "infusions"

    def ready(self) -> None:
        from registry.exchange.exporting import register_table
        from registry.exchange.resources import register
        from registry.infusions.exports import INFUSIONS_TABLE
        from registry.infusions.resources import InfusionResource

        register(InfusionResource)
        register_table(INFUSIONS_TABLE)
