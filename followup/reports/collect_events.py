"""Adverse events and infusion reactions. Counted: events not certainly before the first infusion of a person infused."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from followup.outcomes.rules import clopper_pearson
from followup.reports import numbers as shape
from followup.reports.charts import GRADES
from followup.reports.cohort import Frame, Given, Person, rate, rounded
from followup.safety.ctcae import term_for
from followup.safety.models import AdverseEvent, Outcome
from followup.safety.rules import special_interest_reason
from registry import partial_dates
from registry.infusions.models import Reaction

NOT_GRADED = "not graded"
MISTAKE, AFTER, NEVER, BEFORE = (
    "entered by mistake",
    "onset after the cut-off",
    "person never infused",
    "onset before the first infusion",
)


@dataclass(frozen=True)
class Counted:
    """An event with the person who had it."""

    event: AdverseEvent
    person: Person

    @property
    def grade(self) -> str:
        grade = str(self.event.severity_grade or "")
        return grade if grade in GRADES else NOT_GRADED

    @property
    def is_fatal(self) -> bool:
        return self.event.outcome == Outcome.FATAL or self.grade == "5" or "death" in self.event.criteria

    @property
    def soc(self) -> str:
        coded = term_for(self.event.term)
        return self.event.soc or (coded.soc if coded else "Not coded")


KINDS: dict[str, Callable[[Counted], bool]] = {
    "any": lambda _: True,
    "related": lambda one: one.event.counts_as_related,
    "grade_3_or_higher": lambda one: one.grade in ("3", "4", "5"),
    "serious": lambda one: one.event.counts_as_serious,
    "special_interest": lambda one: one.event.is_special_interest,
    "fatal": lambda one: one.is_fatal,
}


def load_events(frame: Frame) -> tuple[list[Counted], shape.ReconciliationRow]:
    """The events that count, and how many do not by which rule."""
    persons = frame.by_pk()
    rows = AdverseEvent.objects.filter(patient__site__in=frame.site_ids)
    rows = rows.order_by("onset_date", "patient__patient_id", "pk")
    counted: list[Counted] = []
    excluded: Counter[str] = Counter()
    for event in rows:
        person = persons[event.patient_id]
        if why := _why_not(event, person, frame):
            excluded[why] += 1
        else:
            counted.append(Counted(event, person))
    return counted, {
        "record": "adverse events",
        "in_registry": len(counted) + excluded.total(),
        "excluded": dict(excluded),
        "counted": len(counted),
    }


def _why_not(event: AdverseEvent, person: Person, frame: Frame) -> str:
    if event.withdrawn_at is not None:
        return MISTAKE
    if partial_dates.earliest(event.onset_date) > frame.cut_off:
        return AFTER
    if person.first_infusion is None:
        return NEVER
    return BEFORE if partial_dates.latest(event.onset_date) < person.first_infusion else ""


# Overview and tables -----------------------------------------------------------------------------------------


def overview(counted: Sequence[Counted], frame: Frame) -> list[shape.EventOverviewRow]:
    years = frame.person_years()
    return [
        _overview_row(kind, [one for one in counted if is_kind(one)], years, frame)
        for kind, is_kind in KINDS.items()
    ]


def _overview_row(kind: str, some: Sequence[Counted], years: float, frame: Frame) -> shape.EventOverviewRow:
    in_period = [one for one in some if frame.may_be_in_period(one.event.onset_date)]
    return {
        "kind": kind,
        "persons": _persons(some),
        "events": len(some),
        "persons_in_period": _persons(in_period),
        "events_in_period": len(in_period),
        "rate_per_100_person_years": rate(len(some), years),
    }


def _persons(some: Iterable[Counted]) -> int:
    return len({one.person.pk for one in some})


def event_classes(counted: Sequence[Counted]) -> list[shape.EventClassRow]:
    groups: dict[str, list[Counted]] = defaultdict(list)
    for one in counted:
        groups[one.soc].append(one)
    return [
        {"soc": soc, "persons": _persons(some), "events": len(some), "worst": _worst(some)}
        for soc, some in sorted(groups.items(), key=lambda item: (-_persons(item[1]), item[0]))
    ]


def event_terms(counted: Sequence[Counted]) -> list[shape.EventTermRow]:
    groups: dict[tuple[str, str], list[Counted]] = defaultdict(list)
    for one in counted:
        coded = term_for(one.event.term)
        groups[one.soc, coded.name if coded else one.event.term].append(one)
    ordered = sorted(groups.items(), key=lambda item: (item[0][0], -_persons(item[1]), item[0][1]))
    return [
        {"soc": soc, "term": term, "persons": _persons(some), "events": len(some), "worst": _worst(some)}
        for (soc, term), some in ordered
    ]


def _worst(some: Iterable[Counted]) -> dict[str, int]:
    """Persons by worst grade; a known grade is worse than none."""
    worst: dict[int, str] = {}
    for one in some:
        before = worst.get(one.person.pk, NOT_GRADED)
        if before == NOT_GRADED or (one.grade != NOT_GRADED and one.grade > before):
            worst[one.person.pk] = one.grade
    found = Counter(worst.values())
    return {grade: found[grade] for grade in GRADES}


# Listings ----------------------------------------------------------------------------------------------------


def serious_events(counted: Sequence[Counted], frame: Frame) -> list[shape.EventListingRow]:
    return [_listed(one, frame) for one in counted if one.event.counts_as_serious]


def _listed(one: Counted, frame: Frame) -> shape.EventListingRow:
    event, last = one.event, _last_infusion(one)
    onset = partial_dates.earliest(event.onset_date)
    is_exact = partial_dates.precision(event.onset_date) == "day"
    return {
        "event_ref": event.event_ref or f"AE-{event.pk}",
        "patient_id": one.person.patient_id,
        "sex": one.person.sex,
        "age_years": one.person.age_on(onset),
        "term": event.term,
        "grade": None if one.grade == NOT_GRADED else one.grade,
        "onset_date": event.onset_date,
        "days_since_last_infusion": (onset - last.on).days if last and is_exact else None,
        "last_lot": ", ".join(last.lots) if last and last.lots else None,
        "criteria": list(event.criteria),
        "relatedness_cells": event.relatedness_cells or None,
        "relatedness_procedure": event.relatedness_procedure or None,
        "expectedness": event.expectedness or None,
        "outcome": event.outcome or Outcome.UNKNOWN,
        "end_date": event.end_date or None,
        "in_period": frame.may_be_in_period(event.onset_date),
        "is_contradictory": event.is_serious is False,
    }


def _last_infusion(one: Counted) -> Given | None:
    onset = partial_dates.latest(one.event.onset_date)
    return max((g for g in one.person.infusions if g.on <= onset), key=lambda g: (g.on, g.pk), default=None)


def special_interest(counted: Sequence[Counted]) -> list[shape.SpecialInterestRow]:
    groups: dict[str, list[Counted]] = defaultdict(list)
    for one in counted:
        if one.event.is_special_interest:
            reason = special_interest_reason(one.event.term, grade=one.event.severity_grade)
            groups[reason or "marked by the site"].append(one)
    return [
        {
            "category": category[:1].upper() + category[1:],
            "persons": _persons(some),
            "events": len(some),
            "serious": sum(one.event.counts_as_serious for one in some),
        }
        for category, some in sorted(groups.items())
    ]


# Infusion reactions ------------------------------------------------------------------------------------------


def infusion_reactions(frame: Frame) -> shape.InfusionReactions:
    given = [(person.pk, infusion) for person in frame.infused for infusion in person.infusions]
    observed = sum(bool(infusion.reaction) for _, infusion in given)
    rows = []
    for reaction in Reaction.values:
        persons = [pk for pk, infusion in given if infusion.reaction == reaction]
        if persons and reaction != Reaction.NONE:
            rows.append(_reaction_row(reaction, persons, observed))
    return {"infusions": len(given), "observed_infusions": observed, "rows": rows}


def _reaction_row(reaction: str, persons: Sequence[int], observed: int) -> shape.ReactionRow:
    share = clopper_pearson(len(persons), observed)
    return {
        "reaction": reaction,
        "infusions": len(persons),
        "persons": len(set(persons)),
        "percent_of_infusions": rounded(100 * share.value),
        "low_percent": rounded(100 * share.low),
        "high_percent": rounded(100 * share.high),
    }
