"""Gathers unsent reminders into one message a person and day. Nothing is sent here."""

from collections.abc import Iterator, Sequence
from datetime import date

from django.db.models import Exists, OuterRef, QuerySet

from followup.reminders.models import MailMessage, Reminder
from followup.reminders.staff import Staff
from registry.access.models import Site
from registry.audit.acting import Actor, acting_as
from registry.batches import batches
from registry.inserting import insert_rows

CHUNK = 500
LINKS = 2000
IN_HAND = (MailMessage.State.PLANNED, MailMessage.State.CLAIMED, MailMessage.State.ATTEMPTING)
Told = Reminder.messages.through


def without_message(site: Site) -> QuerySet[Reminder]:
    """Open reminders that nobody was told of and no message in hand is about to tell."""
    telling = Told.objects.filter(reminder=OuterRef("pk"), mailmessage__state__in=IN_HAND)
    waiting = (Reminder.State.RAISED, Reminder.State.HELD)
    return Reminder.objects.filter(~Exists(telling), site=site, is_open=True, state__in=waiting)


def plan_messages(site: Site, *, staff: Staff, on: date, by: Actor | str) -> None:
    """Those with a recipient go into that person's message of the day; those without one are held, in sight.

    Somebody whose message of this day is already on its way reads the rest tomorrow: one message a day.
    """
    _address(site, staff, by)
    for kind, recipients in sorted(staff.by_kind.items()):
        raised = without_message(site).filter(state=Reminder.State.RAISED, recipient_kind=kind)
        for pks in _chunks(raised):
            with acting_as(by, channel="sweep"):
                _tell(pks, recipients, on)


def _address(site: Site, staff: Staff, by: Actor | str) -> None:
    """Staff come and go: held reminders are released, others lose their last recipient."""
    groups = without_message(site).order_by("step", "recipient_kind", "state")
    for step, kind, state in list(groups.values_list("step", "recipient_kind", "state").distinct()):
        wanted_kind = staff.kind_for(step)
        wanted = Reminder.State.RAISED if staff.recipients(wanted_kind) else Reminder.State.HELD
        if (kind, state) == (wanted_kind, wanted):
            continue
        for pks in _chunks(without_message(site).filter(step=step, recipient_kind=kind, state=state)):
            with acting_as(by, channel="sweep"):
                rows = Reminder.objects.filter(pk__in=pks, is_open=True, state=state)
                rows.update(recipient_kind=wanted_kind, state=wanted)


def _chunks(rows: QuerySet[Reminder]) -> Iterator[list[int]]:
    last = 0
    while pks := list(rows.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:CHUNK]):
        yield pks
        last = pks[-1]


def _tell(pks: list[int], recipients: Sequence[int], on: date) -> None:
    messages = _messages_of_the_day(recipients, on)
    links = [(pk, message.pk) for message in messages for pk in pks]
    for some in batches(links, LINKS):
        insert_rows(Told, ("reminder_id", "mailmessage_id"), some)


def _messages_of_the_day(recipients: Sequence[int], on: date) -> list[MailMessage]:
    """Their messages that may still take something in, locked so that none is sent meanwhile."""
    today = MailMessage.objects.filter(recipient__in=recipients, on_date=on).order_by("pk")
    known = set(today.values_list("recipient_id", flat=True))
    new = [MailMessage(recipient_id=one, on_date=on) for one in recipients if one not in known]
    MailMessage.objects.bulk_create(new, ignore_conflicts=True)
    # A message given up before anything was tried may be used again.
    today.filter(state=MailMessage.State.CANCELLED, attempts=0).update(state=MailMessage.State.PLANNED)
    return list(today.filter(state=MailMessage.State.PLANNED).select_for_update())
