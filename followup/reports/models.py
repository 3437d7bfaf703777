"""A report asked for: made by the worker from frozen numbers, kept with its digest, downloaded as often as needed."""

from __future__ import annotations

from datetime import date
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q

from registry.access.models import Site, SiteScope, SiteScopedQuerySet, User
from registry.clock import local_date
from registry.patients.models import Patient
from registry.signatures.models import Signature

PATIENT_ACT, NAMES_ACT = "reports.make_patient", "identifiers.view"
CLOSED_ACT = "reports.view_closed"


class ReportRunQuerySet(SiteScopedQuerySet["ReportRun"]):
    view_act = "reports.view"

    def visible_to(self, user: User, act: str = "") -> Self:
        """A report on all sites is for those who work across all of them. A patient's report is for those who may make one
        there, and one with names for those who may read names there. A closed report is for those who may read closed ones.
        """
        closed = user.scope(CLOSED_ACT)
        patients = user.scope(PATIENT_ACT)
        own = self._within(patients) & Q(kind="patient", with_identifiers=False)
        named = (
            self._within(patients)
            & self._within(user.scope(NAMES_ACT))
            & Q(kind="patient", with_identifiers=True)
        )
        wide = user.scope(act or self.view_act)
        safety = self._within(wide) & Q(kind="safety")
        return self.filter(
            safety | (self._within(wide) & self._within(closed) & Q(kind="closed")) | own | named
        )

    def _within(self, scope: SiteScope) -> Q:
        return ~Q(pk=None) if scope.everywhere else Q(site__in=scope.site_ids)


class ReportRun(models.Model):
    class Kind(models.TextChoices):
        SAFETY = "safety", "Periodic safety report"
        PATIENT = "patient", "Patient report"
        CLOSED = "closed", "Closed safety report"

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        RUNNING = "running", "Being made"
        DONE = "done", "Ready"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"

    kind = models.CharField(max_length=7, choices=Kind.choices)
    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, null=True, blank=True)
    site = models.ForeignKey(
        Site, on_delete=models.PROTECT, null=True, blank=True, help_text="Empty: all sites"
    )
    period_from = models.DateField(null=True, blank=True)
    period_to = models.DateField(null=True, blank=True)
    with_identifiers = models.BooleanField(default=False)
    state = models.CharField(max_length=9, choices=State.choices, default=State.WAITING)
    progress = models.CharField(max_length=120, blank=True)
    message = models.CharField(max_length=500, blank=True)
    stored_as = models.CharField(max_length=100, blank=True)
    numbers_stored_as = models.CharField(max_length=100, blank=True)
    pdf_sha256 = models.CharField(max_length=64, blank=True)
    numbers_sha256 = models.CharField(max_length=64, blank=True)
    pages = models.PositiveIntegerField(null=True, blank=True)
    data_cut_off = models.DateTimeField(null=True, blank=True)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    requested_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    lease_until = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    form_token = models.CharField(max_length=40)

    objects = ReportRunQuerySet.as_manager()

    class Meta:
        ordering = ["-requested_at", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["form_token"], name="one_report_per_form"),
            models.CheckConstraint(
                condition=Q(period_from=None) | Q(period_from__lte=models.F("period_to")),
                name="report_period_is_ordered",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.period_from or ''}–{self.period_to or ''}"

    @property
    def is_safety(self) -> bool:
        """Open or closed: what a safety officer signs."""
        return self.kind in (self.Kind.SAFETY, self.Kind.CLOSED)

    @property
    def is_closed(self) -> bool:
        return self.kind == self.Kind.CLOSED

    @property
    def cut_off(self) -> date | None:
        """The last day counted, in the calendar of the site."""
        if self.period_to is not None or self.data_cut_off is None or self.site is None:
            return self.period_to
        return local_date(self.data_cut_off, self.site.time_zone)


class SignedCopy(models.Model):
    """The PDF of a safety report with the page of its signatures, made anew for each. The unsigned original is kept."""

    run = models.ForeignKey(ReportRun, on_delete=models.PROTECT, related_name="signed_copies")
    signature = models.ForeignKey(Signature, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=9, choices=ReportRun.State.choices, default=ReportRun.State.WAITING)
    message = models.CharField(max_length=500, blank=True)
    stored_as = models.CharField(max_length=100, blank=True)
    pdf_sha256 = models.CharField(max_length=64, blank=True)
    original_sha256 = models.CharField(max_length=64, help_text="Of the unsigned PDF it was signed as")
    pages = models.PositiveIntegerField(null=True, blank=True)
    asked_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    lease_until = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["run", "pk"]
        verbose_name_plural = "signed copies"
        constraints = [models.UniqueConstraint(fields=["signature"], name="one_signed_copy_per_signature")]

    def __str__(self) -> str:
        return f"Signed copy of report {self.run_id}"
