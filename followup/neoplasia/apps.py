from datetime import datetime
from typing import Any

from django.apps import AppConfig


class NeoplasiaConfig(AppConfig):
    name = "followup.neoplasia"
    label = "neoplasia"

    def ready(self) -> None:
        from followup.neoplasia.exports import NEOPLASIA_CHECKS, NEOPLASMS
        from followup.neoplasia.signable import contribute_checks, register_outcomes
        from followup.safety.signals import events_recorded
        from registry.exchange.exporting import register_table
        from registry.infusions.signals import infusions_recorded

        events_recorded.connect(_on_events, dispatch_uid="neoplasia.events")
        infusions_recorded.connect(_on_infusions, dispatch_uid="neoplasia.infusions")
        register_outcomes()
        contribute_checks()
        register_table(NEOPLASIA_CHECKS)
        register_table(NEOPLASMS)


def _on_events(*, events: list[int], now: datetime, **_: Any) -> None:
    from followup.neoplasia.actions import report_from_events

    report_from_events(events, now=now)


def _on_infusions(*, patients: list[int], **_: Any) -> None:
    from followup.neoplasia.actions import review_incidence

    review_incidence(patients)
