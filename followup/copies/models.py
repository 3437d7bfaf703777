"""A copy of everything about one person: asked for by right and reason, made by the worker, kept for days only."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from registry.access.models import SiteScopedQuerySet
from registry.patients.models import Patient


class PersonCopyQuerySet(SiteScopedQuerySet["PersonCopy"]):
    site_path = "patient__site"
    view_act = "people.export"


class PersonCopy(models.Model):
    """One copy of everything about one person. The file goes after some days and with an erasure; the row stays."""

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        RUNNING = "running", "Being made"
        DONE = "done", "Ready"
        REMOVED = "removed", "Removed"
        FAILED = "failed", "Failed"

    patient = models.ForeignKey(Patient, on_delete=models.PROTECT)
    reason = models.CharField(max_length=500)
    state = models.CharField(max_length=7, choices=State.choices, default=State.WAITING)
    message = models.CharField(max_length=500, blank=True)
    stored_as = models.CharField(max_length=100, blank=True)
    sha256 = models.CharField(max_length=64, blank=True)
    rows = models.PositiveIntegerField(default=0)
    entries = models.PositiveIntegerField(default=0, verbose_name="Entries of the trail")
    seconds = models.PositiveIntegerField(null=True, blank=True, help_text="How long the making took")
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    requested_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    lease_until = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    form_token = models.CharField(max_length=40)

    objects = PersonCopyQuerySet.as_manager()

    class Meta:
        ordering = ["-requested_at", "-pk"]
        verbose_name = "copy of everything about a person"
        constraints = [
            models.UniqueConstraint(fields=["form_token"], name="one_person_copy_per_form"),
            models.CheckConstraint(condition=~Q(reason=""), name="person_copy_has_a_reason"),
        ]

    def __str__(self) -> str:
        return f"copy about {self.patient}"
