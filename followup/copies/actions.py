"""A copy about one person: waits as a row, made by the worker, downloaded by right, removed after some days."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet

from followup.copies import archive
from followup.copies.models import PersonCopy
from followup.reports.render import RenderFailed
from followup.schedule.actions.notices import raise_notice
from registry.access.models import User
from registry.audit.acting import acting_as, because
from registry.audit.actions import record_event
from registry.exchange.exports import remove_leftovers
from registry.patients.models import Patient
from registry.saving import NotAccepted

ACT = "people.export"
State = PersonCopy.State
LEASE = timedelta(minutes=5)
MAX_ATTEMPTS = 3
ERASED = "Removed: the identifiers of this person were erased."
OLD = "Removed: kept long enough. It can be made again."


class CannotContinue(Exception):
    """Why the copy cannot be made, in words for the person who asked for it."""


def copies_folder() -> Path:
    folder = Path(settings.DATA_DIR) / "copies"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def request_copy(*, patient: Patient, reason: str, form_token: str, by: User, now: datetime) -> PersonCopy:
    """The same form sent twice is one copy."""
    by.require(ACT, patient.site_id)
    if twin := PersonCopy.objects.filter(form_token=form_token, requested_by=by).first():
        return twin
    if not reason.strip():
        raise NotAccepted("reason", "Say what the copy is for: it stands in the trail.")
    try:
        with transaction.atomic(), because(reason):
            return PersonCopy.objects.create(
                patient=patient,
                reason=reason.strip(),
                form_token=form_token,
                requested_by=by,
                requested_at=now,
            )
    except IntegrityError as taken:
        if twin := PersonCopy.objects.filter(form_token=form_token, requested_by=by).first():
            return twin
        raise PermissionDenied("This form was sent by somebody else. Open it again.") from taken


def note_download(*, copy: PersonCopy, by: User, now: datetime) -> Path:
    """The file, and a line in the trail. CannotContinue when it is not there any more."""
    path = copies_folder() / (copy.stored_as or "-")
    if copy.state != State.DONE or not path.is_file():
        raise CannotContinue(copy.message or "The file is not there. Make the copy again.")
    with acting_as(by, channel="web", reason=copy.reason):
        record_event(action="copy about a person downloaded", about=copy, detail=copy.sha256, now=now)
        record_event(action="identifiers read", about=copy.patient, detail=copy.patient.patient_id, now=now)
    return path


# Making ------------------------------------------------------------------------------------------------------


def make_waiting(*, now: Callable[[], datetime]) -> int:
    """Takes up every run that waits, or whose worker died. Any number of workers may do this at once."""
    made = 0
    waiting = Q(state=State.WAITING) | Q(state=State.RUNNING, lease_until__lt=now())
    for run in PersonCopy.objects.filter(waiting).select_related("patient__site").order_by("pk"):
        if _claim(run, now()):
            _make(run, now)
            made += 1
    forget_old(now=now())
    return made


def _claim(run: PersonCopy, now: datetime) -> bool:
    with acting_as("system:worker", channel="copy"):
        mine = PersonCopy.objects.filter(pk=run.pk, state=run.state, attempts=run.attempts).update(
            state=State.RUNNING, lease_until=now + LEASE, attempts=run.attempts + 1
        )
    if mine:
        run.refresh_from_db(fields=["state", "attempts", "lease_until"])
    return bool(mine)


def _make(run: PersonCopy, now: Callable[[], datetime]) -> None:
    begun = now()
    path = copies_folder() / f"{uuid.uuid4().hex}.zip"
    try:
        _check_right(run)
        pdf = archive.record_pdf(run.patient, begun, folder=copies_folder())
        with acting_as(run.requested_by, channel="copy", reason=run.reason):
            # In the copy as well: that it was made is a reading of the record.
            record_event(action="copy about a person", about=run, detail=run.patient.patient_id, now=begun)
            made = archive.make_archive(patient=run.patient, now=begun, pdf=pdf)
        path.write_bytes(made.data)
    except (CannotContinue, RenderFailed) as trouble:
        _end(run, now(), state=State.FAILED, message=str(trouble)[:500])
        return
    except Exception:
        path.unlink(missing_ok=True)
        _end(run, now(), state=State.FAILED, message="An error inside the registry stopped this copy.")
        raise
    if not _keep(run, made, path, begun, now()):
        path.unlink(missing_ok=True)  # taken over by another worker, or the names were erased meanwhile


def _check_right(run: PersonCopy) -> None:
    if run.attempts > MAX_ATTEMPTS:
        raise CannotContinue("Its worker died three times. Ask an administrator to look at the log.")
    if not run.requested_by.may(ACT, run.patient.site_id):
        raise CannotContinue("The right to make this copy was taken away.")


def _keep(run: PersonCopy, made: archive.Made, path: Path, begun: datetime, now: datetime) -> bool:
    with acting_as("system:worker", channel="copy"):
        kept = _end(
            run, now, state=State.DONE, stored_as=path.name, rows=made.rows, entries=made.entries, message="",
            sha256=hashlib.sha256(made.data).hexdigest(), seconds=round((now - begun).total_seconds()),
        )  # fmt: skip
        if kept:
            raise_notice(
                kind="person_copy", source=f"copies.personcopy:{run.pk}", patient=run.patient, site=run.patient.site,
                title=f"A copy of everything about {run.patient} was made by {run.requested_by}", now=now,
            )  # fmt: skip
    return kept


def _end(run: PersonCopy, now: datetime, **values: Any) -> bool:
    mine = PersonCopy.objects.filter(pk=run.pk, state=State.RUNNING, attempts=run.attempts)
    with acting_as("system:worker", channel="copy"):
        return bool(mine.update(finished_at=now, lease_until=None, **values))


# Removing ----------------------------------------------------------------------------------------------------


def forget_old(*, now: datetime) -> int:
    before = now - timedelta(days=settings.PERSON_COPY_DAYS)
    with acting_as("system:worker", channel="copy"):
        gone = _forget(PersonCopy.objects.filter(state=State.DONE, finished_at__lt=before), OLD)
    remove_leftovers(copies_folder(), set(PersonCopy.objects.values_list("stored_as", flat=True)), now=now)
    return gone


def forget_copies_of_erased(patients: Sequence[int], **_: Any) -> None:
    """Also those that wait or are being made: what a worker has begun then finds its run gone."""
    about = PersonCopy.objects.filter(patient__in=patients)
    _forget(about.filter(state__in=(State.DONE, State.WAITING, State.RUNNING)), ERASED)


def _forget(runs: QuerySet[PersonCopy], why: str) -> int:
    gone = list(runs.order_by("pk"))
    for run in gone:
        if run.stored_as:
            transaction.on_commit(partial((copies_folder() / run.stored_as).unlink, missing_ok=True))
    keys = [run.pk for run in gone]
    return PersonCopy.objects.filter(pk__in=keys).update(state=State.REMOVED, stored_as="", message=why)
