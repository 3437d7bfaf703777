"""One made-up person's six years: who they are, when cells were given, which visits took place, what happened. Pure."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random

from config.demo import cast
from config.demo.courses import Course, make_course

YEARS = 6
# The shapes the literature describes. Each appears once before any repeats; the rest are ordinary courses.
SPECIAL = (
    "suspicion", "excluded", "confirmed", "withdrawn", "deceased", "fever", "insulin_restart", "misses_visits",
    "no_more_cells", "never_infused", "serious_event", "just_enrolled",
)  # fmt: skip
SHAPES = ("rebound", "durable", "rebound", "none", "durable", "rebound")


@dataclass(frozen=True)
class LotOnShelf:
    code: str
    released: date
    expires: date


@dataclass(frozen=True)
class Cells:
    day: date
    lot: str
    route: str
    cells_total: int
    viability_percent: float
    weight_kg: float


@dataclass(frozen=True)
class Story:
    number: int
    kind: str
    site: str
    sex: str
    given_name: str
    family_name: str
    birth_date: date
    diagnosed: str
    enrolled: date
    course: Course
    takes_insulin: bool
    cells: list[Cells] = field(default_factory=list)
    ends_on: date | None = None
    attends: float = 0.96

    @property
    def first_cells(self) -> date | None:
        return self.cells[0].day if self.cells else None

    def months_at(self, day: date) -> float:
        return (day - self.first_cells).days / 30.44 if self.first_cells else -1.0

    def random_for(self, what: str, seed: int) -> Random:
        """A source of chance of its own for each matter, so that adding one does not change the others."""
        return Random(f"{seed}:{self.number}:{what}")


def make_story(number: int, *, site: str, lots: list[LotOnShelf], today: date, seed: int) -> Story:
    random = Random(f"{seed}:{number}")
    kind = SPECIAL[number] if number < len(SPECIAL) else "ordinary"
    shape = SHAPES[number % len(SHAPES)]
    sex = "female" if random.random() < 0.45 else "male"
    takes_insulin = kind == "insulin_restart" or random.random() < 0.6
    route = random.choice(cast.ROUTES)
    course = make_course(shape, random, on_insulin=takes_insulin, intra_arterial=route.startswith("ia_"))
    enrolled = _enrolled_on(kind, random, today)
    born = date(enrolled.year - random.randint(38, 68), random.randint(1, 12), random.randint(1, 28))
    return Story(
        number=number, kind=kind, site=site, sex=sex,
        given_name=random.choice(cast.GIVEN_FEMALE if sex == "female" else cast.GIVEN_MALE),
        family_name=cast.FAMILY[number % len(cast.FAMILY)],
        birth_date=born,
        diagnosed=str(max(born.year + 20, enrolled.year - random.randint(4, 18))),
        enrolled=enrolled, course=course, takes_insulin=takes_insulin,
        cells=_cells(number, kind, enrolled, course.weight_kg, route, lots, random, today),
        ends_on=_end(kind, enrolled, random),
        attends=0.55 if kind == "misses_visits" else 0.96,
    )  # fmt: skip


def has_fever(story: Story, infusion: int, seed: int) -> bool:
    """About one infusion in seven, as published; always the first of the person who shows it."""
    return story.random_for(f"fever:{infusion}", seed).random() < 0.15 or (
        story.kind == "fever" and infusion == 0
    )


def _enrolled_on(kind: str, random: Random, today: date) -> date:
    if kind == "just_enrolled":
        return today - timedelta(days=9)
    earliest = {"confirmed": 5.2, "excluded": 4.5, "suspicion": 3.1, "deceased": 4.0}.get(kind, 0.0)
    years = (
        max(earliest, random.uniform(0.25, YEARS - 0.2))
        if not earliest
        else earliest + random.uniform(0, 0.4)
    )
    return _weekday(today - timedelta(days=int(years * 365.25)))


def _cells(
    number: int,
    kind: str,
    enrolled: date,
    weight: float,
    route: str,
    lots: list[LotOnShelf],
    random: Random,
    today: date,
) -> list[Cells]:
    if kind in ("never_infused", "just_enrolled"):
        return []
    count = random.choice([1, 1, 2, 2, 3])
    gap = random.choice([28, 28, 56, 84])
    day = _weekday(enrolled + timedelta(days=random.randint(2, 5)))
    given = []
    for position in range(count):
        if day >= today:
            break
        viability = round(random.uniform(84, 96), 1)
        viable = random.choice([1.0, 1.0, 1.5, 2.0]) * 1e6 * weight
        usable = [lot.code for lot in lots if lot.released <= day <= lot.expires]
        lot = usable[(number + position) % len(usable)]
        given.append(
            Cells(day, lot, route, round(viable / viability * 100, -5).__int__(), viability, round(weight, 1))
        )
        day = _weekday(day + timedelta(days=gap))
    return given


def _end(kind: str, enrolled: date, random: Random) -> date | None:
    if kind in ("withdrawn", "deceased"):
        return enrolled + timedelta(days=random.randint(500, 900))
    return enrolled + timedelta(days=6) if kind == "never_infused" else None


def _weekday(day: date) -> date:
    return day + timedelta(days=max(0, 7 - day.isoweekday()) + 1) if day.isoweekday() > 5 else day
