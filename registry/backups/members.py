"""Which files of DATA_DIR belong to the record, and which keys were made into it."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

# Left out: what a start makes again, what is only on its way, and the mail that was sent. Everything else is the record's.
PASSING = {"run", "tmp", "cache", "logs", "mail"}
PASSING_STARTS = ("broker.sqlite3", "beat-schedule", ".")
PASSING_ENDS = (".partial", ".log")
GROWING = (
    "anchors",
    "erasures.jsonl",
)  # copied before the database, so that they never know more than it does
KEYS = ("SECRET_KEY", "FIELD_KEYS", "AUDIT_KEY")
CHECK_SALT = b"msc-registry backup key check"


def data_dir() -> Path:
    return Path(settings.DATA_DIR)


def record_files(leave_out: set[Path]) -> Iterator[str]:
    """Paths below DATA_DIR, in order. A link is left out: what it points to is not under DATA_DIR."""
    root = data_dir()
    for folder, folders, files in os.walk(root):
        here = Path(folder)
        if here == root:
            folders[:] = [name for name in folders if name not in PASSING]
        folders[:] = sorted(name for name in folders if here / name not in leave_out)
        for name in sorted(files):
            path = here / name
            if not path.is_symlink() and path not in leave_out and not _is_passing(path.relative_to(root)):
                yield path.relative_to(root).as_posix()


def _is_passing(path: Path) -> bool:
    if path.name.endswith(PASSING_ENDS) or path.name.startswith("."):
        return True
    return len(path.parts) == 1 and (path.name.startswith(PASSING_STARTS) or path.name in _key_files())


def is_growing(name: str) -> bool:
    return name.startswith(GROWING)


# Keys --------------------------------------------------------------------------------------------------------


def key_file(name: str) -> Path:
    return data_dir() / name.lower()


def _key_files() -> set[str]:
    return {name.lower() for name in KEYS}


def generated_keys() -> list[str]:
    """Those that live in a file of DATA_DIR. A key given by the environment is never copied."""
    return [name for name in KEYS if not os.environ.get(name, "").strip() and key_file(name).exists()]


def key_text(name: str) -> str:
    value = getattr(settings, name)
    return ",".join(value) if isinstance(value, list) else str(value)


def key_checks(text: str) -> list[str]:
    """Tells whether two keys are the same without giving either away: slow on purpose."""
    parts = text.split(",")
    return [hashlib.scrypt(part.encode(), salt=CHECK_SALT, n=2**14, r=8, p=1).hex()[:32] for part in parts]


def use_key(name: str, text: str) -> None:
    """For the rest of this process, as a start with this key would."""
    setattr(settings, name, text.split(",") if name == "FIELD_KEYS" else text)
