"""Cells given to a person. What could unblind (lot, source, dose) stands in `InfusionDose`, apart from the event."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from registry.access.models import Site, SiteScopedQuerySet
from registry.partial_dates import in_words
from registry.patients.models import Patient
from registry.products.models import CellType, DonorRelation, Lot, TissueSource


class Route(models.TextChoices):
    IV_PERIPHERAL = "iv_peripheral", "IV, peripheral"
    IV_CENTRAL = "iv_central", "IV, central"
    IA_PANCREATICODUODENAL = "ia_pancreaticoduodenal", "IA, superior pancreaticoduodenal"
    IA_SPLENIC = "ia_splenic", "IA, splenic"
    IA_DORSAL_PANCREATIC = "ia_dorsal_pancreatic", "IA, dorsal pancreatic"
    IA_GASTRODUODENAL = "ia_gastroduodenal", "IA, gastroduodenal"
    IA_OTHER = "ia_other", "IA, other"
    COMBINED = "combined", "Combined"
    OTHER = "other", "Other"


class Reaction(models.TextChoices):
    NONE = "none", "No reaction seen"
    FEVER = "fever", "Fever"
    CHILLS = "chills", "Chills"
    ALLERGIC = "allergic", "Allergic reaction"
    DYSPNOEA = "dyspnoea", "Dyspnoea"
    HYPOTENSION = "hypotension", "Hypotension"
    PUNCTURE = "puncture", "Puncture-site bleeding or haematoma"
    OTHER = "other", "Other"


class InfusionOrderQuerySet(SiteScopedQuerySet["InfusionOrder"]):
    view_act = "infusions.view"


class InfusionOrder(models.Model):
    """A physician's order. Refused while a rule stands against it; what happens later is recorded either way."""

    patient = models.ForeignKey(Patient, on_delete=models.PROTECT)
    site = models.ForeignKey(Site, on_delete=models.PROTECT)
    lot = models.ForeignKey(Lot, on_delete=models.PROTECT)
    planned_on = models.DateField()
    route = models.CharField(max_length=24, choices=Route.choices)
    weight_kg = models.DecimalField(max_digits=5, decimal_places=1)
    cells_ordered = models.BigIntegerField(verbose_name="viable cells ordered")
    ordered_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    ordered_at = models.DateTimeField()
    cancelled_at = models.DateTimeField(null=True)
    form_token = models.CharField(max_length=40)

    objects = InfusionOrderQuerySet.as_manager()

    class Meta:
        ordering = ["-planned_on", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["form_token"], name="one_order_per_form"),
            models.CheckConstraint(condition=Q(cells_ordered__gt=0), name="order_asks_for_cells"),
        ]

    def __str__(self) -> str:
        return f"order for {self.patient_id} on {self.planned_on}"


class InfusionQuerySet(SiteScopedQuerySet["Infusion"]):
    view_act = "infusions.view"


class Infusion(models.Model):
    """An infusion that happened. `infused_at` is empty when only the day is known."""

    class Origin(models.TextChoices):
        HERE = "here", "Given here"
        ELSEWHERE = "elsewhere", "Given elsewhere"
        UNKNOWN = "product_unknown", "Product unknown"

    patient = models.ForeignKey(Patient, on_delete=models.PROTECT)
    site = models.ForeignKey(Site, on_delete=models.PROTECT)
    order = models.OneToOneField(InfusionOrder, on_delete=models.PROTECT, null=True, blank=True)
    origin = models.CharField(max_length=15, choices=Origin.choices, default=Origin.HERE)
    infused_on = models.DateField()
    infused_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    route = models.CharField(max_length=24, choices=Route.choices)
    weight_kg = models.DecimalField(max_digits=5, decimal_places=1)
    hyperbaric_sessions = models.PositiveSmallIntegerField(null=True, blank=True)
    gcsf_mobilisation = models.BooleanField(null=True, blank=True, verbose_name="G-CSF mobilisation")
    co_treatment = models.CharField(max_length=200, blank=True)
    premedication = models.CharField(max_length=200, blank=True)
    reaction = models.CharField(max_length=12, choices=Reaction.choices, blank=True)
    reaction_note = models.CharField(max_length=300, blank=True)
    form_token = models.CharField(max_length=40, blank=True, editable=False)
    version = models.PositiveIntegerField(default=1, editable=False)

    objects = InfusionQuerySet.as_manager()

    class Meta:
        ordering = ["patient", "infused_on", "infused_at", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["patient", "infused_at"],
                condition=~Q(infused_at=None),
                name="infusion_moment_once_per_patient",
            ),
            models.UniqueConstraint(
                fields=["patient", "infused_on"],
                condition=Q(infused_at=None),
                name="infusion_day_once_per_patient",
            ),
            models.UniqueConstraint(
                fields=["form_token"], condition=~Q(form_token=""), name="one_infusion_per_form"
            ),
            models.CheckConstraint(condition=Q(weight_kg__gt=0), name="infusion_weight_is_positive"),
        ]
        indexes = [models.Index(fields=["site", "infused_on"], name="infusion_by_site_day")]

    def __str__(self) -> str:
        return f"infusion on {in_words(self.infused_on)}"


class InfusionDose(models.Model):
    """Cells of one lot within an infusion; an infusion may use several lots."""

    infusion = models.ForeignKey(Infusion, on_delete=models.PROTECT, related_name="doses")
    lot = models.ForeignKey(Lot, on_delete=models.PROTECT)
    tissue_source = models.CharField(max_length=20, choices=TissueSource.choices)
    donor_relation = models.CharField(max_length=20, choices=DonorRelation.choices)
    cell_type = models.CharField(max_length=6, choices=CellType.choices)
    cells_total = models.BigIntegerField()
    viability_percent = models.DecimalField(max_digits=5, decimal_places=2)
    viable_cells = models.BigIntegerField()
    viable_cells_per_kg = models.DecimalField(max_digits=16, decimal_places=2)
    formula_version = models.CharField(max_length=20)

    class Meta:
        ordering = ["infusion", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["infusion", "lot"], name="lot_once_per_infusion"),
            models.CheckConstraint(condition=Q(cells_total__gt=0), name="dose_holds_cells"),
            models.CheckConstraint(
                condition=Q(viability_percent__gte=0, viability_percent__lte=100),
                name="viability_is_a_percentage",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.cells_total} cells of {self.lot_id}"


class UnblindingQuerySet(SiteScopedQuerySet["Unblinding"]):
    view_act = "unblinding.view"


class Unblinding(models.Model):
    """What was given to one patient, shown to a person who may not read it otherwise. It cannot be undone."""

    patient = models.ForeignKey(Patient, on_delete=models.PROTECT)
    site = models.ForeignKey(Site, on_delete=models.PROTECT)
    reason = models.CharField(max_length=300)
    unblinded_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    unblinded_at = models.DateTimeField()
    form_token = models.CharField(max_length=40)

    objects = UnblindingQuerySet.as_manager()

    class Meta:
        ordering = ["-unblinded_at", "-pk"]
        constraints = [models.UniqueConstraint(fields=["form_token"], name="one_unblinding_per_form")]

    def __str__(self) -> str:
        return f"unblinding of {self.patient_id}"


class DayCorrectionQuerySet(SiteScopedQuerySet["DayCorrection"]):
    view_act = "infusions.approve_date"


class DayCorrection(models.Model):
    """Another day of an infusion that would change what is signed or locked; in force once a coordinator approves it.
    `touched` and `follows` say what it would lead to, as it stood when it was asked for.
    """

    class State(models.TextChoices):
        ASKED = "asked", "Waits for a coordinator"
        APPROVED = "approved", "Approved"
        REFUSED = "refused", "Refused"
        TAKEN_BACK = "taken_back", "Taken back"

    infusion = models.ForeignKey(Infusion, on_delete=models.PROTECT, related_name="day_corrections")
    patient = models.ForeignKey(Patient, on_delete=models.PROTECT)
    site = models.ForeignKey(Site, on_delete=models.PROTECT)
    stood_on = models.DateField(verbose_name="day that stands")
    infused_on = models.DateField(verbose_name="day asked for")
    infused_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    version = models.PositiveIntegerField(help_text="Of the infusion, when this was asked for")
    reason = models.CharField(max_length=300)
    touched = models.TextField(help_text="Signed or locked records whose content changes, one a line")
    follows = models.TextField(blank=True, help_text="What else moves, one a line")
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.ASKED)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    decided_at = models.DateTimeField(null=True, blank=True)
    decision_reason = models.CharField(max_length=300, blank=True)

    objects = DayCorrectionQuerySet.as_manager()

    class Meta:
        ordering = ["-asked_at", "-pk"]
        verbose_name = "other day of an infusion"
        constraints = [
            models.UniqueConstraint(
                fields=["infusion"], condition=Q(state="asked"), name="one_other_day_waits_per_infusion"
            ),
            models.CheckConstraint(
                condition=~Q(state="approved") | ~Q(decided_by=models.F("asked_by")),
                name="other_day_is_approved_by_a_second_person",
            ),
        ]

    def __str__(self) -> str:
        return f"{in_words(self.infused_on)} instead of {in_words(self.stood_on)}"


class InfusionHold(models.Model):
    """A reason not to give more cells, opened by another room (a suspected neoplasm) and released by a person."""

    patient = models.ForeignKey(Patient, on_delete=models.PROTECT)
    source = models.CharField(max_length=60)
    reason = models.CharField(max_length=300)
    opened_at = models.DateTimeField()
    released_at = models.DateTimeField(null=True)
    released_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    release_reason = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["-opened_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["patient", "source"], condition=Q(released_at=None), name="one_open_hold_per_source"
            )
        ]

    def __str__(self) -> str:
        return self.reason
