"""The plan as the days of an example patient."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from followup.plans.rules.words import MODE_WORDS
from followup.schedule.plan_file import Plan
from followup.schedule.rules import PlannedVisit, add_offset, coinciding, planned_visits

YEARS_SHOWN = 20  # of a plan for life: it goes on in the same way


@dataclass(frozen=True)
class Entry:
    """One visit of the example. `together`: the codes one trip can serve with it."""

    visit: PlannedVisit
    label: str
    mode: str
    parts: tuple[str, ...]
    has_check: bool
    together: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{self.visit.code} ({self.visit.sequence})" if self.visit.sequence > 1 else self.visit.code


@dataclass
class Year:
    number: int
    months: list[list[Entry]] = field(default_factory=lambda: [[] for _ in range(12)])


def example(plan: Plan, enrolled_on: date, infusions: Sequence[date]) -> list[Entry]:
    """Every visit by its target day."""
    until = add_offset(min(infusions, default=enrolled_on), YEARS_SHOWN, "year")
    visits = planned_visits(plan, enrolled_on, list(enumerate(infusions, start=1)), life_until=until)
    trips = {
        visit: tuple(other.code for other in booking.visits if other != visit)
        for booking in coinciding(visits)
        for visit in booking.visits
    }
    names = {each.code: each.label.partition(":")[0] for each in plan.assessments}
    by_code = {each.code: each for each in plan.timepoints}
    return [
        Entry(
            visit,
            by_code[visit.code].label,
            MODE_WORDS[by_code[visit.code].contact_mode],
            tuple(names.get(code, code) for code in by_code[visit.code].assessments),
            by_code[visit.code].neoplasia_check,
            trips[visit],
        )
        for visit in visits
    ]


def by_year(entries: Sequence[Entry]) -> list[Year]:
    """Without the years in which nothing happens at either end."""
    if not entries:
        return []
    days = [entry.visit.target for entry in entries]
    years = {number: Year(number) for number in range(min(days).year, max(days).year + 1)}
    for entry in entries:
        years[entry.visit.target.year].months[entry.visit.target.month - 1].append(entry)
    return list(years.values())
