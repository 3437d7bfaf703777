from django.apps import AppConfig


class SafetyConfig(AppConfig):
    name = "followup.safety"
    label = "safety"
