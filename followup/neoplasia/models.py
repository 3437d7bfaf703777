"""Looking for neoplasms for 15 years: each check, each suspicion, and what it turned out to be."""

from __future__ import annotations

from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q

from followup.safety.models import AdverseEvent, Expectedness, Relatedness
from followup.schedule.models import ContactMode, Visit
from registry.access.models import Site, SiteScopedQuerySet
from registry.patients.models import PartialDateField, Patient


class NeoplasiaCheckQuerySet(SiteScopedQuerySet["NeoplasiaCheck"]):
    view_act = "neoplasia.view"


class NeoplasiaCheck(models.Model):
    """A form filled at a visit or at any other time. By phone or letter it is partial: the examination stays due."""

    class Outcome(models.TextChoices):
        NO_SUSPICION = "no_suspicion", "No suspicion"
        SUSPICION = "suspicion", "Suspicion: work-up needed"
        CONFIRMED = "confirmed", "Neoplasm reported as confirmed"

    patient = models.ForeignKey(Patient, on_delete=models.PROTECT)
    site = models.ForeignKey(Site, on_delete=models.PROTECT)
    visit = models.ForeignKey(
        Visit, on_delete=models.PROTECT, null=True, blank=True, related_name="neoplasia_checks"
    )
    on_date = models.DateField()
    contact_mode = models.CharField(max_length=8, choices=ContactMode.choices)
    outcome = models.CharField(max_length=12, choices=Outcome.choices)
    is_partial = models.BooleanField(default=False)
    note = models.TextField(blank=True)
    recorded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    recorded_at = models.DateTimeField()
    form_token = models.CharField(max_length=40)
    version = models.PositiveIntegerField(default=1, editable=False)

    objects = NeoplasiaCheckQuerySet.as_manager()

    class Meta:
        ordering = ["patient", "on_date", "pk"]
        constraints = [models.UniqueConstraint(fields=["form_token"], name="one_check_per_form")]

    def __str__(self) -> str:
        return f"neoplasia check on {self.on_date}"


class CheckItem(models.Model):
    """One question of the form with its answer."""

    class Status(models.TextChoices):
        DONE = "done", "Done"
        NOT_DONE = "not_done", "Not done"
        NOT_APPLICABLE = "not_applicable", "Not applicable"

    check_form = models.ForeignKey(NeoplasiaCheck, on_delete=models.PROTECT, related_name="items")
    item = models.CharField(max_length=40)
    result = models.CharField(max_length=200, blank=True)
    status = models.CharField(max_length=14, choices=Status.choices)

    class Meta:
        ordering = ["check_form", "pk"]
        constraints = [models.UniqueConstraint(fields=["check_form", "item"], name="item_once_per_check")]

    def __str__(self) -> str:
        return f"{self.item}: {self.result or self.status}"


class NeoplasmQuerySet(SiteScopedQuerySet["Neoplasm"]):
    view_act = "neoplasia.view"

    def open(self) -> Self:
        return self.filter(status__in=Neoplasm.OPEN)


class Neoplasm(models.Model):
    """A suspicion and its outcome. Reported cancers are accepted as reported; missing items become queries."""

    class Status(models.TextChoices):
        SUSPECTED = "suspected", "Suspected"
        WORK_UP = "under_work_up", "Under work-up"
        EXCLUDED = "excluded", "Excluded"
        BENIGN = "benign", "Benign"
        MALIGNANT = "malignant", "Malignant"
        UNDETERMINED = "undetermined", "Undetermined"

    OPEN = ("suspected", "under_work_up")
    CLOSED = ("excluded", "benign", "malignant", "undetermined")

    patient = models.ForeignKey(Patient, on_delete=models.PROTECT)
    site = models.ForeignKey(Site, on_delete=models.PROTECT)
    case_ref = models.CharField(max_length=40)
    status = models.CharField(max_length=13, choices=Status.choices, default=Status.SUSPECTED)
    found_at_check = models.ForeignKey(NeoplasiaCheck, on_delete=models.PROTECT, null=True, blank=True)
    adverse_event = models.ForeignKey(AdverseEvent, on_delete=models.PROTECT, null=True, blank=True)
    description = models.CharField(max_length=300)
    suspected_on = PartialDateField()
    diagnosed_on = PartialDateField(blank=True)
    topography = models.CharField(max_length=6, blank=True, help_text="ICD-O-3, for example C25.9")
    morphology = models.CharField(max_length=6, blank=True, help_text="ICD-O-3, for example 8140/3")
    behaviour = models.CharField(max_length=1, blank=True)
    basis_of_diagnosis = models.CharField(max_length=40, blank=True)
    donor_origin = models.CharField(
        max_length=16,
        blank=True,
        choices=[("donor", "Donor"), ("recipient", "Recipient"), ("mixed", "Mixed"),
                 ("not_informative", "Not informative"), ("not_done", "Not done")],
    )  # fmt: skip
    is_incident = models.BooleanField(null=True, blank=True, help_text="First found after the first infusion")
    source = models.CharField(max_length=120, blank=True)
    closed_on = models.DateField(null=True, blank=True)
    closed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    conclusion = models.TextField(blank=True)
    # The safety officer's latest verdict; blank until there is one.
    relatedness_cells = models.CharField(
        max_length=12, choices=Relatedness.choices, blank=True, editable=False
    )
    relatedness_procedure = models.CharField(
        max_length=12, choices=Relatedness.choices, blank=True, editable=False
    )
    expectedness = models.CharField(max_length=10, choices=Expectedness.choices, blank=True, editable=False)
    form_token = models.CharField(max_length=40, blank=True, editable=False)
    version = models.PositiveIntegerField(default=1, editable=False)

    objects = NeoplasmQuerySet.as_manager()

    class Meta:
        ordering = ["patient", "suspected_on", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["case_ref"], name="case_ref_is_unique"),
            models.CheckConstraint(
                condition=Q(status__in=["suspected", "under_work_up"]) | ~Q(closed_on=None),
                name="closed_neoplasm_has_its_day",
            ),
            models.UniqueConstraint(
                fields=["form_token"], condition=~Q(form_token=""), name="one_neoplasm_per_form"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.case_ref}: {self.description}"

    @property
    def is_open(self) -> bool:
        return self.status in self.OPEN


class NeoplasmAssessment(models.Model):
    """The safety officer's verdict on a neoplasm as it stood, with the reason. Added to, never edited."""

    neoplasm = models.ForeignKey(Neoplasm, on_delete=models.PROTECT, related_name="assessments")
    case_status = models.CharField(max_length=13, choices=Neoplasm.Status.choices)
    relatedness_cells = models.CharField(max_length=12, choices=Relatedness.choices)
    relatedness_procedure = models.CharField(max_length=12, choices=Relatedness.choices)
    expectedness = models.CharField(max_length=10, choices=Expectedness.choices)
    reason = models.CharField(max_length=500)
    assessed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    assessed_at = models.DateTimeField()

    class Meta:
        ordering = ["neoplasm", "assessed_at", "pk"]
        constraints = [models.CheckConstraint(condition=~Q(reason=""), name="neoplasm_assessment_says_why")]

    def __str__(self) -> str:
        return f"Safety officer: {self.get_relatedness_cells_display()}"


class WorkUpNote(models.Model):
    """One step of a work-up: asked for, done or received. Added to, never edited."""

    class Kind(models.TextChoices):
        IMAGING = "imaging", "Imaging"
        BIOPSY = "biopsy", "Biopsy or operation"
        PATHOLOGY_REQUESTED = "pathology_requested", "Pathology report requested"
        PATHOLOGY_RECEIVED = "pathology_received", "Pathology report received"
        TISSUE_KEPT = "tissue_kept", "Tumour tissue kept"
        DNA_KEPT = "dna_kept", "DNA of patient and donor at hand"
        DONOR_ORIGIN = "donor_origin", "Donor-origin test"
        REPEAT_TEST = "repeat_test", "Test repeated"
        REFERRAL = "referral", "Referral"
        OTHER = "other", "Other"

    neoplasm = models.ForeignKey(Neoplasm, on_delete=models.PROTECT, related_name="notes")
    on_date = models.DateField()
    kind = models.CharField(max_length=20, choices=Kind.choices)
    text = models.TextField()
    recorded_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    recorded_at = models.DateTimeField()
    form_token = models.CharField(max_length=40, editable=False)

    class Meta:
        ordering = ["neoplasm", "on_date", "pk"]
        constraints = [models.UniqueConstraint(fields=["form_token"], name="one_work_up_note_per_form")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} on {self.on_date}"
