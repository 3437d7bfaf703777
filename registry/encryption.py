"""Identifiers are encrypted under a key of their own person, which is itself wrapped by FIELD_KEYS.

Destroying a person's key makes every copy of the identifiers unreadable, in rows, trail and backups alike.
Search works on keyed digests of whole normalised words ("blind index"), never on the text.
"""

import base64
import hashlib
import hmac
import secrets
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings


class CannotDecrypt(Exception):
    """The key does not open this text: wrong FIELD_KEYS, or the person was erased."""


def new_person_key() -> str:
    """A fresh 256-bit key, wrapped for storage."""
    return _encrypt(_master_keys()[0], secrets.token_bytes(32), b"person-key")


def unwrap(wrapped: str) -> bytes:
    for key in _master_keys():
        try:
            return _decrypt(key, wrapped, b"person-key")
        except CannotDecrypt:
            continue
    raise CannotDecrypt("no key in FIELD_KEYS opens this person's key")


def seal(key: bytes, text: str, *, purpose: str) -> str:
    """Empty stays empty, so that blank remains visibly blank. `purpose` binds the text to its row and column."""
    return _encrypt(key, text.encode(), purpose.encode()) if text else ""


def unseal(key: bytes, token: str, *, purpose: str) -> str:
    return _decrypt(key, token, purpose.encode()).decode() if token else ""


def blind_index(kind: str, normalised: str) -> str:
    """A keyed digest that equal inputs share; it cannot be turned back without the key."""
    return hmac.new(_index_key(), f"{kind}\x1f{normalised}".encode(), hashlib.sha256).hexdigest()[:40]


def _encrypt(key: bytes, plain: bytes, bound_to: bytes) -> str:
    nonce = secrets.token_bytes(12)
    return "v1:" + base64.b64encode(nonce + AESGCM(key).encrypt(nonce, plain, bound_to)).decode()


def _decrypt(key: bytes, token: str, bound_to: bytes) -> bytes:
    try:
        raw = base64.b64decode(token.removeprefix("v1:"), validate=True)
        return AESGCM(key).decrypt(raw[:12], raw[12:], bound_to)
    except (InvalidTag, ValueError) as error:  # ValueError: no base64 at all, or cut off within the nonce
        raise CannotDecrypt("this text was not encrypted under the key at hand") from error


@lru_cache
def _keys_from(texts: tuple[str, ...]) -> list[bytes]:
    return [base64.urlsafe_b64decode(text) for text in texts]


def _master_keys() -> list[bytes]:
    return _keys_from(tuple(settings.FIELD_KEYS))


def _index_key() -> bytes:
    # The oldest key stays last when keys are rotated, so digests stay comparable.
    return hashlib.sha256(b"blind-index" + _master_keys()[-1]).digest()
