"""One record of another site, read in an emergency: by whom, how long, on which pages, and who learns of it."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.test import Client
from django.urls import reverse

from followup.reminders.actions import run_sweep
from followup.reminders.models import Notice
from followup.schedule.models import Visit, WorkItem
from registry import clock
from registry.access.models import RoleGrant, Site, User
from registry.audit.acting import acting_as
from registry.audit.models import AuditEntry
from registry.handover.models import RecordOpening
from registry.handover.opening import ATTEMPTS, NOTHING_OPENED, TOO_MANY, open_record
from registry.handover.pages import ROW_PAGES
from registry.patients.actions import EnrolmentFacts, NewPatient, enrol_patients
from registry.patients.identity import IdentityFacts
from registry.patients.models import Patient
from registry.saving import NotAccepted
from tests.cast import NOW, person
from tests.journeys.test_site_separation import Place, fill, place_of
from tests.rights_cases import every_case
from tests.rights_world import World, make_world
from tests.test_rights import BACKEND, addresses

REASON = "Brought to our emergency room"
SOON = NOW + timedelta(minutes=10)
READ = "emergency reading"


@pytest.fixture
def otto(riverside: Site, harbour: Site) -> Patient:
    """A patient of Harbour."""
    facts = IdentityFacts("Otto", "Fjord", birth_date="1961-02-03", local_id="H-9", phone="+64 3 9600001")
    new = NewPatient(site=harbour, enrolment=EnrolmentFacts(date(2030, 3, 1)), identity=facts)
    return enrol_patients(entries=[new], now=NOW)[0]


@pytest.fixture
def mara(harbour: Site) -> User:
    return person("mara", "site_manager", harbour)


def get(user: User, url: str, at: datetime = SOON, **post: str) -> tuple[int, str]:
    browser = Client()
    browser.force_login(user, backend=BACKEND)
    with clock.set_to(at):
        got = browser.post(url, post) if post else browser.get(url)
    raw = b"".join(got.streaming_content) if got.streaming else got.content
    return got.status_code, raw.decode("utf-8", "replace")


def opened(user: User, patient: Patient, at: datetime = NOW) -> RecordOpening:
    with acting_as(user):
        return open_record(typed_id=patient.patient_id, reason=REASON, form_token="", by=user, now=at)


def record_of(patient: Patient) -> str:
    return f"/patients/{patient.patient_id}/"


# Reading -----------------------------------------------------------------------------------------------------


def test_an_investigator_of_another_site_reads_the_record_with_its_names(otto: Patient, ines: User) -> None:
    assert get(ines, record_of(otto))[0] == 404
    page = reverse("handover:record_open")
    answers = {"typed_id": otto.patient_id, "reason": REASON, "form_token": "a" * 32}
    assert get(ines, page, NOW, **answers)[0] == 302
    status, text = get(ines, record_of(otto))
    assert status == 200
    assert "Otto Fjord" in text
    assert re.search(r"Emergency reading\..*50 minutes left", text, re.DOTALL)
    assert "Record visit" not in text, "it offers nothing that changes the record"
    assert get(ines, f"{record_of(otto)}consent/")[0] == 200


@pytest.mark.parametrize("minutes", [59, 60, 61])
def test_it_lasts_sixty_minutes(otto: Patient, ines: User, minutes: int) -> None:
    opened(ines, otto)
    status, text = get(ines, record_of(otto), NOW + timedelta(minutes=minutes))
    assert status == (200 if minutes < 60 else 404)
    assert ("1 minute left" in text) is (minutes == 59)


def test_it_can_be_closed_before_by_the_one_who_opened_it(otto: Patient, ines: User, sami: User) -> None:
    opening = opened(ines, otto)
    assert get(sami, reverse("handover:record_close"), sent="yes")[0] == 302
    assert get(ines, record_of(otto))[0] == 200
    assert get(ines, reverse("handover:record_close"), sent="yes")[0] == 302
    assert get(ines, record_of(otto))[0] == 404
    opening.refresh_from_db()
    assert opening.ended_early_at == SOON


def end_grant(user: User) -> None:
    RoleGrant.objects.filter(user=user).update(ends_on=date(2031, 3, 13))


def switch_off(user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)


def grant_again(user: User) -> None:
    site = RoleGrant.objects.get(user=user).site
    end_grant(user)
    RoleGrant.objects.create(user=user, role="investigator", site=site, starts_on=date(2031, 3, 14))


@pytest.mark.parametrize(("end", "status"), [(end_grant, 403), (switch_off, 302), (grant_again, 404)])
def test_a_right_that_ends_ends_it_at_once(otto: Patient, ines: User, end: Any, status: int) -> None:
    opened(ines, otto)
    assert get(ines, record_of(otto))[0] == 200
    end(ines)
    assert get(ines, record_of(otto))[0] == status


def test_it_ends_when_the_patient_leaves_that_site(otto: Patient, ines: User) -> None:
    opened(ines, otto)
    north = Site.objects.create(code="NOR", name="North", country="GB", time_zone="Europe/London")
    Patient.objects.filter(pk=otto.pk).update(site=north)
    assert get(ines, record_of(otto))[0] == 404


@pytest.mark.parametrize("role", ["safety", "coordinator"])
def test_those_across_sites_read_names_by_it_alone(otto: Patient, role: str) -> None:
    user = person("wide", role, None)
    assert "Otto Fjord" not in get(user, record_of(otto))[1]
    opened(user, otto)
    assert "Otto Fjord" in get(user, record_of(otto))[1]


@pytest.mark.parametrize("role", ["nurse", "data_entry", "site_manager", "monitor", "laboratory"])
def test_nobody_else_opens_one(otto: Patient, riverside: Site, role: str) -> None:
    user = person("other", role, riverside)
    with pytest.raises(PermissionDenied):
        opened(user, otto)
    assert get(user, reverse("handover:record_open"))[0] == 403


# Only that record, and only reading --------------------------------------------------------------------------


@pytest.fixture
def two(acting: None) -> tuple[World, Place]:
    """A full record at Harbour, and a second patient there."""
    world = make_world()
    there = Patient.objects.create(patient_id="HAR-0001-Y", site=world.harbour, created_at=NOW)
    place = place_of(world, world.harbour, there)
    fill(place)
    return world, place


def reads(world: World, place: Place, at: datetime = SOON) -> dict[str, int]:
    """What an investigator of Riverside is answered on every page of the person at Harbour."""
    found = {}
    for name, case in every_case().items():
        keys = case.kwargs(place)
        pattern = addresses()[name].pattern
        if pattern.converters and case.of_site and not name.startswith(("handover:", "access:", "exchange:")):
            found[name] = get(world.own["investigator"], reverse(name, kwargs=keys), at)[0]
    return found


def test_every_page_of_that_record_reads_as_there_and_none_that_changes_it(two: tuple[World, Place]) -> None:
    world, place = two
    before = reads(world, place)
    assert 200 not in before.values()
    opened(world.own["investigator"], place.patient)
    after = reads(world, place)
    readable = {name for name, status in after.items() if status == 200}
    assert {name for name in ROW_PAGES if name in after} <= readable
    assert {
        "desk:patient_record",
        "schedule:patient_schedule",
        "labs:patient_results",
        "audit:history",
    } <= readable
    acts = {name: every_case()[name].acts for name in readable}
    assert {act for some in acts.values() for act in some if not act.endswith(".view")} == set(), acts
    for name in readable:
        keys = every_case()[name].kwargs(place)
        status, _ = get(world.own["investigator"], reverse(name, kwargs=keys), SOON, sent="yes")
        assert status in (403, 404, 405), f"a change through {name}"


def test_no_list_search_count_or_file_holds_it(two: tuple[World, Place]) -> None:
    world, place = two
    ines, harbours = world.own["investigator"], place.patient.patient_id
    lists = [reverse(name) for name, case in every_case().items() if not addresses()[name].pattern.converters]
    before = {url: get(ines, url) for url in lists}
    opened(ines, place.patient)
    banner = re.compile(r'<div class="banner banner-late" role="alert"><div class="wrap">\s*<p><span class="status '
                        r'status-late">Emergency.*?</form>\s*</div></div>', re.DOTALL)  # fmt: skip
    for url in lists:
        status, text = get(ines, url)
        assert status == before[url][0], url
        if url != reverse("handover:record_open"):
            assert harbours not in banner.sub("", text), url
    found = get(ines, reverse("patients:patient_search"), q=harbours)[1]
    assert f'/patients/{harbours}/">' not in banner.sub("", found)


def test_another_patient_of_that_site_stays_closed(otto: Patient, ines: User, harbour: Site) -> None:
    new = NewPatient(site=harbour, enrolment=EnrolmentFacts(date(2030, 3, 1)))
    other = enrol_patients(entries=[new], now=NOW)[0]
    opened(ines, otto)
    visit = Visit.objects.filter(patient=other).order_by("pk")[0]
    assert get(ines, record_of(other))[0] == 404
    assert get(ines, reverse("schedule:visit", args=[visit.pk]))[0] == 404
    assert get(ines, reverse("audit:history", args=["patients.patient", other.pk]))[0] == 404
    mine = Visit.objects.filter(patient=otto).order_by("pk")[0]
    assert get(ines, reverse("schedule:visit", args=[mine.pk]))[0] == 200


def test_one_record_at_a_time(otto: Patient, ines: User, harbour: Site) -> None:
    new = NewPatient(site=harbour, enrolment=EnrolmentFacts(date(2030, 3, 1)))
    other = enrol_patients(entries=[new], now=NOW)[0]
    opened(ines, otto)
    with pytest.raises(NotAccepted, match="Close it first"):
        opened(ines, other)
    opened(ines, other, NOW + timedelta(minutes=60))


# What is said and noted --------------------------------------------------------------------------------------


def test_a_wrong_id_says_nothing_and_a_sixth_is_not_looked_at(otto: Patient, ines: User) -> None:
    page = reverse("handover:record_open")
    for number in range(ATTEMPTS):
        typed = otto.patient_id[:-1] if number else "Otto Fjord"
        text = get(ines, page, NOW, typed_id=typed, reason=REASON, form_token="b" * 32)[1]
        assert NOTHING_OPENED in text
    right = {"typed_id": otto.patient_id, "reason": REASON, "form_token": "c" * 32}
    assert TOO_MANY in get(ines, page, NOW, **right)[1]
    assert not RecordOpening.objects.exists()
    noted = AuditEntry.objects.filter(action="emergency opening refused")
    assert [(one.actor, one.new) for one in noted] == [("ines", "not in the form of an id")] * ATTEMPTS
    assert get(ines, page, NOW + timedelta(minutes=16), **right)[0] == 302


def test_ones_own_patient_needs_no_emergency(ines: User, riverside: Site) -> None:
    own = enrol_patients(
        entries=[NewPatient(site=riverside, enrolment=EnrolmentFacts(date(2030, 3, 1)))], now=NOW
    )[0]
    with pytest.raises(NotAccepted, match="your own site"):
        opened(ines, own)


def test_a_reason_is_needed(otto: Patient, ines: User) -> None:
    page = reverse("handover:record_open")
    text = get(ines, page, NOW, typed_id=otto.patient_id, reason="need", form_token="d" * 32)[1]
    assert "at least 10 characters" in text
    assert not RecordOpening.objects.exists()


def test_the_trail_says_of_every_page_that_it_was_read_in_an_emergency(otto: Patient, ines: User) -> None:
    opening = opened(ines, otto)
    get(ines, record_of(otto))
    get(ines, "/patients/")
    pages = AuditEntry.objects.filter(action=READ, row_id=str(opening.pk))
    assert [(one.actor, one.new) for one in pages] == [("ines", record_of(otto))]
    names = AuditEntry.objects.filter(action="identifiers read", new=otto.patient_id)
    assert {one.role for one in [*pages, *names]} == {f"investigator, {READ}"}
    assert names.exists()
    get(ines, f"{record_of(otto)}enrolment/edit/")
    assert pages.count() == 1, "what was refused was not read"


def test_the_site_manager_is_told_at_once_and_sees_what_was_read(
    otto: Patient, ines: User, mara: User, hana: User, mailoutbox: Any
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    opening = opened(ines, otto)
    assert [(one.recipient, one.state) for one in Notice.objects.all()] == [(mara, "planned")]
    for minute in (1, 2):
        run_sweep(now=NOW + timedelta(minutes=minute), as_of=NOW + timedelta(minutes=minute))
    [letter] = [one for one in mailoutbox if one.subject == Notice.SUBJECTS["record_opened"]]
    assert (letter.to, letter.cc, letter.bcc) == (["mara@example.org"], [], [])
    link = f"{settings.SITE_URL}/handover/emergency/readings/"
    assert letter.body.count("http") == letter.body.count(link) == 1
    assert not any(word in letter.body for word in (otto.patient_id, "Otto", "Fjord", "Ines", "ines"))
    assert "opened in an emergency by Ines" in get(mara, "/today/")[1]
    assert "opened in an emergency" not in get(hana, "/today/")[1]
    get(ines, record_of(otto))
    text = get(mara, reverse("handover:opening_list"))[1]
    assert all(words in text for words in ("Ines", otto.patient_id, REASON, record_of(otto), "open now"))
    assert get(mara, reverse("handover:opening_seen", args=[opening.pk]), sent="yes")[0] == 302
    assert not WorkItem.objects.open().filter(kind="record_opened").exists()
    assert "opened in an emergency by Ines" not in get(mara, "/today/")[1]


def test_a_manager_who_left_is_sent_nothing(otto: Patient, ines: User, mara: User, mailoutbox: Any) -> None:
    opened(ines, otto)
    end_grant(mara)
    run_sweep(now=SOON, as_of=SOON)
    assert Notice.objects.get().state == "cancelled"
    assert not [one for one in mailoutbox if one.to == ["mara@example.org"]]


def test_the_list_is_for_those_who_answer_for_the_site(
    otto: Patient, ines: User, mara: User, cora: User, riverside: Site
) -> None:
    opened(ines, otto)
    page = reverse("handover:opening_list")
    elsewhere = person("ruth", "site_manager", riverside)
    assert "Nobody has opened a record" in get(elsewhere, page)[1]
    auditor = person("aud", "auditor", None)
    for user in (mara, cora, auditor):
        assert otto.patient_id in get(user, page)[1]
    assert get(ines, page)[0] == 403


def test_in_a_blinded_protocol_it_shows_no_product(two: tuple[World, Place]) -> None:
    from registry.access.models import Registry

    world, place = two
    ines = world.own["investigator"]
    Registry.objects.update_or_create(pk=1, defaults={"blinded": True})
    opened(ines, place.patient)
    keys = every_case()["infusions:infusion"].kwargs(place)
    status, text = get(ines, reverse("infusions:infusion", kwargs=keys))
    lots = {row.code for row in place.kept.values() if type(row).__name__ == "Lot"}
    assert status == 200
    assert not any(code in text for code in lots)
