from django.apps import AppConfig


class PatientsConfig(AppConfig):
    name = "registry.patients"
    label = "patients"

    def import_models(self) -> None:
        super().import_models()
        from registry.patients import eligibility  # the room's models stand in two files
