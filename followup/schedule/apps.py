from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


def _load_plan(**_: Any) -> None:
    from followup.schedule.actions import ensure_default_plan
    from registry import clock
    from registry.audit.acting import acting_as

    with acting_as("system:migrate"):
        ensure_default_plan(clock.now())


class ScheduleConfig(AppConfig):
    name = "followup.schedule"
    label = "schedule"

    def ready(self) -> None:
        from followup.schedule.exports import VISITS
        from followup.schedule.resources import VisitResource
        from followup.schedule.signals import listen
        from registry.exchange.exporting import register_table
        from registry.exchange.resources import register

        listen()
        register(VisitResource)
        register_table(VISITS)
        post_migrate.connect(_load_plan, sender=self, dispatch_uid="schedule-plan")
