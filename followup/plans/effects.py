"""What a version would do to the patients there are, before it is put in force: per patient, and in all. Only reads."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime

from followup.schedule.actions.differences import Person, differences, is_retired, people
from followup.schedule.models import Timepoint, Visit
from followup.schedule.plan_file import Plan
from followup.schedule.rules import PlannedVisit
from registry.batches import batches

PATIENTS_AT_A_TIME = 200
MOVES, APPEARS, DISAPPEARS, WINDOW, CONTENT = "moves", "appears", "disappears", "window", "content"
WORDS = {
    MOVES: "Moves",
    APPEARS: "Appears",
    DISAPPEARS: "Disappears",
    WINDOW: "Other window",
    CONTENT: "Other content",
}


@dataclass(frozen=True)
class Effect:
    """One visit still to be held. `was` and `now`: its target days; blank where there is none."""

    kind: str
    code: str
    label: str
    was: date | None = None
    now: date | None = None
    detail: str = ""

    @property
    def word(self) -> str:
        return WORDS[self.kind]


@dataclass
class OfPatient:
    """`fixed`: visits held, missed, not required or signed, which stay as they are; `same`: ahead and untouched;
    `kept`: those the plan leaves out that stay open until a person settles them; `too_late`: what the plan adds for days
    that are over, which nobody is asked for.
    """

    patient_id: int
    effects: list[Effect] = field(default_factory=list)
    fixed: int = 0
    kept: int = 0
    same: int = 0
    too_late: int = 0


@dataclass
class InAll:
    patients: int = 0
    touched: int = 0
    fixed: int = 0
    kept: int = 0
    too_late: int = 0
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(WORDS, 0))

    def add(self, one: OfPatient) -> None:
        self.patients += 1
        self.fixed += one.fixed
        self.kept += one.kept
        self.too_late += one.too_late
        self.touched += bool(one.effects)
        for effect in one.effects:
            self.counts[effect.kind] += 1


def effects_on(plan: Plan, patient_ids: Iterable[int], *, now: datetime) -> list[OfPatient]:
    ids, timepoints = list(patient_ids), Timepoint.objects.in_bulk()
    return [
        _of(plan, person, timepoints)
        for batch in batches(ids, PATIENTS_AT_A_TIME)
        for person in people(batch, now)
    ]


def _of(plan: Plan, person: Person, timepoints: dict[int, Timepoint]) -> OfPatient:
    for visit in person.visits.values():
        if visit.timepoint_id is not None:
            visit.timepoint = timepoints[visit.timepoint_id]
    found, one = differences(plan, person), OfPatient(person.patient_id)
    lines = {each.code: each for each in plan.timepoints}
    kept = {visit.pk for visit, _ in found.ahead}
    for wanted in found.new:
        one.effects.append(
            Effect(APPEARS, wanted.code, _name(lines[wanted.code].label, wanted.sequence), now=wanted.target)
        )
    for visit, wanted in found.ahead:
        effect = _ahead(visit, wanted, lines[wanted.code].label, lines[wanted.code].assessments)
        if effect is None:
            one.same += 1
        else:
            one.effects.append(effect)
    one.effects += [
        Effect(DISAPPEARS, visit.visit_code, visit.label, was=visit.target_date) for visit in found.left
    ]
    gone = {visit.pk for visit in found.left}
    rest = [
        visit for visit in person.visits.values() if visit.pk not in kept | gone and not is_retired(visit)
    ]
    one.kept, one.too_late = len(found.kept), len(found.too_late)
    one.fixed = len(rest) - one.kept
    one.effects.sort(key=lambda effect: (effect.was or effect.now or date.max, effect.code))
    return one


def _ahead(visit: Visit, wanted: PlannedVisit, label: str, assessments: tuple[str, ...]) -> Effect | None:
    name = _name(label, wanted.sequence)
    if visit.state == Visit.State.NOT_REQUIRED:
        return Effect(
            APPEARS, wanted.code, name, now=wanted.target, detail="again" if is_retired(visit) else ""
        )
    if visit.target_date != wanted.target:
        return Effect(MOVES, wanted.code, name, visit.target_date, wanted.target)
    if (visit.window_opens, visit.window_closes) != (wanted.opens, wanted.closes):
        return Effect(
            WINDOW, wanted.code, name, visit.target_date, wanted.target, f"{wanted.opens} to {wanted.closes}"
        )
    before = set(visit.timepoint.assessments.split(";")) if visit.timepoint else set()
    if before != set(assessments):
        more, less = sorted(set(assessments) - before), sorted(before - set(assessments))
        words = [f"+ {code.replace('_', ' ')}" for code in more] + [
            f"− {code.replace('_', ' ')}" for code in less
        ]
        return Effect(CONTENT, wanted.code, name, visit.target_date, wanted.target, ", ".join(words))
    return None


def _name(label: str, sequence: int) -> str:
    return f"{label} ({sequence})" if sequence > 1 else label
