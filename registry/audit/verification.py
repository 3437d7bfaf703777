"""Whether the trail is whole, and every row as the trail last saw it. What is wrong is named, row by row."""

import json
from collections.abc import Iterator
from typing import Any

from django.db import connection

from registry.audit import anchors, triggers
from registry.audit.coverage import Table, audited_tables
from registry.audit.macs import FIELDS, mac_of
from registry.audit.models import AuditEntry, AuditSeal, SealedEntry
from registry.audit.problems import Problem
from registry.audit.seals import BATCH, OLD_FIELDS, chain, digest_of

COLUMNS = (*FIELDS, "mac")
FORGED = "it does not carry the registry's code: it was made or changed by hand"


def verify() -> list[Problem]:
    """Everything that is wrong, the guards first. Empty means whole."""
    return [
        *_missing_guards(),
        *_broken_seals(),
        *_unsealed(),
        *_gaps(),
        *anchors.problems(),
        *_rows_unlike_their_trail(),
    ]


def _missing_guards() -> Iterator[Problem]:
    for name in triggers.missing_or_altered(connection):
        yield Problem("guard", name, "this database trigger is missing, switched off or altered")
    for name in triggers.strangers(connection):
        yield Problem("guard", name, "this database trigger is not the registry's")


def _broken_seals() -> Iterator[Problem]:
    previous = ""
    last_legacy = _last_legacy()
    for one in AuditSeal.objects.order_by("pk").iterator():
        sealed = SealedEntry.objects.filter(seal_id=one.pk).order_by("entry_id")
        recorded = dict(sealed.values_list("entry_id", "digest"))
        yield from _broken_entries(one, recorded, last_legacy)
        whole = chain(previous, list(recorded.values())) == one.digest and len(recorded) == one.entries
        if not whole or max(recorded, default=0) != one.last_entry:
            why = "the seal does not match its entries or the seal before it"
            yield Problem("seal", f"seal {one.pk}", why)
        previous = one.digest
    orphans = SealedEntry.objects.exclude(seal_id__in=AuditSeal.objects.values("pk"))
    for pk in sorted(set(orphans.values_list("seal_id", flat=True))):
        yield Problem("seal", f"seal {pk}", "a seal was removed")


def _broken_entries(one: AuditSeal, recorded: dict[int, str], last_legacy: int) -> Iterator[Problem]:
    rows = AuditEntry.objects.filter(pk__in=SealedEntry.objects.filter(seal_id=one.pk).values("entry_id"))
    found = set()
    for row in rows.order_by("pk").values(*COLUMNS).iterator(BATCH):
        found.add(row["id"])
        if digest_of(row) != recorded[row["id"]]:
            yield Problem("entry", _name(row), "its content was altered")
        elif not _is_genuine(row, last_legacy):
            yield Problem("entry", _name(row), FORGED)
    for missing in sorted(recorded.keys() - found):
        yield Problem("entry", f"entry {missing}", "it was removed from the trail")


def _unsealed() -> Iterator[Problem]:
    last_legacy = _last_legacy()
    waiting = AuditEntry.objects.exclude(pk__in=SealedEntry.objects.values("entry_id")).order_by("pk")
    for row in waiting.values(*COLUMNS).iterator(BATCH):
        if not _is_genuine(row, last_legacy):
            yield Problem("entry", _name(row), FORGED)


def _is_genuine(row: dict[str, Any], last_legacy: int) -> bool:
    if row["nonce"]:
        return bool(mac_of(row) == row["mac"])
    bare = not any(row[name] for name in COLUMNS if name not in OLD_FIELDS)
    return bare and row["id"] <= last_legacy


def _name(row: dict[str, Any]) -> str:
    return f"entry {row['id']} ({row['table_name']} {row['row_id']})".replace(" )", ")")


def _last_legacy() -> int:
    """Entries without a code end where the first one with a code begins: none is written without, ever after."""
    first = AuditEntry.objects.exclude(nonce="").order_by("pk").values_list("pk", flat=True).first()
    return 2**62 if first is None else first - 1


def _gaps() -> Iterator[Problem]:
    """SQLite gives the ids of what was rolled back again, so every id from 1 to the last one given stands in the trail.

    PostgreSQL does not: there a cut end shows by the rows it leaves behind, or, once sealed, by its anchor.
    """
    if connection.vendor != "sqlite":
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT COALESCE(max(seq), 0) FROM sqlite_sequence WHERE name = 'audit_entry'")
        given = cursor.fetchone()[0]
        cursor.execute("SELECT count(*), COALESCE(max(id), 0) FROM audit_entry")
        count, last = cursor.fetchone()
        if last > given:
            yield Problem(
                "entry", f"entry {last}", f"the database gave ids to {given} only: its counter was altered"
            )
        if count == max(last, given):
            return
        cursor.execute(
            "SELECT before + 1, id - 1 FROM (SELECT id, lag(id, 1, 0) OVER (ORDER BY id) AS before FROM audit_entry) AS e "
            "WHERE id > before + 1 ORDER BY id"
        )
        gaps = [*cursor.fetchall(), *([(last + 1, given)] if given > last else [])]
    for first, end in gaps:
        for pk in range(first, end + 1):
            yield Problem("entry", f"entry {pk}", "it was written, and is gone from the trail")


def _rows_unlike_their_trail() -> Iterator[Problem]:
    """Each row beside what the trail last recorded of it, in either direction; the trail's index finds each in one step."""
    for table in audited_tables():
        with connection.cursor() as cursor:
            for query in (_altered_rows(table), _vanished_rows(table)):
                cursor.execute(query, [table.name])
                for row_id, in_table, in_trail in cursor.fetchall():
                    if what := _difference(in_table, in_trail):
                        yield Problem("row", f"{table.name} {row_id}", what)


LAST = "action IN ('insert', 'update', 'delete') ORDER BY e.id DESC LIMIT 1"


def _altered_rows(table: Table) -> str:
    now = triggers.row_as_json(connection.vendor, table, "t")
    row_id = f'CAST(t."{table.pk}" AS text)'
    last = f"SELECT e.new FROM audit_entry e WHERE e.table_name = %s AND e.row_id = {row_id} AND {LAST}"
    return (
        f"SELECT row_id, now, last FROM (SELECT {row_id} AS row_id, {now} AS now, ({last}) AS last "
        f'FROM "{table.name}" t) AS rows WHERE last IS NULL OR last <> now ORDER BY row_id'
    )


def _vanished_rows(table: Table) -> str:
    here = f'SELECT 1 FROM "{table.name}" t WHERE CAST(t."{table.pk}" AS text) = known.row_id'
    if table.numeric_pk:
        here = f'SELECT 1 FROM "{table.name}" t WHERE t."{table.pk}" = CAST(known.row_id AS bigint)'
    known = "SELECT DISTINCT row_id FROM audit_entry WHERE table_name = %s AND action = 'insert'"
    last = f"SELECT e.new FROM audit_entry e WHERE e.table_name = '{table.name}' AND e.row_id = known.row_id AND {LAST}"
    return (
        f"SELECT row_id, NULL, last FROM (SELECT known.row_id, ({last}) AS last FROM ({known}) AS known "
        f"WHERE NOT EXISTS ({here})) AS gone WHERE last <> '' ORDER BY row_id"
    )


def _difference(in_table: str | None, in_trail: str | None) -> str:
    """Columns a migration added or dropped since are no difference."""
    if in_table is None:
        return "the row is gone, but the trail knows no deletion"
    if not in_trail:
        return "the row exists, but the trail knows no such row"
    try:
        now, then = json.loads(in_table), json.loads(in_trail)
    except ValueError:
        return "what the trail last recorded of it cannot be read"
    columns = sorted(name for name in now.keys() & then.keys() if now[name] != then[name])
    return f"changed behind the trail's back: {', '.join(columns)}" if columns else ""
