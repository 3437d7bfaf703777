"""Files brought in by staff, what was found in them, and what became of them."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q


class ImportRun(models.Model):
    """One uploaded file: checked by the worker, shown, confirmed by the person, stored by the worker."""

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting to be checked"
        CHECKING = "checking", "Being checked"
        CHECKED = "checked", "Checked: waiting for your confirmation"
        CONFIRMED = "confirmed", "Confirmed: waiting to be stored"
        STORING = "storing", "Being stored"
        STORED = "stored", "Stored"
        REFUSED = "refused", "Refused"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"

    kind = models.CharField(max_length=30)
    file_name = models.CharField(max_length=200)
    stored_as = models.CharField(max_length=100)
    sha256 = models.CharField(max_length=64)
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    clean_rows = models.BooleanField(default=False)
    reason = models.CharField(max_length=500, blank=True)
    rows = models.PositiveIntegerField(default=0)
    created = models.PositiveIntegerField(default=0)
    updated = models.PositiveIntegerField(default=0)
    unchanged = models.PositiveIntegerField(default=0)
    refused = models.PositiveIntegerField(default=0)
    flagged = models.PositiveIntegerField(default=0)
    report = models.TextField(blank=True)
    message = models.CharField(max_length=500, blank=True)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    requested_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    lease_until = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    form_token = models.CharField(max_length=40)

    class Meta:
        ordering = ["-requested_at", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["form_token"], name="one_import_per_form"),
            models.CheckConstraint(
                condition=Q(
                    rows=models.F("created")
                    + models.F("updated")
                    + models.F("unchanged")
                    + models.F("refused")
                ),
                name="import_rows_add_up",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} from {self.file_name}"


class ExportRun(models.Model):
    """A set of CSV files asked for on a page, made by the worker, kept with its digest. `identified` ones hold names,
    say why, and are kept for days only.
    """

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        RUNNING = "running", "Being made"
        DONE = "done", "Ready"
        FAILED = "failed", "Failed"

    identified = models.BooleanField(default=False)
    own_rows = models.BooleanField(
        default=False, help_text="Only what the person's own imports and entries made"
    )
    with_birth_dates = models.BooleanField(default=False)
    reason = models.CharField(max_length=500, blank=True)
    site = models.ForeignKey("access.Site", on_delete=models.PROTECT, null=True, blank=True)
    state = models.CharField(max_length=7, choices=State.choices, default=State.WAITING)
    message = models.CharField(max_length=500, blank=True)
    stored_as = models.CharField(max_length=100, blank=True)
    sha256 = models.CharField(max_length=64, blank=True)
    rows = models.PositiveIntegerField(default=0)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    requested_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    lease_until = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    form_token = models.CharField(max_length=40)

    class Meta:
        ordering = ["-requested_at", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["form_token"], name="one_export_per_form"),
            models.CheckConstraint(
                condition=Q(identified=False) | (Q(site__isnull=False) & ~Q(reason="")),
                name="identified_export_has_site_and_reason",
            ),
            models.CheckConstraint(
                condition=Q(identified=False) | Q(own_rows=False), name="own_rows_go_out_without_names"
            ),
        ]

    def __str__(self) -> str:
        return f"export of {self.site or 'all sites'}"
