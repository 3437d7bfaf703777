"""Keyed seals over the trail: each closes the entries written since the last, and chains to it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from registry.audit import anchors
from registry.audit.macs import keyed
from registry.audit.models import AuditEntry, AuditSeal, SealedEntry

BATCH = 2000
_as_json = json.JSONEncoder(ensure_ascii=False).encode  # made once: a seal digests many thousand entries
# Entries older than version 0.2 carry no code of their own; the seal digests their columns.
OLD_FIELDS = (
    "id", "at", "table_name", "row_id", "action", "old", "new", "actor", "user_id", "role", "site", "reason",
    "channel", "request_id",
)  # fmt: skip
NEEDED = (*OLD_FIELDS, "nonce", "mac")


def seal(*, now: datetime) -> AuditSeal | None:
    """Closes a seal over every entry not sealed yet and anchors it; returns None when there is none."""
    with transaction.atomic():
        previous = AuditSeal.objects.order_by("-pk").first()
        entries = AuditEntry.objects.exclude(pk__in=SealedEntry.objects.values("entry_id")).order_by("pk")
        digests = [(row["id"], digest_of(row)) for row in entries.values(*NEEDED).iterator(BATCH)]
        if not digests:
            return None
        made = AuditSeal.objects.create(
            at=now,
            entries=len(digests),
            last_entry=digests[-1][0],
            digest=chain(previous.digest if previous else "", [digest for _, digest in digests]),
        )
        SealedEntry.objects.bulk_create(
            [SealedEntry(entry_id=pk, seal_id=made.pk, digest=digest) for pk, digest in digests],
            batch_size=BATCH,
        )
        anchors.after_commit()
        return made


@dataclass(frozen=True)
class Head:
    """The newest seal: printed in reports, so that a later change of the past can be shown."""

    seal: int
    at: datetime
    digest: str

    def __str__(self) -> str:
        return f"seal {self.seal} of {self.at:%Y-%m-%d %H:%M} UTC, {self.digest}"


def newest() -> Head | None:
    one = AuditSeal.objects.order_by("-pk").first()
    return Head(one.pk, one.at, one.digest) if one else None


def head() -> str:
    one = newest()
    return one.digest if one else ""


def digest_of(row: Mapping[str, Any]) -> str:
    """The entry's own code covers its every column; whether it is right, `verification` looks at."""
    if row["nonce"]:
        return str(row["mac"])
    return keyed(_as_json([row[name].isoformat() if name == "at" else row[name] for name in OLD_FIELDS]))


def chain(previous: str, digests: list[str]) -> str:
    return keyed(previous + "".join(digests))
