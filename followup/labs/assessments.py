"""What results mean for the visits of their day: the result finds its visit, and the visit its assessments done."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date

from django.db.models import F, Q

from followup.labs.catalogue import ANALYTES
from followup.labs.models import LabResult
from followup.schedule.models import Visit, VisitAssessment
from followup.schedule.resources import NOT_TOLD
from registry.audit.acting import past_locks
from registry.batches import batches

BATCH = 500
State = VisitAssessment.State
# An import that did not mention an assessment says nothing against it.
WAITING = Q(state__in=[State.PENDING, State.AWAITING]) | Q(state=State.NOT_DONE, reason=NOT_TOLD)


def settle_visits(patient_ids: Iterable[int]) -> None:
    """Needs `acting_as()`. Asking again changes nothing. An answer a person gave to an assessment is never overwritten."""
    ids = sorted(set(patient_ids))
    for some in batches(ids):
        _link(some)
        _mark_done(some)


def _link(patient_ids: list[int]) -> None:
    """A result without a visit belongs to the visit that took place on its day, if there was one."""
    visits: dict[tuple[int, date], int] = {}
    happened = Visit.objects.filter(patient_id__in=patient_ids, actual_date__isnull=False).order_by("-pk")
    for pk, patient, day in happened.values_list("pk", "patient_id", "actual_date"):
        if day:
            visits[patient, day] = pk
    linked = []
    for result in LabResult.objects.filter(patient_id__in=patient_ids, visit=None, withdrawn_at=None):
        if visit := visits.get((result.patient_id, result.collected_on)):
            result.visit_id = visit
            linked.append(result)
    LabResult.objects.bulk_update(linked, ["visit"], batch_size=BATCH)


def _mark_done(patient_ids: list[int]) -> None:
    measured: dict[tuple[int, str], date] = {}
    results = LabResult.objects.filter(
        patient_id__in=patient_ids, visit__isnull=False, withdrawn_at=None
    ).order_by("collected_on", "pk")
    for visit, analyte, day in results.values_list("visit_id", "analyte", "collected_on"):
        if visit and analyte in ANALYTES:
            measured.setdefault((visit, ANALYTES[analyte].assessment), day)
    waiting = VisitAssessment.objects.filter(WAITING, visit__patient_id__in=patient_ids)
    done: dict[date, list[int]] = defaultdict(list)
    settled = [one for one in waiting.values_list("pk", "visit_id", "code") if (one[1], one[2]) in measured]
    for pk, visit, code in settled:
        done[measured[visit, code]].append(pk)
    rows = [
        VisitAssessment(pk=pk, state=State.DONE, on_date=measured_on, reason="")
        for measured_on, some in done.items()
        for pk in some
    ]
    with past_locks():
        VisitAssessment.objects.bulk_update(rows, ["state", "on_date", "reason"], batch_size=BATCH)
    _move_on({visit for _, visit, _ in settled})


def _move_on(visit_ids: set[int]) -> None:
    """Whoever has such a visit open sees the answer that came meanwhile before they save."""
    for some in batches(sorted(visit_ids)):
        Visit.objects.filter(pk__in=some).update(version=F("version") + 1)
