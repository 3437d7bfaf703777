"""Recovery codes: shown once when they are made, then kept as digests alone; each works once.

One salt for a person's ten codes, so that what somebody types costs one slow digest whichever of the ten it may be.
The library keeps a seed from which it derives the codes again and again; codes kept that way are turned into digests.
"""

from __future__ import annotations

import hashlib
import secrets
from hmac import compare_digest
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from django.db import transaction

from registry.access.models import User
from registry.audit.acting import acting_as
from registry.encryption import CannotDecrypt, blind_index

MANY = 10
DIGITS = 12
COST, BLOCK = 2**14, 8  # 16 MiB and about 50 ms a code
TYPE = Authenticator.Type.RECOVERY_CODES


def make(user: User) -> list[str]:
    """New ones, in the place of any others."""
    Authenticator.objects.filter(user_id=user.pk, type=TYPE).delete()
    codes = ["".join(secrets.choice("0123456789") for _ in range(DIGITS)) for _ in range(MANY)]
    Authenticator.objects.create(user_id=user.pk, type=TYPE, data=_digests_of(codes))
    return codes


def left(user: User) -> int:
    held = Authenticator.objects.filter(user_id=user.pk, type=TYPE).first()
    if held is None:
        return 0
    digests = held.data.get("digests")
    return len(digests if digests is not None else RecoveryCodes(held).get_unused_codes())


@transaction.atomic
def use(user: User, code: str) -> bool:
    """Takes the code away, if it is one of this person's. Needs `acting_as()`."""
    held = Authenticator.objects.select_for_update().filter(user_id=user.pk, type=TYPE).first()
    if held is None:
        return False
    data = held.data if "digests" in held.data else _digests_of(RecoveryCodes(held).get_unused_codes())
    typed = _digest(code, data["salt"])
    kept = [digest for digest in data["digests"] if not compare_digest(digest, typed)]
    found = len(kept) < len(data["digests"])
    held.data = data | {"digests": kept}
    held.save(update_fields=["data"])
    return found


def digest_those_kept_otherwise() -> int:
    """Codes made by an earlier version stay good."""
    done = 0
    for pk in Authenticator.objects.filter(type=TYPE).order_by("pk").values_list("pk", flat=True):
        with acting_as("system:worker", channel="accounts"):
            done += _turn(pk)
    return done


def _turn(pk: int) -> int:
    held = Authenticator.objects.select_for_update().filter(pk=pk).first()
    if held is None or "digests" in held.data:
        return 0
    try:
        held.data = _digests_of(RecoveryCodes(held).get_unused_codes())
    except CannotDecrypt:  # its key is gone, so nobody can use them
        return 0
    held.save(update_fields=["data"])
    return 1


def _digests_of(codes: list[str]) -> dict[str, Any]:
    salt = secrets.token_hex(16)
    return {"salt": salt, "digests": [_digest(code, salt) for code in codes]}


def _digest(code: str, salt: str) -> str:
    """Slow, and under the registry's key: neither the database alone nor the keys alone give the code away quickly."""
    slow = hashlib.scrypt(code.encode(), salt=bytes.fromhex(salt), n=COST, r=BLOCK, p=1)
    return blind_index("recovery-code", slow.hex())
