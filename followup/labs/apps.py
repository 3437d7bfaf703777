from django.apps import AppConfig


class LabsConfig(AppConfig):
    name = "followup.labs"
    label = "labs"
