"""What an erasure asks of whom, and when the matter is off Today."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import call_command

from followup.schedule.models import WorkItem
from registry.access.models import Site, User
from registry.patients import erasing
from registry.patients.erasing import ErasureFacts
from registry.patients.erasures import ErasureRequest
from registry.patients.identity import IdentityFacts, identity_of, save_identity
from registry.patients.models import Patient
from registry.patients.status import StatusFacts, record_status
from tests.cast import NOW

WITHDRAWN = StatusFacts("withdrawn", "2031-03-05", "erase", "Letter")


@pytest.fixture
def anna(riverside: Site) -> Patient:
    made = Patient.objects.create(patient_id="RIV-0001-X", site=riverside, created_at=NOW)
    save_identity(patient=made, facts=IdentityFacts("Anna", "Berg"), by=None)
    return made


def open_matters() -> list[tuple[str, str]]:
    items = WorkItem.objects.open().filter(kind__startswith="erasure").order_by("pk")
    return list(items.values_list("kind", "role"))


def ask(patient: Patient, by: User, form: str = "f1") -> ErasureRequest:
    facts = ErasureFacts("consent", "Letter")
    return erasing.ask_for_erasure(patient=patient, facts=facts, form_token=form, by=by, now=NOW)


def test_the_wish_is_the_investigators_the_request_the_coordinators(
    anna: Patient, nora: User, ines: User, cora: User
) -> None:
    record_status(patient=anna, facts=WITHDRAWN, by=nora, now=NOW)
    assert open_matters() == [("erasure_wish", "investigator")]
    asked = ask(anna, ines)
    assert open_matters() == [("erasure_request", "coordinator")]
    erasing.carry_out(request=asked, typed_id="RIV-0001-X", by=cora, now=NOW)
    assert open_matters() == []


def test_a_request_taken_back_leaves_the_wish_and_a_refusal_answers_it(
    anna: Patient, ines: User, cora: User
) -> None:
    record_status(patient=anna, facts=WITHDRAWN, by=ines, now=NOW)
    erasing.take_back(request=ask(anna, ines), by=ines, now=NOW)
    assert open_matters() == [("erasure_wish", "investigator")]
    erasing.refuse(request=ask(anna, ines, "f2"), reason="The law keeps them", by=cora, now=NOW)
    assert open_matters() == []


def test_a_withdrawal_taken_back_takes_the_wish_along(anna: Patient, ines: User) -> None:
    record_status(patient=anna, facts=WITHDRAWN, by=ines, now=NOW)
    record_status(patient=anna, facts=StatusFacts("in_follow_up", "2031-03-06"), by=ines, now=NOW)
    assert open_matters() == []


def test_an_import_records_the_wish_and_erases_nothing(anna: Patient, tmp_path: Any) -> None:
    path = tmp_path / "status.csv"
    path.write_text("patient_id,status,on_date,scope,reason\nRIV-0001-X,withdrawn,2024-03-05,erase,Letter\n")
    call_command("import_status", path, "--commit")
    assert open_matters() == [("erasure_wish", "investigator")]
    assert identity_of(anna).family_name == "Berg"
    assert not ErasureRequest.objects.exists()
