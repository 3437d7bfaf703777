"""What a lock means: who may not change what, said in plain words, and the rows the database's triggers guard."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC

from django.db import IntegrityError, models
from django.db.models import ForeignKey

from registry.audit.acting import current
from registry.audit.locks import Lockable, refused_row
from registry.batches import batches
from registry.partial_dates import in_words
from registry.saving import NotAccepted
from registry.signatures.lock_models import LockedPart, RecordLock
from registry.signatures.signable import Kind, Signable, signable_named, signables

HOW = "A registry coordinator can unlock it, with a reason and a second person: Settings › Locked records."


class RecordLocked(NotAccepted):
    """What was to be changed belongs to a locked record. Nothing was stored."""

    def __init__(self, lock: RecordLock) -> None:
        super().__init__("", words_of(lock))
        self.lock = lock


def words_of(lock: RecordLock) -> str:
    """Who locked it, when, and how to get it unlocked."""
    return f"{state_of(lock)}, so what was signed of it stays as it is. {HOW}"


def state_of(lock: RecordLock) -> str:
    signable = signable_named(lock.record)
    at = lock.locked_at.astimezone(UTC)
    return (
        f"This {signable.noun if signable else 'record'} is locked by {lock.locked_by} since "
        f"{in_words(at.date())}, {at:%H:%M} UTC"
    )


def lock_of(row: models.Model) -> RecordLock | None:
    """The open lock of a record."""
    return _open().filter(record=row._meta.label_lower, row_pk=row.pk).first()


def lock_keeping(label: str, row_pk: int) -> RecordLock | None:
    """The open lock that keeps this row, whichever record it belongs to."""
    return locks_keeping(label, [row_pk]).get(row_pk)


def locks_keeping(label: str, row_pks: Iterable[int]) -> dict[int, RecordLock]:
    found: dict[int, RecordLock] = {}
    for some in batches(sorted(set(row_pks))):
        parts = LockedPart.objects.filter(record=label, row_pk__in=some, is_open=True)
        found |= {part.row_pk: part.lock for part in parts.select_related("lock__locked_by").order_by("pk")}
    return found


def refuse_if_locked(row: models.Model) -> None:
    """Every writer of what can be signed passes here before it changes `row` or adds to it. Raises RecordLocked."""
    acting = current()
    if row._meta.label_lower not in _labels() or (acting and acting.past_locks):
        return
    if lock := lock_keeping(row._meta.label_lower, row.pk):
        raise RecordLocked(lock)


def explain(error: IntegrityError) -> NotAccepted | None:
    """What the database refused because of a lock, in words. Only where the transaction can still be asked."""
    refused = refused_row(error)
    lock = lock_keeping(*refused) if refused else None
    return RecordLocked(lock) if lock else None


def _open() -> models.QuerySet[RecordLock]:
    return RecordLock.objects.filter(unlocked_at=None).select_related("locked_by", "site")


def _labels() -> set[str]:
    return {kind.label for signable in signables() for kind in signable.kinds if signable.may_be_locked}


# What the database guards ----------------------------------------------------------------------------------------


def guarded() -> Iterator[Lockable]:
    for signable in signables():
        if signable.may_be_locked:
            yield from (_guard(signable, kind) for kind in signable.kinds)


def _guard(signable: Signable, kind: Kind) -> Lockable:
    meta = kind.model._meta
    columns = tuple(one.column for one in kind.fields)
    return Lockable(kind.label, meta.db_table, meta.pk.column, columns, _parent(signable, kind))


def _parent(signable: Signable, kind: Kind) -> tuple[str, str] | None:
    """Through which column a row is added to a record. What may come late may be added to a locked one as well."""
    if kind.late:
        return None
    for one in kind.fields:
        parent = one.related_model
        if isinstance(one, ForeignKey) and isinstance(parent, type) and parent is not kind.model:
            label = parent._meta.label_lower
            if signable.kind(label):
                return one.column, label
    return None
