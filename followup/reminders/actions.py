"""The sweep, and what a person may decide about a message that did not go out."""

import logging
import time
from datetime import datetime, timedelta

from django.db import transaction

from followup.reminders import upkeep
from followup.reminders.dispatch import Clock, dispatch, move_reminders
from followup.reminders.models import MailMessage, Notice, Reminder, SweepRun
from followup.reminders.notices import send_notices
from followup.reminders.planning import plan_messages
from followup.reminders.raising import Changes, SitePlan, raise_for_site
from followup.reminders.staff import staff_of
from followup.reminders.totals import Totals, count
from followup.schedule.actions import repair_plans
from registry import clock as calendar
from registry.access.models import Site, User
from registry.audit.acting import Actor, acting_as, because
from registry.backups import unfinished
from registry.handover.moving import repair_sites
from registry.signatures.locking import settle_unlocks
from registry.signatures.watching import judge_new

log = logging.getLogger(__name__)


class AlreadySettled(Exception):
    """Somebody else, or the worker, settled this message first."""


def run_sweep(*, now: datetime, as_of: datetime, by: Actor | str = "system:worker") -> Totals:
    """Plans, raises, stops, sends and counts. Any number may run at once, and any may be killed anywhere:
    each step is small, guarded and found again by the next sweep.

    `now` is when it runs, for leases and the heartbeat; `as_of` the moment it looks at.
    """
    unfinished.refuse()
    clock = _clock_from(now)
    run = SweepRun.objects.create(started_at=now, as_of=as_of)
    totals = Totals()
    try:
        _sweep(totals, as_of=as_of, clock=clock, by=by)
    except Exception as error:
        _finish(run, totals, clock, f"{type(error).__name__}: see the worker's log")
        raise
    _finish(run, count(totals), clock, "; ".join(totals.problems))
    return totals


def catch_up_without_sending(*, now: datetime, by: Actor | str) -> None:
    """A sweep that plans, raises, stops and counts, and leaves what there is to send to its caller."""
    run = SweepRun.objects.create(started_at=now, as_of=now)
    totals, clock = Totals(), _clock_from(now)
    _sweep(totals, as_of=now, clock=clock, by=by, send=False)
    _finish(run, count(totals), clock, "; ".join(totals.problems))


def _sweep(totals: Totals, *, as_of: datetime, clock: Clock, by: Actor | str, send: bool = True) -> None:
    repair_plans(as_of, by=by)
    with acting_as(by, channel="sweep"):
        settle_unlocks(now=as_of)
        judge_new(now=as_of)
        repair_sites(now=as_of)
    plan = SitePlan.read()
    changes = Changes()
    for site in Site.objects.order_by("pk"):
        try:
            changes.add(_sweep_site(site, plan, as_of=as_of, by=by))
        except Exception:  # one site with something wrong must not silence the others
            log.exception("the sweep of site %s stopped", site.code)
            totals.problems.append(f"site {site.code} could not be swept")
    totals.raised_now, totals.closed_now = changes.raised, changes.closed
    totals.reopened_now = changes.reopened
    if not send:
        return
    totals.messages_sent_now = dispatch(as_of=as_of, clock=clock, by=by)
    send_notices(clock=clock, by=by)
    upkeep.seal_what_waits(now=as_of)
    upkeep.forget_consumed_messages()


def _sweep_site(site: Site, plan: SitePlan, *, as_of: datetime, by: Actor | str) -> Changes:
    today = calendar.local_date(as_of, site.time_zone)
    staff = staff_of(site.pk, on=today)
    changes = raise_for_site(site, plan=plan, staff=staff, on=today, by=by)
    plan_messages(site, staff=staff, on=today, by=by)
    return changes


def _finish(run: SweepRun, totals: Totals, clock: Clock, error: str) -> None:
    run.totals, run.error, run.finished_at = totals.as_json(), error[:300], clock()
    with transaction.atomic():
        run.save()


def _clock_from(now: datetime) -> Clock:
    """The time as it goes on during this sweep, counted from the `now` it was given."""
    started = time.monotonic()
    return lambda: now + timedelta(seconds=time.monotonic() - started)


def try_again(*, message: MailMessage, reason: str, by: User, now: datetime) -> None:
    """Sent by the next sweep, under the same Message-ID. Needs `acting_as()`."""
    by.require("reminders.control")
    _settle(
        reason,
        message,
        {"state": MailMessage.State.PLANNED, "attempts": 0, "lease_until": None, "error": ""},
        to=Reminder.State.RAISED,
    )


def settle_as_sent(*, message: MailMessage, reason: str, by: User, now: datetime) -> None:
    """A person found out that it arrived; `reason`: how. Needs `acting_as()`."""
    by.require("reminders.control")
    _settle(
        reason,
        message,
        {"state": MailMessage.State.SENT, "sent_at": now, "lease_until": None, "error": ""},
        to=Reminder.State.SENT,
        at=now,
    )


def notice_again(*, notice: Notice, reason: str, by: User, now: datetime) -> None:
    """Sent by the next sweep, to whoever is then still the one to tell. Needs `acting_as()`."""
    by.require("reminders.control")
    again = {"state": MailMessage.State.PLANNED, "attempts": 0, "lease_until": None}
    _move_on(notice, reason, again)


def notice_arrived(*, notice: Notice, reason: str, by: User, now: datetime) -> None:
    """A person found out that it arrived; `reason`: how. Needs `acting_as()`."""
    by.require("reminders.control")
    _move_on(notice, reason, {"state": MailMessage.State.SENT, "sent_at": now, "lease_until": None})


def _settle(
    reason: str, message: MailMessage, values: dict[str, object], *, to: str, at: datetime | None = None
) -> None:
    _move_on(message, reason, values)
    with because(reason):
        move_reminders(message.pk, (Reminder.State.FAILED, Reminder.State.UNCERTAIN), to, at=at)


def _move_on(row: MailMessage | Notice, reason: str, values: dict[str, object]) -> None:
    stuck = (MailMessage.State.FAILED, MailMessage.State.UNCERTAIN)
    with because(reason):
        if not type(row)._default_manager.filter(pk=row.pk, state__in=stuck).update(**values):
            raise AlreadySettled("This message was settled in the meantime.")
