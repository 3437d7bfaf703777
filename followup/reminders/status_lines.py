"""The reminders' part of the status page: does the sweep run, do its totals add up, does anything wait for a person?"""

import json
from collections.abc import Iterable
from datetime import datetime

from followup.reminders.models import MailMessage, Notice, Reminder, SweepRun
from followup.reminders.rules import SWEEP_MAX_AGE
from registry.backups import status
from registry.backups.status import ALARM, DONE, LATE, Line, moment_words

FIGURES = ("due", "sent", "held", "excused", "failed", "uncertain", "waiting")


def register() -> None:
    status.provide("Follow-up", lines)


def lines(now: datetime) -> Iterable[Line]:
    finished = SweepRun.objects.filter(finished_at__isnull=False)
    yield _heartbeat(now)
    last = finished.order_by("-finished_at", "-pk").first()
    if last and last.totals:
        yield _totals(last)
    yield _uncertain()
    yield _held()


def _heartbeat(now: datetime) -> Line:
    finished_at = SweepRun.last_whole_at(now)
    to_do = "See that worker and beat run (make run); without them nobody is reminded."
    if finished_at is None:
        return Line("Last sweep", ALARM, "Never", "No sweep has finished.", to_do)
    when = moment_words(finished_at, now)
    if now - finished_at > SWEEP_MAX_AGE:
        return Line("Last sweep", ALARM, "Too old", when, to_do)
    return Line("Last sweep", DONE, "Recent", when)


def _totals(last: SweepRun) -> Line:
    totals = json.loads(last.totals)
    facts = ", ".join(f"{totals[name]} {name}" for name in FIGURES if name in totals)
    if totals.get("add_up") and not last.error:
        return Line("Control totals", DONE, "Add up", facts)
    return Line(
        "Control totals",
        ALARM,
        "Do not add up",
        last.error or facts,
        "Run manage.py reconcile: it names each record.",
    )


def _uncertain() -> Line:
    uncertain = MailMessage.objects.filter(state=MailMessage.State.UNCERTAIN).count()
    failed = MailMessage.objects.filter(state=MailMessage.State.FAILED).count()
    notices = Notice.objects.filter(state__in=(MailMessage.State.UNCERTAIN, MailMessage.State.FAILED)).count()
    facts = f"{uncertain} uncertain, {failed} not sent; {notices} urgent notices that may not have gone out"
    if not uncertain + failed + notices:
        return Line("Messages", DONE, "None stuck", facts)
    return Line(
        "Messages", LATE, "Need a decision", facts, "Open Reminders (/reminders/) and decide on each."
    )


def _held() -> Line:
    held = Reminder.objects.filter(is_open=True, state=Reminder.State.HELD).count()
    facts = f"{held} reminders have nobody to go to"
    if not held:
        return Line("Held reminders", DONE, "None", facts)
    return Line(
        "Held reminders",
        LATE,
        "Nobody to send to",
        facts,
        "Give a site's staff an e-mail address; see /reminders/.",
    )
