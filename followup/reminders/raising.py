"""What a sweep wants of the reminders of each visit, and writing it. The same decision serves `reconcile`."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import lru_cache

from django.db.models import Case, CharField, F, QuerySet, Value, When

from followup.reminders.models import Reminder
from followup.reminders.rules import Reach, is_another_occurrence, step_rank, step_to_raise
from followup.reminders.staff import Staff
from followup.reminders.standing import reaches
from followup.schedule.models import Timepoint, Visit
from followup.schedule.plan_file import ReminderStep
from registry.access.models import Site
from registry.audit.acting import Actor, acting_as
from registry.batches import batches

CHUNK = 500
SUPERSEDED = "superseded"
MOVED = "the visit moved"
NOT_SENT = (Reminder.State.RAISED, Reminder.State.HELD, Reminder.State.FAILED)
VISIT_FIELDS = (
    "pk", "patient_id", "timepoint_id", "target_date", "window_opens", "window_closes", "created_on", "anchor_date",
)  # fmt: skip


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
    changes = Changes(closed=_close_settled(site, by=by))
    for visit_ids in _chunks(site, plan, on):
        if wishes_for(visit_ids, plan=plan, on=on):
            with acting_as(by, channel="sweep"):
                # Sweeps of one site go one after the other; what the other one wrote is seen here.
                Site.objects.select_for_update(no_key=True).get(pk=site.pk)
                wishes = wishes_for(visit_ids, plan=plan, on=on)
                changes.add(_write(site, wishes, staff=staff, on=on))
    return changes


def site_wishes(site: Site, *, plan: SitePlan, on: date) -> Iterator[Wish]:
    """What is not yet as it should be on this day: nothing, right after a sweep."""
    for visit_ids in _chunks(site, plan, on):
        yield from wishes_for(visit_ids, plan=plan, on=on)


def _chunks(site: Site, plan: SitePlan, on: date) -> Iterator[list[int]]:
    """Visits a step of which may have been reached, then those with an open reminder that moved far ahead."""
    horizon = on + timedelta(days=plan.horizon_days)
    planned = Visit.objects.not_finished().filter(site=site, timepoint__isnull=False)
    last = 0
    near = planned.filter(target_date__lte=horizon).order_by("pk")
    while chunk := list(near.filter(pk__gt=last).values_list("pk", flat=True)[:CHUNK]):
        yield chunk
        last = chunk[-1]
    moved = Reminder.objects.filter(site=site, is_open=True, visit__target_date__gt=horizon)
    ids = sorted(set(moved.order_by("visit").values_list("visit_id", flat=True)))
    yield from batches(ids)


def wishes_for(visit_ids: Sequence[int], *, plan: SitePlan, on: date) -> list[Wish]:
    visits = list(Visit.objects.not_finished().filter(pk__in=visit_ids).order_by("pk").only(*VISIT_FIELDS))
    reach_of = reaches(visit.patient_id for visit in visits)
    told: dict[int, list[Reminder]] = defaultdict(list)
    for row in Reminder.objects.filter(visit__in=visit_ids).order_by("generation", "rank", "pk"):
        told[row.visit_id].append(row)
    wishes = (_wish(visit, plan, reach_of[visit.patient_id], told[visit.pk], on) for visit in visits)
    return [wish for wish in wishes if wish is not None]


def _wish(visit: Visit, plan: SitePlan, reach: Reach, rows: list[Reminder], on: date) -> Wish | None:
    if visit.target_date is None or visit.timepoint_id is None:
        return None
    wish = Wish(visit.pk, visit.patient_id, visit.target_date)
    open_rows = [row for row in rows if row.is_open]
    if not reach.tell_staff:
        return _with(wish, close=open_rows, because=reach.reason) if open_rows else None
    line = plan.lines[visit.timepoint_id]
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
    wish: Wish, *, step: str = "", generation: int = 1, close: Sequence[Reminder] = (), because: str = "",
    reopen: int | None = None,
) -> Wish:  # fmt: skip
    pks = tuple(row.pk for row in close)
    return Wish(wish.visit_id, wish.patient_id, wish.target, step, generation, pks, because[:60], reopen)


def _generation(rows: list[Reminder], target: date, line: PlanLine) -> tuple[int, list[Reminder]]:
    """The number of this occurrence, and the rows raised for it. Rows come oldest generation first."""
    if not rows:
        return 1, []
    newest = rows[-1].generation
    current = [row for row in rows if row.generation == newest]
    if is_another_occurrence(current[0].target_date, target, line.days_before, line.days_after):
        return newest + 1, []
    return newest, current


def _step(visit: Visit, target: date, line: PlanLine, on: date, raised: list[str]) -> str:
    opens, closes = visit.window_opens or target, visit.window_closes or target
    anchor = visit.anchor_date or visit.created_on
    return step_to_raise(line.steps, target, opens, closes, visit.created_on, anchor, on, raised)


def _write(site: Site, wishes: list[Wish], *, staff: Staff, on: date) -> Changes:
    closing: dict[str, list[int]] = defaultdict(list)
    for wish in wishes:
        closing[wish.because].extend(wish.close)
    closed = sum(
        _close(Reminder.objects.filter(pk__in=pks), because) for because, pks in sorted(closing.items())
    )
    new = [_row(site, wish, staff, on) for wish in wishes if wish.step]
    Reminder.objects.bulk_create(new, ignore_conflicts=True, batch_size=CHUNK)
    reopened = _reopen([wish.reopen for wish in wishes if wish.reopen])
    return Changes(raised=len(new), closed=closed, reopened=reopened)


def _row(site: Site, wish: Wish, staff: Staff, on: date) -> Reminder:
    kind = staff.kind_for(wish.step)
    return Reminder(
        patient_id=wish.patient_id,
        site=site,
        visit_id=wish.visit_id,
        step=wish.step,
        rank=step_rank(wish.step),
        recipient_kind=kind,
        generation=wish.generation,
        target_date=wish.target,
        raised_on=on,
        state=Reminder.State.RAISED if staff.recipients(kind) else Reminder.State.HELD,
    )


def _reopen(pks: Iterable[int]) -> int:
    """A visit that is owed again, as when a death was recorded in error: what was never sent is sent now."""
    rows = Reminder.objects.filter(pk__in=list(pks), is_open=False)
    unsent = Case(
        When(state=Reminder.State.EXCUSED, then=Value(Reminder.State.RAISED)),
        default=F("state"),
        output_field=CharField(),
    )
    return rows.update(is_open=True, closed_because="", state=unsent)


def _close_settled(site: Site, *, by: Actor | str) -> int:
    """Reminders of visits that are done, missed or not required."""
    closed = 0
    for state in (Visit.State.DONE, Visit.State.MISSED, Visit.State.NOT_REQUIRED):
        rows = Reminder.objects.filter(site=site, is_open=True, visit__state=state).order_by("pk")
        because = f"the visit is {state.label.lower()}"
        while pks := list(rows.values_list("pk", flat=True)[:CHUNK]):
            with acting_as(by, channel="sweep"):
                closed += _close(Reminder.objects.filter(pk__in=pks), because)
    return closed


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
