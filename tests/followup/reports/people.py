"""Hand-made people for the tests of reports: each call writes one fact, dated as given. Call while somebody is acting."""

from datetime import date
from typing import Any

from followup.neoplasia.models import NeoplasiaCheck, Neoplasm
from followup.safety.models import AdverseEvent
from registry.access.models import Site
from registry.infusions.models import Infusion, InfusionDose
from registry.patients.models import Enrolment, Patient, StatusEvent
from registry.products.models import Donor, Lot
from tests.cast import NOW


def patient(
    site: Site, patient_id: str, *, enrolled: date | None = date(2028, 1, 1), **facts: Any
) -> Patient:
    one = Patient.objects.create(
        patient_id=patient_id,
        site=site,
        created_at=NOW,
        **({"sex_at_birth": "female", "birth_year": 1970} | facts),
    )
    if enrolled:
        Enrolment.objects.create(patient=one, enrolled_on=enrolled)
    return one


def lot(code: str = "LOT-1", source: str = "umbilical_cord") -> Lot:
    if found := Lot.objects.filter(code=code).first():
        return found
    donor = Donor.objects.create(code=f"D-{code}")
    facts = {"donor_relation": "allogeneic_unrelated", "tissue_source": source, "cell_type": "msc"}
    return Lot.objects.create(code=code, donor=donor, cells_total=10**9, state="released", **facts)


def infusion(
    who: Patient, on: date, *, per_kg: int = 1_200_000, reaction: str = "", **facts: Any
) -> Infusion:
    given = Infusion.objects.create(
        patient=who, site=who.site, infused_on=on, weight_kg=80, reaction=reaction,
        **({"route": "iv_peripheral"} | facts),
    )  # fmt: skip
    cells = lot()
    InfusionDose.objects.create(
        infusion=given, lot=cells, tissue_source=cells.tissue_source, donor_relation=cells.donor_relation,
        cell_type="msc", cells_total=per_kg * 80, viability_percent=100, viable_cells=per_kg * 80,
        viable_cells_per_kg=per_kg, formula_version="1",
    )  # fmt: skip
    return given


def status(who: Patient, what: str, on: str, scope: str = "") -> StatusEvent:
    return StatusEvent.objects.create(patient=who, status=what, on_date=on, scope=scope, recorded_at=NOW)


def event(who: Patient, term: str, onset: str, **facts: Any) -> AdverseEvent:
    return AdverseEvent.objects.create(patient=who, site=who.site, term=term, onset_date=onset, **facts)


def check(who: Patient, on: date) -> NeoplasiaCheck:
    return NeoplasiaCheck.objects.create(
        patient=who, site=who.site, on_date=on, contact_mode="on_site", outcome="no_suspicion",
        recorded_at=NOW, form_token=f"check-{who.pk}-{on}",
    )  # fmt: skip


def case(who: Patient, ref: str, status: str, suspected: str, **facts: Any) -> Neoplasm:
    return Neoplasm.objects.create(
        patient=who,
        site=who.site,
        case_ref=ref,
        status=status,
        suspected_on=suspected,
        description=ref,
        **facts,
    )
