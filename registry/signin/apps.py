from django.apps import AppConfig


class SigninConfig(AppConfig):
    name = "registry.signin"
    label = "signin"

    def ready(self) -> None:
        from registry.signin import signals

        signals.connect()
