"""What every form that saves needs: a token against double submits, a version against lost updates, and the two
refusals a page shows again with what was typed.
"""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from django.db import models


class NotAccepted(Exception):
    """What was entered cannot be right; `field` names the entry, blank for the form as a whole."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


class ChangedMeanwhile(Exception):
    """Somebody else saved the same record after it was opened here; nothing was written."""


def new_token() -> str:
    """For a form that creates: sent twice, it makes one record."""
    return uuid4().hex


def claim_version(row: models.Model, version: int, **still: Any) -> None:
    """Moves the row on from `version`, or raises ChangedMeanwhile: of two people who opened it, one saves. `still`
    are further columns it must have.
    """
    rows = type(row)._default_manager.filter(pk=row.pk, version=version, **still)
    if not rows.update(version=version + 1):
        raise ChangedMeanwhile("This was saved by somebody else since you opened it.")
    vars(row)["version"] = version + 1
