from django.apps import AppConfig


class ProductsConfig(AppConfig):
    name = "registry.products"
    label = "products"
