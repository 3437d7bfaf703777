from django.apps import AppConfig


class ReportsConfig(AppConfig):
    name = "followup.reports"
    label = "reports"

    def ready(self) -> None:
        from followup.reports.signable import register_reports
        from followup.reports.signals import listen

        register_reports()
        listen()
