"""Notices that do not wait for the message of the day: each one a row, sent by the next sweep, which a click calls at once.

In two phases like the messages: what was being sent when a worker died is `uncertain` and is not sent again.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.db.models import Q
from django.template.loader import render_to_string

from followup.reminders.dispatch import Clock, message_id_of
from followup.reminders.models import MailMessage, Notice
from registry.access.models import RoleGrant, Site, User
from registry.audit.acting import Actor, acting_as, note_gone
from registry.clock import local_date
from registry.exchange.nudge import after_commit
from registry.handover.models import RecordOpening
from registry.handover.signals import record_opened

log = logging.getLogger(__name__)

State = MailMessage.State
LEASE = timedelta(minutes=2)  # longer than any sending can take
MAX_ATTEMPTS = 5
MANAGER = "site_manager"


def listen() -> None:
    record_opened.connect(tell_managers, dispatch_uid="reminders-tell-of-openings")


def tell_managers(opening: RecordOpening, now: datetime, **_: Any) -> None:
    """One row for each site manager there, in the transaction that opens the record."""
    from followup.reminders.tasks import sweep

    today = local_date(now, opening.at_site.time_zone)
    people = _holders(MANAGER, opening.at_site, today).exclude(user__email="")
    notices = [
        Notice(recipient_id=pk, site=opening.at_site, role=MANAGER, kind="record_opened",
               source=f"opening:{opening.pk}", path="/handover/emergency/readings/", created_at=now)
        for pk in sorted(set(people.values_list("user_id", flat=True)))
    ]  # fmt: skip
    Notice.objects.bulk_create(notices, ignore_conflicts=True)
    after_commit(sweep)


def send_notices(*, clock: Clock, by: Actor | str) -> int:
    """Returns how many were sent."""
    _give_up_lapsed(clock(), by)
    waiting = Notice.objects.filter(Q(state=State.PLANNED) | Q(state=State.FAILED, attempts__lt=MAX_ATTEMPTS))
    return sum(
        _send(pk, clock=clock, by=by) for pk in list(waiting.order_by("pk").values_list("pk", flat=True))
    )


def _give_up_lapsed(now: datetime, by: Actor | str) -> None:
    lapsed = Notice.objects.filter(state=State.ATTEMPTING, lease_until__lt=now)
    if lapsed.exists():
        with acting_as(by, channel="sweep"):
            lapsed.update(state=State.UNCERTAIN, lease_until=None)


def _send(pk: int, *, clock: Clock, by: Actor | str) -> bool:
    with acting_as(by, channel="sweep"):
        notice = _begin(pk, clock())
    if notice is None:
        return False
    note_gone("a notice")
    try:
        _letter(notice).send()
    except Exception as error:  # whatever one notice meets must not stop the others
        log.warning("notice %s was not sent: %s", pk, type(error).__name__)
        _end(pk, by, state=State.FAILED, lease_until=None)
        return False
    _end(pk, by, state=State.SENT, sent_at=clock(), lease_until=None)
    return True


def _begin(pk: int, now: datetime) -> Notice | None:
    """Claims it, and asks at the last moment whether this person is still the one to tell."""
    waiting = Notice.objects.filter(pk=pk, state__in=(State.PLANNED, State.FAILED))
    notice = waiting.select_related("recipient", "site").first()
    if notice is None:
        return None
    today = local_date(now, notice.site.time_zone)
    if not _holders(notice.role, notice.site, today).filter(user=notice.recipient).exists():
        waiting.update(state=State.CANCELLED)
        return None
    attempts = notice.attempts + 1
    mine = waiting.filter(attempts=notice.attempts)
    return notice if mine.update(state=State.ATTEMPTING, attempts=attempts, lease_until=now + LEASE) else None


def _end(pk: int, by: Actor | str, **columns: object) -> None:
    with acting_as(by, channel="sweep"):
        Notice.objects.filter(pk=pk, state=State.ATTEMPTING).update(**columns)


def _holders(role: str, site: Site, today: Any) -> Any:
    return RoleGrant.objects.in_force_on(today).filter(role=role, site=site, user__is_active=True)


def _letter(notice: Notice) -> EmailMessage:
    """One recipient, nobody's name but the sender's, no patient id; the link asks for a sign-in."""
    recipient: User = notice.recipient
    context = {"link": f"{settings.SITE_URL}{notice.path}"}
    return EmailMessage(
        subject=Notice.SUBJECTS[notice.kind],
        body=render_to_string(f"emails/{notice.kind}.txt", context),
        to=[recipient.email],
        headers={"Message-ID": message_id_of(-notice.pk), "Auto-Submitted": "auto-generated"},
    )
