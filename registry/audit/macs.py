"""The keyed code every entry carries from the moment it is written, so that one made or changed by hand shows.

The key of an entry comes from AUDIT_KEY and the entry's nonce, one nonce for each time somebody begins to act. It is
told to the database for that transaction only; what is stored there cannot be used to make another entry. The fields are
written with their lengths, so that no two entries give the same text and nothing can be appended to it.
"""

import hmac
import secrets
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from typing import Any

from django.conf import settings

# In this order; the PostgreSQL trigger writes the same text.
FIELDS = (
    "id", "at", "table_name", "row_id", "action", "old", "new", "actor", "user_id", "role", "site", "reason",
    "channel", "request_id", "software", "about_patient", "about_site", "nonce",
)  # fmt: skip
MOMENT = "%Y-%m-%d %H:%M:%S.%f"


def new_nonce() -> str:
    return secrets.token_hex(8)


def key_of(nonce: str) -> str:
    return _key(settings.AUDIT_KEY, nonce)


def mac_of(entry: Mapping[str, Any]) -> str:
    """The code an entry with this content must carry. `at` is an aware moment or the text of one."""
    return mac_of_values([entry[name] for name in FIELDS], entry["nonce"])


def mac_of_values(values: Iterable[Any], nonce: str) -> str:
    text = "".join([f"{len(one)}:{one}" for one in map(_text, values)])
    return sha256((key_of(nonce) + text).encode()).hexdigest()


def keyed(text: str) -> str:
    return hmac.digest(settings.AUDIT_KEY.encode(), text.encode(), "sha256").hex()


@lru_cache(maxsize=4096)
def _key(secret: str, nonce: str) -> str:
    return hmac.digest(secret.encode(), f"entry {nonce}".encode(), "sha256").hex()


def _text(value: Any) -> str:
    if type(value) is str:
        return value
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime(MOMENT)
    return str(value)
