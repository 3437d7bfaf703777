from django.apps import AppConfig


class SignaturesConfig(AppConfig):
    name = "registry.signatures"
    label = "signatures"
