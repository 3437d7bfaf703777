"""A case from suspicion to outcome. A cancer reported from outside is accepted as reported; needs `acting_as()`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from django.db.models import F

from followup.neoplasia.actions import follow_on
from followup.neoplasia.models import NeoplasiaCheck, Neoplasm, WorkUpNote
from followup.neoplasia.rules import (
    UNKNOWN_SITE,
    UNVERIFIED,
    behaviour_of,
    is_morphology,
    is_topography,
)
from followup.safety.actions import record_event
from followup.safety.models import AdverseEvent
from registry import partial_dates
from registry.access.models import User
from registry.audit.acting import because, past_locks
from registry.clock import local_date
from registry.patients.models import Patient
from registry.saving import NotAccepted, claim_version, create_once, made_by
from registry.signatures.locks import refuse_if_locked

DETAILS = (
    *("description", "suspected_on", "diagnosed_on", "topography", "morphology", "basis_of_diagnosis"),
    *("donor_origin", "source", "status"),
)
CONCLUSION = (
    *("status", "topography", "morphology", "donor_origin", "diagnosed_on", "basis_of_diagnosis"),
    "conclusion",
)
REPORTED = "reported, unverified"


def open_suspicion(
    *, patient: Patient, description: str, suspected_on: date, check: NeoplasiaCheck, by: User, now: datetime
) -> Neoplasm:
    case = Neoplasm(
        description=description,
        suspected_on=suspected_on.isoformat(),
        found_at_check=check,
        source=f"neoplasia check of {partial_dates.in_words(suspected_on)}",
    )
    return _open(case, patient, by=by, now=now)


def report_neoplasm(
    *,
    patient: Patient,
    description: str,
    diagnosed_on: str,
    by: User | None,
    now: datetime,
    source: str = "",
    topography: str = UNKNOWN_SITE,
    morphology: str = UNVERIFIED,
    basis_of_diagnosis: str = "",
    event: AdverseEvent | None = None,
    check: NeoplasiaCheck | None = None,
    form_token: str = "",
) -> Neoplasm:
    """Reported, unverified: counted as reported until an investigator closes it; what is missing becomes queries.

    `diagnosed_on` keeps the precision it was reported with.
    """
    if by:
        by.require("neoplasia.record", patient.site_id)
    if first := made_by(Neoplasm, form_token, patient=patient):
        return first
    case = Neoplasm(
        description=description[:300],
        suspected_on=diagnosed_on,
        diagnosed_on=diagnosed_on,
        topography=topography or UNKNOWN_SITE,
        morphology=morphology or UNVERIFIED,
        basis_of_diagnosis=basis_of_diagnosis,
        source=f"{REPORTED}: {source}"[:120] if source else REPORTED,
        adverse_event=event,
        found_at_check=check,
        form_token=form_token,
    )
    return create_once(Neoplasm, form_token, lambda: _open(case, patient, by=by, now=now), patient=patient)


def _open(case: Neoplasm, patient: Patient, *, by: User | None, now: datetime) -> Neoplasm:
    case.patient, case.site = patient, patient.site
    case.case_ref = follow_on.next_case_ref(patient)
    _check_and_save(case)
    follow_on.settle(case, now=now, by=by)
    return case


def update_workup(
    *, case: Neoplasm, details: Mapping[str, Any], version: int, reason: str, by: User, now: datetime
) -> Neoplasm:
    """Corrects what is known of an open case; `details` are columns in DETAILS. Raises ChangedMeanwhile, NotAccepted."""
    by.require("neoplasia.record", case.site_id)
    if details.get("status", case.status) not in Neoplasm.OPEN or not case.is_open:
        raise NotAccepted("status", "Only an investigator closes a case, on the closing form.")
    with because(reason):
        claim_version(case, version)
        _set(case, details, DETAILS)
        _check_and_save(case)
        follow_on.settle(case, now=now, by=by)
    return case


def add_work_up_note(
    *, case: Neoplasm, kind: str, on_date: date, text: str, form_token: str, by: User, now: datetime
) -> WorkUpNote:
    """A step taken; the first one moves a suspicion to work-up."""
    by.require("neoplasia.record", case.site_id)
    if first := made_by(WorkUpNote, form_token, neoplasm=case):
        return first
    if on_date > local_date(now, case.site.time_zone):
        raise NotAccepted("on_date", "This day has not come yet; note the step after it was taken.")
    note = WorkUpNote(
        neoplasm=case, kind=kind, on_date=on_date, text=text, form_token=form_token,
        recorded_by=by, recorded_at=now,
    )  # fmt: skip

    def make() -> WorkUpNote:
        refuse_if_locked(case)
        note.full_clean()
        note.save()
        suspected = Neoplasm.objects.filter(pk=case.pk, status=Neoplasm.Status.SUSPECTED)
        if suspected.update(status=Neoplasm.Status.WORK_UP, version=F("version") + 1):
            case.refresh_from_db()
        return note

    return create_once(WorkUpNote, form_token, make, neoplasm=case)


def close_neoplasm(
    *, case: Neoplasm, conclusion: Mapping[str, Any], version: int, by: User, now: datetime
) -> Neoplasm:
    """`conclusion`: the columns in CONCLUSION, with `status` excluded, benign, malignant or undetermined."""
    by.require("neoplasia.close", case.site_id)
    if conclusion["status"] not in Neoplasm.CLOSED:
        raise NotAccepted("status", "Choose what the work-up has shown.")
    if not case.is_open:
        raise NotAccepted("status", "This case is closed. Reopen it first.")
    _check_conclusion(conclusion)
    with because(f"Closed as {conclusion['status']}"):
        claim_version(case, version)
        _set(case, conclusion, CONCLUSION)
        if case.status == Neoplasm.Status.EXCLUDED:
            case.topography = case.morphology = case.donor_origin = ""
        case.closed_on, case.closed_by = local_date(now, case.site.time_zone), by
        _check_and_save(case)
        follow_on.settle(case, now=now, by=by)
    return case


def reopen(*, case: Neoplasm, version: int, reason: str, by: User, now: datetime) -> Neoplasm:
    """Back to work-up: the task and the hold return. The former conclusion stays in the trail."""
    by.require("neoplasia.close", case.site_id)
    if case.is_open:
        raise NotAccepted("status", "This case is open already.")
    with because(reason), past_locks():  # the hold on infusions returns, whoever locked the record
        claim_version(case, version)
        case.status = Neoplasm.Status.WORK_UP
        case.closed_on = case.closed_by = None
        _check_and_save(case)
        follow_on.settle(case, now=now, by=by)
    return case


def record_case_event(*, case: Neoplasm, by: User, now: datetime) -> AdverseEvent:
    """The adverse event a neoplasm leads to: serious, medically important by the registry's rule. Once only."""
    Neoplasm.objects.select_for_update().get(
        pk=case.pk
    )  # of two who ask at once, the second finds the first's event
    case.refresh_from_db()
    if case.adverse_event is not None:
        return case.adverse_event
    facts = {
        "term": case.description[:200],
        "onset_date": case.diagnosed_on or case.suspected_on,
        "is_serious": True,
        "seriousness_criteria": "medically_important",
        "is_special_interest": True,
        "aware_at": now,
        "site_aware_at": now,
        "narrative": f"{case.case_ref}: topography {case.topography}, morphology {case.morphology}.",
    }
    event = record_event(patient=case.patient, facts=facts, by=by, now=now)
    with past_locks():  # a report is never held up by a lock
        claim_version(case, case.version)
        case.adverse_event = event
        _check_and_save(case)
        follow_on.settle(case, now=now, by=by)
    return event


def _set(case: Neoplasm, values: Mapping[str, Any], known: tuple[str, ...]) -> None:
    if unknown := set(values) - set(known):
        raise TypeError(f"not columns of a case: {', '.join(sorted(unknown))}")
    for name, value in values.items():
        setattr(case, name, value)


def _check_conclusion(conclusion: Mapping[str, Any]) -> None:
    if not conclusion.get("conclusion", "").strip():
        raise NotAccepted("conclusion", "Say how the conclusion was reached.")
    behaviour = behaviour_of(conclusion.get("morphology", ""))
    if conclusion["status"] == Neoplasm.Status.BENIGN and behaviour not in ("", "0"):
        raise NotAccepted("morphology", f"Behaviour /{behaviour} is not benign. A benign growth ends in /0.")
    if conclusion["status"] == Neoplasm.Status.MALIGNANT:
        needed = {
            "topography": "A malignant neoplasm needs its topography; C80.9 when the primary site is unknown.",
            "morphology": "A malignant neoplasm needs its morphology; 8000/3 when no tissue was examined.",
            "diagnosed_on": "A malignant neoplasm needs its date of diagnosis; a year is enough.",
        }
        for field, message in needed.items():
            if not conclusion.get(field):
                raise NotAccepted(field, message)
        if behaviour == "0":
            raise NotAccepted(
                "morphology", "Behaviour /0 is benign. Correct the code, or close it as benign."
            )


def _check_and_save(case: Neoplasm) -> None:
    if case.topography and not is_topography(case.topography):
        raise NotAccepted("topography", "An ICD-O-3 topography looks like C25.9.")
    if case.morphology and not is_morphology(case.morphology):
        raise NotAccepted("morphology", "An ICD-O-3 morphology looks like 8140/3.")
    for name in ("suspected_on", "diagnosed_on"):
        text = getattr(case, name)
        if text and not partial_dates.is_partial_date(text):
            raise NotAccepted(name, "Write a date as 2031-03-14, 2031-03 or 2031.")
    case.behaviour = behaviour_of(case.morphology)
    follow_on.judge_incidence(case)
    case.full_clean()
    case.save()
