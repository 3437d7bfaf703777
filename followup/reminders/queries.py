"""What the page of reminders shows to those who look after the worker."""

from typing import Any

from django.db.models import Count, QuerySet

from followup.reminders.models import MailMessage, Notice, Reminder, SweepRun


def stuck_messages() -> QuerySet[MailMessage]:
    """Those a person must decide on, or see being tried again."""
    stuck = (MailMessage.State.FAILED, MailMessage.State.UNCERTAIN)
    return MailMessage.objects.filter(state__in=stuck).select_related("recipient").order_by("on_date", "pk")


def stuck_notices() -> QuerySet[Notice]:
    stuck = (MailMessage.State.FAILED, MailMessage.State.UNCERTAIN)
    found = Notice.objects.filter(state__in=stuck).select_related("recipient", "site")
    return found.order_by("created_at", "pk")


def held_by_site() -> list[dict[str, Any]]:
    """How many open reminders nobody can be told of, and whom each site lacks."""
    held = Reminder.objects.filter(is_open=True, state=Reminder.State.HELD)
    groups = held.order_by("site__code", "recipient_kind").values("site__name", "recipient_kind")
    return list(groups.annotate(number=Count("pk")))


def last_sweeps(number: int = 12) -> list[SweepRun]:
    return list(SweepRun.objects.order_by("-started_at", "-pk")[:number])
