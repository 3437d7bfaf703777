"""Recording, correcting, judging and withdrawing adverse events. What happened is never refused; needs `acting_as()`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import nullcontext
from datetime import datetime
from typing import Any

from followup.safety.ctcae import term_for
from followup.safety.follow_on import mark_special_interest, settle
from followup.safety.models import (
    SERIOUSNESS_CRITERIA,
    AdverseEvent,
    EventAssessment,
    Expectedness,
    Outcome,
    Relatedness,
)
from registry.access.models import User
from registry.audit.acting import because, past_locks
from registry.patients.models import Patient
from registry.saving import claim_version, create_once, made_by

FACTS = (
    *("term", "infusion", "onset_date", "end_date", "severity_grade", "is_serious", "seriousness_criteria"),
    *("is_special_interest", "outcome", "relatedness_cells", "relatedness_procedure", "expectedness"),
    *("aware_at", "site_aware_at", "sponsor_received_at", "action_taken", "narrative", "event_ref"),
)
OF_A_DEATH = {"outcome", "end_date", "severity_grade", "is_serious", "seriousness_criteria"}
RELATEDNESS_STRONGEST_FIRST = (
    *(Relatedness.CERTAIN, Relatedness.PROBABLE, Relatedness.POSSIBLE),
    *(Relatedness.CONDITIONAL, Relatedness.UNASSESSABLE, Relatedness.UNLIKELY),
)
EXPECTEDNESS_STRONGEST_FIRST = (Expectedness.UNEXPECTED, Expectedness.EXPECTED)


def record_event(
    *, patient: Patient, facts: Mapping[str, Any], by: User | None, now: datetime, form_token: str = ""
) -> AdverseEvent:
    """`facts`: the columns in FACTS; what is missing is unknown. The same form sent twice gives the first.

    `by` is None for the system alone.
    """
    if by:
        by.require("events.record", patient.site_id)
    if first := made_by(AdverseEvent, form_token, patient=patient):
        return first
    event = AdverseEvent(patient=patient, site=patient.site, form_token=form_token)
    _apply(event, facts)

    def make() -> AdverseEvent:
        event.event_ref = event.event_ref or next_event_ref(patient)
        event.full_clean()
        event.save()
        settle([event], now=now, by=by)
        return event

    return create_once(AdverseEvent, form_token, make, patient=patient)


def correct_event(
    *, event: AdverseEvent, facts: Mapping[str, Any], version: int, reason: str, by: User, now: datetime
) -> AdverseEvent:
    """Raises ChangedMeanwhile when `version` is no longer the stored one. That somebody died of it is never stopped by a
    lock; what else the form changes is.
    """
    by.require("events.record", event.site_id)
    with because(reason), past_locks() if _only_tells_of_a_death(event, facts) else nullcontext():
        claim_version(event, version, withdrawn_at=None)
        if facts.get("severity_grade"):
            event.severity_received = ""
        _forget_received_moments(event, facts)
        _apply(event, facts)
        event.full_clean()
        event.save()
        settle([event], now=now, by=by)
    return event


def _only_tells_of_a_death(event: AdverseEvent, facts: Mapping[str, Any]) -> bool:
    if facts.get("outcome") != Outcome.FATAL or event.outcome == Outcome.FATAL:
        return False
    return {name for name, value in facts.items() if getattr(event, name) != value} <= OF_A_DEATH


def assess_event(
    *, event: AdverseEvent, verdict: Mapping[str, Any], version: int, reason: str, by: User, now: datetime
) -> EventAssessment:
    """Stores the verdict, and sets on the event what is then in force.

    Investigator and safety officer are kept apart; the stronger of their latest verdicts is in force, so that the sponsor
    may upgrade but never downgrade what the investigator said. `verdict`: relatedness_cells, relatedness_procedure,
    expectedness, is_serious, seriousness_criteria.
    """
    by.require("events.assess", event.site_id)
    with because(reason):
        claim_version(event, version, withdrawn_at=None)
        assessment = EventAssessment(
            event=event, capacity=capacity_of(by), reason=reason, assessed_by=by, assessed_at=now, **verdict
        )
        assessment.full_clean()
        standing = _other_verdict(event, assessment.capacity)
        assessment.save()
        _put_in_force(event, [assessment, standing] if standing else [assessment])
        event.save()
        settle([event], now=now, by=by)
    return assessment


def withdraw_event(*, event: AdverseEvent, version: int, reason: str, by: User, now: datetime) -> None:
    """For an event entered by mistake: it stays readable, but counts nowhere. Its queries and task are closed."""
    by.require("events.record", event.site_id)
    with because(reason):
        claim_version(event, version, withdrawn_at=None)
        event.withdrawn_at, event.withdrawn_because = now, reason
        event.full_clean()
        event.save()
        settle([event], now=now, by=by)


def capacity_of(by: User) -> EventAssessment.Capacity:
    is_sponsor = any(grant.role == "safety" for grant in by.grants)
    return EventAssessment.Capacity.SPONSOR if is_sponsor else EventAssessment.Capacity.INVESTIGATOR


def next_event_ref(patient: Patient) -> str:
    """The person's next number. Locks the person, so that two people saving at once do not get the same one."""
    Patient.objects.select_for_update().get(pk=patient.pk)
    stem = f"{patient.patient_id}-E"
    taken = AdverseEvent.objects.filter(event_ref__startswith=stem).values_list("event_ref", flat=True)
    numbers = [int(ref.removeprefix(stem)) for ref in taken if ref.removeprefix(stem).isdecimal()]
    return f"{stem}{max(numbers, default=0) + 1}"


def code_term(event: AdverseEvent) -> None:
    """Code and class of a term in our table; a reporter's own words stay uncoded."""
    coded = term_for(event.term)
    event.meddra_code = coded.meddra_code if coded else ""
    event.soc = coded.soc if coded else ""


def _apply(event: AdverseEvent, facts: Mapping[str, Any]) -> None:
    if unknown := set(facts) - set(FACTS):
        raise TypeError(f"not facts of an event: {', '.join(sorted(unknown))}")
    for name, value in facts.items():
        setattr(event, name, value)
    code_term(event)
    mark_special_interest([event])


def _forget_received_moments(event: AdverseEvent, facts: Mapping[str, Any]) -> None:
    """A corrected moment is a full moment; the text as first received stays in the trail."""
    kept = {
        name: text
        for name, text in event.received.items()
        if name not in facts or facts[name] == getattr(event, name)
    }
    event.moments_received = json.dumps(kept) if kept else ""


def _other_verdict(event: AdverseEvent, capacity: str) -> EventAssessment | AdverseEvent | None:
    """The latest verdict of the other side; for the sponsor, else what the site reported."""
    other = event.assessments.exclude(capacity=capacity).order_by("assessed_at", "pk").last()
    if other is None and capacity == EventAssessment.Capacity.SPONSOR:
        return None if event.assessments.exists() else event
    return other


def _put_in_force(event: AdverseEvent, verdicts: list[EventAssessment | AdverseEvent]) -> None:
    for name in ("relatedness_cells", "relatedness_procedure"):
        setattr(event, name, _strongest(RELATEDNESS_STRONGEST_FIRST, [getattr(v, name) for v in verdicts]))
    event.expectedness = _strongest(EXPECTEDNESS_STRONGEST_FIRST, [v.expectedness for v in verdicts])
    event.is_serious = any(verdict.is_serious for verdict in verdicts)
    ticked = {code for verdict in verdicts for code in verdict.seriousness_criteria.split(";")}
    event.seriousness_criteria = ";".join(code for code in SERIOUSNESS_CRITERIA if code in ticked)


def _strongest(order: tuple[str, ...], verdicts: list[str]) -> str:
    return next((str(verdict) for verdict in order if verdict in verdicts), "")
