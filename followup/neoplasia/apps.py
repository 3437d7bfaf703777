from django.apps import AppConfig


class NeoplasiaConfig(AppConfig):
    name = "followup.neoplasia"
    label = "neoplasia"
