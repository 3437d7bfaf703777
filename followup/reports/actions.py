"""A report asked for on a page: waits as a row, made by the worker, kept with its digests, downloaded by right."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.db.models import Q

from followup.reports.collect_safety import NumbersDisagree
from followup.reports.making import Made, make_patient, make_safety
from followup.reports.models import NAMES_ACT, PATIENT_ACT, ReportRun
from followup.reports.provenance import seal_data
from followup.reports.render import RenderFailed
from registry.access.models import Site, User
from registry.audit.acting import acting_as, because
from registry.audit.actions import record_event
from registry.clock import local_date
from registry.patients.models import Patient

State = ReportRun.State
LEASE = timedelta(minutes=5)
MAX_ATTEMPTS = 3
SAFETY_ACT, CLOSED_ACT = "reports.make_safety", "reports.make_closed"


class CannotContinue(Exception):
    """Why the run cannot go on, in words for the person who asked for it."""


def reports_folder() -> Path:
    folder = Path(settings.DATA_DIR) / "reports"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def folder_of(run: ReportRun) -> Path:
    """Closed reports lie apart from the others, in a folder for the registry's own account alone."""
    if not run.is_closed:
        return reports_folder()
    folder = reports_folder() / "closed"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


# Asking ------------------------------------------------------------------------------------------------------


def request_safety(
    *,
    site: Site | None,
    period_from: date,
    period_to: date,
    form_token: str,
    by: User,
    now: datetime,
    is_closed: bool = False,
) -> ReportRun:
    """The same form sent twice is one report. Without a site: all sites, for those who work across them. A closed one says
    what was given, and is made in a blinded protocol alone.
    """
    if not _may_make_safety(by, site, is_closed=is_closed):
        by.require(_act_of(is_closed=is_closed), site)
        raise CannotContinue(
            "A report on all sites is made by those who work across all sites. Choose a site."
        )
    run = ReportRun(
        kind=ReportRun.Kind.CLOSED if is_closed else ReportRun.Kind.SAFETY, site=site, period_from=period_from, period_to=period_to,
        data_cut_off=_end_of(period_to, site.time_zone if site else "UTC"),
    )  # fmt: skip
    return _ask(run, form_token, by, now)


def request_patient(
    *, patient: Patient, with_identifiers: bool, reason: str, form_token: str, by: User, now: datetime
) -> ReportRun:
    """To today at the patient's site. Names only for those who may read them there, with a reason."""
    by.require(PATIENT_ACT, patient.site_id)
    if with_identifiers:
        by.require(NAMES_ACT, patient.site_id)
    zone = patient.site.time_zone
    run = ReportRun(
        kind=ReportRun.Kind.PATIENT, patient=patient, site=patient.site, with_identifiers=with_identifiers,
        data_cut_off=_end_of(local_date(now, zone), zone),
    )  # fmt: skip
    with because(reason):
        return _ask(run, form_token, by, now)


def _ask(run: ReportRun, form_token: str, by: User, now: datetime) -> ReportRun:
    if existing := ReportRun.objects.filter(form_token=form_token, requested_by=by).first():
        return existing
    run.form_token, run.requested_by, run.requested_at = form_token, by, now
    run.full_clean(exclude=["finished_at", "lease_until"], validate_constraints=False, validate_unique=False)
    try:
        with transaction.atomic():
            run.save()
    except (
        IntegrityError
    ) as taken:  # the second of two clicks at the same moment, or the form of somebody else
        if twin := ReportRun.objects.filter(form_token=form_token, requested_by=by).first():
            return twin
        raise PermissionDenied("This form was sent by somebody else. Open it again.") from taken
    return run


def _act_of(*, is_closed: bool) -> str:
    return CLOSED_ACT if is_closed else SAFETY_ACT


def _may_make_safety(user: User, site: Site | None, *, is_closed: bool) -> bool:
    scope = user.scope(_act_of(is_closed=is_closed))
    return scope.covers(site.pk) if site else scope.everywhere


def _end_of(day: date, zone: str) -> datetime:
    return datetime.combine(day, time(23, 59, 59), tzinfo=ZoneInfo(zone))


def cancel(*, run: ReportRun, now: datetime) -> None:
    """Only while it waits: what a worker has begun, it ends."""
    moved = ReportRun.objects.filter(pk=run.pk, state=State.WAITING).update(
        state=State.CANCELLED, finished_at=now, progress=""
    )
    if not moved:
        run.refresh_from_db()
        raise CannotContinue(f"This report is “{run.get_state_display()}” and can no longer be cancelled.")


# Making ------------------------------------------------------------------------------------------------------


def make_waiting(*, now: Callable[[], datetime]) -> int:
    """Takes up every run that waits, or whose worker died. Any number of workers may do this at once."""
    made = 0
    forget_erased()
    waiting = Q(state=State.WAITING) | Q(state=State.RUNNING, lease_until__lt=now())
    for run in ReportRun.objects.filter(waiting).order_by("pk"):
        if _claim(run, now()):
            _make(run, now)
            forget_erased()  # the person's names may have been erased while it was drawn
            made += 1
    return made


def forget_erased() -> None:
    """A report with names goes when its person's identifiers were erased; that it was made stays on record."""
    named = ReportRun.objects.filter(with_identifiers=True, state=State.DONE).exclude(stored_as="")
    for run in named.filter(patient__key=None).exclude(patient__identity=None).order_by("pk"):
        for stored_as in (run.stored_as, run.numbers_stored_as):
            (folder_of(run) / stored_as).unlink(missing_ok=True)
        with acting_as("system:worker", channel="report"):
            ReportRun.objects.filter(pk=run.pk).update(
                stored_as="",
                numbers_stored_as="",
                message="Removed: the identifiers of this person were erased.",
            )


def _claim(run: ReportRun, now: datetime) -> bool:
    """A guarded update is the lock; it works the same on both databases."""
    with acting_as("system:worker", channel="report"):
        mine = ReportRun.objects.filter(pk=run.pk, state=run.state, attempts=run.attempts).update(
            state=State.RUNNING,
            lease_until=now + LEASE,
            attempts=run.attempts + 1,
            progress="Collecting the numbers and drawing the pages",
        )
    if mine:
        run.refresh_from_db()
    return bool(mine)


def _make(run: ReportRun, now: Callable[[], datetime]) -> None:
    stem = uuid.uuid4().hex
    pdf, numbers = folder_of(run) / f"{stem}.pdf", folder_of(run) / f"{stem}.json"
    try:
        _check_right(run)
        seal_data(now=now())
        made = _made(run, pdf, numbers)
    except (RenderFailed, NumbersDisagree, CannotContinue) as trouble:
        _end(run, now(), state=State.FAILED, message=str(trouble)[:500])
        return
    except Exception:
        _discard(pdf, numbers)
        _end(run, now(), state=State.FAILED, message="An error inside the registry stopped this report.")
        raise
    if not _keep(run, made, pdf, numbers, now()):
        _discard(pdf, numbers)  # another worker took the run over and its files count


def _check_right(run: ReportRun) -> None:
    user = run.requested_by
    if run.attempts > MAX_ATTEMPTS:
        raise CannotContinue("Its worker died three times. Ask an administrator to look at the log.")
    if user is None:
        raise CannotContinue("Nobody asked for this report.")
    if run.is_safety:
        allowed = _may_make_safety(user, run.site, is_closed=run.is_closed)
    else:
        acts = [PATIENT_ACT, NAMES_ACT] if run.with_identifiers else [PATIENT_ACT]
        allowed = all(user.may(act, run.site_id) for act in acts)
    if not allowed:
        raise CannotContinue("The right to make this report was taken away.")


def _made(run: ReportRun, pdf: Path, numbers: Path) -> Made:
    cut_off = run.cut_off
    if run.patient is not None and cut_off is not None:
        return make_patient(
            patient=run.patient, cut_off=cut_off, with_identifiers=run.with_identifiers, pdf=pdf, numbers=numbers
        )  # fmt: skip
    if run.period_from is None or run.period_to is None:
        raise CannotContinue("This report has no period.")
    return make_safety(
        site=run.site, period_from=run.period_from, period_to=run.period_to, pdf=pdf, numbers=numbers,
        is_closed=run.is_closed,
    )  # fmt: skip


def _keep(run: ReportRun, made: Made, pdf: Path, numbers: Path, now: datetime) -> bool:
    with acting_as(run.requested_by or "system:worker", channel="report"):
        kept = _end(
            run, now, state=State.DONE, stored_as=pdf.name, numbers_stored_as=numbers.name, message="",
            pdf_sha256=made.pdf_sha256, numbers_sha256=made.numbers_sha256, pages=made.pages,
        )  # fmt: skip
        if kept:
            record_event(action="report", about=run, detail=f"{run}, numbers {made.numbers_sha256}", now=now)
            if run.patient is not None and run.with_identifiers:
                record_event(
                    action="identifiers read", about=run.patient, detail=run.patient.patient_id, now=now
                )
    return kept


def _end(run: ReportRun, now: datetime, **values: object) -> bool:
    """False when the run was taken over by another worker in the meantime."""
    mine = ReportRun.objects.filter(pk=run.pk, state=State.RUNNING, attempts=run.attempts)
    with acting_as("system:worker", channel="report"):
        return bool(mine.update(finished_at=now, lease_until=None, progress="", **values))


def _discard(*paths: Path) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
