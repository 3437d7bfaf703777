"""Settings → Protocol: which results a blinded protocol masks, chosen before the first patient and then fixed."""

from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.urls import reverse

from registry.access import actions
from registry.access.granting import Refused
from registry.access.models import Registry, RoleGrant, Site, User
from registry.audit.models import AuditEntry
from registry.patients.models import Patient
from registry.saving import ChangedMeanwhile
from tests.cast import NOW, person

URL = reverse("access:protocol")


@pytest.fixture
def blinded(acting: None) -> None:
    Registry.objects.create(blinded=True)


def mask(*analytes: str, by: User, seen: str = "", reason: str = "Efficacy is assessed blind") -> None:
    actions.mask_analytes(analytes=analytes, seen=seen, reason=reason, by=by, now=NOW)


def test_the_coordinator_chooses_on_the_page_and_it_stays_in_the_trail(
    blinded: None, cora: User, signed_in: Any
) -> None:
    browser = signed_in(cora)
    assert b"Haemoglobin A1c" in browser.get(URL).content
    answers = {"part": "masking", "masked": ["hba1c"], "seen": "", "reason": "Efficacy is assessed blind"}
    assert b"Masked: <strong>Haemoglobin A1c</strong>" in browser.post(URL, answers, follow=True).content
    assert Registry.current().masked == {"hba1c"}
    entry = AuditEntry.objects.filter(table_name="access_registry", action="update").latest("pk")
    assert (entry.reason, "hba1c" in entry.new) == ("Efficacy is assessed blind", True)


def test_an_old_form_does_not_undo_what_somebody_chose_since(
    blinded: None, cora: User, signed_in: Any
) -> None:
    mask("hba1c", by=cora)
    with pytest.raises(ChangedMeanwhile):
        mask(by=cora)
    answers = {"part": "masking", "masked": [], "seen": "", "reason": "Nothing is masked"}
    got = signed_in(cora).post(URL, answers)
    assert (got.status_code, b"choose again" in got.content) == (409, True)
    assert Registry.current().masked == {"hba1c"}


def test_what_care_depends_on_is_not_offered(blinded: None, cora: User) -> None:
    for code in ("creatinine", "ketones", "glucose_random", "haemoglobin", "no-such-test"):
        with pytest.raises(Refused, match="cannot be masked"):
            mask(code, by=cora)


def test_it_is_fixed_once_a_patient_is_enrolled(
    blinded: None, cora: User, riverside: Site, signed_in: Any
) -> None:
    Patient.objects.create(patient_id="RIV-0001-X", site=riverside, created_at=NOW)
    with pytest.raises(Refused, match="A patient is enrolled"):
        mask("hba1c", by=cora)
    assert b"Save the masked tests" not in signed_in(cora).get(URL).content


def test_an_open_label_protocol_masks_nothing(acting: None, cora: User) -> None:
    registry = Registry.objects.create(blinded=False)
    with pytest.raises(Refused, match="Only a blinded protocol"):
        mask("hba1c", by=cora)
    with pytest.raises(IntegrityError), transaction.atomic():
        Registry.objects.filter(pk=registry.pk).update(masked_analytes="hba1c")


def test_making_it_open_label_again_masks_nothing_any_more(blinded: None, cora: User) -> None:
    mask("hba1c", by=cora)
    actions.switch_blinding(blinded=False, reason="Changed the protocol", by=cora, now=NOW)
    assert Registry.current().masked_analytes == ""


def test_whoever_reads_masked_results_treats_nobody(blinded: None, cora: User, riverside: Site) -> None:
    lars = person("lars", "laboratory", riverside)
    grant = RoleGrant.objects.create(
        user=lars, role="nurse", site=riverside, starts_on=lars.date_joined.date()
    )
    with pytest.raises(Refused, match="End one of the roles first of: Lars"):
        mask("hba1c", by=cora)
    RoleGrant.objects.filter(pk=grant.pk).update(stopped_at=NOW)
    mask("hba1c", by=cora)


def test_it_needs_the_right_and_a_reason(blinded: None, cora: User, nora: User) -> None:
    with pytest.raises(PermissionDenied):
        mask("hba1c", by=nora)
    with pytest.raises(Refused, match="Write why"):
        mask("hba1c", by=cora, reason=" ")
