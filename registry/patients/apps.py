from importlib import import_module

from django.apps import AppConfig


class PatientsConfig(AppConfig):
    name = "registry.patients"
    label = "patients"

    def import_models(self) -> None:
        super().import_models()
        import_module("registry.patients.eligibility")  # the room's models stand in two files

    def ready(self) -> None:
        from registry.exchange.resources import register
        from registry.patients.exports import register_tables
        from registry.patients.resources import PatientResource, StatusResource

        register(PatientResource)
        register(StatusResource)
        register_tables()
