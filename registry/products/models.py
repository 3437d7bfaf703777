"""Where the cells came from and what they are: donors, lots and their release tests."""

from __future__ import annotations

from datetime import date
from typing import ClassVar, Generic, Self, TypeVar

from django.db import models
from django.db.models import Exists, OuterRef, Q

from registry.access.models import SiteScope, User
from registry.patients.models import Patient


class DonorRelation(models.TextChoices):
    AUTOLOGOUS = "autologous", "Autologous"
    RELATED = "allogeneic_related", "Allogeneic, related"
    UNRELATED = "allogeneic_unrelated", "Allogeneic, unrelated"


class TissueSource(models.TextChoices):
    BONE_MARROW = "bone_marrow", "Bone marrow"
    UMBILICAL_CORD = "umbilical_cord", "Umbilical cord"
    WHARTONS_JELLY = "whartons_jelly", "Wharton's jelly"
    ADIPOSE = "adipose", "Adipose tissue"
    PLACENTA = "placenta", "Placenta"
    AMNION = "amnion", "Amnion"
    DENTAL_PULP = "dental_pulp", "Dental pulp"
    OTHER = "other", "Other"


class CellType(models.TextChoices):
    MSC = "msc", "Mesenchymal stromal cells"
    BM_MNC = "bm_mnc", "Bone-marrow mononuclear cells"
    OTHER = "other", "Other"


class ProductType(models.TextChoices):
    UNDIFFERENTIATED = "undifferentiated", "Undifferentiated MSC"
    DIFFERENTIATED = "differentiated", "Differentiated insulin-producing cells"
    ENCAPSULATED = "encapsulated", "Encapsulated"
    LABELLED = "labelled", "Labelled"
    CONDITIONED = "conditioned_medium", "Conditioned medium"


C = TypeVar("C", bound=models.Model)


class CellQuerySet(models.QuerySet[C], Generic[C]):
    """Cells belong to all sites, but for those whose donor is a patient: they go where that patient may be seen."""

    donor_path = ""

    def visible_to(self, user: User, act: str = "cells.view") -> Self:
        return self.in_scope(user.scope(act))

    def in_scope(self, scope: SiteScope) -> Self:
        if not scope:
            return self.none()
        return self if scope.everywhere else self.at_sites(scope.site_ids)

    def at_sites(self, site_ids: frozenset[int]) -> Self:
        """A code that is a patient's id names that patient, whether the two are linked yet or not."""
        elsewhere = Patient.objects.exclude(site__in=site_ids)
        named = Exists(elsewhere.filter(patient_id=OuterRef(f"{self.donor_path}code")))
        linked = Q(**{f"{self.donor_path}patient__isnull": False})
        own = Q(**{f"{self.donor_path}patient__site__in": site_ids})
        return self.filter((linked & own) | (~linked & ~named))


class DonorQuerySet(CellQuerySet["Donor"]):
    pass


class LotQuerySet(CellQuerySet["Lot"]):
    donor_path = "donor__"


class Donor(models.Model):
    """A pseudonymous donor. For autologous cells the donor is the patient, named by patient id."""

    code = models.CharField(max_length=40)
    patient = models.ForeignKey("patients.Patient", on_delete=models.PROTECT, null=True, blank=True)
    sex = models.CharField(max_length=7, blank=True)
    birth_year = models.PositiveSmallIntegerField(null=True, blank=True)
    form_token = models.CharField(max_length=40, blank=True, editable=False)
    version = models.PositiveIntegerField(default=1, editable=False)

    objects = DonorQuerySet.as_manager()

    class Meta:
        ordering = ["code"]
        constraints = [
            models.UniqueConstraint(fields=["code"], name="donor_code_is_unique"),
            models.UniqueConstraint(
                fields=["form_token"], condition=~Q(form_token=""), name="one_donor_per_form"
            ),
        ]

    def __str__(self) -> str:
        return self.code


class Lot(models.Model):
    class State(models.TextChoices):
        QUARANTINE = "quarantine", "Quarantine"
        CONDITIONAL = "conditional", "Conditionally released"
        RELEASED = "released", "Released"
        REJECTED = "rejected", "Rejected"
        RECALLED = "recalled", "Recalled"

    code = models.CharField(max_length=60, verbose_name="lot")
    donor = models.ForeignKey(Donor, on_delete=models.PROTECT)
    donor_relation = models.CharField(max_length=20, choices=DonorRelation.choices)
    number_of_donors = models.PositiveSmallIntegerField(default=1)
    tissue_source = models.CharField(max_length=20, choices=TissueSource.choices)
    cell_type = models.CharField(max_length=6, choices=CellType.choices)
    product_type = models.CharField(
        max_length=20, choices=ProductType.choices, default=ProductType.UNDIFFERENTIATED
    )
    passage = models.PositiveSmallIntegerField(null=True, blank=True)
    cryopreserved = models.BooleanField(null=True, blank=True)
    cells_total = models.BigIntegerField()
    viability_percent = models.DecimalField(max_digits=5, decimal_places=2, null=True, blank=True)
    state = models.CharField(max_length=11, choices=State.choices, default=State.QUARANTINE)
    state_reason = models.CharField(max_length=300, blank=True)
    released_on = models.DateField(null=True, blank=True)
    expires_on = models.DateField(null=True, blank=True)
    sterility_final_due = models.DateField(null=True, blank=True)
    sterility_final_on = models.DateField(null=True, blank=True)
    form_token = models.CharField(max_length=40, blank=True, editable=False)
    version = models.PositiveIntegerField(default=1, editable=False)

    objects = LotQuerySet.as_manager()

    class Meta:
        ordering = ["code"]
        constraints = [
            models.UniqueConstraint(fields=["code"], name="lot_code_is_unique"),
            models.UniqueConstraint(
                fields=["form_token"], condition=~Q(form_token=""), name="one_lot_per_form"
            ),
            models.CheckConstraint(condition=Q(cells_total__gt=0), name="lot_holds_cells"),
        ]

    def __str__(self) -> str:
        return self.code

    def is_expired_on(self, day: date) -> bool:
        return self.expires_on is not None and day > self.expires_on


class ReleaseTest(models.Model):
    """One test of one lot. `result` is as received: a number for markers, a word for cultures."""

    KINDS: ClassVar = {
        "cd73_percent": "CD73 (%)", "cd90_percent": "CD90 (%)", "cd105_percent": "CD105 (%)",
        "cd45_percent": "CD45 (%)", "cd34_percent": "CD34 (%)", "cd14_percent": "CD14 (%)",
        "cd19_percent": "CD19 (%)", "hla_dr_percent": "HLA-DR (%)", "sterility": "Sterility",
        "mycoplasma": "Mycoplasma", "endotoxin_eu_ml": "Endotoxin (EU/mL)", "karyotype": "Karyotype",
    }  # fmt: skip

    lot = models.ForeignKey(Lot, on_delete=models.PROTECT)
    kind = models.CharField(max_length=20, choices=list(KINDS.items()))
    result = models.CharField(max_length=40)
    tested_on = models.DateField(null=True, blank=True)

    class Meta:
        ordering = ["lot", "kind"]
        constraints = [models.UniqueConstraint(fields=["lot", "kind"], name="one_result_per_lot_and_test")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.result}"
