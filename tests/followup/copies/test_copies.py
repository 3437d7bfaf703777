"""A copy of everything about one person: complete against the schema, with who read it, and of nobody else."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.exceptions import PermissionDenied
from django.db import models
from django.urls import reverse

from followup.copies import actions, archive
from followup.copies.models import PersonCopy
from followup.schedule.models import WorkItem
from registry.access.models import Site, User
from registry.audit.acting import acting_as, because
from registry.audit.coverage import EXEMPT
from registry.audit.models import AuditEntry
from registry.patients.belongings import belongings
from registry.patients.contacts import ContactFacts, add_contact
from registry.patients.erasing import destroy_key
from registry.patients.identity import IdentityFacts, save_identity
from registry.patients.models import Patient
from registry.patients.pages import read_identifiers
from registry.saving import NotAccepted
from tests.cast import NOW, TODAY, person
from tests.rights_world import World

FAR = 8  # more links than any table is away from its patient


@pytest.fixture
def anna(riverside: Site, ines: User) -> Patient:
    made = Patient.objects.create(patient_id="RIV-0001-X", site=riverside, created_at=NOW, gender="woman")
    save_identity(patient=made, facts=IdentityFacts("Anna", "Berg", birth_date="1960-02-03"), by=ines)
    add_contact(patient=made, facts=ContactFacts("12 Lime Street", TODAY, kind="address"), by=ines)
    return made


@pytest.fixture
def boris(riverside: Site) -> Patient:
    made = Patient.objects.create(patient_id="RIV-0002-Y", site=riverside, created_at=NOW, gender="man")
    save_identity(patient=made, facts=IdentityFacts("Boris", "Cole"), by=None)
    return made


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without drawing the report, which the tests of reports do."""
    monkeypatch.setattr(archive, "record_pdf", lambda patient, now, folder: b"%PDF-1.7 drawn elsewhere")


def ask(patient: Patient, by: User, form: str = "f1") -> PersonCopy:
    return actions.request_copy(
        patient=patient, reason="She asked by letter", form_token=form, by=by, now=NOW
    )


def made(patient: Patient, by: User, form: str = "f1") -> PersonCopy:
    run = ask(patient, by, form)
    assert actions.make_waiting(now=lambda: NOW)
    run.refresh_from_db()
    return run


def files_of(run: PersonCopy) -> dict[str, bytes]:
    with zipfile.ZipFile(actions.copies_folder() / run.stored_as) as packed:
        return {name: packed.read(name) for name in packed.namelist()}


def person_of(run: PersonCopy) -> dict[str, dict[str, Any]]:
    return {one["table"]: one for one in json.loads(files_of(run)["person.json"])["tables"]}


# Complete ----------------------------------------------------------------------------------------------------


def tables_with_a_way_to_the_patient() -> set[str]:
    """Found anew here, by another way than the product's: from each table upwards."""
    found = set()
    for model in apps.get_models(include_auto_created=True):
        if model._meta.managed and model._meta.label_lower not in EXEMPT and _reaches(model, FAR):
            found.add(model._meta.db_table)
    return found


def _reaches(model: type[models.Model], links: int) -> bool:
    if model is Patient:
        return True
    fields = {field.name for field in model._meta.concrete_fields}
    if {"record", "row_pk"} <= fields:
        return True
    return links > 0 and any(
        _reaches(one.related_model, links - 1)
        for one in model._meta.concrete_fields
        if one.is_relation and isinstance(one.related_model, type) and one.related_model is not model
    )


def test_every_table_with_a_way_to_the_patient_is_in_the_copy(anna: Patient, ines: User, quick: None) -> None:
    assert tables_with_a_way_to_the_patient() == set(person_of(made(anna, ines)))


def test_a_row_of_every_table_comes_along_and_none_of_anybody_else(
    anna: Patient, boris: Patient, ines: User, nora: User, riverside: Site, harbour: Site, quick: None
) -> None:
    world = World(riverside, harbour, patient=boris, own={"nurse": nora})
    hers = World(riverside, harbour, patient=anna, own={"nurse": nora}, made=5000)
    rows = {belonging.model: _one_of_each(belonging.model, hers, world) for belonging in belongings()}
    tables = person_of(made(anna, ines))
    for model, (mine, other) in rows.items():
        ids = {row["id"] for row in tables[model._meta.db_table]["rows"]}
        assert mine in ids, f"{model._meta.label} is missing"
        assert other not in ids, f"{model._meta.label} of somebody else came along"


def _one_of_each(model: type[models.Model], hers: World, his: World) -> tuple[str, str]:
    """The key of a row of hers, and of one of his, made where there is none yet."""
    return _row(model, hers), _row(model, his)


def _row(model: type[models.Model], world: World) -> str:
    belonging = next(one for one in belongings() if one.model is model)
    standing = belonging.rows(world.patient).first()
    if standing is None:
        standing = world.make(model, **_links(model, world))
    return str(standing.pk)


def _links(model: type[models.Model], world: World) -> dict[str, Any]:
    """What a row must hang on to be this person's: the world's own choice is any row there is."""
    names = {field.name for field in model._meta.concrete_fields}
    named = {"record", "row_pk"} <= names
    mine = {one.model for one in belongings()} - {Patient}
    parents = {
        field.name: field.related_model
        for field in model._meta.concrete_fields
        if field.is_relation
        and field.related_model in mine
        and (not field.null or field.name in _ways(model))
    }
    given = {name: one._default_manager.get(pk=_row(one, world)) for name, one in parents.items()}
    if named:
        given |= {"record": "patients.patient", "row_pk": world.patient.pk}
    return given | _needed_by_its_rules(model, world)


def _ways(model: type[models.Model]) -> set[str]:
    return {path.split("__")[0] for one in belongings() if one.model is model for path in one.paths}


def _needed_by_its_rules(model: type[models.Model], world: World) -> dict[str, Any]:
    """Columns that a check constraint of this table asks for."""
    names = {field.name for field in model._meta.concrete_fields}
    wanted = {"reason": "asked", "ends_at": NOW, "to_site": world.harbour}
    return {name: value for name, value in wanted.items() if name in names}


# Readable ----------------------------------------------------------------------------------------------------


def test_identifiers_are_open_codes_are_words_and_keys_stay_hidden(
    anna: Patient, ines: User, quick: None
) -> None:
    tables = person_of(made(anna, ines))
    (identity,) = tables["patients_identity"]["rows"]
    assert (identity["values"]["given_name"], identity["values"]["birth_date"]) == ("Anna", "1960-02-03")
    (contact,) = tables["patients_contactpoint"]["rows"]
    assert contact["values"]["value"] == "12 Lime Street"
    assert contact["in_words"]["kind"] == "Address"
    (row,) = tables["patients_patient"]["rows"]
    assert row["in_words"]["site_id"] == "Riverside"
    weight = next(one for one in tables["patients_enrolment"]["columns"] if one["name"] == "weight_kg")
    assert (weight["label"], weight["unit"]) == ("Weight kg", "kg")
    (key,) = tables["patients_patientkey"]["rows"]
    assert "not shown" in key["values"]["wrapped"]
    assert all("not shown" in word["values"]["digest"] for word in tables["patients_searchword"]["rows"])


def trail_of(run: PersonCopy) -> list[dict[str, Any]]:
    return list(json.loads(files_of(run)["trail.json"])["entries"])


def test_the_trail_says_who_entered_corrected_read_and_copied(
    anna: Patient, boris: Patient, ines: User, nora: User, quick: None
) -> None:
    with acting_as(nora, channel="web"):
        read_identifiers(nora, [anna, boris], now=NOW)
        with because("Married"):
            save_identity(patient=anna, facts=IdentityFacts("Anna", "Dale", birth_date="1960-02-03"), by=None)
    entries = trail_of(made(anna, ines))
    changed = next(e for e in entries if e["table"] == "patients_identity" and e["action"] == "update")
    assert (changed["old"]["family_name"], changed["new"]["family_name"]) == ("Berg", "Dale")
    assert (changed["who"], changed["name"], changed["role"], changed["reason"]) == (
        "nora", "Nora", "nurse", "Married",
    )  # fmt: skip
    assert changed["at"].endswith("+00:00")
    assert changed["at_site"]
    read = next(e for e in entries if e["action"] == "identifiers read")
    assert (read["kind"], read["who"], read["new"]) == ("reading or event", "nora", "RIV-0001-X and 1 more")
    assert any(e["action"] == "copy about a person" and e["who"] == "ines" for e in entries)
    assert "RIV-0002-Y" not in json.dumps(entries)
    assert "Cole" not in json.dumps(entries)


def test_a_removed_search_word_is_still_in_the_trail(anna: Patient, ines: User, quick: None) -> None:
    save_identity(patient=anna, facts=IdentityFacts("Anna", "Dale"), by=ines)
    actions_seen = {e["action"] for e in trail_of(made(anna, ines)) if e["table"] == "patients_searchword"}
    assert actions_seen == {"insert", "delete"}


# Asking and keeping ------------------------------------------------------------------------------------------


def test_who_may_ask(anna: Patient, ines: User, riverside: Site, harbour: Site, acting: None) -> None:
    allowed = [ines, person("mia", "site_manager", riverside)]
    refused = [
        person("hugo", "investigator", harbour), person("nina", "nurse", riverside), person("dora", "data_entry", riverside),
        person("mo", "monitor", riverside), person("cleo", "coordinator", None), person("ada", "administrator", None),
    ]  # fmt: skip
    for number, user in enumerate(allowed):
        assert ask(anna, user, f"a{number}").requested_by == user
    for number, user in enumerate(refused):
        with pytest.raises(PermissionDenied):
            ask(anna, user, f"r{number}")


def test_a_reason_is_required_and_the_same_form_is_one_copy(anna: Patient, ines: User) -> None:
    with pytest.raises(NotAccepted):
        actions.request_copy(patient=anna, reason=" ", form_token="f0", by=ines, now=NOW)
    assert ask(anna, ines) == ask(anna, ines)
    assert AuditEntry.objects.filter(table_name="copies_personcopy", reason="She asked by letter").exists()


def test_making_and_downloading_are_noted_and_the_coordinator_is_told(
    anna: Patient, ines: User, cora: User, signed_in: Any, quick: None
) -> None:
    run = made(anna, ines)
    answer = signed_in(ines).get(reverse("copies:copy_download", args=[run.pk]))
    assert answer["Content-Disposition"] == f'attachment; filename="person-copy-{run.pk}-2031-03-14.zip"'
    assert b"".join(answer.streaming_content) == (actions.copies_folder() / run.stored_as).read_bytes()
    noted = AuditEntry.objects.filter(table_name="copies_personcopy", actor="ines").values_list(
        "action", flat=True
    )
    assert {"copy about a person", "copy about a person downloaded"} <= set(noted)
    notice = WorkItem.objects.get(kind="person_copy")
    assert (notice.role, "RIV-0001-X" in notice.title) == ("coordinator", True)
    assert "Anna" not in notice.title
    assert signed_in(ines).get(notice.url).status_code == 404
    assert "I have seen this" in signed_in(cora).get(notice.url).content.decode()
    signed_in(cora).post(notice.url)
    notice.refresh_from_db()
    assert notice.closed_by == cora


def test_no_file_name_tells_who_it_is_about(anna: Patient, ines: User, quick: None) -> None:
    run = made(anna, ines)
    names = [path.name for path in actions.copies_folder().iterdir()] + list(files_of(run))
    for word in ("RIV", "0001", "Anna", "Berg"):
        assert not [name for name in names if word.lower() in name.lower()]


def test_a_right_taken_away_before_the_making_makes_nothing(anna: Patient, ines: User) -> None:
    run = ask(anna, ines)
    ines.rolegrant_set.update(ends_on=TODAY - timedelta(days=1), starts_on=TODAY - timedelta(days=9))
    User.objects.filter(pk=ines.pk).update(is_active=False)
    actions.make_waiting(now=lambda: NOW)
    run.refresh_from_db()
    assert (run.state, run.stored_as) == ("failed", "")
    assert "taken away" in run.message


def test_files_go_after_some_days_and_with_the_names(
    anna: Patient, ines: User, settings: Any, quick: None, django_capture_on_commit_callbacks: Any
) -> None:
    first = made(anna, ines)
    with django_capture_on_commit_callbacks(execute=True):
        actions.make_waiting(now=lambda: NOW + timedelta(days=settings.PERSON_COPY_DAYS, seconds=1))
    first.refresh_from_db()
    assert (first.state, first.stored_as) == ("removed", "")
    second, waiting = made(anna, ines, "f2"), ask(anna, ines, "f3")
    with django_capture_on_commit_callbacks(execute=True):
        destroy_key(patient=anna, now=NOW)
    assert list(actions.copies_folder().iterdir()) == []
    for run in (second, waiting):
        run.refresh_from_db()
        assert (run.state, "erased" in run.message) == ("removed", True)


def test_what_a_killed_worker_left_behind_is_removed(anna: Patient, ines: User, quick: None) -> None:
    run = made(anna, ines)
    left = actions.copies_folder() / "tmpdead"
    left.mkdir()
    (left / "record.pdf").write_bytes(b"Anna Berg")
    now = datetime.now(UTC)
    actions.forget_old(now=now)
    assert left.exists(), "somebody may be at work in it"
    actions.forget_old(now=now + timedelta(minutes=11))
    assert [path.name for path in actions.copies_folder().iterdir()] == [run.stored_as]


def test_after_the_erasure_a_copy_holds_no_name(anna: Patient, ines: User, quick: None) -> None:
    destroy_key(patient=anna, now=NOW)
    files = files_of(made(anna, ines))
    for word in (b"Anna", b"Berg", b"1960-02-03", b"Lime Street", b"v1:"):
        assert word not in files["person.json"] + files["trail.json"]


def test_the_pages(anna: Patient, ines: User, signed_in: Any, quick: None) -> None:
    browser, url = signed_in(ines), reverse("copies:copy_make", args=["RIV-0001-X"])
    assert "Nobody has made a copy" in browser.get(url).content.decode()
    assert "This field is required" in browser.post(url, {"form_token": "x"}).content.decode()
    got = browser.post(url, {"form_token": "x", "reason": "Asked on the phone"})
    assert "Waiting" in browser.get(got["Location"]).content.decode()
    actions.make_waiting(now=lambda: NOW)
    assert "Download the ZIP" in browser.get(got["Location"]).content.decode()
    assert browser.get(got["Location"], headers={"HX-Request": "true"})["HX-Refresh"] == "true"
    assert "Asked on the phone" in browser.get(url).content.decode()


@pytest.fixture(autouse=True)
def _no_files_left() -> Iterator[None]:
    yield
    for path in actions.copies_folder().iterdir():
        path.unlink()


def test_the_report_in_it_is_a_pdf_with_the_name(anna: Patient, ines: User, tmp_path: Path) -> None:
    import pypdf

    run = made(anna, ines)
    text = pypdf.PdfReader(io.BytesIO(files_of(run)["record.pdf"])).pages[0].extract_text()
    assert "Berg" in text
