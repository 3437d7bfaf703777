from importlib import import_module

from django.apps import AppConfig


class PatientsConfig(AppConfig):
    name = "registry.patients"
    label = "patients"

    def import_models(self) -> None:
        super().import_models()
        for name in ("eligibility", "erasures"):  # the room's models stand in several files
            import_module(f"registry.patients.{name}")

    def ready(self) -> None:
        from registry.exchange.resources import register
        from registry.patients import erased_before, named_export
        from registry.patients.exports import register_tables
        from registry.patients.resources import PatientResource, StatusResource

        register(PatientResource)
        register(StatusResource)
        register_tables()
        named_export.register()
        erased_before.register()
