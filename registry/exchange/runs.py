"""An upload on its way: stored, checked by the worker, confirmed by its person, stored by the worker. Then removed.

Uploads and previews may hold names; they live as files only until the run ends. What is kept is masked.
"""

import json
import re
import uuid
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import UploadedFile
from django.db import IntegrityError, models, transaction

from registry.access.models import User
from registry.audit.acting import acting_as
from registry.exchange.actions import ErrorLine, Report, import_file, preview
from registry.exchange.models import ImportRun
from registry.exchange.reading import FileRefused, digest
from registry.exchange.resources import Context, Row, resource_for

State = ImportRun.State
LEASE = timedelta(minutes=5)
MAX_ATTEMPTS = 3
PREVIEW_ROWS = 200
KEEP_UPLOADS = timedelta(days=7)
IDENTIFIERS = {"given_name", "family_name", "birth_date", "local_id", "phone", "email"}
QUOTED = re.compile("“[^”]*”")


class CannotContinue(Exception):
    """The run is not in a state for this step; the message says which it is in."""


def imports_folder() -> Path:
    folder = Path(settings.DATA_DIR) / "imports"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def upload_path(run: ImportRun) -> Path:
    return imports_folder() / run.stored_as


def preview_path(run: ImportRun) -> Path:
    return upload_path(run).with_suffix(".preview.json")


def upload(
    *, kind: str, file: UploadedFile, clean_rows: bool, reason: str, form_token: str, by: User, now: datetime
) -> ImportRun:
    """Keeps the file under a name of our own and queues its check. The same form sent twice is one run."""
    if existing := ImportRun.objects.filter(form_token=form_token, requested_by=by).first():
        return existing
    suffix = ".xlsx" if (file.name or "").lower().endswith(".xlsx") else ".csv"
    name = f"{kind}{suffix}"  # its own name may name a person, and the trail would keep it for ever
    stored_as = uuid.uuid4().hex + suffix
    path = imports_folder() / stored_as
    with path.open("wb") as target:
        for chunk in file.chunks():
            target.write(chunk)
    try:
        with transaction.atomic():
            return ImportRun.objects.create(
                kind=kind, file_name=name, stored_as=stored_as, sha256=digest(path), clean_rows=clean_rows,
                reason=reason, form_token=form_token, requested_by=by, requested_at=now,
            )  # fmt: skip
    except (
        IntegrityError
    ) as taken:  # the second of two clicks at the same moment, or the form of somebody else
        path.unlink()
        if twin := ImportRun.objects.filter(form_token=form_token, requested_by=by).first():
            return twin
        raise PermissionDenied("This form was sent by somebody else. Open it again.") from taken


def confirm(*, run: ImportRun, by: User) -> None:
    moved = ImportRun.objects.filter(pk=run.pk, state=State.CHECKED, requested_by=by).update(
        state=State.CONFIRMED, attempts=0
    )
    if not moved:
        run.refresh_from_db()
        raise CannotContinue(f"This import is “{run.get_state_display()}” and cannot be confirmed now.")


def cancel(*, run: ImportRun, by: User, now: datetime) -> None:
    waiting = (State.WAITING, State.CHECKED, State.CHECKING)
    moved = ImportRun.objects.filter(pk=run.pk, state__in=waiting, requested_by=by).update(
        state=State.CANCELLED,
        finished_at=now,
        created=0,
        updated=0,
        refused=models.F("rows") - models.F("unchanged"),
    )
    if not moved:
        run.refresh_from_db()
        raise CannotContinue(f"This import is “{run.get_state_display()}” and can no longer be cancelled.")
    _discard(run)


def work_waiting(*, now: Callable[[], datetime]) -> int:
    """Takes up every run that waits, or whose worker died. Any number of workers may do this at once."""
    done = 0
    for run in ImportRun.objects.filter(_waiting(now())).order_by("pk"):
        if _claim(run, now()):
            _work(run, now())
            done += 1
    _remove_old_uploads(now())
    return done


def _waiting(now: datetime) -> models.Q:
    stale = models.Q(state__in=(State.CHECKING, State.STORING), lease_until__lt=now)
    return models.Q(state__in=(State.WAITING, State.CONFIRMED)) | stale


def _claim(run: ImportRun, now: datetime) -> bool:
    """A guarded update is the lock; it works the same on both databases."""
    checking = run.state in (State.WAITING, State.CHECKING)
    with acting_as("system:worker", channel="import"):
        mine = ImportRun.objects.filter(pk=run.pk, state=run.state, attempts=run.attempts).update(
            state=State.CHECKING if checking else State.STORING,
            lease_until=now + LEASE,
            attempts=run.attempts + 1,
        )
    if mine:
        run.refresh_from_db()
    return bool(mine)


def _work(run: ImportRun, now: datetime) -> None:
    try:
        if run.attempts > MAX_ATTEMPTS:
            raise CannotContinue(
                "Its worker died three times. Split the file, or ask an administrator to look at the log."
            )
        if not run.requested_by.may(resource_for(run.kind).act):
            raise CannotContinue("The right to import this was taken away.")
        _check(run, now) if run.state == State.CHECKING else _store(run, now)
    except (FileRefused, CannotContinue) as trouble:
        _end(
            run,
            State.FAILED if isinstance(trouble, CannotContinue) else State.REFUSED,
            now,
            message=trouble.kept if isinstance(trouble, FileRefused) else str(trouble),
        )
    except Exception:
        _end(
            run,
            State.FAILED,
            now,
            message="An error inside the registry stopped this import; nothing was stored.",
        )
        raise


def _check(run: ImportRun, now: datetime) -> None:
    context = Context(now=now, by=run.requested_by, reason=run.reason)
    report, rows, resource = preview(
        kind=run.kind, path=upload_path(run), context=context, name=run.file_name
    )
    refused = bool(report.errors) and not run.clean_rows
    headings = [
        column.name
        for column in resource.columns
        if any(row.cells.get(column.name) for row in rows[:PREVIEW_ROWS])
    ]
    shown = {"headings": headings, "rows": [_shown(row, headings) for row in _worth_showing(rows)]}
    preview_path(run).write_text(json.dumps(shown))
    _end(run, State.REFUSED if refused else State.CHECKED, now, report=report, final=refused)


def _store(run: ImportRun, now: datetime) -> None:
    context = Context(now=now, by=run.requested_by, reason=run.reason)
    with acting_as(run.requested_by, channel="import", reason=run.reason):
        report = import_file(
            kind=run.kind,
            path=upload_path(run),
            context=context,
            commit=True,
            clean_rows=run.clean_rows,
            name=run.file_name,
        )
        # In the transaction that stores the rows: a crash leaves neither or both.
        _end(run, State.STORED if report.committed else State.REFUSED, now, report=report)


def _end(
    run: ImportRun,
    state: str,
    now: datetime,
    *,
    report: Report | None = None,
    message: str = "",
    final: bool = True,
) -> None:
    ended = state != State.CHECKED
    counts = {"rows": 0, "created": 0, "updated": 0, "unchanged": 0, "refused": 0, "flagged": 0}
    if report:
        counts = {name: getattr(report, name) for name in counts}
        if ended and state == State.REFUSED:
            counts |= {"created": 0, "updated": 0, "refused": report.rows - report.unchanged}
    with acting_as("system:worker", channel="import"):
        moved = ImportRun.objects.filter(pk=run.pk, state=run.state).update(
            state=state, message=message, report=json.dumps(_masked(run, report)) if report else "", lease_until=None,
            finished_at=now if ended else None, **counts,
        )  # fmt: skip
    if ended or not moved:  # not moved: cancelled meanwhile, and its files with it
        transaction.on_commit(lambda: _discard(run, keep_preview=bool(moved) and state == State.REFUSED))


def _masked(run: ImportRun, report: Report) -> dict[str, Any]:
    """The report without what people's cells said: it is kept for ever, and the trail keeps it too."""
    kept = report.as_dict()
    if any(column.name in IDENTIFIERS for column in resource_for(run.kind).columns):
        # Any cell of such a file may hold a name: one column too few moves them all.
        kept["errors"] = [_without_value(error) for error in report.errors]
        kept["flags"] = json.loads(QUOTED.sub("“(not kept)”", json.dumps(kept["flags"], ensure_ascii=False)))
    return kept


def _without_value(error: ErrorLine) -> dict[str, Any]:
    hidden = "(not kept)" if error.value else ""
    message = error.message.replace(error.value, hidden) if error.value else error.message
    return asdict(error) | {"value": hidden, "message": message}


def _worth_showing(rows: list[Row]) -> list[Row]:
    """Refused rows first, then flagged and changed ones, then the rest, each in the file's order."""
    rank = {"refused": 0, "update": 2, "create": 3, "unchanged": 4}
    chosen = sorted(
        rows,
        key=lambda row: (
            1 if row.flags and row.outcome != "refused" else rank.get(row.outcome, 5),
            row.number,
        ),
    )
    return chosen[:PREVIEW_ROWS]


def _shown(row: Row, headings: list[str]) -> dict[str, Any]:
    return {
        "number": row.number,
        "outcome": row.outcome,
        "cells": [row.cells.get(heading, "") for heading in headings],
        "errors": {error.column: error.message for error in row.errors},
        "changes": {column: list(pair) for column, pair in row.changes.items()},
        "flags": row.flags,
    }


def _discard(run: ImportRun, *, keep_preview: bool = False) -> None:
    upload_path(run).unlink(missing_ok=True)
    if not keep_preview:
        preview_path(run).unlink(missing_ok=True)


def _remove_old_uploads(now: datetime) -> None:
    """Nobody's names lie about: what was not confirmed in time is cancelled, and files without a run go too."""
    old = ImportRun.objects.filter(requested_at__lt=now - KEEP_UPLOADS)
    with acting_as("system:worker", channel="import"):
        old.filter(state=State.CHECKED).update(
            state=State.CANCELLED, finished_at=now, message="Not confirmed within seven days.",
            created=0, updated=0, refused=models.F("rows") - models.F("unchanged"),
        )  # fmt: skip
    kept = set(
        ImportRun.objects.filter(requested_at__gte=now - KEEP_UPLOADS).values_list("stored_as", flat=True)
    )
    known = {name.split(".")[0] for name in kept}
    for path in imports_folder().iterdir():
        written = datetime.fromtimestamp(path.stat().st_mtime, tz=now.tzinfo)
        if path.name.split(".")[0] not in known and now - written > KEEP_UPLOADS:
            path.unlink(missing_ok=True)


def forget_files(*, now: datetime) -> int:
    """Removes every upload and preview that waits for somebody or was refused: any of them may hold the names of a person
    whose identifiers are being erased. What is being stored ends by itself, and is refused for an erased person.
    """
    waiting = (State.WAITING, State.CHECKING, State.CHECKED)
    gone = [
        run
        for run in ImportRun.objects.exclude(state__in=(State.CONFIRMED, State.STORING)).order_by("pk")
        if run.state in waiting or preview_path(run).exists() or upload_path(run).exists()
    ]
    ImportRun.objects.filter(pk__in=[run.pk for run in gone], state__in=waiting).update(
        state=State.CANCELLED, finished_at=now, lease_until=None, created=0, updated=0,
        refused=models.F("rows") - models.F("unchanged"),
        message="Cancelled, because a person's identifiers were erased. Check the file and bring it in again.",
    )  # fmt: skip
    for run in gone:
        transaction.on_commit(partial(_discard, run))
    return len(gone)
