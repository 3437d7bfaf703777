"""Locking a signed record, and unlocking it by two people, or by one after a delay that all can see. Needs `acting_as()`."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.core.exceptions import PermissionDenied
from django.db import models, transaction

from registry.access.models import Registry, User
from registry.audit.acting import because
from registry.audit.actions import record_event
from registry.saving import ChangedMeanwhile, NotAccepted, create_once
from registry.signatures.lock_models import LockedPart, RecordLock, UnlockRequest
from registry.signatures.signable import Signable, content_from, content_of, signable_for, site_of
from registry.signatures.signals import unlock_changed
from registry.signatures.states import Standing, standing_of

LOCK, UNLOCK = "records.lock", "records.unlock"


def problem_with_locking(signable: Signable, standing: Standing) -> str:
    """Why this record cannot be locked as it stands; empty when it can."""
    if not signable.may_be_locked:
        return f"A {signable.noun} is not locked."
    if standing.to_sign_again:
        return "A signature is no longer valid: have it signed again before it is locked."
    if not standing.valid:
        return "Only what is signed is locked: have it signed first."
    return ""


def lock_record(
    *, row: models.Model, digest: str, reason: str, form_token: str, by: User, now: datetime
) -> RecordLock:
    """Keeps what the newest valid signature signed. `digest` is that of the content the person saw; the same form sent
    twice is one lock. Raises NotAccepted, ChangedMeanwhile.
    """
    signable, site = signable_for(row), site_of(row)
    if site is None:
        raise PermissionDenied("What covers all sites is not locked.")
    by.require(LOCK, site)
    _demand(reason)

    def make() -> RecordLock:
        locked = type(row)._base_manager.select_for_update().get(pk=row.pk)
        standing = standing_of(locked)
        if content_of(locked).sha256 != digest:
            raise ChangedMeanwhile("This was changed since you opened it. Nothing is locked.")
        if problem := problem_with_locking(signable, standing):
            raise NotAccepted("", problem)
        if RecordLock.objects.filter(record=signable.label, row_pk=row.pk, unlocked_at=None).exists():
            raise NotAccepted("", "This is locked already.")
        signed = standing.valid[-1].signature
        number = signable.patient_id(locked)
        lock = RecordLock.objects.create(
            record=signable.label, row_pk=row.pk, site=site, patient_id=number, reason=reason.strip(),
            content_sha256=signed.content_sha256, locked_by=by, locked_at=now, form_token=form_token,
        )  # fmt: skip
        parts = content_from(signed.content).parts.values()
        LockedPart.objects.bulk_create(
            LockedPart(lock=lock, record=part.label, row_pk=int(part.row_id), patient_id=number)
            for part in parts
        )
        record_event(action="locked", about=locked, detail=reason.strip(), now=now)
        return lock

    with because(reason):
        lock = create_once(RecordLock, form_token, make, record=signable.label, row_pk=row.pk)
    if lock.unlocked_at is not None:
        raise NotAccepted("", "This form was used already, and the record was unlocked since. Open it again.")
    return lock


# Unlocking -------------------------------------------------------------------------------------------------------


def ask_to_unlock(
    *, lock: RecordLock, reason: str, form_token: str, by: User, now: datetime
) -> UnlockRequest:
    """The same form sent twice is one request."""
    by.require(UNLOCK)
    _demand(reason)

    def make() -> UnlockRequest:
        _lock_for_update(lock)
        if any(one.state_at(now) in ("asked", "waits") for one in lock.requests.select_related("lock")):
            raise NotAccepted("", "Unlocking was asked for already: see Settings › Locked records.")
        return UnlockRequest.objects.create(
            lock=lock, record=lock.record, row_pk=lock.row_pk, patient_id=lock.patient_id, reason=reason.strip(),
            asked_by=by, asked_at=now, form_token=form_token,
        )  # fmt: skip

    with because(reason):
        made = create_once(UnlockRequest, form_token, make, lock_id=lock.pk, asked_by_id=by.pk)
    unlock_changed.send(sender=UnlockRequest, request=made, now=now)
    return made


def approve_unlock(*, request: UnlockRequest, reason: str, by: User, now: datetime) -> UnlockRequest:
    """By a second person: unlocked at once. By the asker: with a reason, after the registry's delay, until when anybody
    who may unlock can stop it.
    """
    by.require(UNLOCK)
    alone = request.asked_by_id == by.pk
    if alone and not reason.strip():
        raise NotAccepted("reason", "You asked for this yourself: write why nobody else can approve it.")
    wait = now + timedelta(hours=Registry.current().self_approval_hours) if alone else None
    with because(reason or request.reason):
        _decide(request, "approved", reason, by, now, waits=not alone, effective_at=wait)
        if not alone:
            _take_off(request, now=now)
    return _told(request, now)


def refuse_unlock(*, request: UnlockRequest, reason: str, by: User, now: datetime) -> UnlockRequest:
    """Also stops one that was approved alone and whose delay has not passed."""
    by.require(UNLOCK)
    _demand(reason)
    with because(reason):
        _decide(request, "refused", reason, by, now, waits=True)
    return _told(request, now)


def take_back(*, request: UnlockRequest, by: User, now: datetime) -> UnlockRequest:
    if request.asked_by_id != by.pk:
        raise NotAccepted("", "Only the person who asked can take the request back.")
    _decide(request, "withdrawn", "", by, now, waits=True)
    return _told(request, now)


def settle_unlocks(*, now: datetime) -> int:
    """What was approved alone and not stopped comes into force after its delay. The sweep calls it; again is harmless."""
    due = UnlockRequest.objects.filter(
        decision="approved", effective_at__lte=now, lock__unlocked_at=None
    ).select_related("lock")
    done = 0
    for request in due.order_by("pk"):
        with because(request.decision_reason), transaction.atomic():
            RecordLock.objects.select_for_update().get(pk=request.lock_id)
            if not due.filter(pk=request.pk).exists():
                continue  # stopped meanwhile
            done += _take_off(request, now=now)
        _told(request, now)
    return done


def _decide(
    request: UnlockRequest, decision: str, reason: str, by: User, now: datetime, *, waits: bool = False,
    effective_at: datetime | None = None,
) -> None:  # fmt: skip
    """Of two people who decide, one does. `waits`: also one that was approved alone and is not in force yet."""
    _lock_for_update(request.lock)
    rows = UnlockRequest.objects.filter(pk=request.pk, lock__unlocked_at=None)
    open_ones = models.Q(decision="")
    if waits:
        open_ones |= models.Q(decision="approved", effective_at__isnull=False)
    if not rows.filter(open_ones).update(
        decision=decision, decision_reason=reason.strip(), decided_by=by, decided_at=now, effective_at=effective_at
    ):  # fmt: skip
        raise ChangedMeanwhile("This request was decided already.")


def _take_off(request: UnlockRequest, *, now: datetime) -> bool:
    lock = request.lock
    if not RecordLock.objects.filter(pk=lock.pk, unlocked_at=None).update(unlocked_at=now):
        return False
    LockedPart.objects.filter(lock=lock, is_open=True).update(is_open=False)
    record_event(
        action="unlocked",
        about=lock,
        detail=f"{lock.record} {lock.row_pk}: {request.reason}",
        now=now,
    )
    return True


def _lock_for_update(lock: RecordLock) -> None:
    standing = RecordLock.objects.select_for_update().filter(pk=lock.pk, unlocked_at=None).first()
    if standing is None:
        raise ChangedMeanwhile("This record is unlocked already.")


def _told(request: UnlockRequest, now: datetime) -> UnlockRequest:
    request.refresh_from_db()
    unlock_changed.send(sender=UnlockRequest, request=request, now=now)
    return request


def _demand(reason: str) -> None:
    if not reason.strip():
        raise NotAccepted("reason", "Say why: the reason stays in the trail.")
