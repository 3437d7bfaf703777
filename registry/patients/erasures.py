"""An erasure on its way: asked for by one person, carried out or refused by another."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from registry.access.models import Site, SiteScopedQuerySet
from registry.patients.models import Patient


class ErasureRequestQuerySet(SiteScopedQuerySet["ErasureRequest"]):
    view_act = "erasure.ask"


class ErasureRequest(models.Model):
    """The wish of one person that their names go, with its legal ground, and what became of it."""

    class Basis(models.TextChoices):
        CONSENT = "consent", "Consent was withdrawn (GDPR Art. 17(1)(b))"
        OBJECTION = "objection", "The person objects (GDPR Art. 17(1)(c))"
        UNLAWFUL = "unlawful", "The data were processed unlawfully (GDPR Art. 17(1)(d))"
        OBLIGATION = "obligation", "The law asks for it (GDPR Art. 17(1)(e))"

    class State(models.TextChoices):
        ASKED = "asked", "Waits for a second person"
        CARRIED_OUT = "carried_out", "Carried out"
        REFUSED = "refused", "Refused"
        TAKEN_BACK = "taken_back", "Taken back"

    patient = models.ForeignKey(Patient, on_delete=models.PROTECT)
    site = models.ForeignKey(Site, on_delete=models.PROTECT)
    legal_basis = models.CharField(max_length=10, choices=Basis.choices)
    reason = models.CharField(max_length=500)
    state = models.CharField(max_length=11, choices=State.choices, default=State.ASKED)
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    decided_at = models.DateTimeField(null=True)
    decision = models.CharField(max_length=500, blank=True)
    alone_because = models.CharField(
        max_length=500, blank=True, help_text="Why no second person was there; empty: there was one"
    )
    form_token = models.CharField(max_length=40)

    objects = ErasureRequestQuerySet.as_manager()

    class Meta:
        ordering = ["-asked_at", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["form_token"], name="one_erasure_request_per_form"),
            models.UniqueConstraint(
                fields=["patient"], condition=Q(state="asked"), name="one_open_erasure_request_per_patient"
            ),
            models.CheckConstraint(
                condition=~Q(state="carried_out")
                | ~Q(decided_by=models.F("asked_by"))
                | ~Q(alone_because=""),
                name="erasure_takes_a_second_person",
            ),
        ]

    def __str__(self) -> str:
        return f"erasure of {self.patient}"
