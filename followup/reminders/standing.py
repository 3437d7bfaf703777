"""Whose visits are still owed to somebody: one rule for reminders, the worklist and reconciliation."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Exists, OuterRef, Q, QuerySet

from followup.reminders.rules import Reach, may_remind
from registry.patients.models import Patient, Scope, Status, StatusEvent
from registry.patients.standing import Standing, standings

MAY_BE_OVER = (Status.DECEASED, Status.WITHDRAWN)
# After these, at least without consent to linkage, nobody may be told of a visit.
MAY_SILENCE = [
    one.value for one in Scope if not may_remind("planned", "withdrawn", [one], "", False).tell_staff
]


def reach_of(standing: Standing) -> Reach:
    """Of a visit that is still planned."""
    return may_remind("planned", standing.status, standing.scopes, standing.death, standing.linkage)


def reaches(patient_ids: Iterable[int]) -> dict[int, Reach]:
    return {pk: reach_of(standing) for pk, standing in standings(patient_ids).items()}


def ever_ended(patient: str) -> Exists:
    """Whether a death or a withdrawal stands in the history: nothing else takes the visits from the staff."""
    return Exists(StatusEvent.objects.filter(patient=OuterRef(patient), status__in=MAY_BE_OVER))


def silenced(patient_ids: Iterable[int]) -> dict[int, Reach]:
    """Those among them whose visits are nobody's work any more, and why. Only their histories are read."""
    ids = list(patient_ids)
    ended = Patient.objects.filter(Q(status__in=MAY_BE_OVER) | ever_ended("pk"), pk__in=ids)
    found = reaches(ended.order_by("pk").values_list("pk", flat=True))
    return {pk: reach for pk, reach in found.items() if not reach.tell_staff}


def out_of_reach(patients: QuerySet[Patient]) -> list[int]:
    """Those among them whose visits are nobody's work any more. Four queries at most; one where nobody's
    follow-up may be over. Who withdrew from visits or further cells alone is not even read.
    """
    last_word = Q(status=Status.DECEASED, death_confirmed=True) | Q(scope__in=MAY_SILENCE)
    ended = Exists(StatusEvent.objects.filter(last_word, patient=OuterRef("pk")))
    over = patients.filter(Q(status=Status.DECEASED) | ended, status__in=MAY_BE_OVER)
    found = reaches(over.order_by("pk").values_list("pk", flat=True))
    return [pk for pk, reach in found.items() if not reach.tell_staff]
