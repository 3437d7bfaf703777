"""A person moves: asked by one site, accepted by the other, with everything on record, and nothing left behind."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.urls import reverse

from followup.reports.patient_signatures import collect_signatures
from followup.safety.models import AdverseEvent
from followup.schedule.models import Visit, WorkItem
from registry.access.models import Site, User
from registry.audit.acting import acting_as
from registry.audit.models import AuditEntry
from registry.exchange.exporting import Scope, tables
from registry.handover import moving
from registry.handover.models import Transfer
from registry.handover.moving import TransferFacts, ask_transfer, models_with_a_site
from registry.patients.actions import EnrolmentFacts, NewPatient, enrol_patients
from registry.patients.identity import find_patients, identity_of
from registry.patients.models import Identity, Patient
from registry.saving import ChangedMeanwhile, NotAccepted
from tests.cast import NOW, TODAY
from tests.journeys.test_site_separation import ENCRYPTED, Place, answers, fill, place_of
from tests.registry.handover.scene import FACTS, LATER, accept, ask, read
from tests.registry.signatures.records import an_event, signed
from tests.rights_cases import every_case
from tests.rights_world import World, make_world
from tests.sizes import size
from tests.test_rights import addresses

# Product staff hold a role across sites beside the one at each.
EVERY_ROLE = ("nurse", "laboratory", "investigator", "site_manager", "monitor", "data_entry")
ROLES = EVERY_ROLE[: size(short=2, full=6)]


# Asking ------------------------------------------------------------------------------------------------------


def test_nothing_changes_until_it_is_accepted(anna: Patient, harbour: Site, nora: User, ivan: User) -> None:
    before = {model: list(model._base_manager.order_by("pk").values()) for model in models_with_a_site()}
    ask(anna, harbour, nora)
    before.pop(WorkItem)
    for model, rows in before.items():
        assert list(model._base_manager.order_by("pk").values()) == rows
    anna.refresh_from_db()
    assert anna.site.code == "RIV"
    assert not find_patients(ivan, anna.patient_id).exists()


def test_the_receiving_site_reads_what_it_was_asked_and_no_more(
    anna: Patient, harbour: Site, nora: User, ivan: User, hana: User, signed_in: Any
) -> None:
    sent = ask(anna, harbour, nora, note="Speaks Danish only")
    page = reverse("handover:transfer", args=[sent.pk])
    status, text = read(signed_in(ivan), page)
    assert status == 200
    assert all(words in text for words in (anna.patient_id, "Riverside", "Moved to the coast", "14 Mar 2031"))
    assert not any(words in text for words in ("Danish", "Nora", "Berg", "Anna", "0815", "1970", "Enrolled"))
    assert read(signed_in(ivan), f"/patients/{anna.patient_id}/")[0] == 404
    assert anna.patient_id in read(signed_in(ivan), "/today/")[1]
    assert read(signed_in(hana), page)[0] == 404, "a nurse there does not answer for the site"
    assert anna.patient_id not in read(signed_in(hana), "/today/")[1]


def test_a_signature_says_where_it_was_made_once_the_patient_has_moved(
    riverside: Site, harbour: Site, nora: User, ines: User, ivan: User, signed_in: Any
) -> None:
    event = an_event(riverside, ines)
    given = signed(event, ines)
    assert "signed at" not in read(signed_in(ines), reverse("safety:event", args=[event.pk]))[1]
    accept(ask(event.patient, harbour, nora), ivan)
    text = read(signed_in(ivan), reverse("safety:event", args=[event.pk]))[1]
    assert "signed at Riverside" in text
    assert "1 valid" in text, "it holds as before"
    assert (
        "the patient has moved since"
        in read(signed_in(ivan), reverse("signatures:signature", args=[given.pk]))[1]
    )
    given.refresh_from_db()
    assert given.site == riverside
    (row,) = collect_signatures(Patient.objects.get(pk=event.patient_id), LATER.date())
    assert row["signed_at_site"] == "Riverside"


def test_the_sender_withdraws_and_the_receiver_declines_once(
    anna: Patient, harbour: Site, nora: User, ivan: User, signed_in: Any
) -> None:
    first = ask(anna, harbour, nora)
    url = reverse("handover:transfer_withdraw", args=[first.pk])
    assert "This field is required" in read(signed_in(nora), url, reason=" ")[1]
    assert read(signed_in(nora), url, reason="She stays")[0] == 302
    assert read(signed_in(ivan), reverse("handover:transfer", args=[first.pk]))[0] == 404
    assert not WorkItem.objects.open().filter(kind="transfer_request").exists()
    second = ask(anna, harbour, nora)
    assert (
        read(signed_in(ivan), reverse("handover:transfer_decline", args=[second.pk]), reason="Full")[0] == 302
    )
    second.refresh_from_db()
    assert (second.state, second.decision_reason, second.decided_by) == ("declined", "Full", ivan)
    with pytest.raises(ChangedMeanwhile):
        accept(second, ivan)
    anna.refresh_from_db()
    assert anna.site.code == "RIV"


def test_a_form_sent_twice_asks_once_and_two_requests_do_not_stand_side_by_side(
    anna: Patient, harbour: Site, nora: User
) -> None:
    first = ask(anna, harbour, nora, form_token="a" * 32)
    assert ask(anna, harbour, nora, form_token="a" * 32) == first
    with pytest.raises(NotAccepted, match="waits for an answer"):
        ask(anna, harbour, nora, form_token="b" * 32)
    with pytest.raises(IntegrityError), transaction.atomic():
        Transfer.objects.create(
            patient=anna, from_site=anna.site, to_site=harbour, moves_on=TODAY, reason="again", asked_by=nora,
            asked_at=NOW,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("field", "change"),
    [("to_site", {"to_site": None}), ("moves_on", {"moves_on": TODAY + timedelta(days=400)})],
)
def test_what_cannot_be_meant_is_refused(
    anna: Patient, harbour: Site, nora: User, field: str, change: dict[str, Any]
) -> None:
    facts = TransferFacts(to_site=harbour, moves_on=TODAY, reason="Moved")
    change = {name: value or anna.site for name, value in change.items()}
    with pytest.raises(NotAccepted) as refusal, acting_as(nora):
        ask_transfer(patient=anna, facts=replace(facts, **change), by=nora, now=NOW)
    assert refusal.value.field == field


def test_only_those_of_the_right_site_and_role(
    anna: Patient, harbour: Site, nora: User, hana: User, dele: User, ines: User, ivan: User
) -> None:
    for user in (hana, dele):
        with pytest.raises(PermissionDenied):
            ask(anna, harbour, user)
    sent = ask(anna, harbour, nora)
    for user in (nora, ines, hana):
        with pytest.raises(PermissionDenied):
            accept(sent, user)
    with pytest.raises(PermissionDenied), acting_as(ivan):
        moving.withdraw_transfer(transfer=sent, reason="no", by=ivan, now=NOW)


# Accepting ---------------------------------------------------------------------------------------------------


@pytest.fixture
def filled(acting: None) -> tuple[World, Place]:
    world = make_world()
    here = place_of(world, world.riverside, world.patient)
    fill(here)
    return world, here


def keyed_addresses(place: Place) -> list[str]:
    """Every page that is about this person or a row of theirs."""
    found = []
    for name, case in every_case().items():
        keys = case.kwargs(place)
        is_theirs = "patient_id" in keys or any(
            row.pk == keys.get("pk") and getattr(row, "patient_id", None) == place.patient.pk
            for row in place.kept.values()
        )
        if is_theirs and case.of_site and not name.startswith(("handover:", "access:", "exchange:")):
            found.append(reverse(name, kwargs=keys))
    return sorted(set(found))


@pytest.mark.figures
def test_afterwards_the_old_site_gets_no_page_and_the_new_site_every_one(filled: tuple[World, Place]) -> None:
    world, here = filled
    urls = keyed_addresses(here)
    assert len(urls) > 30
    before = {role: answers(world.own[role], urls) for role in ROLES}
    sent = ask(world.patient, world.harbour, world.own["nurse"])
    accept(sent, world.other["site_manager"])
    wrong = []
    for role, old in before.items():
        gone, now = answers(world.own[role], urls), answers(world.other[role], urls)
        wrong += [
            f"old {role} {url}: {gone[url][:3]}" for url in urls if gone[url][:3] not in ("403", "404", "405")
        ]
        wrong += [
            f"new {role} {url}: {now[url][:3]}, was {old[url][:3]}"
            for url in urls
            if now[url][:3] != old[url][:3]
        ]
    assert wrong == [], "\n".join(wrong)


@pytest.mark.figures
def test_no_list_file_or_count_of_the_old_site_names_the_person(filled: tuple[World, Place]) -> None:
    world, _ = filled
    sent = ask(world.patient, world.harbour, world.own["nurse"])
    accept(sent, world.other["site_manager"])
    lists = [reverse(name) for name in every_case() if not addresses()[name].pattern.converters]
    # These two say what the old site did or had done to it: that the person went, and who read the record while it was here.
    for name in ("handover:transfer_list", "handover:opening_list"):
        lists.remove(reverse(name))
    for role in ROLES:
        for url, text in answers(world.own[role], lists).items():
            assert world.patient.patient_id not in text, f"{role} {url}"
    text = answers(world.own["nurse"], [reverse("handover:transfer_list")]).popitem()[1]
    assert "Went to another site" in text
    for table in tables():
        scope = Scope(sites=world.own["investigator"].scope("export.pseudonymised"), now=LATER)
        assert not [row for row in table.rows(scope) if world.patient.patient_id in map(str, row)], table.name
    scope = Scope(sites=world.other["investigator"].scope("export.pseudonymised"), now=LATER)
    named = [
        t.name for t in tables() if any(world.patient.patient_id in map(str, row) for row in t.rows(scope))
    ]
    assert {"patients", "visits", "transfers", "queries"} <= set(named)


def test_every_row_goes_over_and_keeps_its_number_dates_and_moments(filled: tuple[World, Place]) -> None:
    world, here = filled
    kept = {type(row): row.pk for row in here.kept.values() if not isinstance(row, ENCRYPTED)}
    before = {model: model._base_manager.filter(pk=pk).values().get() for model, pk in kept.items()}
    accept(ask(world.patient, world.harbour, world.own["nurse"]), world.other["investigator"])
    for model, row in before.items():
        now = model._base_manager.filter(pk=kept[model]).values().get()
        assert {name for name in row if row[name] != now[name]} <= {"site_id"}, model
        if model in set(models_with_a_site()):
            assert now["site_id"] == world.harbour.pk, model
    assert Identity.objects.get(patient=world.patient).site == world.harbour
    assert AdverseEvent.objects.get(pk=kept[AdverseEvent]).aware_at == before[AdverseEvent]["aware_at"]


def test_the_history_says_who_moved_what_and_why_and_old_entries_stay(
    anna: Patient, harbour: Site, nora: User, ivan: User
) -> None:
    old = list(AuditEntry.objects.order_by("pk").values())
    accept(ask(anna, harbour, nora), ivan)
    entry = AuditEntry.objects.get(table_name="patients_patient", row_id=str(anna.pk), action="update")
    assert (entry.actor, entry.site) == ("ivan", "HAR")
    assert entry.reason == "Transfer from Riverside to Harbour: Moved to the coast"
    assert list(AuditEntry.objects.filter(pk__lte=old[-1]["id"]).order_by("pk").values()) == old


def test_a_record_number_that_is_taken_must_be_replaced(
    anna: Patient, harbour: Site, nora: User, ivan: User, signed_in: Any
) -> None:
    there = NewPatient(
        site=harbour, enrolment=EnrolmentFacts(date(2030, 3, 1)), identity=replace(FACTS, given_name="Otto")
    )
    enrol_patients(entries=[there], now=NOW)
    sent = ask(anna, harbour, nora)
    browser = signed_in(ivan)
    url = reverse("handover:transfer_accept", args=[sent.pk])
    assert "give this person your own record number" in read(browser, url, local_id="")[1]
    assert "Give this person your own below" in read(browser, reverse("handover:transfer", args=[sent.pk]))[1]
    anna.refresh_from_db()
    sent.refresh_from_db()
    assert (anna.site.code, sent.state) == ("RIV", "asked"), "a refused acceptance leaves nothing behind"
    assert read(browser, url, local_id="H-77")[0] == 302
    anna.refresh_from_db()
    assert (anna.site.code, identity_of(anna).local_id) == ("HAR", "H-77")
    assert list(find_patients(ivan, "H-77")) == [anna]
    assert not find_patients(nora, "Berg").exists()


def test_without_names_a_transfer_still_goes_through(
    anna: Patient, harbour: Site, nora: User, ivan: User
) -> None:
    anna.key.delete()
    Identity.objects.filter(patient=anna).update(local_id_index="")
    accept(ask(anna, harbour, nora), ivan, local_id="H-1")
    anna.refresh_from_db()
    assert anna.site == harbour


def test_there_and_back_again(
    anna: Patient, harbour: Site, nora: User, hana: User, ines: User, ivan: User
) -> None:
    before = list(Visit.objects.filter(patient=anna).order_by("pk").values())
    accept(ask(anna, harbour, nora), ivan)
    anna.refresh_from_db()
    accept(
        ask(anna, anna.site.transfers_out.none().first() or Site.objects.get(code="RIV"), hana),
        ines,
        now=LATER,
    )
    anna.refresh_from_db()
    assert (anna.site.code, anna.patient_id[:3]) == ("RIV", "RIV")
    assert list(Visit.objects.filter(patient=anna).order_by("pk").values()) == before
    assert identity_of(anna) == FACTS
    assert [one.state for one in Transfer.objects.filter(patient=anna)] == ["accepted", "accepted"]


# Pages -------------------------------------------------------------------------------------------------------


def test_the_patients_page_shows_the_transfer_and_offers_one(
    anna: Patient, harbour: Site, nora: User, hana: User, ivan: User, mona: User, signed_in: Any
) -> None:
    page = f"/patients/{anna.patient_id}/consent/"
    assert "has always been at this site" in read(signed_in(mona), page)[1]
    assert "Transfer to another site" not in read(signed_in(mona), page)[1]
    asking = reverse("handover:transfer_ask", args=[anna.patient_id])
    browser = signed_in(nora)
    assert asking in read(browser, page)[1]
    answers_given = {
        "to_site": str(harbour.pk),
        "moves_on": "2031-03-20",
        "reason": "Moved",
        "form_token": "c" * 32,
    }
    assert "choose a site" in read(browser, asking)[1]
    assert read(browser, asking, **answers_given)[0] == 302
    assert "was asked already" in read(browser, asking)[1]
    sent = Transfer.objects.get()
    assert read(signed_in(ivan), reverse("handover:transfer_accept", args=[sent.pk]), local_id="")[0] == 302
    _, text = read(signed_in(hana), page)
    assert "Riverside to Harbour" in text
    assert "accepted by Ivan" in text


def test_empty_states(nora: User, ivan: User, signed_in: Any) -> None:
    url = reverse("handover:transfer_list")
    assert "Nobody here was transferred" in read(signed_in(nora), url)[1]
    assert "No other site asks you" in read(signed_in(ivan), url)[1]
