"""Locks of signed records: what they keep, and the requests to take them off. Rows are decided on and never removed."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from registry.access.models import Site


class RecordLock(models.Model):
    """While it is open, what was signed of this record stays as it is."""

    record = models.CharField(max_length=60)
    row_pk = models.BigIntegerField(verbose_name="record number")
    site = models.ForeignKey(
        Site, on_delete=models.PROTECT, null=True, blank=True, help_text="As it was when it was locked"
    )
    patient_id = models.CharField(max_length=40, blank=True)
    reason = models.CharField(max_length=300)
    content_sha256 = models.CharField(max_length=64, help_text="Of the signed content that is kept")
    locked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    locked_at = models.DateTimeField()
    unlocked_at = models.DateTimeField(null=True, blank=True)
    form_token = models.CharField(max_length=40)

    class Meta:
        ordering = ["-locked_at", "-pk"]
        verbose_name = "lock"
        constraints = [
            models.UniqueConstraint(
                fields=["record", "row_pk"], condition=Q(unlocked_at=None), name="record_is_locked_once"
            ),
            models.UniqueConstraint(fields=["form_token"], name="one_lock_per_form"),
        ]

    def __str__(self) -> str:
        return f"lock of {self.record} {self.row_pk}"


class LockedPart(models.Model):
    """One row that a lock keeps as it is: the database's own triggers read this table."""

    lock = models.ForeignKey(RecordLock, on_delete=models.PROTECT, related_name="parts")
    record = models.CharField(max_length=60, help_text="The kind of row, for example labs.labresult")
    row_pk = models.BigIntegerField()
    patient_id = models.CharField(max_length=40, blank=True)
    is_open = models.BooleanField(default=True)

    class Meta:
        ordering = ["lock", "record", "row_pk", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["record", "row_pk"], condition=Q(is_open=True), name="row_is_kept_by_one_lock"
            )
        ]

    def __str__(self) -> str:
        return f"{self.record} {self.row_pk}"


class UnlockRequest(models.Model):
    """Asked for by one coordinator and decided on by another, or approved by the asker with a delay that all can see."""

    DECISIONS: ClassVar = {"approved": "Approved", "refused": "Refused", "withdrawn": "Taken back"}

    lock = models.ForeignKey(RecordLock, on_delete=models.PROTECT, related_name="requests")
    record = models.CharField(max_length=60)
    row_pk = models.BigIntegerField()
    patient_id = models.CharField(max_length=40, blank=True)
    reason = models.CharField(max_length=300)
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()
    decision = models.CharField(max_length=10, blank=True, choices=list(DECISIONS.items()))
    decision_reason = models.CharField(max_length=300, blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    decided_at = models.DateTimeField(null=True, blank=True)
    effective_at = models.DateTimeField(
        null=True, blank=True, help_text="After the delay of a self-approval; empty: at once"
    )
    form_token = models.CharField(max_length=40)

    class Meta:
        ordering = ["-asked_at", "-pk"]
        verbose_name = "request to unlock"
        constraints = [
            models.UniqueConstraint(
                fields=["lock"], condition=Q(decision=""), name="one_open_unlock_request_per_lock"
            ),
            models.UniqueConstraint(fields=["form_token"], name="one_unlock_request_per_form"),
            models.CheckConstraint(
                condition=~Q(decision="approved") | ~Q(decided_by=F("asked_by")) | ~Q(effective_at=None),
                name="unlocking_alone_waits",
            ),
        ]

    def __str__(self) -> str:
        return f"unlock of {self.record} {self.row_pk}"

    @property
    def is_alone(self) -> bool:
        return self.decision == "approved" and self.decided_by_id == self.asked_by_id

    def state_at(self, now: datetime) -> str:
        """asked, waits (approved alone, the delay runs), approved, refused or withdrawn."""
        if not self.decision:
            return "asked"
        if self.decision == "approved" and self.effective_at and self.lock.unlocked_at is None:
            return "waits"
        return self.decision
