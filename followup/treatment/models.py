"""Insulin and other drugs over time."""

from django.db import models

from registry.access.models import Site, SiteScopedQuerySet
from registry.patients.models import PartialDateField, Patient


class DrugClass(models.TextChoices):
    INSULIN = "insulin", "Insulin"
    METFORMIN = "metformin", "Metformin"
    SULFONYLUREA = "sulfonylurea", "Sulfonylurea"
    DPP4 = "dpp4_inhibitor", "DPP-4 inhibitor"
    GLP1 = "glp1_agonist", "GLP-1 receptor agonist"
    SGLT2 = "sglt2_inhibitor", "SGLT2 inhibitor"
    PIOGLITAZONE = "pioglitazone", "Pioglitazone"
    STEROID = "steroid", "Steroid"
    IMMUNOSUPPRESSANT = "immunosuppressant", "Immunosuppressant"
    ANTIPSYCHOTIC = "antipsychotic", "Antipsychotic"
    ANTICOAGULANT = "anticoagulant", "Anticoagulant"
    IRON_EPO = "iron_or_epo", "Iron or erythropoietin"
    SURGERY = "bariatric_surgery", "Bariatric surgery"
    DIET = "diet_programme", "Diet programme"
    CGM = "cgm_start", "Start of continuous glucose monitoring"
    OTHER = "other", "Other"


class TreatmentQuerySet(SiteScopedQuerySet["Treatment"]):
    view_act = "treatment.view"


class Treatment(models.Model):
    """A drug with its dose from a start to a stop; a new dose is a new row."""

    patient = models.ForeignKey(Patient, on_delete=models.PROTECT)
    site = models.ForeignKey(Site, on_delete=models.PROTECT)
    drug = models.CharField(max_length=120)
    drug_class = models.CharField(max_length=20, choices=DrugClass.choices, blank=True)
    dose = models.DecimalField(max_digits=10, decimal_places=3, null=True, blank=True)
    unit = models.CharField(max_length=20, blank=True)
    per = models.CharField(max_length=20, blank=True)
    start_date = PartialDateField()
    stop_date = PartialDateField(blank=True)
    reason = models.CharField(max_length=300, blank=True)
    prescribed_or_taken = models.CharField(
        max_length=10, blank=True, choices=[("prescribed", "Prescribed"), ("taken", "Taken")]
    )
    withdrawn_at = models.DateTimeField(null=True)
    form_token = models.CharField(max_length=40, blank=True, editable=False)
    version = models.PositiveIntegerField(default=1, editable=False)

    objects = TreatmentQuerySet.as_manager()

    class Meta:
        ordering = ["patient", "start_date", "drug", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["patient", "drug", "start_date"],
                condition=models.Q(withdrawn_at=None),
                name="treatment_once_per_drug_and_start",
            ),
            models.UniqueConstraint(
                fields=["form_token"], condition=~models.Q(form_token=""), name="one_treatment_per_form"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.drug} from {self.start_date}"
