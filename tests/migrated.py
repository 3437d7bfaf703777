"""The migrated test database, kept between runs: a single test then starts in seconds.

Only the embedded database is kept, and only while every migration and every package is the same; a clean clone has none.
Only tables are kept. What follows a migration (triggers, the plan and its trail) is made anew each time, with this run's keys.
"""

import hashlib
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import django
import pytest
from django.conf import settings
from django.core.management.color import no_style
from django.db import connection

KEPT_IN = Path(settings.BASE_DIR) / ".pytest_cache" / "migrated"


def kept_file() -> Path:
    root = Path(settings.BASE_DIR)
    migrations = [
        path for wing in ("registry", "followup") for path in root.glob(f"{wing}/*/migrations/*.py")
    ]
    seen = hashlib.sha256(django.get_version().encode())
    for path in [root / "requirements.lock", *sorted(migrations)]:
        seen.update(str(path.relative_to(root)).encode() + path.read_bytes())
    return KEPT_IN / f"{seen.hexdigest()[:32]}.sqlite3"


def keep(source: sqlite3.Connection, file: Path) -> None:
    KEPT_IN.mkdir(parents=True, exist_ok=True)
    for old in KEPT_IN.glob("*.sqlite3"):
        old.unlink(missing_ok=True)
    unfinished = file.with_suffix(f".{os.getpid()}")
    with closing(sqlite3.connect(unfinished)) as target:
        source.backup(target)
        triggers = target.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for (name,) in triggers:
            target.execute(f"DROP TRIGGER {connection.ops.quote_name(name)}")
        tables = target.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        emptied = [name for (name,) in tables if name != "django_migrations"]
        for statement in connection.ops.sql_flush(no_style(), emptied):
            target.execute(statement)
        target.commit()
    unfinished.replace(file)  # two workers may keep it at once


@pytest.fixture(scope="session")
def embedded_schema(django_db_modify_db_settings: None) -> Iterator[None]:
    """Stands in memory before Django makes its test database there, which then finds every migration applied."""
    if connection.vendor != "sqlite":
        yield
        return
    name = f"file:memorydb_{connection.alias}?mode=memory&cache=shared"  # Django's own name for it
    file = kept_file()
    with closing(sqlite3.connect(name, uri=True)) as memory:  # open for as long as the tests run
        if file.exists():
            with closing(sqlite3.connect(file)) as source:
                source.backup(memory)
        yield


@pytest.fixture(scope="session")
def django_db_setup(embedded_schema: None, django_db_setup: None) -> None:
    if connection.vendor == "sqlite" and not kept_file().exists():
        with closing(sqlite3.connect(connection.settings_dict["NAME"], uri=True)) as made:
            keep(made, kept_file())
