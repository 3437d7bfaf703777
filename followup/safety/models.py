"""Adverse events, as reported. Contradictions are kept as facts and opened as queries."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from registry.access.models import Site, SiteScopedQuerySet
from registry.infusions.models import Infusion
from registry.patients.models import Patient, PartialDateField


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


SERIOUSNESS_CRITERIA = {
    "death": "Death",
    "life_threatening": "Life-threatening",
    "hospitalisation": "Hospitalisation or its prolongation",
    "disability": "Persistent disability",
    "congenital_anomaly": "Congenital anomaly",
    "medically_important": "Other medically important event",
}


class AdverseEventQuerySet(SiteScopedQuerySet["AdverseEvent"]):
    view_act = "events.view"


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
    withdrawn_at = models.DateTimeField(null=True)
    withdrawn_because = models.CharField(max_length=300, blank=True)
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
