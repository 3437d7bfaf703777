"""The tables of PostgreSQL as CSV, one snapshot for all; no program of the database server is needed."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor

from registry.audit import triggers
from registry.backups import tables
from registry.backups.archive import Reader, Writer

FOLDER = "database/"
SEQUENCES = "database/sequences.json"
OWN_SEQUENCES = (
    "SELECT s.relname FROM pg_class s JOIN pg_namespace n ON n.oid = s.relnamespace "
    "WHERE s.relkind = 'S' AND n.nspname = current_schema() ORDER BY 1"
)
COLUMNS = (
    "SELECT column_name FROM information_schema.columns WHERE table_schema = current_schema() "
    "AND table_name = %s AND is_generated = 'NEVER' ORDER BY ordinal_position"
)


@contextmanager
def snapshot(scratch: Path) -> Iterator[tables.Asker]:
    """Every question inside sees the database as it was at the first; writers go on."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")

        def ask(query: str) -> Any:
            cursor.execute(query)
            return cursor

        yield ask


def store(archive: Writer, scratch: Path, ask: tables.Asker) -> None:
    for table in tables.rows(ask):
        command = f"COPY {_with_columns(table)} TO STDOUT (FORMAT csv, HEADER)"
        with archive.member(f"{FOLDER}{table}.csv") as member, _raw() as cursor, cursor.copy(command) as copy:
            for block in copy:
                member.write(block)
    archive.add_bytes(SEQUENCES, json.dumps(_sequences(ask), indent=1).encode())


def _sequences(ask: tables.Asker) -> dict[str, list[Any]]:
    names = [row[0] for row in ask(OWN_SEQUENCES).fetchall()]
    found = {}
    for name in names:
        last, called = ask(f"SELECT last_value, is_called FROM {tables.quoted(name)}").fetchone()
        found[name] = [last, called]
    return found


def load(backup: Reader) -> None:
    """The tables as the backup's version had them, then every row, then the sequences; rows all or none."""
    _drop_everything()
    _migrate_to(backup.manifest["migrations"])
    with transaction.atomic():
        triggers.drop(connection)
        with connection.cursor() as cursor:
            found = tables.names(_asker(cursor))
            listed = ", ".join(tables.quoted(name) for name in found)
            cursor.execute(f"TRUNCATE {listed}")
        for table in backup.manifest["tables"]:
            if table not in found:
                raise tables.CannotLoad(f"This version has no table {table}, which the backup holds.")
            _load_table(backup, table)
        with connection.cursor() as cursor:
            for name, (last, called) in json.loads(backup.text(SEQUENCES)).items():
                cursor.execute("SELECT setval(%s::regclass, %s, %s)", [tables.quoted(name), last, called])


def _load_table(backup: Reader, table: str) -> None:
    with backup.open(f"{FOLDER}{table}.csv") as source, _raw() as cursor:
        heading = source.readline()
        listed = ", ".join(tables.quoted(name) for name in heading.decode().strip().split(","))
        command = f"COPY {tables.quoted(table)} ({listed}) FROM STDIN (FORMAT csv)"
        with cursor.copy(command) as copy:
            while block := source.read(1024 * 1024):
                copy.write(block)


def _with_columns(table: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(COLUMNS, [table])
        listed = ", ".join(tables.quoted(row[0]) for row in cursor.fetchall())
    return f"{tables.quoted(table)} ({listed})"


def _drop_everything() -> None:
    """Only ever called where there is no person and no account (see `restoring.refuse_if_in_use`)."""
    with transaction.atomic(), connection.cursor() as cursor:
        for name in tables.names(_asker(cursor)):
            cursor.execute(f"DROP TABLE {tables.quoted(name)} CASCADE")


def _migrate_to(applied: list[list[str]]) -> None:
    """The last of each room: an earlier one as a target would take back those after it."""
    last = dict(sorted((app, name) for app, name in applied))
    MigrationExecutor(connection).migrate(sorted(last.items()))


def _asker(cursor: Any) -> tables.Asker:
    def ask(query: str) -> Any:
        cursor.execute(query)
        return cursor

    return ask


@contextmanager
def _raw() -> Iterator[Any]:
    """The driver's own cursor: COPY is not in the common interface. Inside the same transaction."""
    connection.ensure_connection()
    with connection.connection.cursor() as cursor:
        yield cursor
