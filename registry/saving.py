"""What every form that saves needs: a token against double submits, a version against lost updates, and the two
refusals a page shows again with what was typed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from uuid import uuid4

from django.db import IntegrityError, models, transaction

Row = TypeVar("Row", bound=models.Model)
TOKEN_LENGTH = 40


class NotAccepted(Exception):
    """What was entered cannot be right; `field` names the entry, blank for the form as a whole."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


class ChangedMeanwhile(Exception):
    """Somebody else saved the same record after it was opened here; nothing was written."""


# Asked with each row that somebody is about to change; one that must stay as it is raises NotAccepted. Rooms add theirs.
before_change: list[Callable[[models.Model], None]] = []
# Turns what the database refused into the words of NotAccepted, where a room knows the reason. Rooms add theirs.
explained: list[Callable[[IntegrityError], NotAccepted | None]] = []


def new_token() -> str:
    """For a form that creates: sent twice, it makes one record."""
    return uuid4().hex


def made_by(model: type[Row], token: str, **same: Any) -> Row | None:
    """What this form has made already. NotAccepted where its token made something of another owner: `same` are the
    columns it must have.
    """
    known = bool(token) and len(token) <= TOKEN_LENGTH and token.isascii() and token.isprintable()
    first = model._default_manager.filter(form_token=token).first() if known else None
    if first is not None and any(getattr(first, name) != value for name, value in same.items()):
        raise NotAccepted("", "This form was sent before, for another record. Open it again.")
    return first


def create_once(model: type[Row], token: str, make: Callable[[], Row], **same: Any) -> Row:
    """What `make` creates, or what it created when this very form was sent before, even at the same moment."""
    if first := made_by(model, token, **same):
        return first
    try:
        with nobody_else_has():
            return make()
    except NotAccepted:
        if first := made_by(model, token, **same):
            return first
        raise


@contextmanager
def nobody_else_has() -> Iterator[None]:
    """Turns what the database refuses as a repeat, because somebody else was there first, into NotAccepted."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError as taken:
        for explain in explained:
            if refusal := explain(taken):
                raise refusal from taken
        message = (
            "The same was saved already, perhaps by somebody else at this moment. Nothing of yours is stored."
        )
        raise NotAccepted("", message) from taken


def claim_version(row: models.Model, version: int, **still: Any) -> None:
    """Moves the row on from `version`, or raises ChangedMeanwhile: of two people who opened it, one saves. `still`
    are further columns it must have.
    """
    for refuse in before_change:
        refuse(row)
    rows = type(row)._default_manager.filter(pk=row.pk, version=version, **still)
    if not rows.update(version=version + 1):
        raise ChangedMeanwhile("This was saved by somebody else since you opened it.")
    vars(row)["version"] = version + 1
