from django.apps import AppConfig


class HandoverConfig(AppConfig):
    name = "registry.handover"
    label = "handover"

    def ready(self) -> None:
        from registry.exchange.exporting import register_table
        from registry.handover import subjects
        from registry.handover.exports import TRANSFERS

        register_table(TRANSFERS)
        subjects.register()
