"""Results as the laboratory sent them, beside the canonical value; and the indices worked out from them."""

from __future__ import annotations

from typing import Self

from django.db import models
from django.db.models import Q

from followup.schedule.models import Visit
from registry.access.masking import readable_by
from registry.access.models import Site, SiteScopedQuerySet, User
from registry.patients.models import Patient


class Laboratory(models.Model):
    name = models.CharField(max_length=120)
    insulin_pmol_per_mu = models.DecimalField(
        max_digits=5, decimal_places=3, default=6, verbose_name="Insulin factor (pmol per mU)"
    )
    version = models.PositiveIntegerField(default=1, editable=False)

    class Meta:
        ordering = ["name"]
        verbose_name_plural = "laboratories"
        constraints = [
            models.UniqueConstraint(fields=["name"], name="laboratory_name_is_unique"),
            models.CheckConstraint(
                condition=Q(insulin_pmol_per_mu__gte=5, insulin_pmol_per_mu__lte=8),
                name="insulin_factor_is_plausible",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class LabResultQuerySet(SiteScopedQuerySet["LabResult"]):
    view_act = "labs.view"

    def visible_to(self, user: User, act: str = "") -> Self:
        """Without what the protocol masks, but for the laboratory that enters it."""
        return readable_by(user, super().visible_to(user, act))


class DerivedValueQuerySet(SiteScopedQuerySet["DerivedValue"]):
    site_path, view_act = "patient__site", "labs.view"

    def visible_to(self, user: User, act: str = "") -> Self:
        """Without what follows from a masked result."""
        return readable_by(user, super().visible_to(user, act))


class LabResult(models.Model):
    """One measured or reported value. What was received is never overwritten by what it converts to."""

    class Comparator(models.TextChoices):
        LESS = "<", "below"
        LESS_OR_EQUAL = "<=", "at or below"
        MORE = ">", "above"
        MORE_OR_EQUAL = ">=", "at or above"

    class Source(models.TextChoices):
        IMPORT = "import", "Imported file"
        FORM = "form", "Entered by staff"

    patient = models.ForeignKey(Patient, on_delete=models.PROTECT)
    site = models.ForeignKey(Site, on_delete=models.PROTECT)
    visit = models.ForeignKey(
        Visit, on_delete=models.PROTECT, null=True, blank=True, related_name="lab_results"
    )
    analyte = models.CharField(max_length=40)
    loinc = models.CharField(max_length=12, blank=True)
    collected_on = models.DateField()
    collected_at = models.DateTimeField(null=True, blank=True)
    value_received = models.CharField(max_length=40)
    unit_received = models.CharField(max_length=40, blank=True)
    comparator = models.CharField(max_length=2, blank=True, choices=Comparator.choices)
    value = models.DecimalField(max_digits=20, decimal_places=6, null=True)
    canonical_value = models.DecimalField(max_digits=20, decimal_places=6, null=True)
    canonical_unit = models.CharField(max_length=30, blank=True)
    conversion = models.CharField(max_length=60, blank=True, help_text="The factor or equation used")
    fasting = models.BooleanField(null=True, blank=True)
    insulin_free = models.BooleanField(
        null=True, blank=True, help_text="Declared free of injected insulin when the sample was taken"
    )
    flag = models.CharField(max_length=15, blank=True)
    range_low = models.DecimalField(max_digits=20, decimal_places=6, null=True, blank=True)
    range_high = models.DecimalField(max_digits=20, decimal_places=6, null=True, blank=True)
    laboratory = models.ForeignKey(Laboratory, on_delete=models.PROTECT, null=True, blank=True)
    accession = models.CharField(max_length=80, blank=True)
    test = models.CharField(max_length=60, blank=True)
    minutes = models.IntegerField(null=True, blank=True)
    specimen = models.CharField(max_length=60, blank=True)
    method = models.CharField(max_length=120, blank=True)
    comment = models.CharField(max_length=500, blank=True)
    source = models.CharField(max_length=6, choices=Source.choices)
    import_key = models.CharField(max_length=64, blank=True)
    form_token = models.CharField(max_length=40, blank=True, editable=False)
    withdrawn_at = models.DateTimeField(null=True)
    version = models.PositiveIntegerField(default=1, editable=False)

    objects = LabResultQuerySet.as_manager()

    class Meta:
        ordering = ["patient", "collected_on", "collected_at", "analyte", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["import_key"], condition=~Q(import_key=""), name="imported_result_once"
            ),
            models.UniqueConstraint(
                fields=["form_token", "analyte"], condition=~Q(form_token=""), name="result_once_per_form"
            ),
            models.CheckConstraint(
                condition=Q(canonical_value=None) | ~Q(value=None),
                name="canonical_value_has_a_received_value",
            ),
        ]
        indexes = [
            models.Index(fields=["patient", "analyte", "collected_on"], name="result_by_patient_analyte"),
            models.Index(fields=["site", "collected_on"], name="result_by_site_day"),
        ]

    def __str__(self) -> str:
        return f"{self.analyte} {self.comparator}{self.value_received} {self.unit_received}".strip()


class DerivedValue(models.Model):
    """A value the server worked out: with its formula's version, its inputs, and why it must not be read if so."""

    class Status(models.TextChoices):
        OK = "ok", "Valid"
        NOT_INTERPRETABLE = "not_interpretable", "Not interpretable"
        NOT_COMPUTABLE = "not_computable", "Not computable"

    patient = models.ForeignKey(Patient, on_delete=models.PROTECT)
    visit = models.ForeignKey(
        Visit, on_delete=models.PROTECT, null=True, blank=True, related_name="derived_values"
    )
    code = models.CharField(max_length=30)
    on_date = models.DateField()
    at = models.DateTimeField(null=True, blank=True)
    value = models.DecimalField(max_digits=20, decimal_places=6, null=True)
    unit = models.CharField(max_length=30, blank=True)
    formula_version = models.CharField(max_length=40)
    status = models.CharField(max_length=17, choices=Status.choices)
    reason = models.CharField(max_length=300, blank=True)
    inputs = models.TextField(help_text="JSON: the result ids and values used")
    source_key = models.CharField(max_length=80, help_text="The specimen or visit it belongs to")

    objects = DerivedValueQuerySet.as_manager()

    class Meta:
        ordering = ["patient", "on_date", "code", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["patient", "code", "source_key"], name="derived_value_once_per_source"
            ),
            models.CheckConstraint(
                condition=~Q(status="not_computable") | Q(value=None), name="not_computable_has_no_value"
            ),
            models.CheckConstraint(
                condition=Q(status="ok") | ~Q(reason=""), name="unreadable_value_says_why"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.value or '–'}"
