"""Today: everything that waits for somebody, gathered in at most ten queries however much there is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from followup.desk import waiting
from followup.desk.waiting import CountedItem, CountedVisit
from followup.desk.wording import assessment_words, counted, window_words
from followup.reminders.models import SweepRun
from followup.reminders.rules import SWEEP_MAX_AGE
from followup.schedule.models import Visit, VisitAssessment, WorkItem
from registry import clock
from registry.access.models import Site, User
from registry.access.policy import ROLES
from registry.partial_dates import in_words
from registry.patients.identity import IdentityFacts
from registry.patients.pages import read_identifiers


@dataclass(frozen=True)
class WorkLine:
    item: WorkItem
    day: date
    who: str
    identity: IdentityFacts | None


@dataclass(frozen=True)
class VisitLine:
    visit: Visit
    step: str
    day: date
    status: str
    identity: IdentityFacts | None
    parts_due: str
    attempts: int
    last_attempt_at: datetime | None
    may_record: bool
    may_open_patient: bool

    @property
    def attempt_words(self) -> str:
        """`2 attempts, last 11 Mar 2031`, by the calendar of the site."""
        if self.last_attempt_at is None:
            return ""
        on = clock.local_date(self.last_attempt_at, self.visit.site.time_zone)
        return f"{counted(self.attempts, 'attempt')}, last {in_words(on)}"

    @property
    def window_words(self) -> str:
        return window_words(self.visit.window_opens, self.visit.window_closes, self.day)


@dataclass(frozen=True)
class More:
    """Lines of one kind that are counted but not shown."""

    number: int
    kind: str


@dataclass
class Worklist:
    days: Mapping[int, date]
    alarms: int = 0
    tasks: int = 0
    late: int = 0
    due: int = 0
    late_everywhere: int | None = None
    work_lines: list[WorkLine] = field(default_factory=list)
    more_work: list[More] = field(default_factory=list)
    late_lines: list[VisitLine] = field(default_factory=list)
    due_lines: list[VisitLine] = field(default_factory=list)
    sweep_minutes: int | None = None
    sweep_is_old: bool = True

    @property
    def alarm_words(self) -> str:
        return f"{self.alarms} {'needs' if self.alarms == 1 else 'need'} an answer now"

    @property
    def work_words(self) -> str:
        questions = counted(self.tasks, "question or task", "questions and tasks")
        return f"{counted(self.alarms, 'alarm')} · {questions}"

    @property
    def late_words(self) -> str:
        return f"{self.late} late"

    @property
    def due_words(self) -> str:
        return f"{self.due} due"

    @property
    def sweep_kind(self) -> str:
        return "late" if self.sweep_is_old else "done"

    @property
    def sweep_words(self) -> str:
        if self.sweep_minutes is None:
            return "reminders have not been looked at yet"
        if self.sweep_minutes < 120:
            return f"last sweep {self.sweep_minutes} min ago"
        return f"last sweep {self.sweep_minutes // 60} h ago"

    @property
    def late_not_shown(self) -> int:
        return self.late - len(self.late_lines)

    @property
    def due_not_shown(self) -> int:
        return self.due - len(self.due_lines)


def todays_work(
    user: User, *, sites: Sequence[Site], chosen: Site | None, mine: bool, show_all: str, now: datetime
) -> Worklist:
    """`sites` are those of this person's worklist; `show_all` names the one group to list to its end.

    Names are read of the rows on the page alone, and the reading goes into the trail.
    The counts follow the site and nothing else; with a site chosen `late_everywhere` still counts all of them.
    """
    days = {site.pk: clock.local_date(now, site.time_zone) for site in sites}
    within = [chosen] if chosen else sites
    work = Worklist(days=days)
    items = waiting.work_items(user, within, show_all=show_all)
    visits = waiting.waiting_visits(user, within, days, show_all=show_all)
    shown = [one for one in items if one.is_mine or not mine]
    patients = {one.item.patient_id: one.item.patient for one in shown if one.item.patient}
    patients |= {one.visit.patient_id: one.visit.patient for one in visits}
    identities = read_identifiers(user, patients.values(), now=now)
    _fill_work(work, user, items, shown, identities)
    _fill_visits(work, user, visits, identities)
    if chosen and len(sites) > 1:
        everywhere = waiting.waiting_for(user, sites).filter(waiting.late_on(sites, days))
        work.late_everywhere = everywhere.count()
    _fill_sweep(work, now)
    return work


def _fill_work(
    work: Worklist,
    user: User,
    items: Sequence[CountedItem],
    shown: Sequence[CountedItem],
    identities: Mapping[int, IdentityFacts],
) -> None:
    of_level = {one.item.level: one.of_level for one in items}
    work.alarms, work.tasks = of_level.get("alarm", 0), of_level.get("due", 0)
    roles = {grant.role for grant in user.grants}
    listed: dict[tuple[str, str, bool], list[CountedItem]] = defaultdict(list)
    for one in shown:
        item = one.item
        who = "you" if item.role in roles else ROLES.get(item.role, "")
        identity = identities.get(item.patient_id) if item.patient_id else None
        work.work_lines.append(WorkLine(item, work.days[item.site_id], who, identity))
        listed[(item.level, item.kind, one.is_mine)].append(one)
    for (_, kind, _), some in listed.items():
        if some[0].of_kind > len(some):
            work.more_work.append(More(some[0].of_kind - len(some), kind.replace("_", " ")))


def _fill_visits(
    work: Worklist,
    user: User,
    counted_visits: Sequence[CountedVisit],
    identities: Mapping[int, IdentityFacts],
) -> None:
    visits = [one.visit for one in counted_visits]
    parts = _parts_due(visits)
    recorder, reader = user.scope("visits.record"), user.scope("patients.view")
    lines: dict[str, list[VisitLine]] = {waiting.LATE: [], waiting.DUE: []}
    counts = {one.group: one.of_group for one in counted_visits}
    for one in counted_visits:
        visit = one.visit
        day = work.days[visit.site_id]
        lines[one.group].append(
            VisitLine(
                visit=visit,
                step=one.step,
                day=day,
                status=visit.status_on(day),
                identity=identities.get(visit.patient_id),
                parts_due=parts.get(visit.pk, ""),
                attempts=one.attempts,
                last_attempt_at=one.last_attempt_at,
                may_record=recorder.covers(visit.site_id),
                may_open_patient=reader.covers(visit.site_id),
            )
        )
    work.late, work.due = counts.get(waiting.LATE, 0), counts.get(waiting.DUE, 0)
    work.late_lines, work.due_lines = lines[waiting.LATE], lines[waiting.DUE]


def _parts_due(visits: Sequence[Visit]) -> dict[int, str]:
    open_states = [VisitAssessment.State.PENDING, VisitAssessment.State.AWAITING]
    rows = VisitAssessment.objects.filter(visit__in=visits, state__in=open_states)
    codes: dict[int, list[str]] = defaultdict(list)
    for visit_id, code in rows.order_by("visit", "pk").values_list("visit_id", "code"):
        codes[visit_id].append(code)
    return {visit_id: assessment_words(some) for visit_id, some in codes.items()}


def _fill_sweep(work: Worklist, now: datetime) -> None:
    last = SweepRun.last_whole_at(now)
    if last is not None:
        work.sweep_minutes = int((now - last).total_seconds() // 60)
        work.sweep_is_old = now - last > SWEEP_MAX_AGE
