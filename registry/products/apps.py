from django.apps import AppConfig


class ProductsConfig(AppConfig):
    name = "registry.products"
    label = "products"

    def ready(self) -> None:
        from registry.exchange.exporting import register_table
        from registry.exchange.resources import register
        from registry.products.resources import LOTS_TABLE, LotResource

        register(LotResource)
        register_table(LOTS_TABLE)
