"""Finds the signed records that the newest entries of the trail touch, and tells who listens which no longer hold.

Called at the end of each request that changed something and by each sweep. Asking again changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import models

from registry.audit.models import AuditEntry
from registry.batches import batches
from registry.signatures.models import Signature, Watch
from registry.signatures.signable import Kind, signable_named, signables
from registry.signatures.signals import signatures_judged
from registry.signatures.states import Standing, standing_of

OVERLAP = 2000  # entries whose transaction ended after a later one's was already read
BATCH = 2000
Key = tuple[str, int]


@dataclass(frozen=True)
class Judged:
    """A signed record and how its signatures stand."""

    row: models.Model
    standing: Standing


def newest_entry() -> int:
    return AuditEntry.objects.order_by("-pk").values_list("pk", flat=True).first() or 0


def judge_request(*, after: int, request_id: str, now: datetime) -> int:
    """What one request wrote after the entry `after`."""
    return _judge(_touched(AuditEntry.objects.filter(pk__gt=after, request_id=request_id)), now=now)


def judge_new(*, now: datetime) -> int:
    """What was written since the last time, by whatever way. Needs no actor for reading the trail, one for what follows."""
    watch, _ = Watch.objects.get_or_create(pk=1)
    newest = newest_entry()
    first = Signature.objects.order_by("after_entry").values_list("after_entry", flat=True).first()
    if newest == watch.last_entry or first is None:
        return 0
    since = max(watch.last_entry - OVERLAP, first)
    judged = _judge(_touched(AuditEntry.objects.filter(pk__gt=since)), now=now)
    Watch.objects.filter(pk=1, last_entry__lt=newest).update(last_entry=newest)
    return judged


def _touched(entries: models.QuerySet[AuditEntry]) -> set[Key]:
    kinds: dict[str, list[tuple[str, Kind]]] = {}
    for signable in signables():
        for kind in signable.kinds:
            kinds.setdefault(kind.model._meta.db_table, []).append((signable.label, kind))
    found: set[Key] = set()
    rows = entries.filter(table_name__in=kinds, action__in=("insert", "update", "delete")).order_by("pk")
    for table, old, new in rows.values_list("table_name", "old", "new").iterator(BATCH):
        for label, kind in kinds[table]:
            for side in (old, new):
                found |= {(label, pk) for pk in kind.owners(json.loads(side))} if side else set()
    return found


def _judge(keys: Iterable[Key], *, now: datetime) -> int:
    judged = []
    for label, pk in _signed(keys):
        signable = signable_named(label)
        row = signable.model._base_manager.filter(pk=pk).first() if signable else None
        if row is not None:
            judged.append(Judged(row, standing_of(row)))
    if judged:
        signatures_judged.send(sender=Signature, judged=judged, now=now)
    return len(judged)


def _signed(keys: Iterable[Key]) -> list[Key]:
    by_label: dict[str, list[int]] = {}
    for label, pk in keys:
        by_label.setdefault(label, []).append(pk)
    found: set[Key] = set()
    for label, pks in by_label.items():
        for batch in batches(sorted(pks)):
            rows = Signature.objects.filter(record=label, row_pk__in=batch).order_by("pk")
            found |= set(rows.values_list("record", "row_pk"))
    return sorted(found)
