"""The trail's pages: found, read in plain words, reviewed, printed, taken out - and only by those it is for."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse

from followup.labs.models import Laboratory
from registry.access.models import RoleGrant, Site, User
from registry.audit.acting import acting_as, because
from registry.audit.actions import record_event
from registry.audit.models import AuditEntry
from registry.patients.models import Enrolment, Patient
from registry.products.models import Donor
from registry.trail.forms import EVENTS
from registry.trail.models import ReviewMark
from registry.trail.reach import visible_entries
from tests.cast import NOW
from tests.rights_world import World, make_world

pytestmark = pytest.mark.django_db
SEARCH = "/data/trail/"
BACKEND = "allauth.account.auth_backends.AuthenticationBackend"


@pytest.fixture
def world(acting: None) -> World:
    world = make_world()
    there = Patient.objects.create(patient_id="HAR-0001-Y", site=world.harbour, created_at=NOW)
    Enrolment.objects.create(patient=there, enrolled_on=NOW.date())
    return world


def browser_of(user: User) -> Client:
    browser = Client()
    browser.force_login(user, backend=BACKEND)
    return browser


def read(user: User, query: str = "") -> str:
    got = browser_of(user).get(SEARCH + query)
    assert got.status_code == 200
    return str(got.content.decode())


def corrected(world: World) -> None:
    """Entered as 71.0, corrected to 72.0 and then to 73.5, each time by Riverside's nurse with a reason."""
    enrolment = world.patient.enrolment
    with acting_as("system:command"):
        Enrolment.objects.filter(pk=enrolment.pk).delete()
        enrolment = Enrolment.objects.create(patient=world.patient, enrolled_on=NOW.date(), weight_kg="71.0")
    for weight in ("72.0", "73.5"):
        with acting_as(world.own["nurse"], channel="web"), because("Scale was wrong"):
            Enrolment.objects.filter(pk=enrolment.pk).update(weight_kg=weight)


def test_the_first_value_stands_beside_each_later_one(world: World) -> None:
    corrected(world)
    query = f"?patient={world.patient.patient_id}&act=update"
    history = reverse(
        "audit:history", kwargs={"label": "patients.enrolment", "pk": Enrolment.objects.order_by("-pk")[0].pk}
    )
    for text in (
        read(world.own["monitor"], query),
        browser_of(world.own["nurse"]).get(history).content.decode(),
    ):
        plain = re.sub(r"<[^>]+>|\s+", " ", text)
        plain = re.sub(r"\s+", " ", plain)
        assert re.search(r"72(\.0)? → 73\.5 \(first 71(\.0)?\)", plain), plain
        assert re.search(r"71(\.0)? → 72(\.0)? \(first 71(\.0)?\)", plain)
        assert "Scale was wrong" in plain
        assert "own-nurse" in plain
        assert "nurse, RIV" in plain
        assert "UTC" in plain
        assert "Europe/London" in plain


def test_search_narrows_by_patient_person_kind_act_and_days(world: World) -> None:
    corrected(world)
    auditor, nurse = world.own["auditor"], world.own["nurse"]
    entries = AuditEntry.objects.filter(about_patient=world.patient.pk)
    day = entries.latest("pk").at.date()
    assert f"of {entries.count()} entries" in read(auditor, f"?patient={world.patient.patient_id.lower()}")
    assert "of 2 entries" in read(auditor, f"?person={nurse.pk}&record=patients_enrolment&act=update")
    assert "of 2 entries" in read(auditor, f"?person={nurse.pk}&act=update&first_day={day}&last_day={day}")
    assert "Nothing in the trail fits" in read(auditor, f"?person={nurse.pk}&last_day=2001-01-01")
    assert "before the first" in read(auditor, "?first_day=2031-01-02&last_day=2031-01-01")
    assert "No patient with this id" in read(world.own["monitor"], "?patient=HAR-0001-Y")


def test_everything_that_hangs_on_a_patient_is_found_with_them(world: World) -> None:
    """By whatever way a row hangs on the patient, the entry says whose it is; so does reading the names."""
    from django.apps import apps

    made = [
        world.make(apps.get_model(label), **given)
        for label, given in (
            ("labs.LabResult", {}), ("neoplasia.CheckItem", {}), ("schedule.VisitAssessment", {}),
            ("safety.EventAssessment", {}), ("infusions.InfusionDose", {}), ("neoplasia.WorkUpNote", {}),
            ("neoplasia.NeoplasmAssessment", {}),
        )
    ]  # fmt: skip
    for row in made:
        entry = AuditEntry.objects.get(table_name=row._meta.db_table, row_id=str(row.pk), action="insert")
        assert (entry.about_patient, entry.about_site) == (world.patient.pk, world.riverside.pk), (
            row._meta.label
        )
    signed = world.make(apps.get_model("signatures.Signature"), patient_id=world.patient.patient_id)
    entry = AuditEntry.objects.get(table_name="signatures_signature", row_id=str(signed.pk), action="insert")
    assert entry.about_patient == world.patient.pk
    event = record_event(action="identifiers read", about=made[2], now=NOW)
    assert event.about_patient == world.patient.pk


@pytest.mark.parametrize(
    "role", ["nurse", "investigator", "site_manager", "monitor", "data_entry", "laboratory"]
)
def test_what_another_site_does_changes_nothing_one_reads(world: World, role: str) -> None:
    user = world.own[role]
    browser = browser_of(user)
    addresses = (SEARCH, SEARCH + "?act=update", SEARCH + "?page=2", SEARCH + "?record=access_rolegrant")
    before = [browser.get(address).context["total"] for address in addresses]
    with acting_as(world.other["nurse"], channel="web"):
        there = Patient.objects.get(patient_id="HAR-0001-Y")
        Enrolment.objects.filter(patient=there).update(weight_kg="99.9")
        Site.objects.filter(pk=world.harbour.pk).update(name="Harbour Hospital")
        record_event(action="identifiers read", about=there, detail=there.patient_id, now=NOW)
        record_event(action="export", about="export", detail="1 row", now=NOW)
    browser_of(world.other["nurse"])
    pages = [browser.get(address) for address in addresses]
    assert [page.context["total"] for page in pages] == before
    for page in pages:
        assert "HAR" not in page.content.decode()


def test_each_role_reads_its_part(world: World) -> None:
    corrected(world)
    with acting_as(world.own["data_entry"], channel="web"):
        Enrolment.objects.filter(patient=world.patient).update(height_cm="170")
    with acting_as("system:command"):
        world.make(Donor)
        world.make(Laboratory)
    tables = {
        role: set(visible_entries(user).values_list("table_name", flat=True))
        for role, user in world.own.items()
    }
    own = visible_entries(world.own["data_entry"])
    assert set(own.values_list("user_id", flat=True)) == {world.own["data_entry"].pk}
    assert not visible_entries(world.own["laboratory"]).exists()
    assert tables["product"] == {"products_donor"}
    assert {"access_rolegrant", "access_user"} <= tables["administrator"]
    assert not any(name.startswith(("patients", "labs", "products")) for name in tables["administrator"])
    assert "access_user" not in tables["nurse"]
    assert "patients_enrolment" in tables["nurse"]
    everything = AuditEntry.objects.count()
    for role in ("auditor", "coordinator", "safety"):
        assert visible_entries(world.own[role]).count() == everything, role


def test_a_person_without_a_role_reads_nothing(world: World) -> None:
    nobody = User.objects.create(username="new", full_name="New", date_joined=NOW)
    assert not visible_entries(nobody).exists()


def test_a_record_moves_with_its_patient(world: World) -> None:
    corrected(world)
    Patient.objects.filter(pk=world.patient.pk).update(site=world.harbour)
    assert not visible_entries(world.own["monitor"]).filter(about_patient=world.patient.pk).exists()
    assert visible_entries(world.other["monitor"]).filter(about_patient=world.patient.pk).exists()


def test_a_blinded_protocol_hides_the_kinds_that_tell(world: World) -> None:
    from registry.access.models import Registry

    world.make(Donor)
    Registry.objects.update_or_create(pk=1, defaults={"blinded": True})
    for role in ("auditor", "coordinator", "monitor"):
        user = User.objects.get(pk=world.own[role].pk)
        assert not visible_entries(user).filter(table_name="products_donor").exists(), role
    product = User.objects.get(pk=world.own["product"].pk)
    assert visible_entries(product).filter(table_name="products_donor").exists()


def test_a_review_is_marked_and_shown_from_then_on(world: World) -> None:
    corrected(world)
    monitor = browser_of(world.own["monitor"])
    page = monitor.get(SEARCH + "?act=update")
    token = page.context["review_form"].initial["form_token"]
    for _ in range(2):  # sent twice
        answer = monitor.post(
            "/data/trail/review/?act=update", {"note": "Each has its reason.", "form_token": token}
        )
        assert answer.status_code == 302
    mark = ReviewMark.objects.get()
    assert (mark.site, mark.reviewed_by, mark.entries) == (
        world.riverside,
        world.own["monitor"],
        page.context["total"],
    )
    text = read(world.own["investigator"])
    assert "Last reviewed today by own-monitor" in text
    assert "Each has its reason." in text
    assert "Each has its reason." not in read(world.other["monitor"])
    assert AuditEntry.objects.filter(table_name="trail_reviewmark", actor="own-monitor").exists()
    assert browser_of(world.own["nurse"]).post("/data/trail/review/", {"note": "x"}).status_code == 403
    empty = monitor.post("/data/trail/review/", {"note": "", "form_token": "z"}, follow=True)
    assert "was not marked" in empty.content.decode()


def test_printing_and_exporting_stand_in_the_trail(world: World) -> None:
    corrected(world)
    with acting_as("system:command"):
        Site.objects.filter(pk=world.riverside.pk).update(name='=HYPERLINK("http://x")')
    monitor = browser_of(world.own["monitor"])
    assert "Printed by own-monitor" in monitor.get("/data/trail/print/?act=update").content.decode()
    got = monitor.get("/data/trail/export.csv?record=patients_enrolment&act=update")
    lines = list(csv.DictReader(io.StringIO(b"".join(got.streaming_content).decode())))
    assert [line["reason"] for line in lines] == ["Scale was wrong"] * 2
    assert "first 71" in lines[0]["changes"]
    assert lines[0]["time_zone"] == "Europe/London"
    objects = json.loads(b"".join(monitor.get("/data/trail/export.json?act=update").streaming_content))
    assert {"at_utc", "person", "changes", "code"} <= objects[0].keys()
    assert (
        json.loads(b"".join(monitor.get("/data/trail/export.json?last_day=2001-01-01").streaming_content))
        == []
    )
    noted = AuditEntry.objects.filter(user_id=world.own["monitor"].pk, about_patient=None)
    actions = list(noted.order_by("pk").values_list("action", flat=True))
    assert actions[-4:] == ["print", "trail exported", "trail exported", "trail exported"]


def test_a_cell_that_looks_like_a_formula_leaves_guarded(world: World) -> None:
    with acting_as(world.own["nurse"], channel="web", reason="=1+1"):
        Enrolment.objects.filter(patient=world.patient).update(weight_kg="70.0")
    got = browser_of(world.own["auditor"]).get("/data/trail/export.csv?record=patients_enrolment&act=update")
    lines = list(csv.DictReader(io.StringIO(b"".join(got.streaming_content).decode())))
    assert lines[0]["reason"] == "'=1+1"


def test_every_event_that_is_written_can_be_searched_for() -> None:
    """Walks the code for the kinds of event it records."""
    written = set()
    for room in ("registry", "followup"):
        for file in Path(room).rglob("*.py"):
            for call in re.findall(r"record_event\((?:[^()]|\([^()]*\))*\)", file.read_text()):
                written |= set(re.findall(r'action=\(?\s*"([^"]+)"', call)) | set(
                    re.findall(r'else "([a-z -]+)"', call)
                )
    assert len(written) > 12
    assert written <= set(EVENTS), f"name in registry/trail/forms.py: {sorted(written - set(EVENTS))}"


def test_pages_follow_each_other_without_gap_or_repeat(world: World) -> None:
    for nth in range(60):
        RoleGrant.objects.filter(user=world.own["nurse"]).update(ends_on=f"2032-01-{nth % 28 + 1:02}")
    browser = browser_of(world.own["auditor"])
    browser.get(SEARCH)
    first, second = (
        browser.get(f"{SEARCH}?record=access_rolegrant&act=update&page={page}").context["lines"]
        for page in (1, 2)
    )
    assert (len(first), len(second)) == (50, 10)
    assert not {line.entry.pk for line in first} & {line.entry.pk for line in second}
    assert browser.get(f"{SEARCH}?page=999999999").status_code == 200
