"""What was tampered with, or is no ciphertext at all, is refused by one plain name; it never comes back as text."""

import base64
import secrets

import pytest

from registry.encryption import CannotDecrypt, new_person_key, seal, unseal, unwrap

KEY = secrets.token_bytes(32)
SEALED = seal(KEY, "Rosa Lund", purpose="1:full_name")
RAW = base64.b64decode(SEALED.removeprefix("v1:"))


def spelled(raw: bytes) -> str:
    return "v1:" + base64.b64encode(raw).decode()


def test_what_was_sealed_is_read_again_in_its_own_place() -> None:
    assert unseal(KEY, SEALED, purpose="1:full_name") == "Rosa Lund"
    with pytest.raises(CannotDecrypt):
        unseal(KEY, SEALED, purpose="2:full_name")


TAMPERED_WITH = {
    "a letter missing": SEALED[:-1],
    "padded": SEALED + "=",
    "a letter that is none": SEALED.replace("v1:", "v1:!"),
    "plain text": "v1:Rosa Lund",
    "beyond ASCII": "v1:ä",
    "nothing": "v1:",
    "no mark": "Rosa",
    "too short": "v1:AAAA",
    "a byte missing": spelled(RAW[:-1]),
    "cut off": spelled(RAW[:12]),
    "a bit turned": spelled(RAW[:-1] + bytes([RAW[-1] ^ 1])),
}


@pytest.mark.parametrize("how", TAMPERED_WITH)
def test_what_was_tampered_with_is_refused_by_one_name(how: str) -> None:
    with pytest.raises(CannotDecrypt):
        unseal(KEY, TAMPERED_WITH[how], purpose="1:full_name")


@pytest.mark.parametrize("change", [lambda key: key[:-1], lambda key: key[:9], lambda key: f"v1:?{key[4:]}"])
def test_a_persons_key_that_was_tampered_with_too(change) -> None:
    with pytest.raises(CannotDecrypt):
        unwrap(change(new_person_key()))
