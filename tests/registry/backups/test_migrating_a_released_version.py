"""A registry of a released version is taken over whole: every row kept, the trail unbroken, also after a crash in the middle."""

import hashlib
import json
import lzma
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from django.core.management import call_command

from tests.places import ENGINES, ROOT, Place, on_postgresql, pages, place_on
from tests.sizes import size

RELEASED = ROOT / "tests" / "fixtures" / "v0.1.0"
PASSWORD = "correct-horse-battery"
# Written by migrate itself, in every version.
OF_MIGRATE = {"django_migrations", "django_content_type", "auth_permission"}
INTERRUPTIONS = size(short=2, full=5)

DIE_IN_THE_MIDDLE = """
import os
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from registry.audit.acting import act_for_process

act_for_process("system:migrate")
seen = 0

def count(action, migration=None, fake=False):
    global seen
    if action in ("apply_start", "apply_success"):
        seen += 1
        if seen == {step}:
            os._exit(9)

executor = MigrationExecutor(connection, count)
waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
executor.migrate(executor.loader.graph.leaf_nodes())
"""
HOW_MANY_WAIT = """
import json
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
executor = MigrationExecutor(connection)
print(json.dumps(len(executor.migration_plan(executor.loader.graph.leaf_nodes()))))
"""


@pytest.fixture(params=ENGINES)
def released(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    keys = json.loads((RELEASED / "keys.json").read_text())
    with place_on(request.param, tmp_path / "data", **keys) as place:
        fill(place)
        yield place


def fill(place: Place) -> None:
    if place.database_url:
        on_postgresql(
            place.database_url, lzma.decompress((RELEASED / "registry.sql.xz").read_bytes()).decode()
        )
        return
    place.file.write_bytes(lzma.decompress((RELEASED / "registry.sqlite3.xz").read_bytes()))
    with closing(sqlite3.connect(place.file)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def digests(place: Place, tables: dict[str, list[str]]) -> dict[str, str]:
    """One digest a table, over these columns of every row."""
    found = {}
    for table, columns in tables.items():
        found[table] = digest(place.rows(table, columns))
    return found


def digest(rows: list[tuple[object, ...]]) -> str:
    return hashlib.sha256("\n".join(sorted(map(repr, rows))).encode()).hexdigest()


def layout(place: Place) -> dict[str, list[str]]:
    return {table: place.columns(table) for table in place.tables() if table not in OF_MIGRATE}


@pytest.mark.slow
def test_every_row_of_a_released_version_is_kept(released: Place) -> None:
    before = layout(released)
    entries, last = released.ask("SELECT count(*), max(id) FROM audit_entry")[0]
    sums = digests(released, before)
    released.manage("migrate", "-v", "0")
    after = layout(released)
    same = {table: columns for table, columns in before.items() if set(columns) <= set(after.get(table, []))}
    assert sorted(before.keys() - same.keys()) == []  # no table and no column is lost
    grown = {"audit_entry"} if released.ask("SELECT count(*) FROM audit_entry")[0][0] > entries else set()
    kept = {table: columns for table, columns in same.items() if table not in grown}
    now = digests(released, kept)
    assert {table for table in kept if now[table] != sums[table]} == set()
    if grown:  # a migration that writes leaves its own entries; those before them stay
        columns = before["audit_entry"]
        kept_entries = [
            row for row in released.rows("audit_entry", columns) if row[columns.index("id")] <= last
        ]
        assert digest(kept_entries) == sums["audit_entry"]
    whole = json.loads(released.manage("audit_verify", "--json"))
    assert (whole["whole"], whole["entries"] >= entries, whole["seals"] >= 4) == (True, True, True)
    assert "Whole." in released.manage("reconcile")
    assert json.loads(released.manage("sweep"))["add_up"] is True


@pytest.mark.slow
def test_the_main_pages_open_after_migrating(released: Place) -> None:
    released.manage("migrate", "-v", "0")
    answers = released.python(pages(["nurse-riv", "coordinator", "auditor", "admin"], PASSWORD))
    assert {name: found["sign-in"] for name, found in answers.items()} == dict.fromkeys(answers, 302)
    assert {code for found in answers.values() for code in found.values()} <= {200, 302, 403, 404}
    read = [path for path, code in answers["nurse-riv"].items() if code == 200]
    assert len(read) >= 8, answers["nurse-riv"]
    assert answers["admin"]["/settings/"] == 200
    released.manage("audit_verify")


@pytest.mark.slow
@pytest.mark.figures
def test_an_interrupted_migration_is_finished_by_running_it_again(released: Place) -> None:
    """Killed as a migration begins or has just been stored, again and again, ever further on."""
    for turn in range(INTERRUPTIONS):
        waiting = released.python(HOW_MANY_WAIT)
        if waiting:
            # Odd steps: inside a migration's own transaction. Even: between two migrations.
            done = released.run(
                "manage.py", "shell", "-v", "0", "-c", DIE_IN_THE_MIDDLE.format(step=1 + turn % 2)
            )
            assert done.returncode == 9, done.stderr
    released.manage("migrate", "-v", "0")
    assert released.python(HOW_MANY_WAIT) == 0
    released.manage("audit_verify")
    released.manage("reconcile")


@pytest.mark.django_db
def test_the_migrations_say_what_the_models_say() -> None:
    call_command("makemigrations", "--check", "--dry-run", verbosity=0)
