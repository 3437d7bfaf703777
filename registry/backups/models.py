"""What was backed up, restored and tried out, and how it ended: the status page reads it."""

from __future__ import annotations

from datetime import datetime

from django.db import models
from django.db.models import Q


class BackupRun(models.Model):
    class Kind(models.TextChoices):
        BACKUP = "backup", "Backup"
        RESTORE = "restore", "Restore"
        DRILL = "drill", "Restore drill"

    kind = models.CharField(max_length=7, choices=Kind.choices)
    succeeded = models.BooleanField()
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField()
    data_from = models.DateTimeField(null=True, help_text="The moment whose data the file holds")
    file_name = models.CharField(max_length=200, blank=True)
    bytes = models.BigIntegerField(default=0)
    rows = models.BigIntegerField(default=0)
    entries = models.BigIntegerField(default=0, help_text="Entries of the trail in it")
    trail_head = models.CharField(max_length=64, blank=True)
    encrypted = models.BooleanField(default=False)
    with_keys = models.BooleanField(default=False)
    scheduled = models.BooleanField(default=False)
    message = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["-finished_at", "-pk"]
        indexes = [models.Index(fields=["kind", "finished_at"], name="backup_runs_by_kind")]
        constraints = [
            models.CheckConstraint(condition=Q(succeeded=True) | ~Q(message=""), name="failed_run_says_why")
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.finished_at:%Y-%m-%d %H:%M}"

    @classmethod
    def last(cls, kind: str) -> BackupRun | None:
        """The newest that succeeded."""
        return cls.objects.filter(kind=kind, succeeded=True).order_by("-finished_at", "-pk").first()

    @classmethod
    def last_restore_at(cls) -> datetime | None:
        found = cls.last(cls.Kind.RESTORE)
        return found.finished_at if found else None
