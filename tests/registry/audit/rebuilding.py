"""The registry made again from its trail alone: every audited table, from empty, entry by entry."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from django.db import connection

from registry.audit.coverage import Table, audited_tables
from registry.audit.models import AuditEntry

Rows = dict[str, dict[str, Any]]


def replayed() -> tuple[dict[str, Rows], list[str]]:
    """Every table's rows as the trail tells them, and what in it does not follow from what went before."""
    tables: dict[str, Rows] = {table.name: {} for table in audited_tables()}
    unexplained: list[str] = []
    entries = AuditEntry.objects.filter(action__in=("insert", "update", "delete")).order_by("pk")
    for entry in entries.iterator(2000):
        rows = tables[entry.table_name]
        before = json.loads(entry.old) if entry.old else None
        if rows.get(entry.row_id) != before:
            unexplained.append(f"entry {entry.pk}: {entry.action} of {entry.table_name} {entry.row_id}")
        if entry.action == "delete":
            rows.pop(entry.row_id, None)
        else:
            rows[entry.row_id] = json.loads(entry.new)
    return tables, unexplained


def differences() -> Iterator[str]:
    """Rows that are in a table and not in its rebuilt twin, or the other way round. Hidden columns are left out."""
    tables, unexplained = replayed()
    yield from unexplained
    for table in audited_tables():
        _rebuild(table, list(tables[table.name].values()))
        shown = ", ".join(f'"{column}"' for column in table.columns if column not in table.hidden)
        for here, there in ((table.name, "rebuilt"), ("rebuilt", table.name)):
            with connection.cursor() as cursor:
                cursor.execute(f'SELECT {shown} FROM "{here}" EXCEPT SELECT {shown} FROM "{there}"')
                yield from (f"{table.name}: only in {here}: {row}" for row in cursor.fetchall())
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE rebuilt")


def _rebuild(table: Table, rows: list[dict[str, Any]]) -> None:
    kept = [column for column in table.columns if column not in table.hidden]
    listed = ", ".join(f'"{column}"' for column in kept)
    with connection.cursor() as cursor:
        cursor.execute(f'CREATE TEMPORARY TABLE rebuilt AS SELECT * FROM "{table.name}" WHERE 1 = 0')
        if connection.vendor == "postgresql":
            content = [{name: row.get(name) for name in kept} for row in rows]
            cursor.execute(
                f"INSERT INTO rebuilt ({listed}) SELECT {listed} FROM "
                f'jsonb_populate_recordset(NULL::"{table.name}", %s::jsonb)',
                [json.dumps(content)],
            )
        else:
            marks = ", ".join(["%s"] * len(kept))
            cursor.executemany(
                f"INSERT INTO rebuilt ({listed}) VALUES ({marks})",
                [[row[name] for name in kept] for row in rows],
            )
