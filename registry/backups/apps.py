from django.apps import AppConfig


class BackupsConfig(AppConfig):
    name = "registry.backups"
    label = "backups"
