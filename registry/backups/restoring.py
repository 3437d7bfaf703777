"""Puts a backup back: everything is checked before anything is written, and it can be run again after a crash."""

import hashlib
import json
import shutil
from collections.abc import Callable
from contextvars import copy_context
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.models import Max

from registry.audit import anchors, verification
from registry.audit.acting import act_for_process, acting_as
from registry.audit.actions import record_event
from registry.audit.models import AuditSeal
from registry.backups import archive, hooks, ledger, members, postgresql_copy, sqlite_copy, tables, unfinished
from registry.backups.in_use import CannotRestore, refuse_if_in_use
from registry.backups.keys import check_keys, place_keys
from registry.backups.models import BackupRun

Clock = Callable[[], datetime]


@dataclass(frozen=True)
class Order:
    path: Path
    passphrase: str = ""
    erasures: Path | None = None


def restore(order: Order, *, clock: Clock) -> dict[str, Any]:
    """The facts of what was restored, `whole` among them. CannotRestore before anything was written."""
    started = clock()
    with archive.opened(order.path, order.passphrase) as backup:
        digest = hashlib.sha256(json.dumps(backup.manifest, sort_keys=True).encode()).hexdigest()
        refuse_if_unfit(backup.manifest)
        refuse_if_in_use(backup.manifest, again=unfinished.digest() == digest)
        check_keys(backup.manifest)
        erased = _erased(order, backup)
        unfinished.begin(digest)
        place_keys(backup)
        _engine().load(backup)
        _compare(backup.manifest)
        _place_files(backup)
    copy_context().run(_migrate)
    facts = _settle(backup.manifest, order, erased, started=started, clock=clock)
    unfinished.end()
    return facts


def _engine() -> Any:
    return sqlite_copy if connection.vendor == "sqlite" else postgresql_copy


def refuse_if_unfit(manifest: dict[str, Any]) -> None:
    if manifest["format"] > archive.FORMAT:
        raise CannotRestore(
            f"The file has format {manifest['format']}; this version reads up to {archive.FORMAT}."
        )
    if manifest["engine"] != connection.vendor:
        url = (
            "a postgres:// DATABASE_URL" if manifest["engine"] == "postgresql" else "no DATABASE_URL (SQLite)"
        )
        raise CannotRestore(
            f"The backup is of a registry on {manifest['engine']}, this one is on {connection.vendor}. Restore with {url}."
        )
    known = set(MigrationLoader(None).disk_migrations or {})
    newer = [".".join(one) for one in manifest["migrations"] if tuple(one) not in known]
    if newer or _number(manifest["software"]) > _number(settings.VERSION):
        raise CannotRestore(
            f"The backup was made by version {manifest['software']}, which is newer than this one, {settings.VERSION}"
            f"{f' (it knows {newer[0]})' if newer else ''}. Install that version or a later one."
        )


def _number(version: str) -> list[int]:
    return [int(part) if part.isdigit() else 0 for part in version.split(".")]


def _erased(order: Order, backup: archive.Reader) -> frozenset[str]:
    """From the ledger at hand, the one given, and the one in the backup."""
    found = ledger.known()
    if order.erasures:
        try:
            found |= ledger.erased_in(order.erasures.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise CannotRestore(f"--erasures {order.erasures} cannot be read.") from error
    for name in backup.names("files/"):
        if name.endswith(f"/{ledger.NAME}"):
            found |= ledger.erased_in(backup.text(name))
    return frozenset(found)


def _compare(manifest: dict[str, Any]) -> None:
    with connection.cursor() as cursor:

        def ask(query: str) -> Any:
            cursor.execute(query)
            return cursor

        found = tables.rows(ask)
    for name, expected in manifest["tables"].items():
        if found.get(name) != expected:
            raise tables.CannotLoad(
                f"{name}: {expected} rows in the backup, {found.get(name)} after restoring"
            )


def _place_files(backup: archive.Reader) -> None:
    for name in backup.names("files/"):
        target = members.data_dir() / name.removeprefix("files/")
        if members.is_growing(name.removeprefix("files/")) and target.exists():
            continue  # what is at hand is newer
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        partial = target.with_name(f".{target.name}.partial")
        with backup.open(name) as source, sqlite_copy.private(partial) as file:
            shutil.copyfileobj(source, file, archive.BLOCK)
        partial.replace(target)


def _migrate() -> None:
    """In a context of its own: acting for `migrate` ends with it."""
    act_for_process("system:migrate")
    call_command("migrate", interactive=False, verbosity=0)


def _last_anchored() -> int:
    if not anchors.path().exists():
        return 0
    lines = anchors.path().read_text(encoding="utf-8").splitlines()
    try:
        return int(json.loads(lines[-1])["seal"]) if lines else 0
    except (ValueError, KeyError, TypeError):
        return 0  # the check of the trail names the broken line


def _settle_anchors(manifest: dict[str, Any], *, now: datetime) -> dict[str, str]:
    """An anchor file at hand that knows more than the backup is put aside, never changed: it proves what was lost."""
    if _last_anchored() > (AuditSeal.objects.aggregate(last=Max("pk"))["last"] or 0):
        aside = anchors.begin_anew(reason=f"restored from a backup of {manifest['made_at']}", now=now)
        return {"anchors": f"begun anew; the old file is kept as {aside.name if aside else '-'}"}
    anchors.catch_up()
    return {}


def _settle(
    manifest: dict[str, Any], order: Order, erased: frozenset[str], *, started: datetime, clock: Clock
) -> dict[str, Any]:
    now = clock()
    anchored = _settle_anchors(manifest, now=now)
    problems = [f"{one.where}: {one.what}" for one in verification.verify()]
    restored = hooks.Restored(datetime.fromisoformat(manifest["made_at"]), now, erased)
    with acting_as("system:command", channel="restore"):
        done = hooks.run_after_restore(restored)
        run = BackupRun.objects.create(
            kind="restore", succeeded=True, started_at=started, finished_at=clock(),
            data_from=restored.data_from, file_name=order.path.name[:200], bytes=order.path.stat().st_size,
            rows=sum(manifest["tables"].values()), entries=manifest["trail"]["entries"],
            trail_head=manifest["trail"]["head"], encrypted=bool(order.passphrase),
            with_keys=bool(manifest["keys"]),
        )  # fmt: skip
        record_event(
            action="restore",
            about=run,
            detail=json.dumps({"data_from": manifest["made_at"], **done}),
            now=now,
        )
    checks = {"audit_verify": problems, **hooks.run_checks(clock())}
    return {
        "file": order.path.name,
        "whole": not any(checks.values()),
        "made_at": manifest["made_at"],
        "software": manifest["software"],
        "engine": manifest["engine"],
        "tables": len(manifest["tables"]),
        "rows": sum(manifest["tables"].values()),
        "files": len(manifest["files"]),
        "entries": manifest["trail"]["entries"],
        "head": manifest["trail"]["head"],
        "keys": manifest["keys"],
        "ledger": "applied" if erased or ledger.path().exists() else "none at hand",
        **done,
        **anchored,
        "checks": checks,
    }
