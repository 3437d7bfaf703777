"""What enrolments, consents and statuses say against themselves: queries opened when it is so, closed when not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date, datetime

from registry import partial_dates
from registry.batches import batches
from registry.partial_dates import in_words
from registry.patients import rules
from registry.patients.eligibility import Eligibility
from registry.patients.models import Consent, Enrolment, Patient, Query, SearchWord, Status, StatusEvent
from registry.patients.queries import QueryFacts, close_queries, open_queries, record_of

PLAN_YEARS = 15
SOFT_LIMITS = {
    "height_cm": (120, 220, "cm"),
    "weight_kg": (35, 250, "kg"),
    "insulin_iu_per_day": (0, 300, "IU/day"),
}
RULES = (
    "consent_missing", "enrolled_before_consent", "diagnosed_after_enrolment", "baseline_out_of_range",
    "eligibility", "withdrawal_scope_missing", "erasure_waits", "completed_before_last_year",
    "status_after_death", "status_before_enrolment",
)  # fmt: skip


def review_patients(patient_ids: Iterable[int], *, now: datetime) -> list[Query]:
    """Looks at these people again, opens what is new and closes what a correction has settled."""
    opened: list[Query] = []
    for some in batches(patient_ids):
        found = list(_findings(some))
        opened += open_queries(found, now=now)
        _close_settled(some, {one.key for one in found}, now=now)
    return opened


def review_twins(patient_ids: Iterable[int], *, now: datetime) -> list[Query]:
    """Same birth date and family name: a warning for a person to judge. Nothing is merged."""
    opened: list[Query] = []
    for some in batches(patient_ids):
        opened += open_queries(_twins(some), now=now)
    return opened


def _findings(ids: list[int]) -> Iterator[QueryFacts]:
    consents: dict[int, list[date]] = defaultdict(list)
    for patient_id, signed_on in Consent.objects.filter(patient_id__in=ids).values_list(
        "patient_id", "signed_on"
    ):
        consents[patient_id].append(signed_on)
    enrolments = {
        e.patient_id: e for e in Enrolment.objects.filter(patient_id__in=ids).select_related("patient")
    }
    for enrolment in enrolments.values():
        yield from _of_enrolment(enrolment, consents[enrolment.patient_id])
    for eligibility in Eligibility.objects.filter(patient_id__in=ids).select_related("patient"):
        yield from _of_eligibility(eligibility)
    events: dict[int, list[StatusEvent]] = defaultdict(list)
    for event in StatusEvent.objects.filter(patient_id__in=ids).select_related("patient", "patient__key"):
        events[event.patient_id].append(event)
    for patient_id, history in events.items():
        enrolled = enrolments.get(patient_id)
        yield from _of_history(history, enrolled.enrolled_on if enrolled else None)


def _of_enrolment(enrolment: Enrolment, signed: list[date]) -> Iterator[QueryFacts]:
    patient, day = enrolment.patient, enrolment.enrolled_on
    if not signed:
        yield _about(enrolment, patient, "missing", "consent_missing", "No consent is recorded.")
    elif min(signed) > day:
        reason = f"Enrolled on {in_words(day)}, but the first consent was signed on {in_words(min(signed))}."
        yield _about(enrolment, patient, "deviation", "enrolled_before_consent", reason, "enrolled_on")
    diagnosed = enrolment.diabetes_diagnosis_date
    if diagnosed and partial_dates.certainly_before(day.isoformat(), diagnosed):
        reason = f"Diabetes diagnosed {in_words(diagnosed)}, after enrolment on {in_words(day)}."
        field = "diabetes_diagnosis_date"
        yield _about(enrolment, patient, "contradiction", "diagnosed_after_enrolment", reason, field)
    for field, (low, high, unit) in SOFT_LIMITS.items():
        value = getattr(enrolment, field)
        if value is not None and not low <= value <= high:
            reason = f"{value} {unit} is unusual (expected {low} to {high} {unit}): please check."
            yield _about(enrolment, patient, "out_of_range", "baseline_out_of_range", reason, field)


def _of_eligibility(eligibility: Eligibility) -> Iterator[QueryFacts]:
    answers = {code: getattr(eligibility, code) for code in rules.ELIGIBILITY_QUESTIONS}
    for finding in rules.eligibility_findings(answers):
        if finding.level == "exclusion":
            reason = f"{finding.message}: speaks against treatment; the investigator decides."
            yield _about(eligibility, eligibility.patient, "deviation", "eligibility", reason, finding.code)


def _of_history(history: list[StatusEvent], enrolled_on: date | None) -> Iterator[QueryFacts]:
    died = min((e.on_date for e in history if e.status == Status.DECEASED), default="")
    for event in history:
        yield from _of_event(event, enrolled_on)
        if died and partial_dates.certainly_before(died, event.on_date):
            reason = f"{event.get_status_display()} on {in_words(event.on_date)}, after the death on {in_words(died)}."
            yield _about(event, event.patient, "contradiction", "status_after_death", reason, "on_date")


def _of_event(event: StatusEvent, enrolled_on: date | None) -> Iterator[QueryFacts]:
    patient = event.patient
    if event.status == Status.WITHDRAWN and not event.scope:
        reason = "Withdrawn without a scope: what may still be done? Until answered nobody is contacted."
        yield _about(event, patient, "missing", "withdrawal_scope_missing", reason, "scope")
    if event.scope == "erase" and hasattr(patient, "key"):
        reason = "Erasure was asked for; the identifiers still stand. Erase them on the patient's page."
        yield _about(event, patient, "missing", "erasure_waits", reason, "scope")
    if enrolled_on is None:
        return
    if event.status != Status.SCREENING and partial_dates.certainly_before(
        event.on_date, enrolled_on.isoformat()
    ):
        reason = f"{event.get_status_display()} on {in_words(event.on_date)}, before enrolment on {in_words(enrolled_on)}."
        yield _about(event, patient, "contradiction", "status_before_enrolment", reason, "on_date")
    if event.status == Status.COMPLETED:
        years = partial_dates.latest(event.on_date).year - enrolled_on.year
        if years < PLAN_YEARS:
            reason = f"Completed after {years} years; follow-up is complete only after year {PLAN_YEARS}."
            yield _about(event, patient, "contradiction", "completed_before_last_year", reason, "status")


def _about(
    row: Enrolment | Eligibility | StatusEvent,
    patient: Patient,
    kind: str,
    rule: str,
    reason: str,
    field: str = "",
) -> QueryFacts:
    return QueryFacts(
        kind=kind, rule=rule, record=record_of(row), reason=reason, field=field,
        patient_id=patient.pk, site_id=patient.site_id,
    )  # fmt: skip


def _close_settled(ids: list[int], holding: set[tuple[str, str, str]], *, now: datetime) -> None:
    standing = Query.objects.filter(patient_id__in=ids, rule__in=RULES).exclude(status=Query.State.CLOSED)
    settled = [q.pk for q in standing if (q.rule, q.record, q.field) not in holding]
    if settled:
        close_queries(pks=settled, now=now, because="Settled by a correction of the record")


def _twins(ids: list[int]) -> Iterator[QueryFacts]:
    mine = SearchWord.objects.filter(kind="twin", patient_id__in=ids)
    sharing: dict[str, list[Patient]] = defaultdict(list)
    for word in SearchWord.objects.filter(kind="twin", digest__in=mine.values("digest")).select_related(
        "patient"
    ):
        sharing[word.digest].append(word.patient)
    wanted = set(ids)
    for people in sharing.values():
        for patient in people:
            if patient.pk in wanted:
                yield from _twin_warnings(patient, [other for other in people if other.pk != patient.pk])


def _twin_warnings(patient: Patient, others: list[Patient]) -> Iterator[QueryFacts]:
    """Another site's patient is named only to those who see all sites."""
    here = sorted(other.patient_id for other in others if other.site_id == patient.site_id)
    there = sorted(other.patient_id for other in others if other.site_id != patient.site_id)
    same = "Same birth date and family name as"
    if here:
        yield QueryFacts(
            kind="duplicate", rule="possible_twin", record=record_of(patient), patient_id=patient.pk,
            site_id=patient.site_id, reason=f"{same} {', '.join(here)}: a twin, or entered twice?",
        )  # fmt: skip
    if there:
        yield QueryFacts(
            kind="duplicate", rule="possible_twin_at_another_site", record=record_of(patient),
            reason=f"{patient}: {same.lower()} {', '.join(there)} at another site.",
        )  # fmt: skip
