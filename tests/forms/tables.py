"""Every form that changes a stored record: who opens it, over which row, and what two people type into it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import models

from followup.labs.actions import Collection, Entry, record_results
from followup.labs.models import Laboratory
from followup.neoplasia.models import Neoplasm
from followup.safety.models import AdverseEvent
from followup.schedule.models import ContactMode, Visit, VisitAssessment
from followup.treatment.models import Treatment
from registry.access.models import RoleGrant
from registry.infusions.models import Infusion, InfusionDose
from registry.patients.eligibility import Eligibility
from registry.patients.identity import IdentityFacts, save_identity
from registry.patients.models import Enrolment
from registry.products.models import Donor, Lot, ReleaseTest
from tests.cast import NOW, TODAY
from tests.forms.browser import Sent
from tests.rights_cases.plans import a_draft
from tests.rights_world import World

Made = Callable[[World], models.Model]
WHY = "Misread the chart"


@dataclass(frozen=True)
class Editing:
    """`shown`: the label of the field both change; blank where the form only decides. `reason`: the field that asks;
    blank where nothing is changed that was ever saved as complete.
    """

    role: str
    row: Made
    first: Sent = field(default_factory=dict)
    second: Sent = field(default_factory=dict)
    shown: str = ""
    reason: str = "reason"
    by_patient: bool = False
    more: Sent = field(default_factory=dict)
    decides: bool = False  # the second one may find nothing left to decide
    part: Mapping[str, str] = field(default_factory=dict)  # what else the address names

    def kwargs(self, world: World, row: models.Model) -> dict[str, Any]:
        return {"patient_id": world.patient.patient_id} if self.by_patient else {"pk": row.pk} | self.part


def _enrolment(world: World) -> models.Model:
    return Enrolment.objects.get(patient=world.patient)


def _named(world: World) -> models.Model:
    save_identity(patient=world.patient, facts=IdentityFacts("Rosa", "Lund", phone="020 7946 0001"), by=None)
    return world.patient


def _tested(world: World) -> models.Model:
    lot: models.Model = world.make(Lot)
    ReleaseTest.objects.create(lot=lot, kind="endotoxin_eu_ml", result="0.1", tested_on=TODAY)
    return lot


def _infusion(world: World) -> models.Model:
    infusion: Infusion = world.make(
        Infusion, infused_on=date(2026, 3, 2), route="iv_peripheral", weight_kg=Decimal(80)
    )
    lot = world.make(Lot, cells_total=10**11)
    world.make(
        InfusionDose, infusion=infusion, lot=lot, cells_total=75_000_000, viability_percent=Decimal(90),
        viable_cells=67_500_000, viable_cells_per_kg=843_750,
    )  # fmt: skip
    return infusion


def _held(world: World) -> models.Model:
    """An unscheduled visit that was held: complete as it stands."""
    return Visit.objects.create(
        patient=world.patient, site=world.riverside, state="done", actual_date=date(2026, 3, 2),
        contact_mode=ContactMode.ON_SITE, note="Came in", created_on=date(2026, 3, 2),
    )  # fmt: skip


def planned(world: World, **given: Any) -> Visit:
    visit = Visit.objects.create(
        patient=world.patient, site=world.riverside, visit_code="M3", target_date=date(2030, 3, 4),
        window_opens=date(2030, 2, 4), window_closes=date(2030, 4, 4), anchor_date=date(2029, 12, 4),
        created_on=date(2029, 12, 4), **given,
    )  # fmt: skip
    VisitAssessment.objects.create(visit=visit, code="vital_signs")
    return visit


def _result(world: World) -> models.Model:
    [result] = record_results(
        patient=world.patient, visit=None, collection=Collection(on=date(2026, 3, 2)),
        entries=[Entry("hba1c", "7.0", "%")], by=world.own["nurse"], now=NOW,
    )  # fmt: skip
    return result


def _drug(world: World) -> models.Model:
    return world.make(Treatment, drug="Metformin", start_date="2025-01", dose=Decimal(500), unit="mg")


def _event(world: World) -> models.Model:
    return world.make(AdverseEvent, term="Fever", onset_date="2026-03-02", event_ref="RIV-E1")


def _case(world: World, **given: Any) -> models.Model:
    facts = {
        "description": "A lump",
        "suspected_on": "2026-03-02",
        "case_ref": "RIV-N1",
        "status": "suspected",
    }
    return world.make(Neoplasm, **facts | given)


def _closed(world: World) -> models.Model:
    return _case(
        world,
        status="excluded",
        closed_on=date(2026, 4, 1),
        conclusion="Scan",
        closed_by=world.own["investigator"],
    )


def _draft(world: World) -> models.Model:
    return a_draft(world)


def _grant(world: World) -> models.Model:
    return RoleGrant.objects.get(user=world.own["nurse"])


JUDGED = {
    "relatedness_cells": "possible", "relatedness_procedure": "unlikely", "expectedness": "unexpected", "is_serious": "no",
}  # fmt: skip
VERDICT = {name: value for name, value in JUDGED.items() if name != "is_serious"}
DECISION = {"reason": WHY}
SAVE = {"step": "save"}
STOP = {"stop_date": "2026-02-01"}

EDITS: dict[str, Editing] = {
    "patients:enrolment_edit": Editing(
        "nurse", _enrolment, {"height_cm": "171"}, {"height_cm": "172"}, "Height", by_patient=True
    ),
    "patients:identity_edit": Editing(
        "nurse", _named, {"phone": "020 7946 0111"}, {"phone": "020 7946 0222"}, "Phone", by_patient=True
    ),
    "patients:eligibility_edit": Editing(
        "nurse", lambda world: world.make(Eligibility), {"family_cancer": "Breast"}, {"family_cancer": "Colon"},
        "Cancer in the family", by_patient=True,
    ),
    "products:lot_edit": Editing(
        "product", lambda world: world.make(Lot, cells_total=10**9), {"passage": "5"}, {"passage": "6"}, "Passage"
    ),
    "products:lot_tests": Editing("product", _tested, {"endotoxin_eu_ml": "0.3"}, {"endotoxin_eu_ml": "0.4"}, "Endotoxin (EU/mL)"),
    "products:lot_state": Editing(
        "product", lambda world: world.make(Lot), {"state": "rejected"}, {"state": "rejected"}, decides=True
    ),
    "products:donor_edit": Editing(
        "product", lambda world: world.make(Donor), {"birth_year": "1990"}, {"birth_year": "1991"}, "Birth year"
    ),
    "infusions:correct": Editing(
        "nurse", _infusion, {"premedication": "none"}, {"premedication": "Chlorphenamine"}, "Premedication", more=SAVE
    ),
    "schedule:visit_record": Editing("nurse", _held, {"note": "By phone"}, {"note": "On site"}, "Note", more=SAVE),
    "schedule:visit_book": Editing(
        "nurse", lambda world: planned(world, booked_for=date(2031, 3, 17)), {"booked_for": "2031-03-18"},
        {"booked_for": "2031-03-19"}, "Day of the appointment",
    ),
    "schedule:visit_missed": Editing("nurse", planned, DECISION, DECISION, decides=True),
    "schedule:visit_not_required": Editing("nurse", planned, DECISION, DECISION, decides=True),
    "schedule:visit_reopen": Editing(
        "nurse", lambda world: planned(world, state="missed", state_reason="Away"), DECISION, DECISION, decides=True
    ),
    "labs:result_correct": Editing("nurse", _result, {"value": "7.4"}, {"value": "7.5"}, "Value"),
    "labs:result_withdraw": Editing("nurse", _result, DECISION, DECISION, decides=True),
    "labs:laboratory_edit": Editing(
        "administrator", lambda world: world.make(Laboratory, insulin_pmol_per_mu=Decimal(6)), {"insulin_pmol_per_mu": "6.945"},
        {"insulin_pmol_per_mu": "6.5"}, "Insulin factor",
    ),
    "treatment:treatment_correct": Editing(
        "nurse", _drug, {"dose": "850"}, {"dose": "1000"}, "Dose", reason="correction_reason"
    ),
    "treatment:treatment_stop": Editing("nurse", _drug, STOP, STOP | {"stop_date": "2026-02-02"}, "Stopped"),
    "treatment:treatment_withdraw": Editing("nurse", _drug, DECISION, DECISION, decides=True),
    "safety:event_edit": Editing("nurse", _event, {"action_taken": "Paracetamol"}, {"action_taken": "None"}, "Action taken"),
    "safety:event_assess": Editing(
        "investigator", _event, JUDGED, JUDGED | {"relatedness_cells": "certain"}, "Related to the cells"
    ),
    "safety:event_withdraw": Editing("nurse", _event, DECISION, DECISION, decides=True),
    "neoplasia:case_update": Editing("nurse", _case, {"description": "A nodule"}, {"description": "A cyst"}, "What is suspected"),
    "neoplasia:case_close": Editing(
        "investigator", _case, {"status": "excluded", "conclusion": "Scan"}, {"status": "undetermined", "conclusion": "Lost"},
        "How the conclusion was reached", reason="conclusion", decides=True,
    ),
    "neoplasia:case_assess": Editing(
        "safety", _case, VERDICT, VERDICT | {"relatedness_cells": "certain"}, "Related to the cells"
    ),
    "neoplasia:case_reopen": Editing("investigator", _closed, DECISION, DECISION, decides=True),
    # A draft is nobody's fact yet: its reason is asked once, when its approval is asked for.
    "plans:draft_head": Editing("coordinator", _draft, {"title": "Ours"}, {"title": "Theirs"}, "Title", reason=""),
    "plans:line_edit": Editing(
        "coordinator", _draft, {"window_after_days": "30"}, {"window_after_days": "40"}, "Window after", reason="",
        part={"code": "M9"},
    ),
    "plans:assessment_edit": Editing(
        "coordinator", _draft, {"code": "retina", "label": "Retina"}, {"code": "foot", "label": "Foot"}, reason="", decides=True
    ),
    "access:site_edit": Editing(
        "administrator", lambda world: world.harbour, {"name": "Harbour Clinic"}, {"name": "Harbour House"}, "Name"
    ),
    "access:grant_end": Editing("administrator", _grant, {"last_day": "2031-04-01"}, {"last_day": "2031-05-01"}, "Last day"),
}  # fmt: skip


def typed(one: Editing, sent: Sent, answers: Sent, reason: str = WHY) -> Sent:
    """What is on the page, with this person's answers and reason over it."""
    because = {} if not one.reason or (one.reason in answers and reason == WHY) else {one.reason: reason}
    return sent | answers | one.more | because


def other_of(world: World, role: str) -> Any:
    """A second person of the same role at the same place."""
    from tests.rights_world import _person

    return _person(f"second-{role}", role, world.riverside)
