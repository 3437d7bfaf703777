"""Sends messages in two phases, so that a worker killed anywhere loses none and repeats none in silence.

planned → claimed (a lease) → attempting (committed just before the sending) → sent. What was being attempted when a
worker died may have gone out or not: it becomes `uncertain`, stays in sight, and a person decides.
"""

import hashlib
import hmac
import logging
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime, timedelta
from smtplib import SMTPResponseException
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db import connection as database
from django.db.models import Q, QuerySet
from django.template.loader import render_to_string

from followup.reminders.models import MailMessage, Reminder
from followup.reminders.planning import Told
from followup.reminders.staff import staff_of
from followup.reminders.standing import reaches
from registry import clock as calendar
from registry.access.models import Site, User
from registry.audit.acting import Actor, acting_as, note_gone
from registry.batches import batches

log = logging.getLogger(__name__)

CHUNK = 500
CLAIM_LEASE = timedelta(minutes=15)
ATTEMPT_LEASE = timedelta(minutes=2)  # longer than any sending can take: EMAIL_TIMEOUT is 20 s
MAX_ATTEMPTS = 5
FIRST_RETRY_AFTER = timedelta(minutes=5)  # doubled with each attempt
SUBJECT = "Your worklist"
NOT_TOLD = (Reminder.State.RAISED, Reminder.State.FAILED)
TO_TELL = (*NOT_TOLD, Reminder.State.UNCERTAIN, Reminder.State.SENT)  # a colleague may have been told first

State = MailMessage.State
Clock = Callable[[], datetime]


def dispatch(*, as_of: datetime, clock: Clock, by: Actor | str) -> int:
    """Sends what is planned or due for another try; returns how many were sent. `clock` tells leases the time."""
    settle_lapsed(now=clock(), by=by)
    sent = 0
    while claimed := _claim(now=clock(), by=by):
        with get_connection() as post:
            for message, lease in claimed:
                sent += _deliver(message, lease, post=post, as_of=as_of, clock=clock, by=by)
    return sent


def settle_lapsed(*, now: datetime, by: Actor | str) -> None:
    """A claim that lapsed was never tried and may be claimed again; an attempt that lapsed is uncertain."""
    lapsed = MailMessage.objects.filter(lease_until__lt=now).order_by("pk")
    for pk in list(lapsed.filter(state=State.ATTEMPTING).values_list("pk", flat=True)):
        with acting_as(by, channel="sweep"):
            error = "The worker ended while sending. It may have gone out."
            if lapsed.filter(pk=pk, state=State.ATTEMPTING).update(
                state=State.UNCERTAIN, error=error, lease_until=None
            ):
                move_reminders(pk, NOT_TOLD, Reminder.State.UNCERTAIN)


def message_id_of(pk: int) -> str:
    """Always the same for one message, so that whoever receives it twice can tell."""
    digest = hmac.new(settings.SECRET_KEY.encode(), f"message:{pk}".encode(), hashlib.sha256).hexdigest()
    return f"<{digest[:40]}@{urlsplit(settings.SITE_URL).hostname or 'localhost'}>"


def move_reminders(message_pk: int, states: tuple[str, ...], to: str, *, at: datetime | None = None) -> None:
    rows = Reminder.objects.filter(messages=message_pk, state__in=states)
    # In order of their keys: two messages may tell of the same reminders at the same moment.
    pks = list(rows.order_by("pk").select_for_update(of=("self",)).values_list("pk", flat=True))
    for batch in batches(pks):
        some = Reminder.objects.filter(pk__in=batch)
        some.update(state=to, sent_at=at) if at else some.update(state=to)


def _claim(*, now: datetime, by: Actor | str) -> list[tuple[MailMessage, datetime]]:
    ready = MailMessage.objects.filter(
        Q(state=State.PLANNED)
        | Q(state=State.CLAIMED, lease_until__lt=now)
        | Q(state=State.FAILED, attempts__lt=MAX_ATTEMPTS, lease_until__lt=now)
    )
    if not ready.exists():
        return []
    lease = now + CLAIM_LEASE
    with acting_as(by, channel="sweep"):
        rows = list(_unlocked(ready.order_by("on_date", "pk"))[:CHUNK])
        MailMessage.objects.filter(pk__in=[row.pk for row in rows]).update(
            state=State.CLAIMED, lease_until=lease
        )
    return [(row, lease) for row in rows]


def _unlocked(rows: QuerySet[MailMessage]) -> QuerySet[MailMessage]:
    return rows.select_for_update(skip_locked=database.features.has_select_for_update_skip_locked)


def _deliver(
    message: MailMessage, lease: datetime, *, post: BaseEmailBackend, as_of: datetime, clock: Clock,
    by: Actor | str,
) -> bool:  # fmt: skip
    with acting_as(by, channel="sweep"):
        letter = _begin(message, lease, as_of=as_of, now=clock(), post=post)
    if letter is None:
        return False
    note_gone("a message")
    try:
        letter.send()
    except Exception as error:  # whatever one message meets must not stop the others
        log.warning("message %s was not sent: %s", message.pk, type(error).__name__)
        post.close()
        with acting_as(by, channel="sweep"):
            _failed(message, error, now=clock())
        return False
    with acting_as(by, channel="sweep"):
        settle_sent(message.pk, message.attempts + 1, at=as_of)
    return True


def _begin(
    message: MailMessage, lease: datetime, *, as_of: datetime, now: datetime, post: BaseEmailBackend
) -> EmailMessage | None:
    """Asks again, at the last moment, whether this person may be told and of what; None when of nothing."""
    mine = MailMessage.objects.filter(pk=message.pk, state=State.CLAIMED, lease_until=lease)
    recipient = User.objects.get(pk=message.recipient_id)
    items = _still_to_tell(message, recipient, as_of)
    if not items:
        mine.update(state=State.CANCELLED, lease_until=None, items=0)
        return None
    begun = mine.update(
        state=State.ATTEMPTING,
        lease_until=now + ATTEMPT_LEASE,
        attempts=message.attempts + 1,
        items=items,
        message_id=message_id_of(message.pk),
        error="",
    )
    return _letter(message, recipient, items, post) if begun else None


def _still_to_tell(message: MailMessage, recipient: User, as_of: datetime) -> int:
    """Unlinks what this person must not be told of any more, and counts the rest."""
    rows = message.reminders.filter(is_open=True, state__in=TO_TELL, visit__state="planned").order_by("pk")
    by_group: dict[tuple[int, str], list[tuple[int, int]]] = defaultdict(list)
    for pk, patient, site_id, kind in rows.values_list("pk", "patient_id", "site_id", "recipient_kind"):
        by_group[(site_id, kind)].append((pk, patient))
    keep: set[int] = set()
    for (site_id, kind), group in by_group.items():
        zone = Site.objects.values_list("time_zone", flat=True).get(pk=site_id)
        today = calendar.local_date(as_of, zone)
        if recipient.pk in staff_of(site_id, on=today, user_id=recipient.pk).recipients(kind):
            reach = reaches(patient for _, patient in group)
            keep |= {pk for pk, patient in group if reach[patient].tell_staff}
    links = Told.objects.filter(mailmessage=message).values_list("pk", "reminder_id")
    stale = [pk for pk, reminder in links if reminder not in keep]
    for batch in batches(stale):
        Told.objects.filter(pk__in=batch).delete()
    return len(keep)


def _letter(message: MailMessage, recipient: User, items: int, post: BaseEmailBackend) -> EmailMessage:
    """One recipient, no health data, nothing that identifies anybody; the link asks for a sign-in."""
    context = {"items": items, "link": f"{settings.SITE_URL}/today/"}
    return EmailMessage(
        subject=SUBJECT,
        body=render_to_string("emails/worklist.txt", context),
        to=[recipient.email],
        headers={"Message-ID": message_id_of(message.pk), "Auto-Submitted": "auto-generated"},
        connection=post,
    )


def settle_sent(pk: int, attempts: int, *, at: datetime) -> None:
    """Also for one declared uncertain while it was being sent: now it is known."""
    mine = MailMessage.objects.filter(pk=pk, attempts=attempts, state__in=(State.ATTEMPTING, State.UNCERTAIN))
    if mine.update(state=State.SENT, sent_at=at, lease_until=None, error=""):
        move_reminders(pk, (*NOT_TOLD, Reminder.State.UNCERTAIN), Reminder.State.SENT, at=at)


def _failed(message: MailMessage, error: Exception, *, now: datetime) -> None:
    attempts = message.attempts + 1
    again = now + FIRST_RETRY_AFTER * 2 ** (attempts - 1) if attempts < MAX_ATTEMPTS else None
    mine = MailMessage.objects.filter(pk=message.pk, attempts=attempts, state=State.ATTEMPTING)
    if mine.update(state=State.FAILED, lease_until=again, error=_words(error)):
        move_reminders(message.pk, NOT_TOLD, Reminder.State.FAILED)


def _words(error: Exception) -> str:
    """The kind of failure alone: what a mail server answers may repeat addresses."""
    code = f" {error.smtp_code}" if isinstance(error, SMTPResponseException) else ""
    return f"{type(error).__name__}{code}"
