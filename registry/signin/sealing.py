"""Short secrets of accounts - keys of second factors, drafts - under FIELD_KEYS, each with a key of its own."""

from registry.encryption import new_person_key, seal, unseal, unwrap

BETWEEN = "."  # stands in no base64 text


def lock(text: str, *, purpose: str) -> str:
    wrapped = new_person_key()
    return f"{wrapped}{BETWEEN}{seal(unwrap(wrapped), text, purpose=purpose)}"


def unlock(token: str, *, purpose: str) -> str:
    wrapped, _, sealed = token.partition(BETWEEN)
    return unseal(unwrap(wrapped), sealed, purpose=purpose)
