from django.apps import AppConfig


class ScheduleConfig(AppConfig):
    name = "followup.schedule"
    label = "schedule"
