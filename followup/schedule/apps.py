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
        from followup.schedule.actions.approvals import hear_of_approvals
        from followup.schedule.actions.notices import hear_of_rights
        from followup.schedule.exports import VISITS
        from followup.schedule.resources import VisitResource
        from followup.schedule.signable import judge, register_visits
        from followup.schedule.signals import listen
        from registry.exchange.exporting import register_table
        from registry.exchange.resources import register
        from registry.signatures.signals import signatures_judged

        register_visits()
        signatures_judged.connect(judge, dispatch_uid="schedule-asks-for-signatures")
        listen()
        hear_of_rights()
        hear_of_approvals()
        register(VisitResource)
        register_table(VISITS)
        post_migrate.connect(_load_plan, sender=self, dispatch_uid="schedule-plan")
