from django.apps import AppConfig


class TrailConfig(AppConfig):
    name = "registry.trail"
    label = "trail"
