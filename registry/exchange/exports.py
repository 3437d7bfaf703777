"""An export asked for on a page: made by the worker as one zip file, kept with its digest, downloaded by right."""

import json
import shutil
import tempfile
import uuid
import zipfile
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.db.models import Q

from registry.access.models import Site, SiteScope, User
from registry.audit.acting import acting_as
from registry.audit.actions import record_event
from registry.exchange import identified
from registry.exchange.exporting import export_to, scope_of
from registry.exchange.models import ExportRun
from registry.exchange.reading import digest
from registry.exchange.signals import identified_export_made

State = ExportRun.State
LEASE = timedelta(minutes=5)
MAX_ATTEMPTS = 3
ACT = "export.pseudonymised"
OWN_ACT = "export.own_results"


def exports_folder() -> Path:
    folder = Path(settings.DATA_DIR) / "exports"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def request_export(
    *,
    site: Site | None,
    form_token: str,
    by: User,
    now: datetime,
    named: identified.Named | None = None,
    own_rows: bool = False,
) -> ExportRun:
    """The same form sent twice is one export. `named`: with names and contacts, and why. `own_rows`: only what the
    person's own imports and entries made.
    """
    if existing := ExportRun.objects.filter(form_token=form_token, requested_by=by).first():
        return existing
    more = identified.columns_for(named, site=site, by=by, now=now) if named else {}
    try:
        with transaction.atomic():
            return ExportRun.objects.create(
                site=site, form_token=form_token, requested_by=by, requested_at=now, own_rows=own_rows, **more
            )
    except (
        IntegrityError
    ) as taken:  # the second of two clicks at the same moment, or the form of somebody else
        if twin := ExportRun.objects.filter(form_token=form_token, requested_by=by).first():
            return twin
        raise PermissionDenied("This form was sent by somebody else. Open it again.") from taken


def work_waiting(*, now: Callable[[], datetime]) -> int:
    done = 0
    waiting = Q(state=State.WAITING) | Q(state=State.RUNNING, lease_until__lt=now())
    for run in ExportRun.objects.filter(waiting).order_by("pk"):
        with acting_as("system:worker", channel="export"):
            mine = ExportRun.objects.filter(pk=run.pk, state=run.state, attempts=run.attempts).update(
                state=State.RUNNING, lease_until=now() + LEASE, attempts=run.attempts + 1
            )
        if mine:
            _make(run, now())
            done += 1
    _forget_old(now())
    return done


def act_of(run: ExportRun) -> str:
    if run.own_rows:
        return OWN_ACT
    return identified.ACT if run.identified else ACT


def scope_for(user: User | None, site: Site | None, act: str = ACT) -> SiteScope:
    """What this person may take out: never more than the policy, narrowed to one site when asked."""
    allowed = user.scope(act) if user else SiteScope(everywhere=True)
    if site is None:
        return allowed
    return SiteScope(site_ids=frozenset({site.pk})) if allowed.covers(site.pk) else SiteScope()


def may_still_have(run: ExportRun, user: User) -> bool:
    """Every site in the file must still be the person's to export."""
    scope = scope_for(user, run.site, act_of(run))
    if scope.everywhere or not scope:
        return bool(scope)
    with zipfile.ZipFile(exports_folder() / run.stored_as) as archive:
        sites = json.loads(archive.read("manifest.json"))["sites"]
    return sites != "all" and all(scope.covers(site) for site in sites)


def forget_identified(*, site_id: int | None = None, before: datetime | None = None) -> int:
    """Removes files with names: of a site where somebody was erased, or those kept long enough. That they were made stays."""
    runs = ExportRun.objects.filter(identified=True, state=State.DONE).exclude(stored_as="")
    if site_id is not None:
        runs = runs.filter(site=site_id)
    if before is not None:
        runs = runs.filter(finished_at__lt=before)
    why = "Removed: a person's identifiers were erased." if site_id else "Removed: kept long enough."
    gone = list(runs.order_by("pk"))
    for run in gone:
        transaction.on_commit(partial((exports_folder() / run.stored_as).unlink, missing_ok=True))
    ExportRun.objects.filter(pk__in=[run.pk for run in gone]).update(stored_as="", message=why)
    return len(gone)


def _forget_old(now: datetime) -> None:
    before = now - timedelta(days=settings.PERSON_COPY_DAYS)
    with acting_as("system:worker", channel="export"):
        forget_identified(before=before)
    remove_leftovers(exports_folder(), set(ExportRun.objects.values_list("stored_as", flat=True)), now=now)


def remove_leftovers(folder: Path, kept: set[str], *, now: datetime) -> None:
    """What a worker that was killed left half made: it may hold names, and nobody else would take it away."""
    for path in folder.iterdir():
        touched = datetime.fromtimestamp(path.stat().st_mtime, tz=now.tzinfo)
        if path.name not in kept and now - touched > 2 * LEASE:
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def _make(run: ExportRun, now: datetime) -> None:
    scope = scope_for(run.requested_by, run.site, act_of(run))
    if not scope or run.attempts >= MAX_ATTEMPTS:
        why = "The right to export was taken away." if not scope else "Its worker died three times."
        _end(run, now, state=State.FAILED, message=why)
        return
    name = f"{uuid.uuid4().hex}.zip"
    with tempfile.TemporaryDirectory(dir=exports_folder()) as folder:
        write = partial(identified.export_to, run=run) if run.identified else export_to
        manifest = write(
            Path(folder), scope=scope_of(run.requested_by, scope, now=now, own_rows=run.own_rows)
        )
        unfinished = exports_folder() / f".{name}.partial"
        _zip(Path(folder), unfinished)
        unfinished.rename(exports_folder() / name)
    rows = sum(file["rows"] for file in manifest["files"].values())
    with acting_as(run.requested_by, channel="export", reason=run.reason):
        whose = "own rows, " if run.own_rows else ""
        detail = f"{whose}{rows} rows in {len(manifest['files'])} tables, {run.site or 'every site in reach'}"
        action = identified.ACTION if run.identified else "export"
        record_event(action=action, about=run, detail=detail, now=now)
        if run.identified:
            identified_export_made.send(sender=ExportRun, run=run, rows=rows, now=now)
    _end(run, now, state=State.DONE, stored_as=name, sha256=digest(exports_folder() / name), rows=rows)


def _zip(folder: Path, target: Path) -> None:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.iterdir()):
            archive.write(path, path.name)


def _end(run: ExportRun, now: datetime, **values: object) -> None:
    with acting_as("system:worker", channel="export"):
        ExportRun.objects.filter(pk=run.pk).update(finished_at=now, lease_until=None, **values)
