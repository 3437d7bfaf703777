"""Follow-up at the cut-off: what became of each visit that fell due, who is overdue, and who was not seen for long.

A visit held after the cut-off counts as not held. A decision that a visit was missed or not required has no date of its
own and stands.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from followup.reports import numbers as shape
from followup.reports.charts import VISIT_OUTCOMES
from followup.reports.cohort import Frame, Person
from followup.schedule.models import ContactAttempt, ContactMode, Visit
from followup.schedule.rules import add_offset
from registry.access.blinding import about_product
from registry.access.masking import about_masked
from registry.clock import local_date
from registry.patients.models import Query

IN_WINDOW, OUTSIDE, PARTS_OPEN, OVERDUE, MISSED, NOT_REQUIRED = VISIT_OUTCOMES
SEEN_WITHIN_MONTHS, UNSEEN_FOR_MONTHS = 12, 14


@dataclass(frozen=True)
class Held:
    """A visit as it stood at the cut-off; `outcome` is empty while it is not due, or its window is still open."""

    patient: int
    code: str
    label: str
    sequence: int
    target: date | None
    closes: date | None
    on: date | None
    mode: str
    outcome: str
    is_before_infusion: bool
    pk: int

    @property
    def is_ahead(self) -> bool:
        return bool(self.code) and self.on is None and self.outcome in ("", OVERDUE)


def load_visits(frame: Frame) -> tuple[list[Held], shape.ReconciliationRow]:
    """In the order of the plan, then by person."""
    rows = Visit.objects.filter(patient__site__in=frame.site_ids).select_related("timepoint")
    ordered = rows.order_by("timepoint__position", "target_date", "patient__patient_id", "pk")
    visits = [_held(visit, frame.cut_off) for visit in ordered]
    excluded: Counter[str] = Counter()
    for visit, held in zip(ordered, visits, strict=True):
        if visit.actual_date is not None and held.on is None:
            excluded["held after the cut-off"] += 1
        elif held.on is None:
            excluded["not held by the cut-off"] += 1
    made = sum(held.on is not None for held in visits)
    row: shape.ReconciliationRow = {
        "record": "visits",
        "in_registry": len(visits),
        "excluded": dict(excluded),
        "counted": made,
    }
    return visits, row


def _held(visit: Visit, cut_off: date) -> Held:
    on = visit.actual_date if visit.actual_date and visit.actual_date <= cut_off else None
    return Held(
        patient=visit.patient_id,
        code=visit.visit_code,
        label=visit.timepoint.label if visit.timepoint else "Unscheduled visit",
        sequence=visit.sequence,
        target=visit.target_date,
        closes=visit.window_closes,
        on=on,
        mode=visit.contact_mode,
        outcome=_outcome(visit, on, cut_off),
        is_before_infusion=visit.anchor == "enrolment",
        pk=visit.pk,
    )


def _outcome(visit: Visit, on: date | None, cut_off: date) -> str:
    if not visit.visit_code or visit.window_closes is None or visit.window_opens is None:
        return ""
    if on is not None:
        if visit.state != Visit.State.DONE:
            return PARTS_OPEN
        return IN_WINDOW if visit.window_opens <= on <= visit.window_closes else OUTSIDE
    if visit.window_closes >= cut_off:
        return ""
    return {Visit.State.MISSED: MISSED, Visit.State.NOT_REQUIRED: NOT_REQUIRED}.get(
        Visit.State(visit.state), OVERDUE
    )


def follow_up(visits: Sequence[Held], frame: Frame) -> shape.FollowUp:
    followed = {person.pk: person for person in frame.persons if person.is_followed}
    seen = _last_seen(visits)
    recent = add_offset(frame.cut_off, -SEEN_WITHIN_MONTHS, "month")
    long_ago = add_offset(frame.cut_off, -UNSEEN_FOR_MONTHS, "month")
    ahead = {held.patient for held in visits if held.is_ahead}
    overdue = _overdue_by_person(visits)
    return {
        "completeness": _completeness(visits),
        "overdue": _overdue_rows(overdue, frame),
        "overdue_by_site": _overdue_by_site(overdue, frame),
        "persons_under_follow_up": len(followed),
        "persons_seen_within_12_months": sum(seen.get(pk, date.min) > recent for pk in followed),
        "persons_unseen_for_14_months": sum(
            seen.get(person.pk, person.enrolled_on or date.min) <= long_ago for person in followed.values()
        ),
        "persons_without_next_visit": sum(pk not in ahead for pk in followed),
    }


def _last_seen(visits: Iterable[Held]) -> dict[int, date]:
    """A look into records is no contact."""
    seen: dict[int, date] = {}
    for held in visits:
        if held.on is not None and held.mode != ContactMode.RECORDS:
            seen[held.patient] = max(held.on, seen.get(held.patient, held.on))
    return seen


def _completeness(visits: Sequence[Held]) -> list[shape.CompletenessRow]:
    groups: dict[str, list[Held]] = defaultdict(list)
    for held in visits:
        if held.outcome:
            groups[held.code].append(held)
    return [
        {"visit_code": code, "label": some[0].label, "outcomes": _counts(some)}
        for code, some in groups.items()
    ]


def _counts(visits: Iterable[Held]) -> dict[str, int]:
    found = Counter(held.outcome for held in visits)
    return {outcome: found[outcome] for outcome in VISIT_OUTCOMES}


# Overdue -----------------------------------------------------------------------------------------------------


def _overdue_by_person(visits: Iterable[Held]) -> dict[int, list[Held]]:
    """Each person's late visits, the one late the longest first, those before the infusion last."""
    found: dict[int, list[Held]] = defaultdict(list)
    for held in visits:
        if held.outcome == OVERDUE:
            found[held.patient].append(held)
    for some in found.values():
        some.sort(key=lambda held: (held.is_before_infusion, held.closes or date.max, held.code, held.pk))
    return found


def _overdue_rows(overdue: dict[int, list[Held]], frame: Frame) -> list[shape.OverdueRow]:
    attempts = _attempts(frame)
    rows = [
        _overdue_row(person, overdue[person.pk], attempts.get(person.pk, []), frame.cut_off)
        for person in frame.persons
        if person.pk in overdue
    ]
    return sorted(rows, key=lambda row: (-row["days_late"], row["patient_id"]))


def _overdue_row(
    person: Person, late: Sequence[Held], attempts: Sequence[date], cut_off: date
) -> shape.OverdueRow:
    first = late[0]
    closes, target = first.closes or cut_off, first.target or cut_off
    return {
        "patient_id": person.patient_id,
        "site": person.site,
        "visits": len(late),
        "visit_code": first.code,
        "sequence": first.sequence,
        "target_date": target.isoformat(),
        "window_closes": closes.isoformat(),
        "days_late": (cut_off - closes).days,
        "contact_attempts": len(attempts),
        "last_contact": max(attempts).isoformat() if attempts else None,
    }


def _attempts(frame: Frame) -> dict[int, list[date]]:
    found: dict[int, list[date]] = defaultdict(list)
    rows = ContactAttempt.objects.filter(patient__site__in=frame.site_ids).order_by("pk")
    for pk, at, zone in rows.values_list("patient_id", "at", "patient__site__time_zone"):
        day = local_date(at, zone)
        if day <= frame.cut_off:
            found[pk].append(day)
    return found


def _overdue_by_site(overdue: dict[int, list[Held]], frame: Frame) -> list[shape.OverdueSiteRow]:
    sites: dict[str, list[Person]] = defaultdict(list)
    for person in frame.persons:
        sites[person.site].append(person)
    return [
        {
            "site": site,
            "persons_followed": sum(person.is_followed for person in persons),
            "persons_overdue": sum(person.pk in overdue for person in persons),
            "visits_overdue": sum(len(overdue.get(person.pk, [])) for person in persons),
        }
        for site, persons in sorted(sites.items())
    ]


# Queries -----------------------------------------------------------------------------------------------------


def open_queries(frame: Frame) -> list[shape.QueryRow]:
    """Questions still open on the data this report is made from, whenever they were asked."""
    groups: dict[tuple[str, str], list[date]] = defaultdict(list)
    rows = Query.objects.filter(patient__site__in=frame.site_ids).exclude(status=Query.State.CLOSED)
    if not frame.shows_product:
        rows = rows.exclude(about_product()).exclude(about_masked())
    for rule, site, at, zone in rows.order_by("pk").values_list(
        "rule", "patient__site__code", "opened_at", "patient__site__time_zone"
    ):
        groups[rule, site].append(local_date(at, zone))
    return [
        {"kind": rule, "site": site, "open": len(days), "oldest_opened_on": min(days).isoformat()}
        for (rule, site), days in sorted(groups.items())
    ]
