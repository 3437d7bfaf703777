"""Locking a record and asking to unlock it, as the people who may."""

from __future__ import annotations

from django.db import models

from registry.access.models import User
from registry.audit.acting import acting_as
from registry.signatures import locking
from registry.signatures.models import RecordLock, UnlockRequest
from registry.signatures.signable import content_of
from tests.cast import NOW


def locked(row: models.Model, by: User, form: str = "lock") -> RecordLock:
    with acting_as(by, channel="web"):
        return locking.lock_record(
            row=row, digest=content_of(row).sha256, reason="Source checked", form_token=form, by=by, now=NOW
        )


def unlock(lock: RecordLock, by: User, form: str = "unlock") -> UnlockRequest:
    with acting_as(by):
        return locking.ask_to_unlock(lock=lock, reason="Weight read wrongly", form_token=form, by=by, now=NOW)
