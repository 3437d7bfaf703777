"""News from the rooms below: an event that names a neoplasm, an infusion that changes what counts as incident."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from followup.neoplasia.actions.cases import report_neoplasm
from followup.neoplasia.actions.follow_on import first_infusions
from followup.neoplasia.models import Neoplasm
from followup.neoplasia.rules import is_incident, same_report
from followup.safety.models import AdverseEvent
from followup.safety.rules import neoplasm_kind
from registry.audit.acting import past_locks
from registry.batches import batches

REPORTED_KINDS = ("malignant", "skin")
BATCH = 500


def report_from_events(event_ids: Sequence[int], *, now: datetime) -> list[Neoplasm]:
    """Opens a case for each reported cancer that has none. The same term with the same onset is one case.

    Benign growths stay events of special interest: nothing has to be excluded.
    """
    opened = []
    for batch in batches(event_ids):
        events = AdverseEvent.objects.standing().filter(pk__in=batch)
        reports = [
            e for e in events.select_related("patient__site") if neoplasm_kind(e.term) in REPORTED_KINDS
        ]
        known = _cases_of({event.patient_id for event in reports})
        for event in sorted(reports, key=lambda one: one.pk):
            cases = known.setdefault(event.patient_id, [])
            if not _attach(event, cases):
                cases.append(_report(event, now))
                opened.append(cases[-1])
    return opened


def _cases_of(patient_ids: Iterable[int]) -> dict[int, list[Neoplasm]]:
    cases: dict[int, list[Neoplasm]] = {}
    for case in Neoplasm.objects.filter(patient__in=sorted(patient_ids)).order_by("pk"):
        cases.setdefault(case.patient_id, []).append(case)
    return cases


def _attach(event: AdverseEvent, cases: list[Neoplasm]) -> bool:
    if any(case.adverse_event_id == event.pk for case in cases):
        return True
    for case in cases:
        same_day = event.onset_date in (case.suspected_on, case.diagnosed_on)
        if same_day and same_report(case.description[: len(event.term)], event.term):
            if case.adverse_event_id is None:
                case.adverse_event = event
                with past_locks():
                    Neoplasm.objects.filter(pk=case.pk, adverse_event=None).update(adverse_event=event)
            return True
    return False


def _report(event: AdverseEvent, now: datetime) -> Neoplasm:
    return report_neoplasm(
        patient=event.patient,
        description=event.term,
        diagnosed_on=event.onset_date,
        source=f"adverse event {event.event_ref}".strip(),
        event=event,
        by=None,
        now=now,
    )


def review_incidence(patient_ids: Iterable[int]) -> int:
    """After infusions were recorded or corrected: judges every case of these people again; returns how many changed."""
    changed = []
    ids = sorted(set(patient_ids))
    for some in batches(ids):
        cases = list(Neoplasm.objects.filter(patient__in=some).order_by("pk"))
        first = first_infusions({case.patient_id for case in cases})
        for case in cases:
            found = [case.suspected_on, case.diagnosed_on]
            verdict = is_incident(found=found, first_infusion=first.get(case.patient_id))
            if verdict != case.is_incident:
                case.is_incident = verdict
                changed.append(case)
    with past_locks():
        Neoplasm.objects.bulk_update(changed, ["is_incident"], batch_size=BATCH)
    return len(changed)
