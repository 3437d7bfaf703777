"""The keyed digest that binds a signature to its record, person, meaning and moment, and the check of all of them."""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC

from django.conf import settings

from registry.signatures.models import Signature
from registry.signatures.signable import canonical, digest

PURPOSE = b"signatures/1"
BOUND = (
    *("record", "row_pk", "site_id", "patient_id", "meaning", "signer_id", "printed_name", "role"),
    *("content_sha256", "software_version", "nth", "after_entry", "form_token"),
)
BATCH = 500


@dataclass(frozen=True)
class Broken:
    where: str
    what: str


def seal_of(signature: Signature) -> str:
    """With a key of its own, derived from that of the trail: whoever writes to the database alone cannot make one."""
    key = hmac.digest(settings.AUDIT_KEY.encode(), PURPOSE, "sha256")
    bound = [getattr(signature, name) for name in BOUND]
    bound.append(signature.signed_at.astimezone(UTC).isoformat())
    return hmac.digest(key, canonical(bound).encode(), "sha256").hex()


def is_whole(signature: Signature) -> bool:
    """The row is as it was written, and holds the content its digest names."""
    return hmac.compare_digest(signature.seal, seal_of(signature)) and (
        digest(signature.content) == signature.content_sha256
    )


def problems() -> Iterator[Broken]:
    """Every signature that was copied, moved or edited behind the registry's back."""
    for signature in Signature.objects.order_by("pk").iterator(BATCH):
        if not is_whole(signature):
            where = f"signature {signature.pk} ({signature.record} {signature.row_pk})"
            yield Broken(where, "copied from another record or person, or altered")
