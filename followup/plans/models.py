"""A plan on its way: written in the browser or brought in, asked for, decided on by a second person, put in force."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from followup.schedule.models import FollowUpPlan
from followup.schedule.plan_file import Plan, parse_plan


def _person() -> models.ForeignKey[Any, Any]:
    return models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")


class PlanDraft(models.Model):
    """A plan that is not followed yet. Its text is fixed from when it is asked for; what is put in force becomes a version."""

    class State(models.TextChoices):
        DRAFT = "draft", "Draft"
        ASKED = "asked", "Waits for approval"
        APPROVED = "approved", "Approved"
        IN_FORCE = "in_force", "Put in force"
        DISCARDED = "discarded", "Discarded"

    text = models.TextField(help_text="The whole plan as TOML, as it is exported")
    begun_from = models.CharField(max_length=200)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()
    state = models.CharField(max_length=9, choices=State.choices, default=State.DRAFT)
    asked_by = _person()
    asked_at = models.DateTimeField(null=True)
    asked_because = models.CharField(max_length=300, blank=True)
    compared_with = models.ForeignKey(
        FollowUpPlan, on_delete=models.PROTECT, null=True, related_name="+",
        help_text="The version in force when it was asked for",
    )  # fmt: skip
    decided_by = _person()
    decided_at = models.DateTimeField(null=True)
    decision_reason = models.CharField(max_length=300, blank=True)
    effective_at = models.DateTimeField(
        null=True, help_text="Empty: at once. Otherwise after the delay of a self-approval."
    )
    plan = models.OneToOneField(FollowUpPlan, on_delete=models.PROTECT, null=True, related_name="draft")
    in_force_by = _person()
    in_force_at = models.DateTimeField(null=True)
    form_token = models.CharField(max_length=40, editable=False)
    version = models.PositiveIntegerField(default=1, editable=False)

    class Meta:
        ordering = ["-created_at", "-pk"]
        verbose_name = "draft of a follow-up plan"
        constraints = [
            models.UniqueConstraint(fields=["form_token"], name="one_plan_draft_per_form"),
            models.UniqueConstraint(
                fields=["state"], condition=Q(state="asked"), name="one_plan_asked_for_at_a_time"
            ),
            models.UniqueConstraint(
                fields=["state"], condition=Q(state="approved"), name="one_plan_approved_at_a_time"
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["approved", "in_force"])
                | Q(effective_at__isnull=False)
                | ~Q(decided_by=F("asked_by")),
                name="plan_approved_alone_waits",
            ),
            models.CheckConstraint(
                condition=~Q(state="in_force") | Q(decided_by__isnull=False, plan__isnull=False),
                name="plan_in_force_was_approved",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.rules.title}, version {self.rules.version}"

    @property
    def rules(self) -> Plan:
        return read_draft(self.text)

    @property
    def is_open(self) -> bool:
        """Whether it may still be changed."""
        return self.state == self.State.DRAFT

    def waits_at(self, now: datetime) -> bool:
        """Approved alone, and the delay has not passed."""
        return self.effective_at is not None and self.effective_at > now


@lru_cache(maxsize=64)
def read_draft(text: str) -> Plan:
    return parse_plan(text, is_draft=True)
