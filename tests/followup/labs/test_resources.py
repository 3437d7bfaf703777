import csv
from decimal import Decimal

import pytest

from followup.labs.actions import Collection, Entry, record_results, withdraw_result
from followup.labs.models import DerivedValue, Laboratory, LabResult
from registry.access.models import SiteScope
from registry.exchange.actions import import_file
from registry.exchange.exporting import Scope, export_to
from registry.exchange.resources import Context
from registry.patients.models import Query
from tests.cast import NOW, TODAY

HEADINGS = "patient_id,collected_at,analyte,value,unit,fasting,laboratory,accession,comment"
GOOD = [
    "RIV-0042-J,2030-07-01T08:30,fasting_glucose,144.128,mg/dL,yes,Central laboratory,A-1,Month 6",
    "RIV-0042-J,2030-07-01T08:30,fasting_insulin,12,uIU/mL,yes,Central laboratory,A-1,Month 6",
    "RIV-0042-J,2030-07-01,cea,<0.5,ng/mL,,,,",
    "RIV-0042-J,2030-07-01,cea,0.7,ng/mL,,,,",
    "RIV-0042-J,2030-07-01T23:30,4548-4,7.1,%,,Central laboratory,A-2,",
]


@pytest.fixture
def bring(tmp_path, rosa):
    def bring(lines, *, headings=HEADINGS, by=None, reason="", **options):
        path = tmp_path / "labs.csv"
        path.write_text("\n".join([headings, *lines]))
        context = Context(now=NOW, by=by, reason=reason)
        return import_file(kind="labs", path=path, context=context, commit=True, **options)

    return bring


def only_error(report):
    assert not report.committed
    [error] = report.errors
    return error


def test_a_good_file_is_stored_once_and_worked_out(bring):
    report = bring(GOOD)
    assert (report.rows, report.created, report.refused) == (5, 5, 0)
    glucose = LabResult.objects.get(analyte="fasting_glucose")
    assert (glucose.value_received, round(glucose.canonical_value, 3)) == ("144.128", Decimal("8.000"))
    assert glucose.collected_at.isoformat() == "2030-07-01T07:30:00+00:00"
    assert LabResult.objects.get(loinc="4548-4").analyte == "hba1c"
    assert DerivedValue.objects.get(code="homa_ir").status == "not_interpretable"


def test_the_same_file_again_changes_nothing(bring):
    bring(GOOD)
    again = bring(GOOD)
    assert (again.created, again.updated, again.unchanged) == (0, 0, 5)
    assert LabResult.objects.count() == 5


def test_two_results_of_one_day_without_accession_stay_two(bring):
    bring(GOOD)
    assert sorted(LabResult.objects.filter(analyte="cea").values_list("comparator", flat=True)) == ["", "<"]


def test_a_new_laboratory_is_added_and_reported(bring):
    report = bring(GOOD)
    assert Laboratory.objects.get().name == "Central laboratory"
    assert sum("laboratory “Central laboratory” is new" in flag.message for flag in report.flags) == 1


@pytest.mark.parametrize(
    ("line", "column", "code", "says"),
    [
        ("RIV-0042-J,2030-07-01,hba1c,53,%,,,,", "unit", "unit_contradicts_value", "mmol/mol"),
        ("RIV-0042-J,2030-07-01,creatinine,88,mg/dL,,,,", "unit", "unit_slip", "umol/L"),
        ("RIV-0042-J,2030-07-01,alt,27,,,,,", "unit", "unit_missing", "U/L or ukat/L"),
        ("RIV-0042-J,2030-07-01,alt,27,furlongs,,,,", "unit", "unit_not_accepted", "U/L or ukat/L"),
        ("RIV-0042-J,2030-07-01,alt,high-ish,U/L,,,,", "value", "value_not_number", "high-ish"),
        ("RIV-0042-J,2030-07-01,weight,700,kg,,,,", "value", "out_of_range", "20 to 400"),
        ("RIV-0042-J,2030-07-01,unobtainium,1,g,,,,", "analyte", "unknown_analyte", "unobtainium"),
        ("RIV-0042-J,2031-07-01,alt,27,U/L,,,,", "collected_at", "in_future", "future"),
        ("RIV-0042-J,1965-07-01,alt,27,U/L,,,,", "collected_at", "before_birth", "birth"),
        ("RIV-0042-J,2030-13-01,alt,27,U/L,,,,", "collected_at", "not_a_date", "2031-03-14"),
        ("NOBODY-1,2030-07-01,alt,27,U/L,,,,", "patient_id", "unknown_patient", "no patient NOBODY-1"),
        (GOOD[0], "accession", "duplicate", "row 2"),
    ],
)
def test_one_bad_row_refuses_the_file_and_says_what_is_wrong(bring, line, column, code, says):
    error = only_error(bring([*GOOD, line]))
    assert (error.row, error.column, error.code) == (7, column, code)
    assert says in error.message
    assert not LabResult.objects.exists()


def test_the_clean_rows_are_stored_when_asked_for(bring):
    report = bring([*GOOD, "NOBODY-1,2030-07-01,alt,27,U/L,,,,"], clean_rows=True)
    assert (report.created, report.refused, report.committed) == (5, 1, True)


def test_another_sites_patient_is_as_unknown_as_nobody(bring, hana):
    messages = {error.message for error in bring(GOOD, by=hana).errors}
    assert messages == {"no patient RIV-0042-J in your sites"}


def test_a_unitless_test_needs_no_unit(bring):
    assert bring(["RIV-0042-J,2030-07-01,inr,1.1,,,,,"]).created == 1


def test_an_unusual_value_is_accepted_and_queried(bring):
    report = bring(["RIV-0042-J,2030-07-01,weight,260,kg,,,,"])
    assert (report.created, report.flagged) == (1, 1)
    assert Query.objects.get().kind == "out_of_range"


def test_a_code_that_does_not_say_fasting_is_queried_when_the_file_does_not_either(bring):
    report = bring(
        ["RIV-0042-J,2030-07-01,1986-9,2.1,ng/mL,,,,", "RIV-0042-J,2030-07-02,1986-9,2.1,ng/mL,yes,,,"]
    )
    assert (report.created, report.flagged) == (2, 1)
    assert Query.objects.get().field == "fasting"


def test_a_changed_row_needs_a_reason_and_is_worked_out_again(bring):
    bring(GOOD)
    changed = [GOOD[0].replace("144.128", "108.096"), *GOOD[1:]]
    assert only_error(bring(changed)).code == "reason_required"
    assert bring(changed, reason="Laboratory corrected it").updated == 1
    assert round(DerivedValue.objects.get(code="homa_ir").value, 3) == Decimal("3.200")


def test_a_withdrawn_result_is_not_brought_back(bring, nora):
    bring(GOOD)
    result = LabResult.objects.get(analyte="fasting_insulin")
    withdraw_result(result=result, reason="Other person's tube", version=1, by=nora, now=NOW)
    assert bring(GOOD).unchanged == 5
    assert not LabResult.objects.filter(analyte="fasting_insulin", withdrawn_at=None).exists()


def test_an_accession_of_another_patient_is_refused(bring, tane):
    bring(GOOD)
    line = GOOD[0].replace("RIV-0042-J", "HAR-0007-D")
    assert only_error(bring([line])).code == "other_patient"


def test_unknown_headings_are_named(bring):
    assert "“colour”" in only_error(bring([], headings=f"{HEADINGS},colour")).message


def test_few_queries_whatever_the_number_of_rows(bring, django_assert_max_num_queries):
    lines = [f"RIV-0042-J,2030-07-01T08:30,alt,{n},U/L,,Central laboratory,B-{n}," for n in range(10, 160)]
    with django_assert_max_num_queries(40):
        assert bring(lines).created == 150


def test_what_is_written_out_comes_back_unchanged(bring, rosa, nora, tmp_path):
    bring(GOOD)
    entries = [Entry("hba1c", "53", "mmol/mol"), Entry("weight", "70", "kg")]
    record_results(
        patient=rosa, visit=None, collection=Collection(on=TODAY), entries=entries, by=nora, now=NOW
    )
    export_to(tmp_path, scope=Scope(SiteScope(everywhere=True), NOW))
    with (tmp_path / "lab_results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 7
    assert (rows[2]["collected_at"], rows[2]["comparator"], rows[2]["canonical_unit"]) == (
        "2030-07-01",
        "<",
        "ug/L",
    )
    report = import_file(
        kind="labs", path=tmp_path / "lab_results.csv", context=Context(now=NOW), commit=True
    )
    assert (report.rows, report.unchanged) == (7, 7), report.errors


def test_derived_values_are_written_out_with_why(bring, tmp_path):
    bring(GOOD)
    export_to(tmp_path, scope=Scope(SiteScope(everywhere=True), NOW))
    with (tmp_path / "derived_values.csv").open() as file:
        rows = {row["code"]: row for row in csv.DictReader(file)}
    assert rows["homa_ir"]["status"] == "not_interpretable"
    assert "insulin treatment" in rows["homa_ir"]["reason"]
    assert rows["homa_ir"]["patient_id"] == "RIV-0042-J"
