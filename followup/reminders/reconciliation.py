"""Proves that nobody fell off: each finding names the record and what is wrong with it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, OuterRef

from followup.reminders.models import MailMessage, Reminder, SweepRun
from followup.reminders.raising import SitePlan, site_wishes
from followup.reminders.rules import SWEEP_MAX_AGE
from followup.reminders.standing import out_of_reach
from followup.reminders.totals import Totals, count
from followup.schedule.models import Visit
from registry import clock as calendar
from registry.access.models import Site
from registry.audit.models import AuditEntry
from registry.infusions.models import Infusion
from registry.patients.models import Enrolment, Patient, Status


@dataclass(frozen=True)
class Finding:
    kind: str
    record: str
    what: str


@dataclass
class Reconciliation:
    totals: Totals
    findings: list[Finding]
    warnings: list[Finding]

    @property
    def whole(self) -> bool:
        return not self.findings


def reconcile(*, now: datetime) -> Reconciliation:
    totals = count(Totals())
    last = SweepRun.objects.filter(finished_at__isnull=False).first()
    findings = [
        *_totals(totals),
        *_deleted_reminders(),
        *_sent_without_message(),
        *_without_planned_visits(),
        *_without_next_check(),
        *_not_swept(last.as_of if last else now),
    ]
    return Reconciliation(totals, findings, list(_age(last, now)))


def _totals(totals: Totals) -> Iterator[Finding]:
    if not totals.add_up:
        parts = totals.sent + totals.held + totals.excused + totals.failed + totals.uncertain
        what = f"{totals.due} reminders were due, but {parts} are accounted for"
        yield Finding("control totals", "reminders", what)


def _deleted_reminders() -> Iterator[Finding]:
    """The product never deletes one."""
    gone = AuditEntry.objects.filter(table_name=Reminder._meta.db_table, action="delete").order_by("pk")
    for entry in gone.iterator():
        old = json.loads(entry.old)
        if not Reminder.objects.filter(pk=entry.row_id).exists():
            what = f"the reminder “{old.get('step')}” of visit {old.get('visit_id')} was deleted by {entry.actor}"
            yield Finding("deleted reminder", f"reminder {entry.row_id}", what)


def _sent_without_message() -> Iterator[Finding]:
    sent = MailMessage.objects.filter(reminders=OuterRef("pk"), state=MailMessage.State.SENT)
    rows = Reminder.objects.filter(~Exists(sent), state=Reminder.State.SENT).select_related("patient")
    for row in rows.order_by("pk").iterator():
        what = f"“{row.step}” for patient {row.patient} counts as sent, but no message was"
        yield Finding("sent without message", f"reminder {row.pk}", what)


def _without_planned_visits() -> Iterator[Finding]:
    planned = Visit.objects.filter(patient=OuterRef("patient"), timepoint__isnull=False)
    of_enrolment = planned.filter(anchor="enrolment")
    of_infusion = planned.exclude(anchor="enrolment")
    infused = Infusion.objects.filter(patient=OuterRef("patient"))
    rows = Enrolment.objects.filter(Exists(infused) & ~Exists(of_infusion) | ~Exists(of_enrolment))
    for row in rows.select_related("patient").order_by("patient__patient_id", "pk").iterator():
        what = "enrolled, but the visits of the follow-up plan are not planned"
        yield Finding("no planned visits", f"patient {row.patient}", what)


def _without_next_check() -> Iterator[Finding]:
    """Whoever lives, was infused and did not ask to end it has a neoplasia check ahead or overdue, until the last is held."""
    check = Visit.objects.filter(patient=OuterRef("pk"), neoplasia_check=True, state=Visit.State.PLANNED)
    infused = Infusion.objects.filter(patient=OuterRef("pk"))
    rows = Patient.objects.filter(Exists(infused), ~Exists(check)).exclude(status=Status.COMPLETED)
    over = set(out_of_reach(rows))
    for patient in rows.order_by("patient_id").iterator():
        if patient.pk in over:
            continue
        what = "infused and living, but no neoplasia check lies ahead or is overdue"
        yield Finding("no neoplasia check", f"patient {patient}", what)


def _not_swept(seen_at: datetime) -> Iterator[Finding]:
    """What the last sweep should have seen on the day it looked at, and the worklist does not show."""
    plan = SitePlan.read()
    for site in Site.objects.order_by("pk"):
        today = calendar.local_date(seen_at, site.time_zone)
        for wish in site_wishes(site, plan=plan, on=today):
            yield Finding(
                "not on the worklist", f"visit {wish.visit_id}", _wanted(wish.step, bool(wish.reopen))
            )
    closed = Reminder.objects.filter(is_open=True).exclude(visit__state=Visit.State.PLANNED)
    for row in closed.select_related("visit").order_by("pk").iterator():
        what = f"still open, but the visit is {row.visit.get_state_display().lower()}; run `sweep`"
        yield Finding("still on the worklist", f"reminder {row.pk}", what)


def _wanted(step: str, reopen: bool) -> str:
    if step:
        return f"the step “{step}” was reached and no reminder was raised; run `sweep`"
    if reopen:
        return "it is owed again and its reminder is closed; run `sweep`"
    return "its reminder should be closed; run `sweep`"


def _age(last: SweepRun | None, now: datetime) -> Iterator[Finding]:
    finished = last.finished_at if last else None
    if finished is None:
        yield Finding("sweep", "worker", "no sweep has finished yet; run `sweep` or start the worker")
    elif now - finished > SWEEP_MAX_AGE:
        minutes = int((now - finished).total_seconds() // 60)
        yield Finding("sweep", "worker", f"the last sweep finished {minutes} min ago")
