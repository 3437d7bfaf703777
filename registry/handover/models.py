"""A person who moves from one site to another, and a record of another site that was opened in an emergency."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q

from registry.access.models import RoleGrant, Site, User
from registry.patients.models import Patient

ASK, RECEIVE, SEE_OPENED = "patients.transfer", "patients.receive", "records.opened"


class TransferQuerySet(models.QuerySet["Transfer"]):
    def visible_to(self, user: User) -> Self:
        """Those of the patients of one's own site, whatever became of them; and what another site asks one's own."""
        ask, receive = user.scope(ASK), user.scope(RECEIVE)
        if receive.everywhere:
            return self.all()
        asked_of_us = Q(state=Transfer.State.ASKED, to_site__in=receive.site_ids)
        return self.filter(Q(patient__site__in=ask.site_ids | receive.site_ids) | asked_of_us)

    def asked(self) -> Self:
        return self.filter(state=Transfer.State.ASKED)

    def accepted(self) -> Self:
        return self.filter(state=Transfer.State.ACCEPTED)


class Transfer(models.Model):
    """One site asks another to take a person over. Until the other accepts, nothing changes."""

    class State(models.TextChoices):
        ASKED = "asked", "Waits for an answer"
        ACCEPTED = "accepted", "Accepted"
        DECLINED = "declined", "Declined"
        WITHDRAWN = "withdrawn", "Withdrawn"

    patient = models.ForeignKey(Patient, on_delete=models.PROTECT)
    from_site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="transfers_out")
    to_site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="transfers_in")
    moves_on = models.DateField(verbose_name="moves on")
    reason = models.CharField(max_length=300)
    note = models.CharField(max_length=500, blank=True, verbose_name="note for the receiving staff")
    state = models.CharField(max_length=9, choices=State.choices, default=State.ASKED)
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    decided_at = models.DateTimeField(null=True)
    decision_reason = models.CharField(max_length=300, blank=True)
    checked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    checked_at = models.DateTimeField(null=True, verbose_name="contacts and bookings checked")
    form_token = models.CharField(max_length=40, blank=True, editable=False)

    objects = TransferQuerySet.as_manager()

    class Meta:
        ordering = ["-asked_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["patient"], condition=Q(state="asked"), name="one_open_transfer_per_patient"
            ),
            models.UniqueConstraint(
                fields=["form_token"], condition=~Q(form_token=""), name="one_transfer_per_form"
            ),
            models.CheckConstraint(
                condition=~Q(from_site=models.F("to_site")), name="transfer_goes_to_another_site"
            ),
            models.CheckConstraint(
                condition=Q(state="asked", decided_at=None) | (~Q(state="asked") & ~Q(decided_at=None)),
                name="decided_transfer_has_its_time",
            ),
        ]

    def __str__(self) -> str:
        return f"transfer from {self.from_site} to {self.to_site}"


class RecordOpeningQuerySet(models.QuerySet["RecordOpening"]):
    def visible_to(self, user: User) -> Self:
        """For those who answer for the site whose record was opened."""
        scope = user.scope(SEE_OPENED)
        return self.all() if scope.everywhere else self.filter(at_site__in=scope.site_ids)

    def standing(self, now: datetime) -> Self:
        return self.filter(ended_early_at=None, opened_at__lte=now, ends_at__gt=now)


class RecordOpening(models.Model):
    """Somebody reads one record of another site, for an hour at most, and says why.

    It rests on the very grant that allowed it: when that ends, the reading ends. `at_site` is where the person was
    when it was opened: a transfer ends it too.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    grant = models.ForeignKey(RoleGrant, on_delete=models.PROTECT, related_name="+")
    patient = models.ForeignKey(Patient, on_delete=models.PROTECT)
    at_site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(max_length=500)
    opened_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    ended_early_at = models.DateTimeField(null=True)
    seen_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    seen_at = models.DateTimeField(null=True, verbose_name="looked at by the site")
    form_token = models.CharField(max_length=40, blank=True, editable=False)

    objects = RecordOpeningQuerySet.as_manager()

    class Meta:
        ordering = ["-opened_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["form_token"], condition=~Q(form_token=""), name="one_opening_per_form"
            ),
            models.CheckConstraint(
                condition=Q(ends_at__gt=models.F("opened_at")), name="opening_ends_after_it_begins"
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="opening_has_a_reason"),
        ]
        indexes = [models.Index(fields=["user", "ends_at"], name="openings_by_user")]

    def __str__(self) -> str:
        return f"emergency reading of {self.opened_at:%Y-%m-%d %H:%M}"

    @property
    def ended_at(self) -> datetime:
        return self.ended_early_at or self.ends_at
