"""Neoplasia: every suspicion and case with its verdict, and incidence over the time at risk.

Counted is the first malignant neoplasm of a person after the first infusion, as confirmed by an investigator or as
reported from outside. Basal- and squamous-cell skin cancer (C44 with 8010 to 8110), benign, prevalent and only suspected
cases are listed and not counted. Time at risk ends at the last day the neoplasia status was known.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from followup.neoplasia.actions import status_known_on
from followup.neoplasia.models import NeoplasiaCheck, Neoplasm
from followup.neoplasia.rules import is_incident
from followup.outcomes.rules import DAYS_PER_YEAR, TimeAtRisk, incidence_rate, neoplasia_time_at_risk
from followup.reports import numbers as shape
from followup.reports.cohort import Frame, Person, rounded
from followup.schedule.models import Visit
from followup.schedule.rules import add_offset
from registry import partial_dates

SKIPPED_MONTHS = 6
BANDS = (
    ("under 1 year", 0, 1),
    ("1 to under 5 years", 1, 5),
    ("5 to under 10 years", 5, 10),
    ("10 years and over", 10, 200),
)
REPORTED = "reported, unverified"
SUSPECTED_AT_CUT_OFF = "suspected"
WHY_NOT_MALIGNANT = {
    "suspected": "suspected, work-up open",
    "under_work_up": "suspected, work-up open",
    "excluded": "excluded by work-up",
    "benign": "benign",
    "undetermined": "undetermined",
}


@dataclass(frozen=True)
class Case:
    """A neoplasm as it stood at the cut-off. `found_on` is its day for person-time, never before the infusion it follows."""

    record: Neoplasm
    person: Person
    status: str
    why_not: str
    found_on: date

    @property
    def is_counted(self) -> bool:
        return not self.why_not


def load_cases(frame: Frame) -> tuple[list[Case], shape.ReconciliationRow]:
    persons = frame.by_pk()
    rows = Neoplasm.objects.filter(patient__site__in=frame.site_ids)
    rows = rows.order_by("suspected_on", "patient__patient_id", "pk")
    cases: list[Case] = []
    excluded: Counter[str] = Counter()
    with_a_case: set[int] = set()
    for record in sorted(rows, key=_first_known):
        if _first_known(record)[0] > frame.cut_off:
            excluded["first suspected after the cut-off"] += 1
            continue
        case = _judged(record, persons[record.patient_id], frame.cut_off, with_a_case)
        if case.is_counted:
            with_a_case.add(case.person.pk)
        else:
            excluded[case.why_not] += 1
        cases.append(case)
    counted = sum(case.is_counted for case in cases)
    in_registry = counted + excluded.total()
    return cases, {
        "record": "neoplasia cases",
        "in_registry": in_registry,
        "excluded": dict(excluded),
        "counted": counted,
    }


def _first_known(record: Neoplasm) -> tuple[date, int]:
    known = [text for text in (record.suspected_on, record.diagnosed_on) if text]
    return min(partial_dates.earliest(text) for text in known), record.pk


def _judged(record: Neoplasm, person: Person, cut_off: date, with_a_case: set[int]) -> Case:
    found = partial_dates.earliest(record.diagnosed_on or record.suspected_on)
    status = _status_at(record, cut_off)
    why_not = _why_not(record, person, status)
    if not why_not and person.pk in with_a_case:
        why_not = "second in the same person"
    first = person.first_infusion
    return Case(record, person, status, why_not, max(found, first) if first else found)


def _status_at(record: Neoplasm, cut_off: date) -> str:
    """A diagnosis or a conclusion reached after the cut-off is not known yet."""
    is_diagnosed = bool(record.diagnosed_on) and partial_dates.earliest(record.diagnosed_on) <= cut_off
    is_closed = record.closed_on is not None and record.closed_on <= cut_off
    if is_closed and (is_diagnosed or not record.diagnosed_on):
        return str(record.status)
    return REPORTED if is_diagnosed else SUSPECTED_AT_CUT_OFF


def _why_not(record: Neoplasm, person: Person, status: str) -> str:
    if status in WHY_NOT_MALIGNANT:
        return WHY_NOT_MALIGNANT[status]
    if record.behaviour == "0":
        return "benign"
    if person.first_infusion is None:
        return "person never infused"
    if _is_skin_cancer_left_out(record):
        return "basal- or squamous-cell skin cancer"
    found = (record.suspected_on, record.diagnosed_on)
    if is_incident(found=found, first_infusion=person.first_infusion) is False:
        return "present before the first infusion"
    return ""


def _is_skin_cancer_left_out(record: Neoplasm) -> bool:
    histology = record.morphology[:4]
    return record.topography.startswith("C44") and histology.isdigit() and 8010 <= int(histology) <= 8110


# Numbers -----------------------------------------------------------------------------------------------------


def neoplasia(cases: Sequence[Case], frame: Frame) -> shape.Neoplasia:
    due, done = _checks(frame)
    main = _at_risk(cases, frame)
    later = _at_risk(cases, frame, skip_first_months=SKIPPED_MONTHS)
    counted = [case for case in cases if case.is_counted]
    late = [case for case in counted if _is_later(case)]
    return {
        "listing": [_listed(case) for case in cases],
        "rates": [
            _rate("status_known", len(counted), [(t.years, t.unascertained_years) for t in main]),
            _rate("to_cut_off", len(counted), [(t.years_to_cut_off, 0.0) for t in main]),
            _rate("without_first_6_months", len(late), [(t.years, t.unascertained_years) for t in later]),
        ],
        "by_time_since_infusion": _by_time(counted, frame, main),
        "checks_due": due,
        "checks_done": done,
        "expected": None,
    }


def _is_later(case: Case) -> bool:
    first = case.person.first_infusion
    return first is not None and case.found_on >= add_offset(first, SKIPPED_MONTHS, "month")


def _at_risk(cases: Sequence[Case], frame: Frame, skip_first_months: int = 0) -> list[TimeAtRisk]:
    events = {case.person.pk: case.found_on for case in cases if case.is_counted}
    known = status_known_on([person.pk for person in frame.infused], until=frame.cut_off)
    return [
        neoplasia_time_at_risk(
            person.first_infusion,
            frame.cut_off,
            [known[person.pk]] if person.pk in known else [],
            event_on=events.get(person.pk),
            died_on=person.died_on,
            skip_first_months=skip_first_months,
        )
        for person in frame.infused
        if person.first_infusion
    ]


def _rate(definition: str, cases: int, years: Sequence[tuple[float, float]]) -> shape.NeoplasiaRateRow:
    total = rounded(sum(at_risk for at_risk, _ in years))
    estimate = incidence_rate(cases, total) if total > 0 else None
    return {
        "definition": definition,
        "cases": cases,
        "persons": len(years),
        "person_years": total,
        "unascertained_years": rounded(sum(unknown for _, unknown in years)),
        "rate_per_100_person_years": rounded(estimate.value) if estimate else None,
        "low": rounded(estimate.low) if estimate else None,
        "high": rounded(estimate.high) if estimate else None,
    }


def _by_time(
    counted: Sequence[Case], frame: Frame, at_risk: Sequence[TimeAtRisk]
) -> list[shape.TimeSinceRow]:
    since = [
        (case.found_on - case.person.first_infusion).days for case in counted if case.person.first_infusion
    ]
    rows: list[shape.TimeSinceRow] = []
    for band, start, end in BANDS:
        cases = sum(start * DAYS_PER_YEAR <= days < end * DAYS_PER_YEAR for days in since)
        years = rounded(sum(max(0.0, min(one.years, end) - start) for one in at_risk))
        estimate = incidence_rate(cases, years) if years > 0 else None
        rows.append({
            "band": band,
            "cases": cases,
            "person_years": years,
            "rate_per_100_person_years": rounded(estimate.value) if estimate else None,
            "low": rounded(estimate.low) if estimate else None,
            "high": rounded(estimate.high) if estimate else None,
        })  # fmt: skip
    return rows


def _checks(frame: Frame) -> tuple[int, int]:
    """Checks of the plan that fell due by the cut-off, and those made by then."""
    visits = Visit.objects.filter(patient__site__in=frame.site_ids, neoplasia_check=True)
    due = set(
        visits.filter(window_closes__lt=frame.cut_off)
        .exclude(state=Visit.State.NOT_REQUIRED)
        .values_list("pk", flat=True)
    )
    made = NeoplasiaCheck.objects.filter(visit__in=visits, on_date__lte=frame.cut_off)
    answered = visits.filter(
        assessments__code="neoplasia_check",
        assessments__state__in=("done", "done_elsewhere"),
        assessments__on_date__lte=frame.cut_off,
    )
    done = set(made.values_list("visit_id", flat=True)) | set(answered.values_list("pk", flat=True))
    return len(due | done), len(done)


def _listed(case: Case) -> shape.NeoplasmRow:
    record, person = case.record, case.person
    first, is_diagnosed = person.first_infusion, case.status != SUSPECTED_AT_CUT_OFF
    morphology, _, behaviour = record.morphology.partition("/")
    return {
        "case_ref": record.case_ref,
        "patient_id": person.patient_id,
        "sex": person.sex,
        "age_years": person.age_on(case.found_on),
        "status": case.status,
        "suspected_on": record.suspected_on or None,
        "diagnosed_on": record.diagnosed_on or None if is_diagnosed else None,
        "months_since_first_infusion": _months(first, case.found_on),
        "topography": record.topography if is_diagnosed else "",
        "morphology": morphology if is_diagnosed else "",
        "behaviour": f"/{behaviour}" if is_diagnosed and behaviour else "",
        "donor_origin": record.get_donor_origin_display() if record.donor_origin else "not tested",
        "relatedness_cells": record.relatedness_cells,
        "relatedness_procedure": record.relatedness_procedure,
        "is_counted": case.is_counted,
        "why_not_counted": case.why_not,
    }


def _months(first: date | None, on: date) -> int | None:
    """Whole calendar months since the first infusion; None without one."""
    if first is None:
        return None
    months = (on.year - first.year) * 12 + on.month - first.month
    return months if add_offset(first, months, "month") <= on else months - 1
