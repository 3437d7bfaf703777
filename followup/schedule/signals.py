"""News from the registry, and what the schedule does with it. The sweep repairs what is lost here."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.urls import reverse

from followup.schedule.actions.doses import ask_for_doses
from followup.schedule.actions.handovers import hear_of_handovers
from followup.schedule.actions.planning import plan_visits
from followup.schedule.actions.status import apply_status
from followup.schedule.actions.work_items import (
    close_items_of_closed_queries,
    raise_items_for_queries,
    raise_work_item,
)
from followup.schedule.models import WorkItem
from registry.clock import local_date
from registry.infusions.models import Unblinding
from registry.infusions.signals import infusions_recorded, patient_unblinded
from registry.patients.signals import patient_enrolled, query_closed, query_opened, status_changed


def listen() -> None:
    patient_enrolled.connect(plan, dispatch_uid="schedule-plans-enrolments")
    infusions_recorded.connect(plan, dispatch_uid="schedule-plans-infusions")
    infusions_recorded.connect(ask_doses, dispatch_uid="schedule-asks-for-doses")
    status_changed.connect(settle, dispatch_uid="schedule-applies-status")
    query_opened.connect(ask, dispatch_uid="schedule-raises-queries")
    query_closed.connect(settled, dispatch_uid="schedule-closes-queries")
    hear_of_handovers()
    patient_unblinded.connect(tell_safety, dispatch_uid="schedule-tells-of-unblinding")


def plan(patients: Sequence[int], now: datetime, **_: Any) -> None:
    plan_visits(patients, now=now)


def ask_doses(patients: Sequence[int], now: datetime, **_: Any) -> None:
    ask_for_doses(patients=patients, now=now)


def settle(patients: Sequence[int], now: datetime, **_: Any) -> None:
    if apply_status(patients):
        plan_visits(patients, now=now)


def ask(queries: Sequence[int], now: datetime, **_: Any) -> None:
    raise_items_for_queries(queries, now=now)


def tell_safety(unblinding: Unblinding, now: datetime, **_: Any) -> None:
    patient, site = unblinding.patient, unblinding.site
    raise_work_item(
        kind="unblinding", source=f"unblinding:{unblinding.pk}", patient=patient, site=site, level=WorkItem.Level.ALARM,
        title=f"Unblinded in an emergency by {unblinding.unblinded_by}", url=reverse("infusions:unblinding_list"),
        role="safety", due_on=local_date(now, site.time_zone), now=now,
    )  # fmt: skip


def settled(queries: Sequence[int], now: datetime, **_: Any) -> None:
    close_items_of_closed_queries(queries, now=now)
