"""The people of a report as they stood at its cut-off: who they are, what they were given, and what became of them.

A fact dated after the cut-off does not exist here. Of a partial date the first day it can mean decides.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from followup.outcomes.rules import person_days
from registry import partial_dates
from registry.access.models import Registry
from registry.infusions.models import Infusion, InfusionDose
from registry.patients.models import Enrolment, Patient, Scope, Status, StatusEvent
from registry.patients.rules import WITHDRAWAL_SCOPES

DAYS_PER_YEAR = 365.25
HIDDEN_SOURCE = "hidden_blinded_protocol"
AFTER_CUT_OFF = "enrolled_after_cut_off"
NO_MORE_DATA = (Scope.NO_NEW_DATA, Scope.ERASE)
STILL_SEEN = (Scope.NO_CELLS, Scope.NO_VISITS)
ENDED = (Status.DECEASED, Status.LOST, Status.COMPLETED)


@dataclass(frozen=True)
class Given:
    """One infusion; the dose is the sum over its lots, in viable cells per kg of the weight that day."""

    pk: int
    on: date
    route: str
    reaction: str
    tissue_source: str
    viable_cells_per_kg: Decimal | None
    lots: tuple[str, ...]


@dataclass
class Person:
    """`row` is the one row of the disposition this person stands in."""

    pk: int
    patient_id: str
    site: str
    sex: str
    birth_year: int | None
    enrolled_on: date | None
    diabetes_since: str = ""
    row: str = Status.ENROLLED
    scope: str = ""
    since: date | None = None
    died_on: date | None = None
    infusions: list[Given] = field(default_factory=list)

    @property
    def is_infused(self) -> bool:
        return bool(self.infusions)

    @property
    def first_infusion(self) -> date | None:
        return self.infusions[0].on if self.infusions else None

    @property
    def is_counted(self) -> bool:
        return self.row != AFTER_CUT_OFF

    @property
    def is_followed(self) -> bool:
        if self.row == Status.WITHDRAWN:
            return self.scope in STILL_SEEN
        return self.row in (Status.ENROLLED, Status.IN_FOLLOW_UP)

    def age_on(self, day: date) -> int | None:
        return day.year - self.birth_year if self.birth_year else None

    def observed_until(self, cut_off: date) -> date:
        """Death, loss, completion, or a withdrawal that ends all data; else the cut-off."""
        has_left = self.row in ENDED or (self.row == Status.WITHDRAWN and self.scope in NO_MORE_DATA)
        return min(self.since, cut_off) if has_left and self.since else cut_off

    def years_from(self, day: date, cut_off: date) -> float:
        """Person-years from the first infusion, or `day` where that is later, until the end of observation."""
        if self.first_infusion is None:
            return 0.0
        return person_days(max(day, self.first_infusion), self.observed_until(cut_off)) / DAYS_PER_YEAR


def load_cohort(
    site_ids: Collection[int], cut_off: date, *, shows_product: bool | None = None
) -> list[Person]:
    """Everybody at these sites, in order of patient id; the number of queries does not grow with the people. A blinded
    protocol hides source and dose unless the report is a closed one.
    """
    persons = {person.pk: person for person in _people(site_ids)}
    is_open = not Registry.current().blinded if shows_product is None else shows_product
    _add_infusions(persons, site_ids, cut_off, is_open)
    steps = _steps(site_ids, cut_off)
    for person in persons.values():
        _place(person, steps[person.pk], cut_off)
    return list(persons.values())


def _people(site_ids: Collection[int]) -> Iterable[Person]:
    columns = ("pk", "patient_id", "site__code", "sex_at_birth", "birth_year")
    enrolled = {
        pk: (day, since)
        for pk, day, since in Enrolment.objects.filter(patient__site__in=site_ids).values_list(
            "patient_id", "enrolled_on", "diabetes_diagnosis_date"
        )
    }
    rows = Patient.objects.filter(site__in=site_ids).order_by("patient_id", "pk")
    for pk, patient_id, site, sex, birth_year in rows.values_list(*columns):
        day, since = enrolled.get(pk, (None, ""))
        yield Person(pk, patient_id, site, sex, birth_year, day, since)


def _add_infusions(
    persons: dict[int, Person], site_ids: Collection[int], cut_off: date, is_open: bool
) -> None:
    doses: dict[int, list[InfusionDose]] = defaultdict(list)
    given = InfusionDose.objects.filter(infusion__patient__site__in=site_ids).select_related("lot")
    for dose in given.order_by("infusion", "pk"):
        doses[dose.infusion_id].append(dose)
    rows = Infusion.objects.filter(patient__site__in=site_ids, infused_on__lte=cut_off)
    for row in rows.order_by("patient", "infused_on", "infused_at", "pk"):
        given_row = _given(row, doses[row.pk]) if is_open else _hidden(row)
        persons[row.patient_id].infusions.append(given_row)
    for person in persons.values():
        person.infusions.sort(key=lambda infusion: (infusion.on, infusion.pk))


def _hidden(row: Infusion) -> Given:
    return Given(
        pk=row.pk, on=row.infused_on, route=row.route, reaction=row.reaction, tissue_source=HIDDEN_SOURCE,
        viable_cells_per_kg=None, lots=(),
    )  # fmt: skip


def _given(row: Infusion, doses: Sequence[InfusionDose]) -> Given:
    sources = {dose.tissue_source for dose in doses}
    return Given(
        pk=row.pk,
        on=row.infused_on,
        route=row.route,
        reaction=row.reaction,
        tissue_source=next(iter(sources)) if len(sources) == 1 else "mixed" if sources else "unknown",
        viable_cells_per_kg=sum((dose.viable_cells_per_kg for dose in doses), Decimal(0)) if doses else None,
        lots=tuple(dose.lot.code for dose in doses),
    )


def _steps(site_ids: Collection[int], cut_off: date) -> dict[int, list[StatusEvent]]:
    """The status history up to the cut-off, in the order in which it decides the status."""
    found: dict[int, list[StatusEvent]] = defaultdict(list)
    events = StatusEvent.objects.filter(patient__site__in=site_ids)
    for event in sorted(events, key=lambda event: (partial_dates.latest(event.on_date), event.pk)):
        if partial_dates.earliest(event.on_date) <= cut_off:
            found[event.patient_id].append(event)
    return found


def _place(person: Person, steps: Sequence[StatusEvent], cut_off: date) -> None:
    """Exactly one row for everybody. Cells given before the cut-off count even where the enrolment is dated later."""
    is_enrolled = person.enrolled_on is not None and person.enrolled_on <= cut_off
    if not (is_enrolled or person.is_infused or steps):
        person.row = AFTER_CUT_OFF
        return
    person.row = steps[-1].status if steps else Status.ENROLLED if is_enrolled else Status.SCREENING
    person.since = partial_dates.earliest(steps[-1].on_date) if steps else None
    if person.row in (Status.SCREENING, Status.ENROLLED) and person.is_infused:
        person.row = Status.IN_FOLLOW_UP
    if person.row == Status.WITHDRAWN:
        person.scope = _strictest(steps)
    if person.row == Status.DECEASED:
        person.died_on = person.since


def _strictest(steps: Sequence[StatusEvent]) -> str:
    """Of the withdrawals since the person last came back; one without a scope counts as "no contact"."""
    scopes: set[str] = set()
    for step in steps:
        if step.status == Status.WITHDRAWN:
            scopes.add(step.scope or Scope.NO_CONTACT)
        elif step.status in (Status.ENROLLED, Status.IN_FOLLOW_UP):
            scopes.clear()
    return max(scopes, key=WITHDRAWAL_SCOPES.index)


@dataclass(frozen=True)
class Frame:
    """What every part of a safety report is counted from."""

    site_ids: tuple[int, ...]
    period_from: date
    cut_off: date
    persons: list[Person]
    shows_product: bool = True

    @property
    def infused(self) -> list[Person]:
        return [person for person in self.persons if person.is_infused]

    def by_pk(self) -> dict[int, Person]:
        return {person.pk: person for person in self.persons}

    def person_years(self) -> float:
        return rounded(sum(person.years_from(date.min, self.cut_off) for person in self.infused))

    def may_be_in_period(self, partial: str) -> bool:
        """Whether any reading of the date lies in the period."""
        return partial_dates.latest(partial) >= self.period_from


def rounded(number: float) -> float:
    """Six decimals: below what is printed, above where databases and machines differ."""
    return round(number, 6)


def rate(events: int, years: float) -> float | None:
    """Per 100 person-years; None without person-time."""
    return rounded(100 * events / years) if years else None
