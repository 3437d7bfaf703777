"""An upload is checked, shown, confirmed and stored by the worker; nothing is stored by halves, doubled or kept too long."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import SimpleUploadedFile

from registry import clock
from registry.access.models import RoleGrant, Site, User
from registry.audit.acting import acting_as
from registry.audit.models import AuditEntry
from registry.exchange import exports, runs
from registry.exchange.models import ExportRun, ImportRun
from registry.patients.models import Patient
from tests.cast import NOW, TODAY

pytestmark = pytest.mark.django_db
GOOD = (
    "site,local_id,given_name,family_name,birth_date,sex,enrolment_date,consent_date,consent_version\n"
    "RIV,A-17,Ada,Canaryname,1960-05-02,female,2031-01-10,2031-01-10,1.0\n"
    "RIV,A-18,Bruno,Canaryname,1961-05-02,male,2031-01-11,2031-01-11,1.0\n"
)


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, settings: Any) -> Path:
    settings.DATA_DIR = tmp_path
    return tmp_path


def send(by: User, content: str = GOOD, *, form: str = "t1", clean_rows: bool = False) -> ImportRun:
    file = SimpleUploadedFile("people.csv", content.encode())
    return runs.upload(
        kind="patients", file=file, clean_rows=clean_rows, reason="", form_token=form, by=by, now=NOW
    )  # fmt: skip


def work(at: datetime = NOW) -> int:
    return runs.work_waiting(now=lambda: at)


def fresh(run: ImportRun) -> ImportRun:
    run.refresh_from_db()
    return run


def test_a_file_is_stored_only_after_its_person_confirmed(nora: User, own_folder: Path) -> None:
    run = send(nora)
    assert work() == 1
    assert (fresh(run).state, run.rows, run.created, Patient.objects.count()) == ("checked", 2, 2, 0)
    runs.confirm(run=run, by=nora)
    assert work() == 1
    assert (fresh(run).state, run.created, Patient.objects.count()) == ("stored", 2, 2)
    assert work() == 0


def test_stored_rows_are_in_the_trail_under_the_person_who_brought_them(nora: User) -> None:
    run = send(nora)
    work()
    runs.confirm(run=run, by=nora)
    work()
    rows = AuditEntry.objects.filter(table_name="patients_patient", action="insert")
    assert {(entry.actor, entry.channel) for entry in rows} == {("nora", "import")}
    event = AuditEntry.objects.get(action="import")
    assert (event.actor, run.sha256 in event.new, "2 created" in event.new) == ("nora", True, True)


def test_one_bad_cell_refuses_the_file_and_says_where(nora: User) -> None:
    run = send(nora, GOOD.replace("1961-05-02", "1961-15-02"))
    work()
    assert (fresh(run).state, run.created, run.refused) == ("refused", 0, 2)
    (error,) = json.loads(run.report)["errors"]
    assert (error["row"], error["column"], error["code"]) == (3, "birth_date", "not_a_date")
    assert Patient.objects.count() == 0


def test_the_kept_report_does_not_keep_what_identifies(nora: User, own_folder: Path) -> None:
    run = send(nora, GOOD.replace("1961-05-02", "31/12/1961"))
    work()
    assert "31/12/1961" not in fresh(run).report
    assert "(not kept)" in run.report
    assert not AuditEntry.objects.filter(new__contains="31/12/1961").exists()


def test_the_form_of_somebody_else_sends_nothing(
    nora: User, ines: User, dele: User, own_folder: Path
) -> None:
    first = send(nora, form="hers")
    with pytest.raises(PermissionDenied):
        send(dele, form="hers")
    exports.request_export(site=None, form_token="hers", by=ines, now=NOW)
    with pytest.raises(PermissionDenied):
        exports.request_export(site=None, form_token="hers", by=nora, now=NOW)
    assert (ImportRun.objects.get(), ExportRun.objects.count()) == (first, 1)
    assert [path.name for path in (own_folder / "imports").iterdir()] == [first.stored_as]


HEADINGS, ADA, _ = GOOD.splitlines()


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(f"{ADA}\n{ADA}\n", id="without headings"),
        pytest.param(
            f"{HEADINGS}\nRIV,Ada,Canaryname,female,1960-05-02,,,2031-01-10,1.0\n", id="moved by a column"
        ),
        pytest.param(f"{HEADINGS}\nA-17,Ada,Canaryname,1960-05-02,Canaryname,,,,\n", id="a name for a sex"),
        pytest.param(f"{HEADINGS},Canaryname,Canaryname\n", id="a heading twice"),
        pytest.param(GOOD.replace(",1.0", ",Canaryname"), id="a name for a version"),
    ],
)
def test_a_file_out_of_shape_leaves_nobodys_name_behind(nora: User, content: str) -> None:
    run = send(nora, content)
    work()
    assert fresh(run).message or run.report
    kept = run.message + run.report
    for entry in AuditEntry.objects.filter(table_name="exchange_importrun"):
        kept += entry.new + entry.old
    assert not [word for word in ("canaryname", "1960-05-02", "a-17") if word in kept.lower()]


def test_good_rows_alone_are_stored_when_asked(nora: User) -> None:
    run = send(nora, GOOD.replace("1961-05-02", "1961-15-02"), clean_rows=True)
    work()
    assert fresh(run).state == "checked"
    runs.confirm(run=run, by=nora)
    work()
    assert (fresh(run).state, run.rows, run.created, run.refused) == ("stored", 2, 1, 1)


def test_the_same_form_sent_twice_is_one_import(nora: User) -> None:
    assert send(nora).pk == send(nora).pk
    assert ImportRun.objects.count() == 1


def test_uploads_are_removed_when_the_run_ends(
    nora: User, own_folder: Path, django_capture_on_commit_callbacks: Any
) -> None:
    run = send(nora)
    work()
    assert "Canaryname" in runs.preview_path(run).read_text()
    runs.confirm(run=run, by=nora)
    with django_capture_on_commit_callbacks(execute=True):
        work()
    assert list((own_folder / "imports").iterdir()) == []


def test_a_run_whose_worker_died_is_taken_up_again_after_its_lease(nora: User) -> None:
    run = send(nora)
    ImportRun.objects.filter(pk=run.pk).update(state="checking", lease_until=NOW + runs.LEASE, attempts=1)
    assert work() == 0
    assert work(NOW + runs.LEASE + timedelta(seconds=1)) == 1
    assert fresh(run).state == "checked"


def test_a_file_that_kills_its_worker_is_given_up_and_says_so(nora: User) -> None:
    run = send(nora)
    ImportRun.objects.filter(pk=run.pk).update(state="checking", lease_until=NOW, attempts=runs.MAX_ATTEMPTS)
    work(NOW + timedelta(minutes=1))
    assert fresh(run).state == "failed"
    assert "died three times" in run.message


def test_a_right_taken_away_between_check_and_store_stops_the_import(nora: User) -> None:
    run = send(nora)
    work()
    runs.confirm(run=run, by=nora)
    RoleGrant.objects.filter(user=nora).update(
        ends_on=TODAY - timedelta(days=2000), starts_on=TODAY - timedelta(days=3000)
    )
    work()
    assert (fresh(run).state, Patient.objects.count()) == ("failed", 0)


def test_only_its_person_confirms_and_only_once(nora: User, dele: User) -> None:
    run = send(nora)
    work()
    with pytest.raises(runs.CannotContinue):
        runs.confirm(run=run, by=dele)
    runs.confirm(run=run, by=nora)
    with pytest.raises(runs.CannotContinue, match="cannot be confirmed"):
        runs.confirm(run=run, by=nora)


def test_a_cancelled_import_stores_nothing(nora: User) -> None:
    run = send(nora)
    work()
    runs.cancel(run=run, by=nora, now=NOW)
    assert (work(), Patient.objects.count()) == (0, 0)
    assert fresh(run).state == "cancelled"


def test_another_site_is_as_unknown_as_no_site(nora: User, harbour: Site) -> None:
    errors = []
    for code in ("HAR", "NOWHERE"):
        run = send(nora, GOOD.replace("RIV", code), form=code)
        work()
        errors.append(json.loads(fresh(run).report)["errors"][0])
    assert errors[0]["code"] == errors[1]["code"]
    assert errors[0]["message"].replace("HAR", "X") == errors[1]["message"].replace("NOWHERE", "X")


def test_what_nobody_confirms_is_cancelled_and_removed(nora: User, own_folder: Path) -> None:
    run = send(nora)
    work()
    work(NOW + runs.KEEP_UPLOADS + timedelta(hours=1))
    assert (fresh(run).state, Patient.objects.count()) == ("cancelled", 0)
    assert list((own_folder / "imports").iterdir()) == []


def test_pages_walk_from_upload_to_history(nora: User, signed_in: Any) -> None:
    with clock.set_to(NOW):
        browser = signed_in(nora)
        page = browser.get("/data/imports/new/").content.decode()
        assert "Check the file" in page
        answer = browser.post(
            "/data/imports/new/",
            {"kind": "patients", "file": SimpleUploadedFile("people.csv", GOOD.encode()), "form_token": "t9"},
        )
        run = ImportRun.objects.get(form_token="t9")
        assert answer.headers["Location"] == f"/data/imports/{run.pk}/"
        work()
        shown = browser.get(answer.headers["Location"]).content.decode()
        assert "Store 2 new and 0 changed rows" in shown
        browser.post(f"/data/imports/{run.pk}/confirm/")
        work()
        listed = browser.get("/data/imports/").content.decode()
        assert "patients.csv" in listed
        assert "people.csv" not in listed  # the name a person gave a file may name a person
        assert fresh(run).state == "stored"


def test_an_import_is_not_shown_to_another_site(nora: User, hana: User, signed_in: Any) -> None:
    run = send(nora)
    assert signed_in(hana).get(f"/data/imports/{run.pk}/").status_code == 404
    assert signed_in(hana).post(f"/data/imports/{run.pk}/confirm/").status_code == 404


def test_an_export_is_made_once_downloaded_by_its_person_and_noted(
    mona: User, hana: User, signed_in: Any, riverside: Site
) -> None:
    browser = signed_in(mona)
    for _ in range(2):
        browser.post("/data/exports/", {"form_token": "e1", "site": riverside.pk})
    run = ExportRun.objects.get()
    exports.work_waiting(now=lambda: NOW)
    answer = browser.get(f"/data/exports/{run.pk}/download/")
    content = b"".join(answer.streaming_content)
    assert content.startswith(b"PK")
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert set(AuditEntry.objects.filter(action__startswith="export").values_list("action", "actor")) == {
        ("export", "mona"),
        ("export downloaded", "mona"),
    }
    assert signed_in(hana).get(f"/data/exports/{run.pk}/download/").status_code in (403, 404)


def test_a_person_without_the_right_anywhere_exports_nothing(nora: User, riverside: Site) -> None:
    assert not exports.scope_for(nora, None)
    assert not exports.scope_for(nora, riverside)
    with acting_as(nora):
        run = exports.request_export(site=None, form_token="e2", by=nora, now=NOW)
    exports.work_waiting(now=lambda: NOW)
    run.refresh_from_db()
    assert (run.state, run.stored_as) == ("failed", "")


def test_an_export_of_two_sites_is_gone_with_the_right_at_one(
    mona: User, harbour: Site, riverside: Site, signed_in: Any
) -> None:
    grant = RoleGrant.objects.create(
        user=mona, role="monitor", site=harbour, starts_on=TODAY - timedelta(days=9000)
    )
    with acting_as(mona):
        run = exports.request_export(site=None, form_token="e3", by=mona, now=NOW)
    exports.work_waiting(now=lambda: NOW)
    address = f"/data/exports/{run.pk}/download/"
    answer = signed_in(mona).get(address)
    assert (answer.status_code, b"".join(answer.streaming_content)[:2]) == (200, b"PK")
    RoleGrant.objects.filter(pk=grant.pk).update(ends_on=TODAY - timedelta(days=8999))
    assert signed_in(mona).get(address).status_code == 403
