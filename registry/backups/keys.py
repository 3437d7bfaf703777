"""The keys a backup was made under: those in it are put in place, those left out must be at hand."""

import os
from typing import Any

from registry.backups import members
from registry.backups.archive import Reader
from registry.backups.in_use import CannotRestore
from registry.backups.sqlite_copy import private

NEEDED = ("FIELD_KEYS", "AUDIT_KEY")  # without the third, people sign in again and nothing else is lost


def check_keys(manifest: dict[str, Any]) -> None:
    """CannotRestore where names could not be read or the trail not be checked afterwards."""
    for name in members.KEYS:
        inside = name in manifest["keys"]
        given = bool(os.environ.get(name, "").strip())
        if inside and not given:
            continue
        present = members.key_checks(members.key_text(name))
        if set(manifest["key_checks"][name]) <= set(present) or (name not in NEEDED and not inside):
            continue
        if inside:
            raise CannotRestore(
                f"{name} in the environment is not the one in the backup. Unset it, and the backup's is used."
            )
        raise CannotRestore(
            f"The backup holds no {name}, and the one at hand is not the one it was made under. Set {name} in the environment, "
            f"or put the key into {members.key_file(name)}, and restore again. Nothing was written."
        )


def place_keys(backup: Reader) -> None:
    for name in backup.manifest["keys"]:
        if os.environ.get(name, "").strip():
            continue
        text = backup.text(f"keys/{name.lower()}")
        with private(members.key_file(name)) as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        members.use_key(name, text)
