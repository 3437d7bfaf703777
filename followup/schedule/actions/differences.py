"""What a plan asks of each patient, laid against the visits they have. Planning writes the difference, a preview shows it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime

from django.db.models import F

from followup.schedule.actions.plans import rules_of
from followup.schedule.models import FollowedPlan, FollowUpPlan, Visit
from followup.schedule.plan_file import Plan
from followup.schedule.rules import InfusionId, PlannedVisit, add_offset, planned_visits
from registry.clock import local_date
from registry.infusions.models import Infusion
from registry.patients.models import Enrolment, Patient

BY_PLAN = "Not in the follow-up plan any more: "
TOO_LATE = "Its window had closed before the plan asked for it: "
YEARS_AHEAD = 5  # how far the visits of a plan “for life” are planned

Key = tuple[str, InfusionId | None]


@dataclass
class Person:
    """An enrolled patient, and what visits are counted from."""

    patient_id: int
    site_id: int
    today: date
    enrolled_on: date
    infusions: list[tuple[InfusionId, date]]
    visits: dict[Key, Visit]
    follows: int | None  # the version that the visits agree with

    def asked_by(self, plan: Plan) -> list[PlannedVisit]:
        return planned_visits(plan, self.enrolled_on, self.infusions, life_until=self.planned_until)

    @property
    def planned_until(self) -> date:
        return add_offset(self.today, YEARS_AHEAD, "year")


@dataclass
class Differences:
    """`ahead`: visits still to be held, with what is asked of them now; `settled`: those held, missed or not required,
    which stay where they are; `too_late`: those that a new version adds for days that are over; `left`: those still to
    be held that an older version asked for and this one does not; `kept`: such as stay open all the same;
    `held_before`: those held that only an older version asked for.
    """

    new: list[PlannedVisit] = field(default_factory=list)
    too_late: list[PlannedVisit] = field(default_factory=list)
    ahead: list[tuple[Visit, PlannedVisit]] = field(default_factory=list)
    settled: list[tuple[Visit, PlannedVisit]] = field(default_factory=list)
    left: list[Visit] = field(default_factory=list)
    kept: list[Visit] = field(default_factory=list)
    held_before: list[Visit] = field(default_factory=list)


def people(patient_ids: list[int], now: datetime) -> Iterator[Person]:
    """In the order of the ids; whoever is not enrolled has no plan."""
    rows = Enrolment.objects.filter(patient__in=patient_ids).values_list("patient_id", "enrolled_on")
    enrolled = dict(rows.order_by("patient_id"))
    places = Patient.objects.filter(pk__in=patient_ids).values_list("pk", "site_id", "site__time_zone")
    where = {pk: (site_id, local_date(now, zone)) for pk, site_id, zone in places}
    infusions, visits = _infusions(patient_ids), _visits(patient_ids)
    followed = FollowedPlan.objects.filter(patient__in=patient_ids).values_list("patient_id", "plan_id")
    follows = dict(followed.order_by("patient_id"))
    for patient_id, enrolled_on in enrolled.items():
        site_id, today = where[patient_id]
        yield Person(
            patient_id,
            site_id,
            today,
            enrolled_on,
            infusions[patient_id],
            visits[patient_id],
            follows.get(patient_id),
        )


def _infusions(patient_ids: list[int]) -> defaultdict[int, list[tuple[InfusionId, date]]]:
    found: defaultdict[int, list[tuple[InfusionId, date]]] = defaultdict(list)
    rows = Infusion.objects.filter(patient__in=patient_ids).order_by("pk")
    for patient_id, infusion_id, infused_on in rows.values_list("patient_id", "pk", "infused_on"):
        found[patient_id].append((infusion_id, infused_on))
    return found


def _visits(patient_ids: list[int]) -> defaultdict[int, dict[Key, Visit]]:
    found: defaultdict[int, dict[Key, Visit]] = defaultdict(dict)
    rows = Visit.objects.filter(patient__in=patient_ids).exclude(visit_code="")
    for visit in rows.annotate(by_plan=F("timepoint__plan")).order_by("pk"):
        infusion = visit.infusion_id if visit.anchor == "each_infusion" else None
        found[visit.patient_id][visit.visit_code, infusion] = visit
    return found


def plan_id_of(visit: Visit) -> int | None:
    """The version by which a visit of `people` was planned."""
    plan_id: int | None = vars(visit)["by_plan"]
    return plan_id


def is_retired(visit: Visit) -> bool:
    return visit.state == Visit.State.NOT_REQUIRED and visit.state_reason.startswith(BY_PLAN)


def was_too_late(visit: Visit) -> bool:
    was = visit.state == Visit.State.NOT_REQUIRED and visit.state_reason.startswith(TOO_LATE)
    return was and visit.actual_date is None


def differences(plan: Plan, person: Person, *, plan_id: int | None = None) -> Differences:
    """`plan_id`: its version once it is stored. What a version of before asked for is taken up again as it was left."""
    found, unasked = Differences(), dict(person.visits)
    for wanted in person.asked_by(plan):
        visit = unasked.pop(wanted.key, None)
        if visit is None:
            (found.too_late if _is_too_late(wanted, person, plan_id) else found.new).append(wanted)
        elif visit.state == Visit.State.PLANNED or is_asked_again(visit, wanted, person.today):
            found.ahead.append((visit, wanted))
        else:
            found.settled.append((visit, wanted))
    for visit in unasked.values():
        if visit.state == Visit.State.PLANNED and plan_id_of(visit) not in (None, plan_id):
            (found.kept if is_kept(visit, person.today) else found.left).append(visit)
    found.held_before = [visit for visit in unasked.values() if visit.actual_date is not None]
    return found


def is_asked_again(visit: Visit, wanted: PlannedVisit, today: date) -> bool:
    """One that planning closed, and nobody else: left out by a version, or too late and now put where it is not."""
    return is_retired(visit) or (was_too_late(visit) and wanted.closes >= today)


def _is_too_late(wanted: PlannedVisit, person: Person, plan_id: int | None) -> bool:
    """Who comes from an older version is not late with what that one never asked. An infusion that was not planned for
    yet brings all its visits, whenever it was.
    """
    if person.follows in (None, plan_id) or wanted.closes >= person.today:
        return False
    return wanted.anchor_id is None or any(
        visit.infusion_id == wanted.anchor_id for visit in person.visits.values()
    )


def is_kept(visit: Visit, today: date) -> bool:
    """What was begun or booked, and a neoplasia check that is owed by now, stays open until a person settles it."""
    is_owed = visit.neoplasia_check and visit.window_opens is not None and visit.window_opens <= today
    return visit.actual_date is not None or visit.booked_for is not None or is_owed


class OwnWindows:
    """Visits of older versions are judged by the version they were held under, on the anchors as they stand now."""

    def __init__(self) -> None:
        self.rules: dict[int, Plan] = {}
        self.asked: tuple[int, int, dict[Key, PlannedVisit]] = (
            0,
            0,
            {},
        )  # of one patient and version, the last

    def of(self, person: Person, visit: Visit) -> PlannedVisit | None:
        plan_id = plan_id_of(visit)
        if plan_id is None:
            return None
        if self.asked[:2] != (person.patient_id, plan_id):
            asked = planned_visits(self._rules(plan_id), person.enrolled_on, person.infusions)
            self.asked = (person.patient_id, plan_id, {one.key: one for one in asked})
        infusion = visit.infusion_id if visit.anchor == "each_infusion" else None
        return self.asked[2].get((visit.visit_code, infusion))

    def _rules(self, plan_id: int) -> Plan:
        if plan_id not in self.rules:
            self.rules[plan_id] = rules_of(FollowUpPlan.objects.get(pk=plan_id))
        return self.rules[plan_id]
