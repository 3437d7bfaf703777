"""Adverse events, as reported. Contradictions are kept as facts and opened as queries."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q

from registry.access.models import Site, SiteScopedQuerySet
from registry.infusions.models import Infusion
from registry.patients.models import PartialDateField, Patient


class Outcome(models.TextChoices):
    RECOVERED = "recovered", "Recovered"
    RECOVERING = "recovering", "Recovering"
    SEQUELAE = "recovered_with_sequelae", "Recovered with sequelae"
    NOT_RECOVERED = "not_recovered", "Not recovered"
    FATAL = "fatal", "Fatal"
    UNKNOWN = "unknown", "Unknown"


class Relatedness(models.TextChoices):
    CERTAIN = "certain", "Certain"
    PROBABLE = "probable", "Probable"
    POSSIBLE = "possible", "Possible"
    UNLIKELY = "unlikely", "Unlikely"
    CONDITIONAL = "conditional", "Conditional"
    UNASSESSABLE = "unassessable", "Unassessable"


class Expectedness(models.TextChoices):
    EXPECTED = "expected", "Expected"
    UNEXPECTED = "unexpected", "Unexpected"


# "Related" in counts (WHO-UMC): certain, probable and possible. Strongest first, as verdicts are combined.
RELATED = (Relatedness.CERTAIN, Relatedness.PROBABLE, Relatedness.POSSIBLE)
MOMENTS = ("aware_at", "site_aware_at", "sponsor_received_at")

SERIOUSNESS_CRITERIA = {
    "death": "Death",
    "life_threatening": "Life-threatening",
    "hospitalisation": "Hospitalisation or its prolongation",
    "disability": "Persistent disability",
    "congenital_anomaly": "Congenital anomaly",
    "medically_important": "Other medically important event",
}


SETTLED = (Outcome.RECOVERED, Outcome.SEQUELAE, Outcome.FATAL)
# The same rule as `AdverseEvent.counts_as_serious`, for the database.
SERIOUS = Q(is_serious=True) | ~Q(seriousness_criteria="") | Q(outcome=Outcome.FATAL) | Q(severity_grade=5)


class AdverseEventQuerySet(SiteScopedQuerySet["AdverseEvent"]):
    view_act = "events.view"

    def standing(self) -> Self:
        """Without those that were entered by mistake."""
        return self.filter(withdrawn_at=None)

    def unsettled(self) -> Self:
        """The same rule as `AdverseEvent.is_settled`, for the database."""
        return self.filter(end_date="").exclude(outcome__in=SETTLED)


class AdverseEvent(models.Model):
    patient = models.ForeignKey(Patient, on_delete=models.PROTECT)
    site = models.ForeignKey(Site, on_delete=models.PROTECT)
    infusion = models.ForeignKey(Infusion, on_delete=models.PROTECT, null=True, blank=True)
    event_ref = models.CharField(max_length=60, blank=True)
    term = models.CharField(max_length=200)
    meddra_code = models.CharField(max_length=12, blank=True)
    soc = models.CharField(max_length=120, blank=True)
    onset_date = PartialDateField()
    end_date = PartialDateField(blank=True)
    severity_grade = models.PositiveSmallIntegerField(null=True, blank=True)
    severity_received = models.CharField(max_length=40, blank=True)
    is_serious = models.BooleanField(null=True, blank=True)
    seriousness_criteria = models.CharField(max_length=120, blank=True)
    is_special_interest = models.BooleanField(default=False)
    outcome = models.CharField(max_length=24, choices=Outcome.choices, blank=True)
    relatedness_cells = models.CharField(max_length=12, choices=Relatedness.choices, blank=True)
    relatedness_procedure = models.CharField(max_length=12, choices=Relatedness.choices, blank=True)
    expectedness = models.CharField(max_length=10, choices=Expectedness.choices, blank=True)
    aware_at = models.DateTimeField(null=True, blank=True)
    site_aware_at = models.DateTimeField(null=True, blank=True)
    sponsor_received_at = models.DateTimeField(null=True, blank=True)
    moments_received = models.TextField(blank=True, help_text="JSON: awareness moments as received")
    action_taken = models.CharField(max_length=200, blank=True)
    narrative = models.TextField(blank=True)
    import_key = models.CharField(max_length=80, blank=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True, editable=False)
    withdrawn_because = models.CharField(max_length=300, blank=True, editable=False)
    form_token = models.CharField(max_length=40, blank=True, editable=False)
    version = models.PositiveIntegerField(default=1, editable=False)

    objects = AdverseEventQuerySet.as_manager()

    class Meta:
        ordering = ["patient", "onset_date", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["event_ref"], condition=~Q(event_ref=""), name="event_ref_is_unique"
            ),
            models.UniqueConstraint(
                fields=["patient", "import_key"], condition=~Q(import_key=""), name="imported_event_once"
            ),
            models.UniqueConstraint(
                fields=["form_token"], condition=~Q(form_token=""), name="one_event_per_form"
            ),
            models.CheckConstraint(
                condition=Q(withdrawn_at=None) | ~Q(withdrawn_because=""), name="withdrawn_event_says_why"
            ),
        ]
        indexes = [models.Index(fields=["site", "onset_date"], name="event_by_site_onset")]

    def __str__(self) -> str:
        return f"{self.term}, onset {self.onset_date}"

    @property
    def counts_as_serious(self) -> bool:
        """A criterion or a fatal outcome weighs as much as the box; a report never counts only the "yes" rows."""
        return bool(
            self.is_serious
            or self.seriousness_criteria
            or self.outcome == Outcome.FATAL
            or self.severity_grade == 5
        )

    @property
    def is_settled(self) -> bool:
        return bool(self.end_date) or self.outcome in SETTLED

    @property
    def criteria(self) -> tuple[str, ...]:
        return tuple(self.seriousness_criteria.split(";")) if self.seriousness_criteria else ()

    @property
    def is_assessed(self) -> bool:
        return bool(self.relatedness_cells and self.expectedness)

    @property
    def counts_as_related(self) -> bool:
        """To cells or procedure. A serious event counts as related until somebody has judged it."""
        judged = [verdict for verdict in (self.relatedness_cells, self.relatedness_procedure) if verdict]
        if self.counts_as_serious and not self.relatedness_cells:
            return True
        return any(verdict in RELATED for verdict in judged)

    @property
    def counts_as_unexpected(self) -> bool:
        """A serious event counts as unexpected until somebody has judged it."""
        if not self.expectedness:
            return self.counts_as_serious
        return self.expectedness == Expectedness.UNEXPECTED

    @property
    def received(self) -> dict[str, str]:
        """The awareness moments in the reporter's own writing, which may be a day without a time."""
        return dict(json.loads(self.moments_received)) if self.moments_received else {}

    def moment_as_known(self, name: str) -> str:
        """The moment as received, else in ISO form: a bare date keeps its precision."""
        moment: datetime | None = getattr(self, name)
        return self.received.get(name) or (moment.isoformat() if moment else "")


class EventAssessment(models.Model):
    """One person's verdict on an event, with the reason. Added to, never edited; the event shows what is in force."""

    class Capacity(models.TextChoices):
        INVESTIGATOR = "investigator", "Investigator"
        SPONSOR = "sponsor", "Safety officer"

    event = models.ForeignKey(AdverseEvent, on_delete=models.PROTECT, related_name="assessments")
    capacity = models.CharField(max_length=12, choices=Capacity.choices)
    relatedness_cells = models.CharField(max_length=12, choices=Relatedness.choices)
    relatedness_procedure = models.CharField(max_length=12, choices=Relatedness.choices)
    expectedness = models.CharField(max_length=10, choices=Expectedness.choices)
    is_serious = models.BooleanField()
    seriousness_criteria = models.CharField(max_length=120, blank=True)
    reason = models.CharField(max_length=500)
    assessed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    assessed_at = models.DateTimeField()

    class Meta:
        ordering = ["event", "assessed_at", "pk"]
        constraints = [models.CheckConstraint(condition=~Q(reason=""), name="assessment_says_why")]

    def __str__(self) -> str:
        return f"{self.get_capacity_display()}: {self.get_relatedness_cells_display()}"
