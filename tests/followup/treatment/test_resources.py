import csv

import pytest

from followup.treatment.models import Treatment
from registry.access.models import SiteScope
from registry.exchange.actions import import_file
from registry.exchange.exporting import Scope, export_to
from registry.exchange.resources import Context
from registry.patients.models import Patient, Query
from tests.cast import NOW

HEADINGS = "patient_id,drug,class,dose,unit,per,start_date,stop_date,reason,prescribed_or_taken"
GOOD = [
    "RIV-0042-J,Insulin glargine,insulin,20,IU,day,2030-05,,,taken",
    "RIV-0042-J,Metformin,metformin,1000,mg,day,2014,2029-03-01,Diarrhoea,prescribed",
]


@pytest.fixture
def bring(tmp_path, rosa):
    def bring(lines, **options):
        path = tmp_path / "treatments.csv"
        path.write_text("\n".join([HEADINGS, *lines]))
        context = Context(now=NOW, by=options.pop("by", None), reason=options.pop("reason", ""))
        return import_file(kind="treatments", path=path, context=context, commit=True, **options)

    return bring


def test_a_good_file_is_stored_once(bring):
    assert bring(GOOD).created == 2
    again = bring(GOOD)
    assert (again.created, again.updated, again.unchanged) == (0, 0, 2)
    assert Treatment.objects.count() == 2


def test_one_bad_row_keeps_the_whole_file_out_and_says_where(bring):
    report = bring([*GOOD, "RIV-0042-J,Metformin,metformin,a lot,mg,day,2030-05,,,"])
    assert not report.committed
    error = report.errors[0]
    assert (error.row, error.column, error.value, error.code) == (4, "dose", "a lot", "not_a_number")
    assert not Treatment.objects.exists()


def test_clean_rows_are_stored_when_asked_for(bring):
    report = bring([*GOOD, "NOBODY-1,Metformin,,,,,2030-05,,,"], clean_rows=True)
    assert (report.created, report.refused) == (2, 1)


def test_another_sites_patient_is_as_unknown_as_nobody(bring, hana):
    report = bring(GOOD, by=hana)
    assert {error.message for error in report.errors} == {"no patient RIV-0042-J in your sites"}


def test_a_changed_row_needs_a_reason(bring):
    bring(GOOD)
    changed = [GOOD[0].replace(",20,", ",24,"), GOOD[1]]
    assert bring(changed).errors[0].code == "reason_required"
    assert bring(changed, reason="Dose was mistyped").updated == 1


def test_a_stop_before_the_start_is_kept_and_queried(bring):
    report = bring(["RIV-0042-J,Exenatide,glp1 agonist,,,,2030-05,2029-01,,"])
    assert (report.created, report.flagged) == (1, 1)
    assert "before its start" in Query.objects.get().reason


def test_what_is_written_out_comes_back_unchanged(bring, tmp_path):
    bring(GOOD)
    export_to(tmp_path / "out", scope=Scope(SiteScope(everywhere=True), NOW))
    with (tmp_path / "out" / "treatments.csv").open() as file:
        assert next(csv.reader(file)) == HEADINGS.split(",")
    report = import_file(
        kind="treatments", path=tmp_path / "out" / "treatments.csv", context=Context(now=NOW), commit=True
    )
    assert (report.rows, report.unchanged) == (2, 2)


def test_today_is_the_sites_own_day(tmp_path, harbour):
    """At noon UTC it is tomorrow already in Auckland: what started there this morning is no future."""
    Patient.objects.create(patient_id="HAR-0001-A", site=harbour, created_at=NOW)
    path = tmp_path / "treatments.csv"
    path.write_text(f"{HEADINGS}\nHAR-0001-A,Metformin,,,,,2031-03-15,,,\n")
    context = Context(now=NOW.replace(hour=12))
    assert import_file(kind="treatments", path=path, context=context, commit=True).created == 1
