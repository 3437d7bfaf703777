"""Marks that somebody looked through a part of the trail."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Q

from registry.access.models import Site, User


class ReviewMarkQuerySet(models.QuerySet["ReviewMark"]):
    def visible_to(self, user: User, act: str = "audit.view") -> Self:
        """Marks over one's own sites; those over every site are for those who see every site."""
        scope = user.scope(act)
        if scope.everywhere:
            return self.all()
        return self.filter(site__in=scope.site_ids) if scope else self.none()


class ReviewMark(models.Model):
    """Who reviewed which part of the trail, up to which entry, and what they found."""

    site = models.ForeignKey(Site, on_delete=models.PROTECT, null=True, help_text="Empty: every site.")
    reviewed_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    reviewed_at = models.DateTimeField()
    span = models.CharField(max_length=300, help_text="What was looked for, in words.")
    entries = models.PositiveIntegerField(help_text="How many entries that were.")
    last_entry = models.BigIntegerField(help_text="The newest of them.")
    note = models.CharField(max_length=1000)
    form_token = models.CharField(max_length=40, blank=True, editable=False)

    objects = ReviewMarkQuerySet.as_manager()

    class Meta:
        ordering = ["-reviewed_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["form_token"], condition=~Q(form_token=""), name="one_review_mark_per_form"
            ),
        ]

    def __str__(self) -> str:
        return f"review of {self.entries} entries"

    def days_ago(self, now: datetime) -> int:
        return max(0, (now.date() - self.reviewed_at.date()).days)
