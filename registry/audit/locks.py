"""The database's own guard of locked records: triggers that refuse a change of what a lock keeps, whatever way it comes.

The room of the signatures says which tables and columns; a row is locked while `signatures_lockedpart` names it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable
from contextvars import ContextVar
from dataclasses import dataclass

from django.db import IntegrityError

LOCKED = "audit: what is locked is not changed"
PARTS = "signatures_lockedpart"
_NAMED = re.compile(re.escape(LOCKED) + r": (\S+) (\d+)")


@dataclass(frozen=True)
class Lockable:
    """A table whose rows a lock can keep. `columns` are those it keeps; `parent` is the column that names the row it
    belongs to, with the kind of that row. None where rows may be added to a locked record.
    """

    record: str
    table: str
    key: str
    columns: tuple[str, ...]
    parent: tuple[str, str] | None


_sources: list[Callable[[], Iterable[Lockable]]] = []


def provide(source: Callable[[], Iterable[Lockable]]) -> None:
    if source not in _sources:
        _sources.append(source)


def lockables() -> list[Lockable]:
    found = {one.table: one for source in _sources for one in source()}
    return [found[table] for table in sorted(found)]


# What was refused ------------------------------------------------------------------------------------------------

_refused: ContextVar[tuple[str, int] | None] = ContextVar("refused", default=None)


def sqlite_note_refused(record: str, key: int) -> int:
    """SQLite's refusal is a fixed text, so the row it is about is left here on the way."""
    _refused.set((record, key))
    return 1


def refused_row(error: BaseException) -> tuple[str, int] | None:
    """The kind and number of the locked row that this error of the database is about; None for any other error."""
    if not isinstance(error, IntegrityError) or LOCKED not in str(error):
        return None
    if named := _NAMED.search(str(error)):
        return named[1], int(named[2])
    return _refused.get()


# The triggers ----------------------------------------------------------------------------------------------------


def statements(vendor: str, there: Container[str] | None = None) -> Iterable[str]:
    if there is not None and PARTS not in there:
        return
    for one in lockables():
        if there is None or one.table in there:
            yield from (_sqlite(one) if vendor == "sqlite" else _postgresql(one))


def _sqlite(one: Lockable) -> Iterable[str]:
    key = f'OLD."{one.key}"'
    changed = " OR ".join(f'OLD."{column}" IS NOT NEW."{column}"' for column in one.columns)
    guards = [_sqlite_refusal(one.record, key)]
    if one.parent:
        column, parent = one.parent
        moved = f'OLD."{column}" IS NOT NEW."{column}" AND '
        guards.append(_sqlite_refusal(parent, f'NEW."{column}"', moved))
    yield _sqlite_trigger(one, "update", guards, f"WHEN {changed} ")
    yield _sqlite_trigger(one, "delete", guards[:1])
    if one.parent:
        yield _sqlite_trigger(one, "insert", [_sqlite_refusal(one.parent[1], f'NEW."{one.parent[0]}"')])


def _sqlite_trigger(one: Lockable, event: str, guards: list[str], when: str = "") -> str:
    return (
        f'CREATE TRIGGER "audit_lock_{event}_{one.table}" BEFORE {event.upper()} ON "{one.table}" {when}BEGIN '
        f"{' '.join(guards)} END"
    )


def _sqlite_refusal(record: str, key: str, unless: str = "") -> str:
    return (
        f"SELECT RAISE(ABORT, '{LOCKED}') WHERE {unless}NOT COALESCE(audit_context('past_locks'), 0) AND EXISTS "
        f"(SELECT 1 FROM {PARTS} p WHERE p.record = '{record}' AND p.row_pk = {key} AND p.is_open) "
        f"AND audit_note_refused('{record}', {key});"
    )


def _postgresql(one: Lockable) -> Iterable[str]:
    key = f'"{one.key}"'
    both = f"old_rows o JOIN new_rows n ON n.{key} = o.{key}"
    changed = " OR ".join(f'n."{column}" IS DISTINCT FROM o."{column}"' for column in one.columns)
    guards = [_postgresql_refusal(one.record, f"o.{key}", both, f" AND ({changed})")]
    if one.parent:
        column, parent = one.parent
        moved = f' AND n."{column}" IS DISTINCT FROM o."{column}"'
        guards.append(_postgresql_refusal(parent, f'n."{column}"', both, moved))
    yield from _postgresql_trigger(one, "update", guards, "OLD TABLE AS old_rows NEW TABLE AS new_rows")
    gone = _postgresql_refusal(one.record, f"o.{key}", "old_rows o")
    yield from _postgresql_trigger(one, "delete", [gone], "OLD TABLE AS old_rows")
    if one.parent:
        added = _postgresql_refusal(one.parent[1], f'n."{one.parent[0]}"', "new_rows n")
        yield from _postgresql_trigger(one, "insert", [added], "NEW TABLE AS new_rows")


def _postgresql_trigger(one: Lockable, event: str, guards: list[str], rows: str) -> Iterable[str]:
    name = f"audit_lock_{event}_{one.table}"
    yield (
        f'CREATE OR REPLACE FUNCTION "{name}"() RETURNS trigger LANGUAGE plpgsql AS $$ DECLARE hit bigint; BEGIN '
        "IF COALESCE((NULLIF(current_setting('registry.acting', true), '')::jsonb->>'past_locks')::boolean, false) "
        f"THEN RETURN NULL; END IF; {' '.join(guards)} RETURN NULL; END $$"
    )
    yield (
        f'CREATE TRIGGER "{name}" AFTER {event.upper()} ON "{one.table}" REFERENCING {rows} '
        f'FOR EACH STATEMENT EXECUTE FUNCTION "{name}"()'
    )


def _postgresql_refusal(record: str, key: str, rows: str, when: str = "") -> str:
    return (
        f"SELECT p.row_pk INTO hit FROM {rows} JOIN {PARTS} p ON p.record = '{record}' AND p.row_pk = {key} AND p.is_open "
        f"WHERE true{when} LIMIT 1; IF hit IS NOT NULL THEN RAISE EXCEPTION USING "
        f"ERRCODE = 'integrity_constraint_violation', MESSAGE = '{LOCKED}: {record} ' || hit; END IF;"
    )
