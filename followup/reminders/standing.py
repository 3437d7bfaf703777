"""Whose visits are still owed to somebody: one rule for reminders, the worklist and reconciliation."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import QuerySet

from followup.reminders.rules import Reach, may_remind
from registry.patients.models import Patient, Status
from registry.patients.standing import Standing, standings

MAY_BE_OVER = (Status.DECEASED, Status.WITHDRAWN)


def reach_of(standing: Standing) -> Reach:
    """Of a visit that is still planned."""
    return may_remind("planned", standing.status, standing.scopes, standing.death, standing.linkage)


def reaches(patient_ids: Iterable[int]) -> dict[int, Reach]:
    return {pk: reach_of(standing) for pk, standing in standings(patient_ids).items()}


def out_of_reach(patients: QuerySet[Patient]) -> list[int]:
    """Those among them whose visits are nobody's work any more. Four queries at most; one where nobody's
    follow-up may be over.
    """
    ended = patients.filter(status__in=MAY_BE_OVER).order_by("pk").values_list("pk", flat=True)
    return [pk for pk, reach in reaches(ended).items() if not reach.tell_staff]
