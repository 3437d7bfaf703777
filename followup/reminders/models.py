"""The database is the schedule and the queue: a reminder is a row, a message is a row, a sweep is a row."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from followup.schedule.models import Visit
from registry.access.models import Site, SiteScopedQuerySet
from registry.patients.models import Patient


class MailMessage(models.Model):
    """One notice to one member of staff, without health data. At most one a person and day."""

    class State(models.TextChoices):
        PLANNED = "planned", "Planned"
        CLAIMED = "claimed", "Claimed"
        ATTEMPTING = "attempting", "Being sent"
        SENT = "sent", "Sent"
        FAILED = "failed", "Failed"
        UNCERTAIN = "uncertain", "Uncertain"
        CANCELLED = "cancelled", "Cancelled"

    recipient = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT)
    on_date = models.DateField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.PLANNED)
    items = models.PositiveIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    message_id = models.CharField(max_length=120, blank=True)
    sent_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["-on_date", "recipient", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["recipient", "on_date"], name="one_message_per_person_and_day"),
            models.CheckConstraint(
                condition=~Q(state="sent") | ~Q(sent_at=None), name="sent_message_has_its_time"
            ),
        ]
        indexes = [
            models.Index(
                fields=["state"], condition=~Q(state__in=["sent", "cancelled"]), name="messages_in_hand"
            )
        ]

    def __str__(self) -> str:
        return f"message to {self.recipient_id} for {self.on_date}"


class ReminderQuerySet(SiteScopedQuerySet["Reminder"]):
    view_act = "worklist.view"


class Reminder(models.Model):
    """A step of the plan's reminders reached for one visit. Raised once per visit, step and generation."""

    class State(models.TextChoices):
        RAISED = "raised", "On the worklist"
        SENT = "sent", "Sent"
        HELD = "held", "Held: nobody to send it to"
        FAILED = "failed", "Failed"
        UNCERTAIN = "uncertain", "Uncertain"
        EXCUSED = "excused", "Stopped"

    patient = models.ForeignKey(Patient, on_delete=models.PROTECT)
    site = models.ForeignKey(Site, on_delete=models.PROTECT)
    visit = models.ForeignKey(Visit, on_delete=models.PROTECT, related_name="reminders")
    step = models.CharField(max_length=16)
    rank = models.PositiveSmallIntegerField()
    recipient_kind = models.CharField(max_length=16)
    channel = models.CharField(max_length=10, default="email")
    generation = models.PositiveSmallIntegerField(default=1)
    raised_on = models.DateField()
    state = models.CharField(max_length=9, choices=State.choices, default=State.RAISED)
    is_open = models.BooleanField(default=True, help_text="On Today until the visit is dealt with")
    closed_because = models.CharField(max_length=60, blank=True)
    target_date = models.DateField(help_text="The visit's target when the step was raised")
    messages = models.ManyToManyField(
        MailMessage, related_name="reminders", help_text="One for each member of staff who is told"
    )
    sent_at = models.DateTimeField(null=True)

    objects = ReminderQuerySet.as_manager()

    class Meta:
        ordering = ["-rank", "raised_on", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["visit", "step", "recipient_kind", "generation"],
                name="reminder_once_per_visit_and_step",
            )
        ]
        indexes = [
            models.Index(
                fields=["site", "raised_on"], condition=Q(is_open=True), name="open_reminders_by_site"
            ),
            models.Index(fields=["state"], condition=Q(state="raised"), name="reminders_to_send"),
        ]

    def __str__(self) -> str:
        return f"{self.step} for visit {self.visit_id}"


class Notice(models.Model):
    """One message that does not wait for the day's: to one person, in one role at one site, about one matter."""

    SUBJECTS: ClassVar = {"record_opened": "Please look at your registry"}

    recipient = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT)
    site = models.ForeignKey(Site, on_delete=models.PROTECT)
    role = models.CharField(max_length=20, help_text="What the recipient must still be when it is sent")
    kind = models.CharField(max_length=20, choices=[("record_opened", "A record was opened in an emergency")])
    source = models.CharField(max_length=80)
    path = models.CharField(max_length=200, help_text="Where the link leads, behind the sign-in")
    state = models.CharField(
        max_length=10, choices=MailMessage.State.choices, default=MailMessage.State.PLANNED
    )
    attempts = models.PositiveSmallIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["recipient", "kind", "source"], name="one_notice_per_person_and_matter"
            ),
        ]
        indexes = [
            models.Index(
                fields=["state"], condition=~Q(state__in=["sent", "cancelled"]), name="notices_in_hand"
            )
        ]

    def __str__(self) -> str:
        return f"notice to {self.recipient_id} about {self.source}"


class SweepRun(models.Model):
    """The heartbeat: what one sweep found and did."""

    started_at = models.DateTimeField()
    as_of = models.DateTimeField(
        help_text="The moment the sweep looked at; other than its start only in demo and test"
    )
    finished_at = models.DateTimeField(null=True)
    totals = models.TextField(blank=True)
    error = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["-started_at", "-pk"]
        indexes = [models.Index(fields=["finished_at"], name="sweep_finished")]

    def __str__(self) -> str:
        return f"sweep {self.started_at:%Y-%m-%d %H:%M}"

    @classmethod
    def last_whole_at(cls, now: datetime) -> datetime | None:
        """When the last one finished. A sweep pretending to be later, as a demonstration may, says nothing about now."""
        found: datetime | None = cls.objects.filter(error="", finished_at__lte=now).aggregate(
            last=models.Max("finished_at")
        )["last"]
        return found
