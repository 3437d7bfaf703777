"""Keyed seals over the trail, and the check that nothing in it or beneath it was altered."""

import hmac
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from registry.audit import triggers
from registry.audit.coverage import Table, audited_tables
from registry.audit.models import AuditEntry, AuditSeal, SealedEntry

BATCH = 2000
_as_json = json.JSONEncoder(ensure_ascii=False).encode  # made once: a seal digests many thousand entries
FIELDS = (
    "id", "at", "table_name", "row_id", "action", "old", "new", "actor", "user_id", "role", "site", "reason",
    "channel", "request_id",
)  # fmt: skip


@dataclass(frozen=True)
class Problem:
    kind: str
    where: str
    what: str


def seal(*, now: datetime) -> AuditSeal | None:
    """Closes a seal over every entry not sealed yet; returns None when there is none."""
    with transaction.atomic():
        previous = AuditSeal.objects.order_by("-pk").first()
        entries = AuditEntry.objects.exclude(pk__in=SealedEntry.objects.values("entry_id")).order_by("pk")
        digests = [(row["id"], _entry_digest(row)) for row in entries.values(*FIELDS).iterator(BATCH)]
        if not digests:
            return None
        made = AuditSeal.objects.create(
            at=now,
            entries=len(digests),
            last_entry=digests[-1][0],
            digest=_chain(previous.digest if previous else "", [digest for _, digest in digests]),
        )
        SealedEntry.objects.bulk_create(
            [SealedEntry(entry_id=pk, seal_id=made.pk, digest=digest) for pk, digest in digests],
            batch_size=BATCH,
        )
        return made


def head() -> str:
    """The newest seal's digest: printed in reports, so that a later change of the past can be shown."""
    newest = AuditSeal.objects.order_by("-pk").first()
    return newest.digest if newest else ""


def verify() -> list[Problem]:
    """Everything that is wrong with the trail, the first broken row first. Empty means whole."""
    return [*_missing_guards(), *_broken_seals(), *_rows_unlike_their_trail()]


def _missing_guards() -> Iterator[Problem]:
    for name in triggers.missing_or_altered(connection):
        yield Problem("guard", name, "this database trigger is missing, switched off or altered")


def _broken_seals() -> Iterator[Problem]:
    previous = ""
    for one in AuditSeal.objects.order_by("pk").iterator():
        recorded = dict(
            SealedEntry.objects.filter(seal_id=one.pk).order_by("entry_id").values_list("entry_id", "digest")
        )
        yield from _broken_entries(one, recorded)
        if _chain(previous, list(recorded.values())) != one.digest or len(recorded) != one.entries:
            yield Problem(
                "seal", f"seal {one.pk}", "the seal does not match its entries or the seal before it"
            )
        previous = one.digest
    last_sealed = (
        SealedEntry.objects.exclude(seal_id__in=AuditSeal.objects.values("pk")).order_by("pk").first()
    )
    if last_sealed:
        yield Problem("seal", f"seal {last_sealed.seal_id}", "a seal was removed")


def _broken_entries(one: AuditSeal, recorded: dict[int, str]) -> Iterator[Problem]:
    rows = AuditEntry.objects.filter(pk__in=SealedEntry.objects.filter(seal_id=one.pk).values("entry_id"))
    found = {}
    for row in rows.order_by("pk").values(*FIELDS).iterator(BATCH):
        found[row["id"]] = row
        if _entry_digest(row) != recorded[row["id"]]:
            yield Problem(
                "entry", f"entry {row['id']} ({row['table_name']} {row['row_id']})", "its content was altered"
            )
    for missing in sorted(recorded.keys() - found.keys()):
        yield Problem("entry", f"entry {missing}", "it was removed from the trail")


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
    now, then = json.loads(in_table), json.loads(in_trail)
    columns = sorted(name for name in now.keys() & then.keys() if now[name] != then[name])
    return f"changed behind the trail's back: {', '.join(columns)}" if columns else ""


def _entry_digest(row: dict[str, Any]) -> str:
    values = [row[name].isoformat() if name == "at" else row[name] for name in FIELDS]
    return _keyed(_as_json(values))


def _chain(previous: str, digests: list[str]) -> str:
    return _keyed(previous + "".join(digests))


def _keyed(text: str) -> str:
    return hmac.digest(settings.AUDIT_KEY.encode(), text.encode(), "sha256").hex()
