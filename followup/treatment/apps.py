from django.apps import AppConfig


class TreatmentConfig(AppConfig):
    name = "followup.treatment"
    label = "treatment"

    def ready(self) -> None:
        from followup.treatment import resources
        from registry.exchange.exporting import register_table
        from registry.exchange.resources import register

        register(resources.TreatmentResource)
        register_table(resources.TREATMENTS)
