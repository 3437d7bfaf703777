"""What was typed about a person and not saved is under that person's key: with the key it is gone from every copy."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import models, transaction
from django.test import Client
from django.urls import resolve, reverse

from registry import clock
from registry.access.models import User
from registry.encryption import CannotDecrypt
from registry.handover.subjects import patient_of
from registry.patients.models import Patient, PatientKey
from registry.signin import drafts, sealing
from registry.signin.models import Draft
from tests.cast import NOW
from tests.rights_cases import every_case
from tests.rights_world import World, make_world

# About an order of one patient, a run of files or a report: no form there takes what names a person.
ABOUT_NO_ONE = {
    "signatures:signature", "copies:copy_run", "copies:copy_download", "handover:opening_seen", "schedule:notice",
    "reports:report_run", "reports:report_download", "reports:numbers_download", "reports:signed_download",
    "reports:report_cancel", "products:lot", "products:lot_edit", "products:lot_tests", "products:lot_state",
    "products:donor_edit",
}  # fmt: skip


@pytest.fixture(autouse=True)
def a_day() -> Iterator[None]:
    with clock.set_to(NOW):
        yield


class Remembering(World):
    last: Any = None

    def make(self, model: type[models.Model], **given: Any) -> Any:
        self.last = super().make(model, **given)
        return self.last


def test_every_page_of_a_row_that_belongs_to_a_patient_is_known_as_theirs(acting: None) -> None:
    world = make_world()
    world.__class__ = Remembering
    unknown = []
    for name, case in sorted(every_case().items()):
        with transaction.atomic():
            world.last = None
            keys = case.kwargs(world)
            row = world.last if "pk" in keys else None
            about = getattr(row, "patient_id", None) == world.patient.pk and name not in ABOUT_NO_ONE
            if about and patient_of(resolve(reverse(name, kwargs=keys))) != world.patient.pk:
                unknown.append(name)
            transaction.set_rollback(True)  # some rows may be there once a patient
    assert not unknown, f"name what row these are about in registry/handover/subjects.py: {unknown}"


def _type(browser: Client, page: str) -> None:
    sent = {"draft_page": page, "draft_action": page, "draft_name": "family_name", "draft_text": "Canaryname"}
    assert browser.post("/accounts/drafts/", sent).status_code == 204


def _offered(browser: Client, page: str) -> bool:
    session = browser.session
    session[drafts.IN_SESSION] = [page]
    session.save()
    return "Canaryname" in browser.get(page).content.decode()


def test_a_draft_about_a_patient_is_offered_again_until_their_key_is_gone(
    anna: Patient, nora: User, signed_in: Any
) -> None:
    browser = signed_in(nora)
    page = reverse("patients:identity_edit", args=[anna.patient_id])
    _type(browser, page)
    draft = Draft.objects.get()
    assert draft.about_patient == anna.pk
    assert "Canaryname" not in sealing.unlock(draft.content, purpose="draft"), (
        "the registry's key alone is not enough"
    )
    assert _offered(browser, page)
    PatientKey.objects.filter(patient=anna).delete()  # as in a copy of the database that outlived the erasure
    assert not _offered(browser, page)
    with pytest.raises(CannotDecrypt):
        drafts._unlocked(draft)


def test_a_draft_about_nobody_and_an_older_one_are_offered_as_before(
    anna: Patient, nora: User, signed_in: Any
) -> None:
    browser = signed_in(nora)
    page = reverse("patients:identity_edit", args=[anna.patient_id])
    _type(browser, reverse("patients:enrol"))
    assert Draft.objects.get().about_patient is None
    Draft.objects.all().delete()
    Draft.objects.create(
        account=nora, page=page, action=page, typed_at=NOW - timedelta(days=1),
        content=sealing.lock('[["family_name", "Canaryname"]]', purpose="draft"),
    )  # fmt: skip
    assert _offered(browser, page)
