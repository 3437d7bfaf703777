"""Another day of an infusion: at once where nothing signed or locked is touched; else it waits for a coordinator."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.urls import reverse

from followup.schedule.models import Visit, WorkItem
from registry import clock
from registry.access.models import Registry, Site, User
from registry.audit.acting import acting_as
from registry.audit.models import AuditEntry
from registry.infusions import day_corrections
from registry.infusions.actions import NeedsApproval, correct_infusion
from registry.infusions.effects import effects_of
from registry.infusions.models import DayCorrection, Infusion
from registry.patients.queries import QueryFacts, close_queries, open_queries, record_of
from registry.saving import ChangedMeanwhile, NotAccepted
from registry.signatures import locking
from registry.signatures.models import RecordLock
from registry.signatures.signable import content_of
from registry.signatures.states import standing_of
from tests.cast import NOW, person
from tests.followup.schedule.scene import INFUSED, visit_of
from tests.registry.signatures.lock_scene import locked
from tests.registry.signatures.records import MAKERS, signed

FAR, NEAR = date(2030, 3, 10), date(2030, 1, 21)


@pytest.fixture
def visit(riverside: Site, ines: User) -> Visit:
    """M3, held in its window and signed."""
    made: Visit = MAKERS["schedule.visit"](riverside, ines)
    signed(made, ines)
    return made


@pytest.fixture
def infusion(visit: Visit) -> Infusion:
    return Infusion.objects.get(patient=visit.patient)


@pytest.fixture
def olga(riverside: Site) -> User:
    """A second investigator, at the other end of nothing: she did not ask."""
    return person("olga", "investigator", riverside)


def move(infusion: Infusion, day: date, by: User, **changes: Any) -> DayCorrection | None:
    with acting_as(by):
        return day_corrections.correct_or_ask(
            infusion=Infusion.objects.get(pk=infusion.pk), version=infusion.version, reason="The sheet says so",
            doses=[], by=by, now=NOW, infused_on=day, infused_at=None, ended_at=None, **changes,
        )  # fmt: skip


def asked(infusion: Infusion, by: User, **changes: Any) -> DayCorrection:
    waits = move(infusion, FAR, by, **changes)
    assert waits is not None
    return waits


def test_a_day_that_touches_nothing_signed_is_corrected_at_once(
    infusion: Infusion, visit: Visit, ines: User
) -> None:
    assert move(infusion, NEAR, ines) is None
    infusion.refresh_from_db()
    assert infusion.infused_on == NEAR
    assert standing_of(visit).word == "signed"


def test_a_day_that_touches_a_signature_waits_and_changes_nothing(
    infusion: Infusion, visit: Visit, ines: User
) -> None:
    planned = visit_of(visit.patient, "M6").target_date
    waits = asked(infusion, ines)
    infusion.refresh_from_db()
    assert (infusion.infused_on, infusion.version) == (INFUSED, 1)
    assert visit_of(visit.patient, "M6").target_date == planned, "the trial left nothing behind"
    assert standing_of(visit).word == "signed"
    assert waits.touched == "Visit M3: signed by Ines"
    assert "Visit M6: target date 2030-07-20 → 2030-09-10" in waits.follows
    assert "Visit M3: out of window no → yes" in waits.follows
    assert not AuditEntry.objects.filter(table_name="schedule_visit", reason="The sheet says so").exists()
    assert WorkItem.objects.open().filter(kind="other_day", role="coordinator").count() == 1


def test_the_rest_of_a_correction_does_not_wait(infusion: Infusion, ines: User) -> None:
    waits = asked(infusion, ines, weight_kg=Decimal(82))
    infusion.refresh_from_db()
    assert (infusion.infused_on, infusion.weight_kg) == (INFUSED, 82)
    assert waits.version == infusion.version


def test_no_other_way_leads_around_the_approval(infusion: Infusion, ines: User) -> None:
    with acting_as(ines), pytest.raises(NeedsApproval, match="M3"):
        correct_infusion(infusion=infusion, version=1, reason="x", doses=[], by=ines, now=NOW, infused_on=FAR)
    assert Infusion.objects.get().infused_on == INFUSED


def test_a_coordinator_approves_and_the_day_is_in_force(
    infusion: Infusion, visit: Visit, ines: User, cora: User
) -> None:
    waits = asked(infusion, ines)
    with acting_as(cora):
        day_corrections.approve(correction=waits, reason="Sheet seen", by=cora, now=NOW)
    infusion.refresh_from_db()
    assert infusion.infused_on == FAR
    assert standing_of(visit).word == "void"
    assert not WorkItem.objects.open().filter(kind="other_day").exists()
    entry = AuditEntry.objects.filter(table_name="infusions_infusion", action="update").order_by("-pk")[0]
    assert entry.actor == "cora"
    assert "asked by Ines, approved by Cora: Sheet seen" in entry.reason
    with acting_as(cora), pytest.raises((ChangedMeanwhile, NotAccepted)):
        day_corrections.approve(correction=waits, reason="", by=cora, now=NOW)


def test_a_locked_visit_waits_too_and_stays_locked(
    infusion: Infusion, visit: Visit, riverside: Site, ines: User, cora: User
) -> None:
    mia = person("mia", "site_manager", riverside)
    with acting_as(mia):
        locking.lock_record(
            row=visit, digest=content_of(visit).sha256, reason="Checked", form_token="l", by=mia, now=NOW
        )
    waits = asked(infusion, ines)
    assert waits.touched == "Visit M3: signed by Ines, locked by Mia"
    with acting_as(cora):
        day_corrections.approve(correction=waits, reason="", by=cora, now=NOW)
    visit.refresh_from_db()
    assert visit.out_of_window is True
    assert RecordLock.objects.filter(unlocked_at=None).exists()


def test_who_asked_does_not_decide_and_others_may_not(
    infusion: Infusion, ines: User, cora: User, olga: User
) -> None:
    waits = asked(infusion, ines)
    with pytest.raises(PermissionDenied):
        day_corrections.approve(correction=waits, reason="", by=olga, now=NOW)
    with pytest.raises(IntegrityError, match="second_person"), transaction.atomic():
        DayCorrection.objects.update(state="approved", decided_by=ines)


def test_a_refusal_says_why_and_the_day_stays(
    infusion: Infusion, ines: User, cora: User, signed_in: Any
) -> None:
    waits = asked(infusion, ines)
    with acting_as(cora), pytest.raises(NotAccepted, match="Write why"):
        day_corrections.refuse(correction=waits, reason=" ", by=cora, now=NOW)
    with acting_as(cora):
        day_corrections.refuse(correction=waits, reason="The sheet says January", by=cora, now=NOW)
    page = signed_in(ines).get(reverse("infusions:infusion", args=[infusion.pk])).content.decode()
    assert "The sheet says January" in page
    assert asked(infusion, ines).state == "asked", "it can be asked for again"


def test_one_waits_at_a_time_and_is_taken_back(infusion: Infusion, ines: User, signed_in: Any) -> None:
    waits = asked(infusion, ines)
    assert move(infusion, FAR, ines) == waits, "the form sent twice asks once"
    with pytest.raises(NotAccepted, match="waits for a coordinator already"):
        move(infusion, FAR + timedelta(days=1), ines, premedication="none")
    infusion.refresh_from_db()
    assert (infusion.version, infusion.premedication) == (1, ""), "nothing is stored by halves"
    answer = signed_in(ines).post(reverse("infusions:day_correction_take_back", args=[waits.pk]))
    assert answer.status_code == 302
    assert DayCorrection.objects.get().state == "taken_back"


def test_what_changed_since_is_looked_at_again(infusion: Infusion, ines: User, cora: User) -> None:
    waits = asked(infusion, ines)
    Infusion.objects.update(version=5)
    with acting_as(cora), pytest.raises(NotAccepted, match="corrected since"):
        day_corrections.approve(correction=waits, reason="", by=cora, now=NOW)


def test_what_was_locked_since_is_seen_before_it_is_approved(
    infusion: Infusion, visit: Visit, riverside: Site, ines: User, cora: User
) -> None:
    waits = asked(infusion, ines)
    locked(visit, person("mia", "site_manager", riverside))
    with acting_as(cora):
        with pytest.raises(NotAccepted, match="changed since it was asked"):
            day_corrections.approve(correction=waits, reason="", by=cora, now=NOW)
        waits.refresh_from_db()
        assert "Visit M3: signed by Ines, locked by Mia" in waits.touched
        day_corrections.approve(correction=waits, reason="", by=cora, now=NOW)
    assert DayCorrection.objects.get().state == "approved"


def test_in_a_blinded_protocol_another_day_tells_nothing_of_the_lot(infusion: Infusion, ines: User) -> None:
    about = QueryFacts(
        "deviation", "lot_expired", record_of(infusion), "Lot RED-7 had expired", infusion.patient_id, infusion.site_id
    )  # fmt: skip
    Registry.objects.update_or_create(defaults={"blinded": True})

    def settled_and_asked() -> None:
        close_queries(rule="lot_expired", records=[record_of(infusion)], now=NOW, because="Another day")
        open_queries(
            [replace(about, rule="lot_not_released", reason="Lot RED-7 was released later")], now=NOW
        )

    with acting_as(ines):
        open_queries([about], now=NOW)
        assert effects_of(settled_and_asked, patient=infusion.patient).follows == []
        Registry.objects.update(blinded=False)
        assert "RED-7" in "".join(effects_of(settled_and_asked, patient=infusion.patient).follows)


# Pages -------------------------------------------------------------------------------------------------------


@pytest.fixture
def today() -> Iterator[None]:
    with clock.set_to(NOW):
        yield


@pytest.mark.usefixtures("today")
def test_the_check_says_what_is_touched_before_it_is_saved(
    infusion: Infusion, visit: Visit, ines: User, cora: User, signed_in: Any
) -> None:
    address = reverse("infusions:correct", args=[infusion.pk])
    given = {
        "infused_on": f"{FAR}", "started": "", "ended": "", "route": "iv_peripheral", "weight_kg": "70",
        "origin": "product_unknown", "version": "1", "reason": "The sheet says so", "dose-TOTAL_FORMS": "0",
        "dose-INITIAL_FORMS": "0",
    }  # fmt: skip
    browser = signed_in(ines)
    check = browser.post(address, given | {"step": "check"}).content.decode()
    assert "touches 1 signed or locked record." in check
    assert "Visit M3: signed by Ines" in check
    assert browser.post(address, given | {"step": "save"}).status_code == 302
    infusion.refresh_from_db()
    assert (infusion.infused_on, infusion.origin) == (INFUSED, "product_unknown")
    assert (
        "waits for a registry coordinator"
        in browser.get(reverse("infusions:infusion", args=[infusion.pk])).content.decode()
    )
    coordinator, waits = signed_in(cora), DayCorrection.objects.get()
    listed = coordinator.get(reverse("infusions:day_correction_list")).content.decode()
    assert visit.patient.patient_id in listed
    url = reverse("infusions:day_correction", args=[waits.pk])
    assert url in listed
    assert "Visit M3: signed by Ines" in coordinator.get(url).content.decode()
    assert "Choose one." in coordinator.post(url, {"reason": ""}).content.decode()
    assert coordinator.post(url, {"decision": "approve"}).status_code == 302
    infusion.refresh_from_db()
    assert infusion.infused_on == FAR
    assert browser.get(url).status_code == 403


def test_an_empty_list_says_so(cora: User, signed_in: Any) -> None:
    page = signed_in(cora).get(reverse("infusions:day_correction_list")).content.decode()
    assert "No other day of an infusion waits for a decision." in page
