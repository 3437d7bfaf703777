from django.apps import AppConfig


class TreatmentConfig(AppConfig):
    name = "followup.treatment"
    label = "treatment"
