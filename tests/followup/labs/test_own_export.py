"""The laboratory takes out what it entered or imported itself, and nothing else; the file can come in again."""

import csv
import io
import json
import zipfile
from datetime import date

import pytest
from django.urls import reverse

from followup.labs.actions import Collection, Entry, record_results
from followup.labs.models import LabResult
from registry.access.models import RoleGrant
from registry.audit.acting import acting_as
from registry.audit.models import AuditEntry
from registry.exchange import exports
from registry.exchange.actions import import_file
from registry.exchange.models import ExportRun
from registry.exchange.resources import Context
from tests.cast import NOW, TODAY, person


@pytest.fixture(autouse=True)
def own_folder(tmp_path, settings):
    settings.DATA_DIR = tmp_path


@pytest.fixture
def lars(riverside):
    """Laboratory at Riverside."""
    return person("lars", "laboratory", riverside)


@pytest.fixture
def results(rosa, lars, nora, tmp_path):
    """Two Lars brought in by file, one he typed, one of another laboratory person, and one of a nurse."""
    path = tmp_path / "labs.csv"
    path.write_text(
        "patient_id,collected_at,analyte,value,unit,comment\n"
        "RIV-0042-J,2030-07-01T08:30,fasting_glucose,144.128,mg/dL,=1+1\n"
        "RIV-0042-J,2030-07-01,cea,<0.5,ng/mL,\n"
    )
    with acting_as(lars, channel="import"):
        report = import_file(kind="labs", path=path, context=Context(now=NOW, by=lars), commit=True)
    assert report.created == 2, report.errors
    second = person("lotte", "laboratory", rosa.site)
    for by, value in ((lars, "7.1"), (second, "7.2"), (nora, "7.3")):
        with acting_as(by):
            record_results(
                patient=rosa, visit=None, collection=Collection(on=TODAY), entries=[Entry("hba1c", value, "%")], by=by,
                now=NOW,
            )  # fmt: skip


def export(browser, **answers):
    """Asked for on the page, made by the worker, downloaded."""
    sent = {"form_token": "own", "site": ""} | answers
    assert browser.post(reverse("exchange:export_list"), sent).status_code == 302
    exports.work_waiting(now=lambda: NOW)
    run = ExportRun.objects.latest("pk")
    answer = browser.get(reverse("exchange:export_download", args=[run.pk]))
    return zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content)))


def rows_in(archive):
    return list(csv.DictReader(io.StringIO(archive.read("lab_results.csv").decode())))


def test_the_laboratory_takes_out_its_own_results_alone(results, lars, signed_in):
    archive = export(signed_in(lars))
    assert sorted(archive.namelist()) == ["lab_results.csv", "manifest.json"]
    assert {row["value"] for row in rows_in(archive)} == {"144.128", "<0.5", "7.1"}
    manifest = json.loads(archive.read("manifest.json"))
    assert (manifest["pseudonymised"], manifest["rows_of"]) == (True, "lars")
    noted = AuditEntry.objects.get(action="export")
    assert (noted.actor, "own rows, 3 rows in 1 tables" in noted.new) == ("lars", True)


def test_cells_that_look_like_formulas_are_guarded_and_the_file_comes_in_again(
    results, lars, signed_in, tmp_path
):
    archive = export(signed_in(lars))
    assert "'=1+1" in {row["comment"] for row in rows_in(archive)}
    archive.extract("lab_results.csv", tmp_path)
    again = import_file(
        kind="labs", path=tmp_path / "lab_results.csv", context=Context(now=NOW, by=lars), commit=True
    )
    assert (again.rows, again.unchanged) == (3, 3), again.errors


def test_what_is_withdrawn_or_gone_to_another_site_stays_behind(results, lars, harbour, signed_in):
    LabResult.objects.filter(analyte="cea").update(withdrawn_at=NOW)
    LabResult.objects.filter(analyte="hba1c").update(site=harbour)
    assert [row["value"] for row in rows_in(export(signed_in(lars)))] == ["144.128"]


def test_with_the_right_the_file_is_gone_too(results, lars, signed_in):
    browser = signed_in(lars)
    export(browser)
    address = reverse("exchange:export_download", args=[ExportRun.objects.get().pk])
    RoleGrant.objects.filter(user=lars).update(role="nurse")
    assert browser.get(address).status_code == 403


def test_nobody_without_the_wider_right_gets_every_table_by_asking(results, lars, signed_in):
    archive = export(signed_in(lars), what="all")
    assert archive.namelist() == ["lab_results.csv", "manifest.json"]


def test_who_may_do_both_chooses(results, lars, signed_in):
    RoleGrant.objects.create(
        user=lars, role="investigator", site=lars.grants[0].site, starts_on=date(2020, 1, 1)
    )
    browser = signed_in(lars)
    assert "every table" in browser.get(reverse("exchange:export_list")).content.decode().lower()
    assert len(rows_in(export(browser, what="all", form_token="one"))) == 5
    assert len(rows_in(export(browser, what="own", form_token="two"))) == 3
