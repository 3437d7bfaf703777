"""Reading the worklist: the same rows that the sweep raises, one line a visit."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, QuerySet

from followup.reminders.models import MailMessage, Reminder, ReminderQuerySet, SweepRun
from followup.schedule.models import ContactAttempt, Visit
from registry.access.models import Site, User


@dataclass(frozen=True)
class WorkLine:
    """One visit somebody has to deal with: its most severe open reminder and what was tried so far."""

    reminder: Reminder
    attempts: int
    last_attempt: ContactAttempt | None


def open_reminders(user: User, *, site: Site | None = None) -> ReminderQuerySet:
    """Most severe first, then longest due. A visit settled since the last sweep has already gone."""
    rows = Reminder.objects.visible_to(user).filter(is_open=True, visit__state=Visit.State.PLANNED)
    if site is not None:
        rows = rows.filter(site=site)
    return rows.order_by("-rank", "visit__target_date", "pk")


def open_worklist(
    user: User, *, site: Site | None = None, step: str = "", limit: int = 50, start: int = 0
) -> list[WorkLine]:
    """Three queries whatever the number of lines."""
    rows = open_reminders(user, site=site).select_related("visit__timepoint", "patient", "site")
    if step:
        rows = rows.filter(step=step)
    lines: dict[int, Reminder] = {}
    for row in rows[start : start + limit]:
        lines.setdefault(row.visit_id, row)
    tried: dict[int, list[ContactAttempt]] = {}
    for attempt in ContactAttempt.objects.filter(visit__in=lines).order_by("-at", "-pk"):
        if attempt.visit_id is not None:
            tried.setdefault(attempt.visit_id, []).append(attempt)
    return [
        WorkLine(row, len(tried.get(visit, [])), tried[visit][0] if visit in tried else None)
        for visit, row in lines.items()
    ]


def worklist_counts(user: User, *, site: Site | None = None) -> Counter[str]:
    """How many open reminders stand at each step; a step without any counts 0."""
    rows = open_reminders(user, site=site).order_by("step")
    return Counter(dict(rows.values_list("step").annotate(Count("pk"))))


def stuck_messages() -> QuerySet[MailMessage]:
    """Those a person must decide on, or see being tried again."""
    stuck = (MailMessage.State.FAILED, MailMessage.State.UNCERTAIN)
    return MailMessage.objects.filter(state__in=stuck).select_related("recipient").order_by("on_date", "pk")


def held_by_site() -> list[dict[str, Any]]:
    """How many open reminders nobody can be told of, and whom each site lacks."""
    held = Reminder.objects.filter(is_open=True, state=Reminder.State.HELD)
    groups = held.order_by("site__code", "recipient_kind").values("site__name", "recipient_kind")
    return list(groups.annotate(number=Count("pk")))


def last_sweeps(number: int = 12) -> list[SweepRun]:
    return list(SweepRun.objects.order_by("-started_at", "-pk")[:number])
