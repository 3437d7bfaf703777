"""Makes a backup: one file that appears under its name whole, or not at all."""

import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection

from registry.audit.acting import Actor, acting_as
from registry.audit.actions import record_event
from registry.backups import archive, members, postgresql_copy, sqlite_copy, tables
from registry.backups.models import BackupRun

Clock = Callable[[], datetime]
SCRATCH = "backup-"


class CannotBackUp(Exception):
    """Why no backup was made; the file of that name, if there was one, is as it was."""


@dataclass(frozen=True)
class Request:
    path: Path
    passphrase: str = ""
    keys: bool = True
    scheduled: bool = False


def engine() -> Any:
    return sqlite_copy if connection.vendor == "sqlite" else postgresql_copy


def back_up(request: Request, *, clock: Clock, by: Actor | str) -> dict[str, Any]:
    """Writes the file, reads it back, and records that it was made. CannotBackUp where it could not be."""
    started = clock()
    try:
        manifest = _make(request, now=started)
    except (OSError, DatabaseError, archive.Damaged) as error:
        what = f"{type(error).__name__}: {error}" if isinstance(error, OSError) else type(error).__name__
        record_failure(request, what, started=started, now=clock(), by=by)
        raise CannotBackUp(f"No backup was made: {what}") from error
    facts = _facts(request, manifest)
    with acting_as(by, channel="backup"):
        run = BackupRun.objects.create(
            kind="backup", succeeded=True, started_at=started, finished_at=clock(), data_from=started,
            file_name=request.path.name, bytes=facts["bytes"], rows=facts["rows"],
            entries=manifest["trail"]["entries"], trail_head=manifest["trail"]["head"],
            encrypted=bool(request.passphrase), with_keys=bool(manifest["keys"]), scheduled=request.scheduled,
        )  # fmt: skip
        record_event(action="backup", about=run, detail=json.dumps(facts), now=clock())
    return facts


def record_failure(request: Request, what: str, *, started: datetime, now: datetime, by: Actor | str) -> None:
    """Where the database itself is away there is nowhere to write it; the caller says it then."""
    try:
        with acting_as(by, channel="backup"):
            BackupRun.objects.create(
                kind="backup", succeeded=False, started_at=started, finished_at=now,
                file_name=request.path.name, scheduled=request.scheduled, message=what[:500],
            )  # fmt: skip
    except DatabaseError:
        return


def _facts(request: Request, manifest: dict[str, Any]) -> dict[str, Any]:
    return {
        "file": request.path.name,
        "bytes": request.path.stat().st_size,
        "engine": manifest["engine"],
        "software": manifest["software"],
        "made_at": manifest["made_at"],
        "tables": len(manifest["tables"]),
        "rows": sum(manifest["tables"].values()),
        "files": len(manifest["files"]),
        "entries": manifest["trail"]["entries"],
        "head": manifest["trail"]["head"],
        "encrypted": bool(request.passphrase),
        "keys": manifest["keys"],
    }


def _make(request: Request, *, now: datetime) -> dict[str, Any]:
    target = request.path
    partial = target.with_name(f".{target.name}.partial")
    with only_one(), _scratch() as scratch:
        try:
            with sqlite_copy.private(partial) as file:
                manifest = _write(archive.Writer(file, request.passphrase), request, scratch, now=now)
                file.flush()
                os.fsync(file.fileno())
            with archive.opened(
                partial, request.passphrase
            ):  # read back, byte by byte, before it gets its name
                partial.replace(target)
            sqlite_copy.sync_folder(target.parent)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
    return manifest


def _write(made: archive.Writer, request: Request, scratch: Path, *, now: datetime) -> dict[str, Any]:
    leave_out = {request.path.resolve(), request.path.with_name(f".{request.path.name}.partial").resolve()}
    if connection.vendor == "sqlite":
        leave_out |= sqlite_copy.with_companions(sqlite_copy.database_file())
    if settings.BACKUP_DIR:
        leave_out.add(Path(settings.BACKUP_DIR).resolve())
    before = [name for name in members.record_files(leave_out) if members.is_growing(name)]
    files = _add_files(made, before)
    with engine().snapshot(scratch) as ask:
        manifest = {
            "software": settings.VERSION, "engine": connection.vendor, "made_at": now.isoformat(),
            "registry": tables.registry(ask), "migrations": tables.migrations(ask), "trail": tables.trail(ask),
            "tables": tables.rows(ask),
        }  # fmt: skip
        engine().store(made, scratch, ask)
    after = [name for name in members.record_files(leave_out) if not members.is_growing(name)]
    files += _add_files(made, after)
    kept = members.generated_keys() if request.keys else []
    for name in kept:
        made.add_bytes(f"keys/{name.lower()}", members.key_text(name).encode())
    checks = {name: members.key_checks(members.key_text(name)) for name in members.KEYS}
    manifest |= {"files": files, "keys": kept, "key_checks": checks}
    made.close(manifest)
    return manifest


def _add_files(made: archive.Writer, names: list[str]) -> list[str]:
    """One that was taken away since it was listed is left out: the registry itself takes files back."""
    added = []
    for name in names:
        try:
            with (members.data_dir() / name).open("rb") as file:
                made.add_stream(f"files/{name}", file)
        except FileNotFoundError:
            continue
        added.append(name)
    return added


@contextmanager
def only_one() -> Iterator[None]:
    """One backup at a time in this DATA_DIR. The lock ends with the process, however it ends."""
    folder = members.data_dir() / "run"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with ExitStack() as stack:
        lock = stack.enter_context((folder / "backup.lock").open("w"))
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CannotBackUp(
                "Another backup of this registry is being made. Wait for it to end."
            ) from error
        yield


@contextmanager
def _scratch() -> Iterator[Path]:
    """Beside the database, not beside the file: that may lie on a place where only encrypted data belong."""
    parent = members.data_dir() / "tmp"
    parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    for left_over in parent.glob(f"{SCRATCH}*"):  # of one that was killed; only one runs at a time
        shutil.rmtree(left_over, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=SCRATCH, dir=parent) as folder:
        yield Path(folder)
