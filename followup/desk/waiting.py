"""The visits and tasks that wait for somebody, a bounded number of rows with their full counts, in one query each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import Case, Count, Exists, F, IntegerField, OuterRef, Q, Subquery, Value, When, Window
from django.db.models.functions import RowNumber

from followup.reminders.models import Reminder
from followup.reminders.standing import out_of_reach
from followup.schedule.actions import approvals, handovers
from followup.schedule.models import ContactAttempt, Visit, VisitQuerySet, WorkItem
from registry.access.models import Site, User
from registry.patients.models import Patient

WORK, LATE, DUE = "work", "late", "due"
ROWS = {WORK: 25, LATE: 25, DUE: 15}
OF_ONE_KIND = 5  # many deviations are one matter until somebody asks to see them all
NO_LIMIT = 1_000_000
ROWS_ON_A_PAGE = 500  # as many visits as a browser can list at once; the count still says how many there are
DAYS_AHEAD = 7
LONGEST_WINDOW_DAYS = 400  # lets the index on target dates find what may have opened

WHO_MAY_ANSWER = approvals.WHO_MAY_ANSWER | handovers.WHO_MAY_ANSWER


@dataclass(frozen=True)
class CountedItem:
    item: WorkItem
    is_mine: bool
    of_level: int
    of_kind: int


@dataclass(frozen=True)
class CountedVisit:
    """`step` is the most urgent reminder that stands open, if any."""

    visit: Visit
    group: str
    of_group: int
    step: str
    attempts: int
    last_attempt_at: datetime | None


def work_items(user: User, sites: Sequence[Site], *, show_all: str) -> list[CountedItem]:
    """The first of each kind, with how many there are of its level and kind, and whether it is for this person's roles."""
    roles = [grant.role for grant in user.grants]
    items = WorkItem.objects.visible_to(user).open().filter(site__in=sites)
    items = items.exclude(kind__in=[kind for kind, act in WHO_MAY_ANSWER.items() if not user.may(act)])
    if not user.may("events.view"):
        # A title may speak of health: those who may not read it see what is meant for their role.
        items = items.filter(role__in=roles)
    alarms, others = (NO_LIMIT, NO_LIMIT) if show_all == WORK else (ROWS[WORK], OF_ONE_KIND)
    kind = [F("level"), F("kind"), F("is_mine")]
    counted = items.annotate(
        is_mine=_one_if(Q(role__in=["", *roles])),
        of_level=Window(Count("pk"), partition_by=[F("level")]),
        of_kind=Window(Count("pk"), partition_by=kind),
        place=Window(RowNumber(), partition_by=kind, order_by=[F("due_on"), F("pk")]),
        room=Case(When(level="alarm", then=Value(alarms)), default=Value(others)),
    )
    found = counted.filter(place__lte=F("room")).select_related("patient", "site")
    rows = ((item, vars(item)) for item in found.order_by("level", "due_on", "pk"))
    return [CountedItem(item, bool(n["is_mine"]), n["of_level"], n["of_kind"]) for item, n in rows]


def waiting_visits(
    user: User, sites: Sequence[Site], days: Mapping[int, date], *, show_all: str
) -> list[CountedVisit]:
    """Late ones first, then those open, about to open or reminded of: soonest to close first."""
    waiting = waiting_for(user, sites)
    # The order in which the index on open visits holds them: the first are found without sorting all.
    late = waiting.filter(late_on(sites, days)).order_by("window_closes", "pk")
    first_late = _first(LATE, late, _room(LATE, show_all))
    due = waiting.filter(_due_on(sites, days)).order_by(F("window_closes").asc(nulls_last=True), "pk")
    return [*first_late, *_first(DUE, due, _room(DUE, show_all))]


def _first(group: str, rows: VisitQuerySet, room: int) -> list[CountedVisit]:
    """So many of them, each with how many there are and the reminder that stands."""
    number = rows.order_by().values(together=Value(1)).annotate(number=Count("pk")).values("number")
    reminders = Reminder.objects.filter(visit=OuterRef("pk"), is_open=True)
    step = reminders.order_by("-rank", "pk").values("step")[:1]
    tries = ContactAttempt.objects.filter(visit=OuterRef("pk")).order_by()
    found = rows.select_related("patient", "site", "timepoint").annotate(
        of_group=Subquery(number),
        step=Subquery(step),
        attempts=Subquery(tries.values("visit").annotate(number=Count("pk")).values("number")),
        last_attempt_at=Subquery(tries.order_by("-at", "-pk").values("at")[:1]),
    )
    counted = ((visit, vars(visit)) for visit in found[:room])
    return [
        CountedVisit(visit, group, n["of_group"], n["step"] or "", n["attempts"] or 0, n["last_attempt_at"])
        for visit, n in counted
    ]


def waiting_for(user: User, sites: Iterable[Site]) -> VisitQuerySet:
    """Planned visits there of everybody who can still be followed, whether a reminder was raised or not: nobody is hidden
    because a sweep did not run. Left out are those whom reminders leave out: the dead and those who withdrew from
    all data.
    """
    visits = Visit.objects.visible_to(user).not_finished().filter(site__in=sites)
    with_visits = Patient.objects.filter(Exists(visits.filter(patient=OuterRef("pk"))), site__in=sites)
    return visits.exclude(patient__in=out_of_reach(with_visits))


def late_on(sites: Iterable[Site], days: Mapping[int, date]) -> Q:
    """By the day of each site."""
    found = Q(pk__in=[])
    for day, site_ids in _sites_by_day(sites, days).items():
        found |= Q(site__in=site_ids, window_closes__lt=day)
    return found


def _due_on(sites: Iterable[Site], days: Mapping[int, date]) -> Q:
    """Not late, and open, opening within a week, reminded of, or begun without a window of its own."""
    found = Q(pk__in=[])
    for day, site_ids in _sites_by_day(sites, days).items():
        reminded = Reminder.objects.filter(site__in=site_ids, is_open=True).order_by().values("visit")
        soon = day + timedelta(days=DAYS_AHEAD)
        reach = day + timedelta(days=LONGEST_WINDOW_DAYS)
        ahead = Q(site__in=site_ids, target_date__lte=reach, window_closes__gte=day)
        found |= ahead & (Q(window_opens__lte=soon) | Q(window_opens=None) | Q(pk__in=reminded))
        found |= Q(site__in=site_ids, window_closes=None)
    return found


def _sites_by_day(sites: Iterable[Site], days: Mapping[int, date]) -> dict[date, list[int]]:
    by_day: dict[date, list[int]] = defaultdict(list)
    for site in sites:
        by_day[days[site.pk]].append(site.pk)
    return by_day


def _room(group: str, show_all: str) -> int:
    return ROWS_ON_A_PAGE if show_all == group else ROWS[group]


def _one_if(condition: Q) -> Case:
    return Case(When(condition, then=Value(1)), default=Value(0), output_field=IntegerField())
