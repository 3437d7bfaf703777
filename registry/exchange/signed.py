"""The table of signatures that goes out. It stands in this room because `registry.signatures` lies below the exchange."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from registry.batches import batches
from registry.exchange.exporting import ExportTable, Scope
from registry.signatures.locks import lock_of
from registry.signatures.models import RecordLock, Signature
from registry.signatures.signable import signables
from registry.signatures.states import SignatureState, standing_of

COLUMNS = (
    "patient_id", "record", "record_id", "meaning", "signer", "role", "signed_at", "content_sha256",
    "software_version", "state", "voided_at", "new_since", "locked_at",
    "locked_by",
)  # fmt: skip


def _rows(scope: Scope) -> Iterator[Sequence[Any]]:
    """Of the records at the sites that go out, wherever they were signed; what covers all sites goes out with all of them.
    Whether each is still valid is judged as the table is written. Staff go out by username.
    """
    for signable in signables():
        signed = (
            Signature.objects.filter(record=signable.label)
            .order_by("row_pk")
            .values_list("row_pk", flat=True)
        )
        for batch in batches(list(dict.fromkeys(signed))):
            records = signable.model._base_manager.filter(pk__in=batch, **scope.filter())
            for record in records.order_by("pk"):
                lock = lock_of(record)
                yield from (_row(state, lock) for state in standing_of(record).states)


def _row(state: SignatureState, lock: RecordLock | None) -> Sequence[Any]:
    one = state.signature
    return (
        one.patient_id, one.record, one.row_pk, one.meaning, one.signer.username, one.role, one.signed_at,
        one.content_sha256, one.software_version, state.word, state.voided_at, len(state.late),
        lock.locked_at if lock else None, lock.locked_by.username if lock else "",
    )  # fmt: skip


SIGNATURES = ExportTable("signatures", COLUMNS, _rows)
