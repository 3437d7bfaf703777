"""An erasure: who asks, who carries it out, and what is refused on the way."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.utils import timezone

from registry.access.models import RoleGrant, Site, User
from registry.audit.models import AuditEntry
from registry.patients import erasing
from registry.patients.belongings import free_texts
from registry.patients.erasing import ErasureFacts
from registry.patients.erasures import ErasureRequest
from registry.patients.identity import IdentityFacts, find_patients, identity_of, save_identity
from registry.patients.models import Patient, PatientKey, StatusEvent
from registry.patients.status import CannotRecord
from tests.cast import NOW, person

FACTS = ErasureFacts("consent", "Letter of 5 March 2031")


@pytest.fixture
def anna(riverside: Site) -> Patient:
    made = Patient.objects.create(patient_id="RIV-0001-X", site=riverside, created_at=NOW)
    save_identity(patient=made, facts=IdentityFacts("Anna", "Berg", birth_date="1960-02-03"), by=None)
    return made


@pytest.fixture
def withdrawn(anna: Patient) -> Patient:
    StatusEvent.objects.create(
        patient=anna, status="withdrawn", scope="erase", on_date="2031-03-05", recorded_at=NOW
    )
    return anna


def ask(patient: Patient, by: User, form: str = "t1") -> ErasureRequest:
    return erasing.ask_for_erasure(patient=patient, facts=FACTS, form_token=form, by=by, now=NOW)


def test_without_the_withdrawal_nothing_is_asked(anna: Patient, ines: User) -> None:
    with pytest.raises(CannotRecord, match="Record the withdrawal"):
        ask(anna, ines)


def test_a_withdrawal_taken_back_asks_for_nothing(withdrawn: Patient, ines: User) -> None:
    StatusEvent.objects.create(
        patient=withdrawn, status="in_follow_up", on_date="2031-03-06", recorded_at=NOW
    )
    with pytest.raises(CannotRecord, match="Record the withdrawal"):
        ask(withdrawn, ines)


def test_one_asks_and_another_carries_it_out(withdrawn: Patient, ines: User, cora: User) -> None:
    asked = ask(withdrawn, ines)
    assert ask(withdrawn, ines) == asked  # the same form twice
    with pytest.raises(CannotRecord, match="already"):
        ask(withdrawn, ines, "t2")
    with pytest.raises(CannotRecord, match="Type RIV-0001-X"):
        erasing.carry_out(request=asked, typed_id="RIV-0002-X", by=cora, now=NOW)
    assert identity_of(withdrawn).given_name == "Anna"
    erasing.carry_out(request=asked, typed_id=" RIV-0001-X ", by=cora, now=NOW)
    asked.refresh_from_db()
    assert (asked.state, asked.decided_by, asked.alone_because) == ("carried_out", cora, "")
    assert erasing.is_erased(withdrawn)
    assert list(find_patients(ines, "berg")) == []
    entry = AuditEntry.objects.get(action="identifiers erased")
    assert (entry.row_id, entry.reason) == (str(withdrawn.pk), FACTS.reason)
    with pytest.raises(CannotRecord, match="in the meantime"):
        erasing.carry_out(request=asked, typed_id="RIV-0001-X", by=cora, now=NOW)
    with pytest.raises(CannotRecord, match="erased already"):
        ask(withdrawn, ines, "t3")


def test_who_may_not_is_refused(
    withdrawn: Patient, ines: User, nora: User, hana: User, sami: User, riverside: Site, harbour: Site
) -> None:
    elsewhere = person("ivo", "investigator", harbour)
    for user in (nora, hana, sami, elsewhere):
        with pytest.raises(PermissionDenied):
            ask(withdrawn, user)
    asked = ask(withdrawn, person("mia", "site_manager", riverside))
    for user in (ines, nora, sami):
        with pytest.raises(PermissionDenied):
            erasing.carry_out(request=asked, typed_id="RIV-0001-X", by=user, now=NOW)
    assert PatientKey.objects.exists()


def test_the_asker_never_carries_it_out_while_somebody_else_can(
    withdrawn: Patient, ines: User, cora: User
) -> None:
    both = _also_coordinator(ines)
    asked = ask(withdrawn, both)
    late = NOW + timedelta(days=30)
    with pytest.raises(CannotRecord, match="somebody else carries it out"):
        erasing.carry_out(request=asked, typed_id="RIV-0001-X", alone_because="Busy", by=both, now=late)
    assert PatientKey.objects.exists()


def test_alone_it_takes_a_delay_and_a_reason(withdrawn: Patient, ines: User, settings: Any) -> None:
    both = _also_coordinator(ines)
    asked = ask(withdrawn, both)
    typed = {"request": asked, "typed_id": "RIV-0001-X", "by": both}
    with pytest.raises(CannotRecord, match="72 hours after you asked"):
        erasing.carry_out(**typed, alone_because="One doctor", now=NOW + timedelta(hours=71))
    with pytest.raises(CannotRecord, match="Say why nobody else"):
        erasing.carry_out(**typed, now=NOW + timedelta(hours=73))
    erasing.carry_out(**typed, alone_because="One doctor", now=NOW + timedelta(hours=73))
    asked.refresh_from_db()
    assert (asked.alone_because, erasing.is_erased(withdrawn)) == ("One doctor", True)


def _also_coordinator(user: User) -> User:
    RoleGrant.objects.create(user=user, role="coordinator", starts_on=date(2020, 1, 1))
    return User.objects.get(pk=user.pk)


def test_the_database_itself_wants_a_second_person(withdrawn: Patient, ines: User) -> None:
    asked = ask(withdrawn, ines)
    with pytest.raises(IntegrityError, match="erasure_takes_a_second_person"), transaction.atomic():
        ErasureRequest.objects.filter(pk=asked.pk).update(state="carried_out", decided_by=ines)


def test_a_refusal_and_a_request_taken_back_erase_nothing(withdrawn: Patient, ines: User, adam: User) -> None:
    refused = ask(withdrawn, ines)
    erasing.refuse(request=refused, reason="The law obliges us to keep them", by=adam, now=NOW)
    again = ask(withdrawn, ines, "t2")
    erasing.take_back(request=again, by=ines, now=NOW)
    with pytest.raises(CannotRecord, match="in the meantime"):
        erasing.carry_out(request=again, typed_id="RIV-0001-X", by=adam, now=NOW)
    states = ErasureRequest.objects.order_by("pk").values_list("state", flat=True)
    assert list(states) == ["refused", "taken_back"]
    assert identity_of(withdrawn).family_name == "Berg"


def test_the_page_lists_what_staff_typed(withdrawn: Patient, ines: User, signed_in: Any) -> None:
    StatusEvent.objects.filter(patient=withdrawn).update(reason="Her sister Maria wrote")
    assert "Her sister Maria wrote" in [one.text for one in free_texts(withdrawn)]
    url = "/patients/RIV-0001-X/erase/"
    page = signed_in(ines).get(url).content.decode()
    assert "Her sister Maria wrote" in page
    assert "cannot be undone" in page
    unread = {"legal_basis": "consent", "reason": "Letter", "form_token": "f1"}
    assert "This field is required" in signed_in(ines).post(url, unread).content.decode()
    signed_in(ines).post(url, unread | {"texts_read": "on"})
    assert "asked for this erasure" in signed_in(ines).get(url).content.decode()


def test_two_people_erase_on_the_pages(withdrawn: Patient, ines: User, adam: User, signed_in: Any) -> None:
    asked = ask(withdrawn, ines)
    admin = signed_in(adam)
    assert "RIV-0001-X" in admin.get("/patients/erasures/").content.decode()
    page = admin.get(f"/patients/erasures/{asked.pk}/").content.decode()
    assert "Letter of 5 March 2031" in page
    assert "Anna" not in page
    wrong = admin.post(f"/patients/erasures/{asked.pk}/carry-out/", {"typed_id": "RIV"})
    assert "Nothing was erased" in wrong.content.decode()
    admin.post(f"/patients/erasures/{asked.pk}/carry-out/", {"typed_id": "RIV-0001-X"})
    assert erasing.is_erased(withdrawn)
    assert "Identifiers erased." in signed_in(ines).get("/patients/RIV-0001-X/erase/").content.decode()


def test_the_page_refuses_with_a_reason_and_takes_back(
    withdrawn: Patient, ines: User, cora: User, signed_in: Any
) -> None:
    asked = ask(withdrawn, ines)
    assert "required" in signed_in(cora).post(f"/patients/erasures/{asked.pk}/refuse/").content.decode()
    signed_in(cora).post(f"/patients/erasures/{asked.pk}/refuse/", {"reason": "The law keeps them"})
    assert "The law keeps them" in signed_in(ines).get("/patients/RIV-0001-X/erase/").content.decode()
    second = ask(withdrawn, ines, "t2")
    signed_in(ines).post(f"/patients/erasures/{second.pk}/take-back/")
    second.refresh_from_db()
    assert second.state == "taken_back"
    assert second.decided_at is not None
    assert second.decided_at <= timezone.now()
