"""Signatures under records, and the marks of who looked at a result that came later. Rows are added and never changed."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from registry.access.models import Site, SiteScopedQuerySet
from registry.signatures.lock_models import LockedPart, RecordLock, UnlockRequest

__all__ = [
    "MEANS", "LateReview", "LockedPart", "Meaning", "RecordLock", "Signature", "UnlockRequest", "Watch",
]  # fmt: skip


class Meaning(models.TextChoices):
    AUTHORSHIP = "authorship", "Authorship"
    REVIEW = "review", "Review"
    APPROVAL = "approval", "Approval"
    RESPONSIBILITY = "responsibility", "Responsibility"


MEANS = {
    Meaning.AUTHORSHIP: "I entered this or had it entered under my eyes, and it is what happened.",
    Meaning.REVIEW: "I have read all of it beside its source.",
    Meaning.APPROVAL: "I agree with it as it stands.",
    Meaning.RESPONSIBILITY: "I answer for it as the one in charge.",
}


class SignatureQuerySet(SiteScopedQuerySet["Signature"]):
    view_act = "events.view"

    def under(self, record: str, row_pk: int) -> SignatureQuerySet:
        """Those of one record, oldest first."""
        return self.filter(record=record, row_pk=row_pk).select_related("signer").order_by("pk")


class Signature(models.Model):
    """One person's signature under one state of one record. Whether it is still valid is worked out, never stored."""

    record = models.CharField(max_length=60, help_text="The kind of record, for example schedule.visit")
    row_pk = models.BigIntegerField(verbose_name="record number")
    site = models.ForeignKey(
        Site, on_delete=models.PROTECT, null=True, blank=True, help_text="Empty: all sites"
    )
    patient_id = models.CharField(
        max_length=40, blank=True, help_text="Pseudonymous; blank where it is about none"
    )
    meaning = models.CharField(max_length=14, choices=Meaning.choices)
    signer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    printed_name = models.CharField(max_length=120)
    role = models.CharField(max_length=200, help_text="As held at that moment")
    signed_at = models.DateTimeField()
    content = models.TextField(help_text="Canonical JSON of exactly what was signed")
    content_sha256 = models.CharField(max_length=64)
    software_version = models.CharField(max_length=40)
    nth = models.PositiveSmallIntegerField(help_text="Of this person's with this meaning under this record")
    after_entry = models.BigIntegerField(help_text="The newest entry of the trail at that moment")
    form_token = models.CharField(max_length=40)
    seal = models.CharField(max_length=64, help_text="Keyed digest over all of the above")

    objects = SignatureQuerySet.as_manager()

    class Meta:
        ordering = ["record", "row_pk", "pk"]
        constraints = [
            models.CheckConstraint(condition=Q(meaning__in=Meaning.values), name="signature_has_a_meaning"),
            models.CheckConstraint(
                condition=~Q(printed_name="") & ~Q(role="") & ~Q(content="") & ~Q(seal=""),
                name="signature_says_who_and_what",
            ),
            models.UniqueConstraint(
                fields=["record", "row_pk", "signer", "meaning", "nth"], name="signature_is_counted_once"
            ),
            models.UniqueConstraint(fields=["form_token"], name="one_signature_per_form"),
        ]
        indexes = [models.Index(fields=["record", "row_pk"], name="signature_by_record")]

    def __str__(self) -> str:
        return f"{self.get_meaning_display()}: {self.printed_name}, {self.role}"


class LateReview(models.Model):
    """A person looked at what came in after a record was signed, as it stood then. It voids nothing."""

    record = models.CharField(max_length=60)
    row_pk = models.BigIntegerField()
    site = models.ForeignKey(Site, on_delete=models.PROTECT, null=True, blank=True)
    part = models.CharField(max_length=80, help_text="What came late, for example labs.labresult:12")
    part_sha256 = models.CharField(max_length=64)
    reviewed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    reviewed_at = models.DateTimeField()

    class Meta:
        ordering = ["record", "row_pk", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["record", "row_pk", "part", "part_sha256", "reviewed_by"],
                name="late_part_reviewed_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.part} reviewed"


class Watch(models.Model):
    """One row: how far the trail was read for changes of signed records."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    last_entry = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="watch_is_one_row")]

    def __str__(self) -> str:
        return f"read to entry {self.last_entry}"
