"""The restore drill: a backup is put back in a temporary place, checked there, and thrown away."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from django.conf import settings
from django.db import DatabaseError, connection

from registry.audit.acting import Actor, acting_as
from registry.audit.actions import record_event
from registry.backups import members
from registry.backups.models import BackupRun
from registry.backups.restoring import Order

TIMEOUT_S = 3600


class CannotDrill(Exception):
    """There is no temporary place for it, or the backup could not be put back; the message says which."""


def drill(
    order: Order, *, passphrase_file: Path | None, clock: Callable[[], datetime], by: Actor | str
) -> dict[str, Any]:
    """The facts of the restore. What is noted here is that it was tried, when, and whether it went well."""
    started = clock()
    with _temporary_place() as environment:
        facts, words = _restore_there(order, passphrase_file, environment)
    problem = words or "; ".join(text for found in facts["checks"].values() for text in found)
    with acting_as(by, channel="restore"):
        run = BackupRun.objects.create(
            kind="drill", succeeded=not problem, started_at=started, finished_at=clock(),
            data_from=facts.get("made_at"), file_name=order.path.name[:200], bytes=order.path.stat().st_size,
            rows=facts.get("rows", 0), entries=facts.get("entries", 0), trail_head=facts.get("head", ""),
            encrypted=bool(order.passphrase), with_keys=bool(facts.get("keys")), message=problem[:500],
        )  # fmt: skip
        record_event(action="restore drill", about=run, detail=problem or "whole", now=clock())
    if words:
        raise CannotDrill(f"The drill failed: {words}")
    return facts | {"drill": True, "seconds": round((clock() - started).total_seconds(), 1)}


def _restore_there(
    order: Order, passphrase_file: Path | None, environment: dict[str, str]
) -> tuple[dict[str, Any], str]:
    command = [sys.executable, str(Path(settings.BASE_DIR) / "manage.py"), "restore", str(order.path)]
    command += ["--passphrase-file", str(passphrase_file)] if passphrase_file else []
    done = subprocess.run(
        command,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_S,
        cwd=settings.BASE_DIR,
    )
    try:
        return json.loads(done.stdout.strip().splitlines()[-1]), ""
    except (ValueError, IndexError):
        return {}, (done.stderr.strip().splitlines() or ["it ended without an answer"])[-1]


@contextmanager
def _temporary_place() -> Iterator[dict[str, str]]:
    """A folder of its own, and with PostgreSQL a database of its own on the same server."""
    parent = members.data_dir() / "tmp"
    parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="drill-", dir=parent) as folder:
        environment = {**os.environ, "DATA_DIR": folder, "BACKUP_DIR": "", "ANCHOR_FILE": ""}
        environment.pop("DATABASE_URL", None)
        for name in members.generated_keys():
            environment.pop(name, None)
        if connection.vendor == "sqlite":
            yield environment
            return
        with _temporary_database() as url:
            yield environment | {"DATABASE_URL": url}


@contextmanager
def _temporary_database() -> Iterator[str]:
    name = f"registry_drill_{uuid4().hex[:12]}"
    with connection.cursor() as cursor:
        try:
            cursor.execute(f'CREATE DATABASE "{name}"')
        except DatabaseError as error:
            raise CannotDrill(
                "The database account may not create the temporary database of a drill. Let it (ALTER ROLE … CREATEDB), or "
                "restore by hand into an empty database with another DATA_DIR and DATABASE_URL."
            ) from error
    try:
        yield _url(name)
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _url(name: str) -> str:
    known = connection.settings_dict
    login = quote(str(known["USER"]), safe="")
    if known["PASSWORD"]:
        login += ":" + quote(str(known["PASSWORD"]), safe="")
    port = f":{known['PORT']}" if known["PORT"] else ""
    return f"postgres://{login}@{known['HOST']}{port}/{name}"
