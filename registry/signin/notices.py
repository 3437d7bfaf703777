"""Messages to people about accounts: no patient, no figure, one recipient each. A row is the queue; the worker sends it."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.tokens import default_token_generator
from django.core.cache import cache
from django.core.mail import EmailMessage
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.http import urlencode

from registry.access.models import RoleGrant, User
from registry.audit.acting import acting_as, note_gone
from registry.signin.models import Notice
from registry.signin.throttle import Pool, TooMany, claim, is_full

FAILURES = 5  # in a quarter of an hour
QUIET_S = 3600  # one notice about failures an hour is enough
TRIES = 5
GIVEN_UP = timedelta(days=1)
AT_ONCE = 200
WATCHES = ("coordinator", "administrator")


def count_failure(username: str, user: User | None, *, now: datetime) -> None:
    """Unknown names are counted too, so that the answer takes as long."""
    pool = Pool(f"failures:{username.strip().lower()}", FAILURES)
    try:
        claim(pool)
    except TooMany:
        return
    if is_full(pool) and user is not None and user.is_active and cache.add(f"failures:{user.pk}", 1, QUIET_S):
        tell(user, "failures", now=now)
        tell_watchers(user, "failures_elsewhere", now=now)


def tell(user: User, kind: str, *, now: datetime) -> None:
    Notice.objects.create(recipient=user, about=user, kind=kind, made_at=now)


def tell_watchers(user: User, kind: str, *, besides: User | None = None, now: datetime) -> None:
    """Coordinators and administrators, but not the person and not who did it."""
    grants = RoleGrant.objects.in_force_on(now.date()).filter(role__in=WATCHES, user__is_active=True)
    told = sorted(set(grants.values_list("user", flat=True)) - {user.pk, besides.pk if besides else None})
    for pk in told:
        Notice.objects.create(recipient_id=pk, about=user, kind=kind, made_at=now)


def send(*, now: datetime) -> int:
    """Each is claimed by its row, so that of two workers one sends it. Given up after five tries, and after a day."""
    waiting = Notice.objects.filter(sent_at=None, tries__lt=TRIES, made_at__gt=now - GIVEN_UP)
    sent = 0
    for notice in waiting.select_related("recipient", "about").order_by("made_at", "pk")[:AT_ONCE]:
        with acting_as("system:worker"):
            claimed = Notice.objects.filter(pk=notice.pk, sent_at=None, tries=notice.tries)
            if not claimed.update(sent_at=now, tries=notice.tries + 1):
                continue
        sent += _send(notice)
    return sent


def _send(notice: Notice) -> int:
    person = notice.recipient
    if not (person.is_active and person.email):  # looked at now, not when the notice was made
        return 0
    note_gone("a notice about the account")
    try:
        EmailMessage(
            f"MSC Registry: {notice.get_kind_display()}",
            _text(notice),
            settings.DEFAULT_FROM_EMAIL,
            [person.email],
        ).send()
    except OSError:  # SMTP errors are among them; the next look tries again
        with acting_as("system:worker"):
            Notice.objects.filter(pk=notice.pk).update(sent_at=None)
        return 0
    return 1


def _text(notice: Notice) -> str:
    link = ""
    if notice.kind == "new_password":
        key = f"{notice.about_id}-{default_token_generator.make_token(notice.about)}"
        link = f"{settings.SITE_URL}{reverse('signin:new_password')}?{urlencode({'key': key})}"
    return render_to_string(
        "emails/account.txt",
        {"kind": notice.kind, "account": notice.about.username, "at": notice.made_at, "link": link,
         "site_url": settings.SITE_URL},
    )  # fmt: skip
