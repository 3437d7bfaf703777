from django.apps import AppConfig


class InfusionsConfig(AppConfig):
    name = "registry.infusions"
    label = "infusions"
