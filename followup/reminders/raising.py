"""What a sweep wants of the reminders of each visit, and writing it. The same decision serves `reconcile`."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import lru_cache
from typing import NamedTuple

from django.db.models import (
    Case,
    CharField,
    F,
    Q,
    QuerySet,
    Value,
    When,
)

from followup.reminders.models import Reminder
from followup.reminders.rules import Reach, is_another_occurrence, step_rank, step_to_raise
from followup.reminders.staff import Staff
from followup.reminders.standing import MAY_BE_OVER, ever_ended, silenced
from followup.schedule.models import Timepoint, Visit
from followup.schedule.plan_file import ReminderStep
from registry.access.models import Site
from registry.audit.acting import Actor, acting_as
from registry.batches import batches
from registry.inserting import insert_rows

CHUNK = 500
SUPERSEDED = "superseded"
MOVED = "the visit moved"
NOTHING = -1  # below the rank of every step
NOT_SENT = (Reminder.State.RAISED, Reminder.State.HELD, Reminder.State.FAILED)
ROW = ("visit_id", "patient_id", "step", "rank", "recipient_kind", "generation", "target_date", "state")
COLUMNS = {"target": "target_date", "opens": "window_opens", "closes": "window_closes"}


class Planned(NamedTuple):
    """A planned visit, as far as its reminders depend on it."""

    pk: int
    patient_id: int
    timepoint_id: int | None
    target_date: date | None
    window_opens: date | None
    window_closes: date | None
    created_on: date
    anchor_date: date | None


class Told(NamedTuple):
    """A reminder that was raised before."""

    pk: int
    visit_id: int
    step: str
    rank: int
    generation: int
    is_open: bool
    target_date: date


@dataclass(frozen=True)
class PlanLine:
    """What the plan says about one timepoint's reminders."""

    steps: tuple[ReminderStep, ...]
    days_before: int
    days_after: int


@dataclass(frozen=True)
class Wish:
    """What should change for one visit: at most one row raised, some closed, or one opened again."""

    visit_id: int
    patient_id: int
    target: date
    step: str = ""
    generation: int = 1
    close: tuple[int, ...] = ()
    because: str = ""
    reopen: int | None = None


@dataclass
class Changes:
    raised: int = 0
    closed: int = 0
    reopened: int = 0

    def add(self, other: "Changes") -> None:
        self.raised += other.raised
        self.closed += other.closed
        self.reopened += other.reopened


@dataclass
class SitePlan:
    """The plan's lines for the timepoints a site's visits use, read once a sweep."""

    lines: dict[int, PlanLine] = field(default_factory=dict)

    @classmethod
    def read(cls) -> "SitePlan":
        return cls({row.pk: _line(row) for row in Timepoint.objects.order_by("pk")})

    @property
    def horizon_days(self) -> int:
        """How long before its target the earliest step of any visit may fall."""
        leads = [
            max(-step.days, line.days_before - step.days if step.counted_from == "opens" else 0)
            for line in self.lines.values()
            for step in line.steps
        ]
        return max(leads, default=0)


def raise_for_site(site: Site, *, plan: SitePlan, staff: Staff, on: date, by: Actor | str) -> Changes:
    """Brings the reminders of one site's visits into line with this day. Safe to run many times at once."""
    changes = Changes()
    for visit_ids in batches(candidates(site, plan, on), CHUNK):
        with acting_as(by, channel="sweep"):
            # Sweeps of one site go one after the other; what the other one wrote is seen here.
            Site.objects.select_for_update(no_key=True).get(pk=site.pk)
            changes.closed += _close_settled(visit_ids)
            changes.add(_write(site, wishes_for(visit_ids, plan=plan, on=on), staff=staff, on=on))
    return changes


def site_wishes(site: Site, *, plan: SitePlan, on: date) -> Iterator[Wish]:
    """What is not yet as it should be on this day: nothing, right after a sweep."""
    for visit_ids in batches(candidates(site, plan, on), CHUNK):
        yield from wishes_for(visit_ids, plan=plan, on=on)


# Whom the database finds ---------------------------------------------------------------------------------------


def candidates(site: Site, plan: SitePlan, on: date) -> list[int]:
    """The visits for which anything may have to change. It may name one too many (a step whose day lies before the visit
    was planned), never one too few: `wishes_for` decides.

    Two plain questions, laid side by side here: they cost the same however old the database's statistics are.
    """
    horizon = on + timedelta(days=plan.horizon_days)
    planned = Visit.objects.not_finished().filter(
        site=site, timepoint__isnull=False, target_date__lte=horizon
    )
    near = planned.order_by().values_list("pk", "timepoint_id", "created_on", *COLUMNS.values())
    standing, found = _standing(site)
    latest = {pk: _latest(line.steps, on) for pk, line in plan.lines.items()}
    silent: list[int] = []
    for pk, timepoint, created_on, target, *window in near.iterator(CHUNK):
        if (
            timepoint not in latest
        ):  # of a version put in force since the plan was read: the next sweep takes it
            standing.pop(pk, None)
            continue
        days = target, *(day or target for day in window)
        reached = next((rank for rank, column, day in latest[timepoint] if days[column] <= day), NOTHING)
        rank, told_of = standing.pop(pk, (NOTHING, None))
        was_late = told_of is None and days[-1] < min(on, created_on)
        if rank < reached or was_late or (told_of is not None and told_of != target):
            found.add(pk)
        elif told_of is None:
            silent.append(pk)
    for some in batches(silent):
        told = Reminder.objects.filter(visit__in=some).order_by()
        found.update(told.values_list("visit_id", flat=True))
    # Left are those settled, moved far ahead or to another site.
    return sorted(found.union(standing))


def _standing(site: Site) -> tuple[dict[int, tuple[int, date]], set[int]]:
    """The open reminder of each visit, its rank and the target it told of; and the visits whose reminders may have to go,
    because the patient's follow-up may be over or there is more than one.
    """
    rows = Reminder.objects.filter(site=site, is_open=True).order_by("rank")
    over = Case(When(Q(patient__status__in=MAY_BE_OVER) | ever_ended("patient"), then=True), default=False)
    standing: dict[int, tuple[int, date]] = {}
    doubtful: set[int] = set()
    for visit, rank, target, is_over in rows.values_list("visit_id", "rank", "target_date", over):
        if is_over or visit in standing:
            doubtful.add(visit)
        standing[visit] = rank, target
    return standing, doubtful


def _latest(steps: Sequence[ReminderStep], on: date) -> list[tuple[int, int, date]]:
    """Each step's rank, the place of its column among COLUMNS, and the latest day there by which the step has come; most
    urgent first.
    """
    columns = list(COLUMNS)
    limits = [
        (step_rank(step.step), columns.index(step.counted_from), on - timedelta(days=step.days))
        for step in steps
    ]
    return sorted(limits, reverse=True)


# What each of them wants ---------------------------------------------------------------------------------------


def wishes_for(visit_ids: Sequence[int], *, plan: SitePlan, on: date) -> list[Wish]:
    planned = Visit.objects.not_finished().filter(pk__in=visit_ids).order_by("pk")
    visits = [Planned(*row) for row in planned.values_list(*Planned._fields)]
    over = silenced({visit.patient_id for visit in visits})
    told: dict[int, list[Told]] = defaultdict(list)
    raised = Reminder.objects.filter(visit__in=visit_ids).order_by("generation", "rank", "pk")
    for row in raised.values_list(*Told._fields):
        told[row[1]].append(Told(*row))
    wishes = (_wish(visit, plan, over.get(visit.patient_id), told.get(visit.pk, []), on) for visit in visits)
    return [wish for wish in wishes if wish is not None]


def _wish(visit: Planned, plan: SitePlan, over: Reach | None, rows: list[Told], on: date) -> Wish | None:
    if visit.target_date is None or visit.timepoint_id is None:
        return None
    wish = Wish(visit.pk, visit.patient_id, visit.target_date)
    open_rows = [row for row in rows if row.is_open]
    if over is not None:
        return _with(wish, close=open_rows, because=over.reason) if open_rows else None
    line = plan.lines.get(visit.timepoint_id)
    if line is None:
        return None
    generation, current = _generation(rows, visit.target_date, line)
    step = _step(visit, visit.target_date, line, on, [row.step for row in current])
    if step:
        moved = any(row.generation < generation for row in open_rows)
        return _with(
            wish, step=step, generation=generation, close=open_rows, because=MOVED if moved else SUPERSEDED
        )
    if stale := [row for row in open_rows if row not in current]:
        return _with(wish, close=stale, because=MOVED)
    if current and not open_rows:
        return _with(wish, reopen=current[-1].pk)
    return None


def _with(
    wish: Wish, *, step: str = "", generation: int = 1, close: Sequence[Told] = (), because: str = "",
    reopen: int | None = None,
) -> Wish:  # fmt: skip
    pks = tuple(row.pk for row in close)
    return Wish(wish.visit_id, wish.patient_id, wish.target, step, generation, pks, because[:60], reopen)


def _generation(rows: list[Told], target: date, line: PlanLine) -> tuple[int, list[Told]]:
    """The number of this occurrence, and the rows raised for it. Rows come oldest generation first."""
    if not rows:
        return 1, []
    newest = rows[-1].generation
    current = [row for row in rows if row.generation == newest]
    if is_another_occurrence(current[0].target_date, target, line.days_before, line.days_after):
        return newest + 1, []
    return newest, current


def _step(visit: Planned, target: date, line: PlanLine, on: date, raised: list[str]) -> str:
    opens, closes = visit.window_opens or target, visit.window_closes or target
    anchor = visit.anchor_date or visit.created_on
    return step_to_raise(line.steps, target, opens, closes, visit.created_on, anchor, on, raised)


# Writing it ----------------------------------------------------------------------------------------------------


def _write(site: Site, wishes: list[Wish], *, staff: Staff, on: date) -> Changes:
    closing: dict[str, list[int]] = defaultdict(list)
    for wish in wishes:
        closing[wish.because].extend(wish.close)
    closed = sum(
        _close(Reminder.objects.filter(pk__in=pks), because) for because, pks in sorted(closing.items())
    )
    new = [_row(wish, staff) for wish in wishes if wish.step]
    insert_rows(Reminder, ROW, new, site_id=site.pk, raised_on=on)
    reopened = _reopen([wish.reopen for wish in wishes if wish.reopen])
    return Changes(raised=len(new), closed=closed, reopened=reopened)


def _row(wish: Wish, staff: Staff) -> tuple[object, ...]:
    """By the names of ROW."""
    kind = staff.kind_for(wish.step)
    state = Reminder.State.RAISED if staff.recipients(kind) else Reminder.State.HELD
    return (
        wish.visit_id, wish.patient_id, wish.step, step_rank(wish.step), kind, wish.generation, wish.target,
        state.value,
    )  # fmt: skip


def _reopen(pks: Iterable[int]) -> int:
    """A visit that is owed again, as when a death was recorded in error: what was never sent is sent now."""
    rows = Reminder.objects.filter(pk__in=list(pks), is_open=False)
    unsent = Case(
        When(state=Reminder.State.EXCUSED, then=Value(Reminder.State.RAISED)),
        default=F("state"),
        output_field=CharField(),
    )
    return rows.update(is_open=True, closed_because="", state=unsent)


def _close_settled(visit_ids: Sequence[int]) -> int:
    """Reminders of visits that are done, missed or not required."""
    rows = Reminder.objects.filter(visit__in=visit_ids, is_open=True).exclude(
        visit__state=Visit.State.PLANNED
    )
    settled: dict[str, list[int]] = defaultdict(list)
    for pk, state in rows.order_by("pk").values_list("pk", "visit__state"):
        settled[state].append(pk)
    return sum(
        _close(Reminder.objects.filter(pk__in=pks), f"the visit is {Visit.State(state).label.lower()}")
        for state, pks in sorted(settled.items())
    )


def _close(rows: QuerySet[Reminder], because: str) -> int:
    """Off the worklist; what was not sent yet is excused, what was sent or may have been keeps saying so."""
    unsent = Case(
        When(state__in=NOT_SENT, then=Value(Reminder.State.EXCUSED)),
        default=F("state"),
        output_field=CharField(),
    )
    return rows.filter(is_open=True).update(is_open=False, closed_because=because, state=unsent)


@lru_cache(maxsize=64)
def _steps(text: str) -> tuple[ReminderStep, ...]:
    return tuple(ReminderStep(**step) for step in json.loads(text))


def _line(row: Timepoint) -> PlanLine:
    return PlanLine(_steps(row.reminder_steps), row.days_before, row.days_after)
