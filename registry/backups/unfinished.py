"""A restore that was interrupted must not be taken for a registry: nothing is sent until it has been finished."""

import os
from pathlib import Path

from django.conf import settings

from registry.backups.sqlite_copy import sync_folder

NAME = "restore-unfinished"


class RestoreUnfinished(Exception):
    """A restore began here and did not end."""


def _marker() -> Path:
    return Path(settings.DATA_DIR) / NAME


def begin(digest: str) -> None:
    with _marker().open("w", encoding="utf-8") as file:
        file.write(digest)
        file.flush()
        os.fsync(file.fileno())
    sync_folder(_marker().parent)


def end() -> None:
    _marker().unlink(missing_ok=True)


def digest() -> str:
    """Of the manifest that was being put back, or nothing."""
    return _marker().read_text(encoding="utf-8").strip() if _marker().exists() else ""


def refuse() -> None:
    if _marker().exists():
        raise RestoreUnfinished(
            "A restore into this DATA_DIR did not end. Run `manage.py restore` with the same file again."
        )
