"""What a case leads to: the task on Today, the hold on infusions, the queries. Idempotent; needs `acting_as()`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta

from django.urls import reverse

from followup.neoplasia.models import Neoplasm
from followup.neoplasia.rules import DAYS_TO_CLOSE, is_incident, missing_codes
from followup.safety.rules import neoplasm_is_serious
from followup.schedule.actions import close_work_item, raise_work_item
from registry.access.models import User
from registry.clock import local_date
from registry.infusions.actions import open_hold, release_hold
from registry.infusions.models import Infusion
from registry.patients.models import Patient, Query
from registry.patients.queries import QueryFacts, close_queries, open_queries, record_of

SUSPICION = "suspicion"
EVENT_MISSING = "neoplasm_event"
DATE_UNCLEAR = "neoplasm_incidence_unclear"
RELEASED_BY = (Neoplasm.Status.EXCLUDED, Neoplasm.Status.BENIGN)


def source_of(case: Neoplasm) -> str:
    return f"neoplasm:{case.pk}"


def settle(case: Neoplasm, *, now: datetime, by: User | None) -> None:
    _settle_suspicion(case, now=now, by=by)
    _settle_event_task(case, now=now, by=by)
    _settle_hold(case, now=now, by=by)
    _settle_queries(case, now=now, by=by)


def _settle_suspicion(case: Neoplasm, *, now: datetime, by: User | None) -> None:
    if case.is_open:
        _raise(case, SUSPICION, f"Suspicion to close: {case.description}", DAYS_TO_CLOSE, now)
    else:
        because = f"Closed as {case.get_status_display().lower()}"
        close_work_item(kind=SUSPICION, source=source_of(case), because=because, by=by, now=now)


def needs_event(case: Neoplasm) -> bool:
    """A neoplasm that is serious by its record, and has no adverse event yet."""
    if case.adverse_event_id or case.status not in (Neoplasm.Status.MALIGNANT, Neoplasm.Status.BENIGN):
        return False
    serious = neoplasm_is_serious(
        behaviour=case.behaviour, morphology=case.morphology, topography=case.topography
    )
    return serious is not False


def _settle_event_task(case: Neoplasm, *, now: datetime, by: User | None) -> None:
    if needs_event(case):
        _raise(case, EVENT_MISSING, f"Report {case.case_ref} as an adverse event: {case.description}", 1, now)
    else:
        because = "The event is recorded, or none is needed"
        close_work_item(kind=EVENT_MISSING, source=source_of(case), because=because, by=by, now=now)


def _raise(case: Neoplasm, kind: str, title: str, days: int, now: datetime) -> None:
    raise_work_item(
        kind=kind,
        source=source_of(case),
        patient=case.patient,
        site=case.site,
        title=title[:200],
        url=reverse("neoplasia:case", args=[case.pk]),
        level="alarm",
        role="investigator",
        due_on=local_date(now, case.site.time_zone) + timedelta(days=days),
        now=now,
    )


def _settle_hold(case: Neoplasm, *, now: datetime, by: User | None) -> None:
    """A suspicion holds further infusions, a malignant or unclear outcome goes on holding them."""
    if case.status not in RELEASED_BY:
        reason = f"{case.case_ref}: {case.description} ({case.get_status_display().lower()})"
        open_hold(patient=case.patient, source=source_of(case), reason=reason, now=now)
    elif by is not None:
        reason = f"{case.case_ref} closed as {case.get_status_display().lower()}"
        release_hold(patient=case.patient, source=source_of(case), reason=reason, by=by, now=now)


# Queries -------------------------------------------------------------------------------------------------------------


def _settle_queries(case: Neoplasm, *, now: datetime, by: User | None) -> None:
    """A reported cancer is accepted as reported; what is missing is asked until known or the case is closed without it."""
    asked = _questions(case) if case.is_open and case.morphology else {}
    if case.is_incident is None and case.diagnosed_on and first_infusions([case.patient_id]):
        asked[DATE_UNCLEAR] = ("diagnosed_on", "Was it found before or after the first infusion?")
    rules = {DATE_UNCLEAR, *(_rule(field) for field in ("topography", "morphology", "basis_of_diagnosis"))}
    for rule in sorted(rules - set(asked)):
        close_queries(rule=rule, records=[record_of(case)], now=now, because="Answered in the case", by=by)
    open_queries([_query(case, rule, *question) for rule, question in sorted(asked.items())], now=now)


def _questions(case: Neoplasm) -> dict[str, tuple[str, str]]:
    missing = missing_codes(
        topography=case.topography, morphology=case.morphology, basis=case.basis_of_diagnosis
    )
    return {_rule(field): (field, question) for field, question in missing}


def _rule(field: str) -> str:
    return f"neoplasm_{field}_missing"


def _query(case: Neoplasm, rule: str, field: str, question: str) -> QueryFacts:
    return QueryFacts(
        kind=Query.Kind.MISSING,
        rule=rule,
        record=record_of(case),
        field=field,
        reason=f"{case.case_ref}, {case.description}: {question}",
        patient_id=case.patient_id,
        site_id=case.site_id,
    )


# Computed ------------------------------------------------------------------------------------------------------------


def first_infusions(patient_ids: Iterable[int]) -> dict[int, date]:
    given = Infusion.objects.filter(patient__in=sorted(set(patient_ids))).order_by("-infused_on", "-pk")
    return dict(given.values_list("patient_id", "infused_on"))


def judge_incidence(case: Neoplasm) -> None:
    first = first_infusions([case.patient_id]).get(case.patient_id)
    case.is_incident = is_incident(found=[case.suspected_on, case.diagnosed_on], first_infusion=first)


def next_case_ref(patient: Patient) -> str:
    """The person's next case. Locks the person, so that two people saving at once do not get the same one."""
    Patient.objects.select_for_update().get(pk=patient.pk)
    stem = f"{patient.patient_id}-N"
    taken = Neoplasm.objects.filter(case_ref__startswith=stem).values_list("case_ref", flat=True)
    numbers = [int(ref.removeprefix(stem)) for ref in taken if ref.removeprefix(stem).isdecimal()]
    return f"{stem}{max(numbers, default=0) + 1}"
