"""The ledger of erasures: who was erased since when, by pseudonymous id alone, kept outside the database.

A backup made before an erasure still holds the person's key. Put back beside this ledger, it is erased again.
"""

import json
import logging
import os
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from django.conf import settings

log = logging.getLogger(__name__)
NAME = "erasures.jsonl"


def path() -> Path:
    """Beside the anchors of the trail, which may be kept on another machine."""
    anchors = getattr(settings, "ANCHOR_FILE", "") or Path(settings.DATA_DIR) / "anchors" / "trail.jsonl"
    return Path(anchors).with_name(NAME)


def note(patient_ids: Iterable[str], *, now: datetime) -> None:
    """Called once the erasure is stored, which a file that cannot be written must not undo."""
    lines = [json.dumps({"at": now.isoformat(), "patient": patient_id}) + "\n" for patient_id in patient_ids]
    try:
        path().parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(path(), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(handle, "a", encoding="utf-8") as file:
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        log.error("the ledger of erasures could not be written: %s", error)


def erased_in(content: str) -> set[str]:
    """The ids of a ledger; a line cut short by a crash names nobody."""
    found = set()
    for line in content.splitlines():
        try:
            found.add(str(json.loads(line)["patient"]))
        except (ValueError, TypeError, KeyError):
            continue
    return found


def known() -> set[str]:
    return erased_in(path().read_text(encoding="utf-8")) if path().exists() else set()
