"""Makes the rows of visits agree with the plan: set-based, and the same however often and in whatever order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime

from django.db.models import F, Q

from followup.schedule.actions.deviations import judge_window
from followup.schedule.actions.differences import (
    BY_PLAN,
    TOO_LATE,
    OwnWindows,
    Person,
    differences,
    people,
    plan_id_of,
)
from followup.schedule.actions.plans import LoadedPlan, current_plan
from followup.schedule.actions.status import apply_status
from followup.schedule.models import FollowedPlan, Timepoint, Visit, VisitAssessment
from followup.schedule.rules import PlannedVisit, is_out_of_window
from registry.audit.acting import past_locks
from registry.batches import batches
from registry.inserting import insert_rows
from registry.patients.models import Patient

PATIENTS_AT_A_TIME = 500
ROWS_AT_A_TIME = 2000
OUT_OF_THE_WAY = 10_000  # sequences are renumbered through here: two may have to swap
DATES = (
    "timepoint_id",
    "anchor",
    "anchor_date",
    "infusion_id",
    "target_date",
    "window_opens",
    "window_closes",
    "neoplasia_check",
)


@dataclass
class Planned:
    """What planning did. `moved`: unfinished visits with new dates; `judged`: visits held whose verdict on
    the window changed; `retired`: visits ahead that the plan does not ask for any more.
    """

    created: int = 0
    moved: int = 0
    judged: int = 0
    retired: int = 0

    def __add__(self, other: Planned) -> Planned:
        return Planned(
            self.created + other.created,
            self.moved + other.moved,
            self.judged + other.judged,
            self.retired + other.retired,
        )


@dataclass
class _Changes:
    new: list[Visit] = field(default_factory=list)
    moved: list[Visit] = field(default_factory=list)
    renumbered: list[Visit] = field(default_factory=list)
    judged: list[Visit] = field(default_factory=list)
    retired: list[Visit] = field(default_factory=list)
    again: list[Visit] = field(default_factory=list)  # closed by planning, asked for again
    other_parts: list[Visit] = field(default_factory=list)
    until: dict[int, date | None] = field(default_factory=dict)  # patient: day up to which it is planned


def plan_visits(patient_ids: Iterable[int], *, now: datetime) -> Planned:
    """Gives each enrolled patient every visit the plan asks for, and moves the unfinished ones to where
    their anchors now lie. What a newer version leaves out is not required any more, and is taken up again as
    it was by one that asks for it. What it adds for days that are over is not required either.
    Visits held or missed keep their dates; whether they were inside the
    window is judged again.
    """
    total = Planned()
    ids = sorted(set(patient_ids))
    for batch in batches(ids, PATIENTS_AT_A_TIME):
        with past_locks():
            total += _plan_batch(batch, now)
            note_infusions(batch)
        apply_status(batch)
    return total


def note_infusions(patient_ids: Iterable[int]) -> None:
    """The infusion itself is done once it is recorded; what else belongs to its day still waits for an answer."""
    rows = VisitAssessment.objects.filter(
        visit__patient__in=list(patient_ids), visit__infusion__isnull=False, visit__state=Visit.State.PLANNED,
        code="infusion", state=VisitAssessment.State.PENDING,
    )  # fmt: skip
    done = list(rows.annotate(given_on=F("visit__infusion__infused_on")).order_by("pk"))
    for row in done:
        row.state, row.on_date = VisitAssessment.State.DONE, row.given_on
    VisitAssessment.objects.bulk_update(done, ["state", "on_date"], batch_size=500)
    # Whoever has such a visit open sees this answer before they save.
    Visit.objects.filter(pk__in=[row.visit_id for row in done]).update(version=F("version") + 1)


def _plan_batch(patient_ids: list[int], now: datetime) -> Planned:
    # One planner at a time for a patient; the plan and the visits are read after the lock is held.
    list(Patient.objects.select_for_update().filter(pk__in=patient_ids).order_by("pk").values_list("pk"))
    plan = current_plan()
    changes, own = _Changes(), OwnWindows()
    parts = _parts_by_timepoint()
    for person in people(patient_ids, now):
        _lay_against(plan, person, changes, own, parts)
    _store(plan, changes, now)
    return Planned(len(changes.new), len(changes.moved), len(changes.judged), len(changes.retired))


def _parts_by_timepoint() -> dict[int | None, str]:
    return dict(Timepoint.objects.order_by("pk").values_list("pk", "assessments"))


def _lay_against(
    plan: LoadedPlan, person: Person, changes: _Changes, own: OwnWindows, parts: dict[int | None, str]
) -> None:
    found = differences(plan.rules, person, plan_id=plan.row.pk)
    changes.new += [_fresh(plan, person, wanted) for wanted in found.new]
    for wanted in found.too_late:
        visit = _fresh(plan, person, wanted)
        visit.state, visit.state_reason = Visit.State.NOT_REQUIRED, f"{TOO_LATE}{plan.row}"
        changes.new.append(visit)
    for visit, wanted in found.ahead:
        before = visit.timepoint_id
        _number(visit, wanted, changes)
        if visit.state != Visit.State.PLANNED:
            changes.again.append(visit)
        if _move(plan, visit, wanted):
            changes.moved.append(visit)
            if parts.get(before) != parts.get(visit.timepoint_id):
                changes.other_parts.append(visit)
        _judge(visit, wanted, changes)
    for visit, wanted in found.settled:
        _number(visit, wanted, changes)
        is_of_this = plan_id_of(visit) in (None, plan.row.pk)
        _judge(visit, wanted if is_of_this else own.of(person, visit), changes)
    for visit in found.held_before:
        _judge(visit, own.of(person, visit), changes)
    changes.retired += found.left
    has_more = any(each.is_for_life for each in plan.rules.timepoints)
    changes.until[person.patient_id] = person.planned_until if has_more else None


def _number(visit: Visit, wanted: PlannedVisit, changes: _Changes) -> None:
    if visit.sequence != wanted.sequence:
        visit.sequence = wanted.sequence
        changes.renumbered.append(visit)


def _fresh(plan: LoadedPlan, person: Person, wanted: PlannedVisit) -> Visit:
    return Visit(
        patient_id=person.patient_id,
        site_id=person.site_id,
        created_on=person.today,
        visit_code=wanted.code,
        sequence=wanted.sequence,
        **_columns(plan, wanted),
    )


def _move(plan: LoadedPlan, visit: Visit, wanted: PlannedVisit) -> bool:
    """Whether the visit changed: its dates, or that it is asked for again."""
    columns = _columns(plan, wanted)
    if visit.state == Visit.State.PLANNED and all(getattr(visit, name) == columns[name] for name in DATES):
        return False
    for name in DATES:
        setattr(visit, name, columns[name])
    return True


def _columns(plan: LoadedPlan, wanted: PlannedVisit) -> dict[str, object]:
    timepoint = plan.timepoints[wanted.code]
    return {
        "timepoint_id": timepoint.pk,
        "anchor": wanted.anchor,
        "anchor_date": wanted.anchor_date,
        "infusion_id": wanted.anchor_id,
        "target_date": wanted.target,
        "window_opens": wanted.opens,
        "window_closes": wanted.closes,
        "neoplasia_check": timepoint.neoplasia_check,
    }


def _judge(visit: Visit, wanted: PlannedVisit | None, changes: _Changes) -> None:
    if visit.actual_date is None or wanted is None:
        return
    verdict = is_out_of_window(wanted.opens, wanted.closes, visit.actual_date)
    if verdict != visit.out_of_window:
        visit.out_of_window = verdict
        changes.judged.append(visit)


# Writing -----------------------------------------------------------------------------------------------------


def _store(plan: LoadedPlan, changes: _Changes, now: datetime) -> None:
    _renumber(changes.renumbered)
    _change_state(plan, changes)
    if changes.moved:
        dates = [name.removesuffix("_id") for name in DATES]
        Visit.objects.not_finished().bulk_update(changes.moved, dates, batch_size=PATIENTS_AT_A_TIME)
    _bulk_update(changes.judged, ["out_of_window"])
    created = Visit.objects.bulk_create(changes.new, batch_size=ROWS_AT_A_TIME)
    for some in batches(_assessments(plan, [*created, *changes.other_parts]), ROWS_AT_A_TIME):
        insert_rows(VisitAssessment, ("visit_id", "code"), some)
    _settle_parts(plan, changes.other_parts)
    judge_window(changes.judged, now=now)
    _note_followed(plan, changes.until)


def _change_state(plan: LoadedPlan, changes: _Changes) -> None:
    """People record visits without the planner's lock: one that was held or settled since it was read stays as they left it."""
    ahead = Q(state=Visit.State.PLANNED, actual_date=None, booked_for=None)
    _set_state(changes.retired, ahead, Visit.State.NOT_REQUIRED, f"{BY_PLAN}{plan.row}")
    by_plan = Q(state_reason__startswith=BY_PLAN) | Q(state_reason__startswith=TOO_LATE)
    closed = Q(by_plan, state=Visit.State.NOT_REQUIRED)
    _set_state(changes.again, closed, Visit.State.PLANNED, "")


def _set_state(visits: list[Visit], still: Q, state: str, reason: str) -> None:
    for batch in batches([visit.pk for visit in visits]):
        rows = Visit.objects.filter(still, pk__in=batch)
        rows.update(state=state, state_reason=reason, version=F("version") + 1)


def _renumber(visits: list[Visit]) -> None:
    keys = [visit.pk for visit in visits]
    Visit.objects.filter(pk__in=keys).update(sequence=F("sequence") + OUT_OF_THE_WAY)
    _bulk_update(visits, ["sequence"])


def _bulk_update(visits: list[Visit], names: list[str]) -> None:
    if visits:
        Visit.objects.bulk_update(visits, names, batch_size=PATIENTS_AT_A_TIME)


def _assessments(plan: LoadedPlan, visits: list[Visit]) -> Iterator[tuple[int, str]]:
    for visit in visits:
        for code in plan.timepoints[visit.visit_code].assessments.split(";"):
            yield visit.pk, code


def _settle_parts(plan: LoadedPlan, visits: list[Visit]) -> None:
    """Parts that nobody answered and the plan does not ask for any more; taken up again where a version asks for them."""
    state = VisitAssessment.State
    codes = {visit.pk: plan.timepoints[visit.visit_code].assessments.split(";") for visit in visits}
    dropped: list[int] = []
    asked: list[int] = []
    for batch in batches(sorted(codes)):
        rows = VisitAssessment.objects.filter(visit__in=batch).order_by("pk")
        for pk, visit_id, code, stands, reason in rows.values_list(
            "pk", "visit_id", "code", "state", "reason"
        ):
            if stands == state.PENDING and code not in codes[visit_id]:
                dropped.append(pk)
            elif stands == state.NOT_APPLICABLE and reason.startswith(BY_PLAN) and code in codes[visit_id]:
                asked.append(pk)
    for batch in batches(dropped):
        VisitAssessment.objects.filter(pk__in=batch, state=state.PENDING).update(
            state=state.NOT_APPLICABLE, reason=f"{BY_PLAN}{plan.row}"
        )
    for batch in batches(asked):
        rows = VisitAssessment.objects.filter(
            pk__in=batch, state=state.NOT_APPLICABLE, reason__startswith=BY_PLAN
        )
        rows.update(state=state.PENDING, reason="")


def _note_followed(plan: LoadedPlan, until: dict[int, date | None]) -> None:
    rows = FollowedPlan.objects.filter(patient__in=list(until)).order_by("pk")
    known = {
        row: (plan_id, day)
        for row, plan_id, day in rows.values_list("patient_id", "plan_id", "planned_until")
    }
    new = [
        FollowedPlan(patient_id=pk, plan=plan.row, planned_until=day) for pk, day in until.items() if pk not in known
    ]  # fmt: skip
    FollowedPlan.objects.bulk_create(new, batch_size=ROWS_AT_A_TIME, ignore_conflicts=True)
    changed: defaultdict[date | None, list[int]] = defaultdict(list)
    for pk, day in until.items():
        if pk in known and known[pk] != (plan.row.pk, day):
            changed[day].append(pk)
    for day, ids in changed.items():
        FollowedPlan.objects.filter(patient__in=ids).update(plan=plan.row, planned_until=day)
