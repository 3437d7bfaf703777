"""One person who moved from one site to the other, and one whose move waits for an answer."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import date, datetime, timedelta

from registry.access.models import Site, User
from registry.audit.acting import acting_as
from registry.handover.models import Transfer
from registry.handover.moving import (
    TransferFacts,
    accept_transfer,
    ask_transfer,
    confirm_arrival,
    record_number_is_taken,
)
from registry.patients.models import Patient, Status

At = Callable[[datetime], AbstractContextManager[datetime]]


def move_people(*, noon: Callable[[date], datetime], at: At, today: date) -> None:
    """Needs two sites, and two people in follow-up at the first."""
    here, *others = Site.objects.order_by("pk")[:2]
    people = Patient.objects.filter(site=here, status=Status.IN_FOLLOW_UP).select_related("site")
    going = list(people.order_by("-pk")[:2])
    if not others or len(going) < 2:
        return
    moved, waiting = going
    with at(noon(today - timedelta(days=40))) as now:
        sent = _ask(moved, others[0], "Moved closer to the family", now)
    with at(noon(today - timedelta(days=38))) as now:
        manager, nurse = _staff("manager", others[0]), _staff("nurse", others[0])
        with acting_as(manager):
            local_id = f"{others[0].code}-9001" if record_number_is_taken(moved, "", others[0]) else ""
            accept_transfer(transfer=sent, local_id=local_id, by=manager, now=now)
        with acting_as(nurse):
            confirm_arrival(transfer=sent, by=nurse, now=now)
    with at(noon(today - timedelta(days=1))) as now:
        _ask(waiting, others[0], "Starts work in that town", now)


def _ask(patient: Patient, to_site: Site, reason: str, now: datetime) -> Transfer:
    nurse = _staff("nurse", patient.site)
    facts = TransferFacts(to_site=to_site, moves_on=now.date(), reason=reason)
    with acting_as(nurse):
        return ask_transfer(patient=patient, facts=facts, by=nurse, now=now)


def _staff(role: str, site: Site) -> User:
    return User.objects.get(username=f"{role}-{site.code.lower()}")
