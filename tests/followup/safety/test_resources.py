"""Adverse events from a file: nothing that happened is refused, nothing is stored twice, nothing changes without a reason."""

import csv
import io
from datetime import UTC, datetime

import pytest

from followup.neoplasia.models import Neoplasm
from followup.safety.actions import correct_event, record_event, withdraw_event
from followup.safety.models import AdverseEvent
from registry.exchange.actions import import_file
from registry.exchange.exporting import Scope, export_to
from registry.exchange.resources import Context
from registry.patients.models import Patient, Query
from tests.cast import NOW

HEAD = (
    "patient_id,term,onset_date,end_date,severity_grade,is_serious,seriousness_criteria,outcome,"
    "aware_at,site_aware_at,sponsor_received_at,narrative,event_ref"
)


@pytest.fixture
def maria(harbour):
    return Patient.objects.create(patient_id="HAR-0001-A", site=harbour, created_at=NOW)


@pytest.fixture
def bring_in(tmp_path, acting):
    def run(*lines, head=HEAD, by=None, reason="", commit=True):
        path = tmp_path / "events.csv"
        path.write_text("\n".join([head, *lines]), encoding="utf-8")
        context = Context(now=NOW, by=by, reason=reason)
        return import_file(kind="adverse_events", path=path, context=context, commit=commit)

    return run


def totals(report):
    return report.created, report.updated, report.unchanged, report.refused


def test_the_same_file_again_changes_nothing(maria, bring_in):
    lines = ["HAR-0001-A,Fever,2031-03-10,,1,no,,recovered,,,,,", "HAR-0001-A,Nausea,2031,,,,,,,,,,N-7"]
    assert totals(bring_in(*lines)) == (2, 0, 0, 0)
    assert totals(bring_in(*lines)) == (0, 0, 2, 0)


def test_two_fevers_on_one_day_stay_two(maria, bring_in):
    lines = ["HAR-0001-A,Fever,2031-03-10,,1,no,,,,,,,"] * 2
    assert totals(bring_in(*lines)) == (2, 0, 0, 0)
    assert totals(bring_in(*lines)) == (0, 0, 2, 0)


def test_a_changed_row_needs_a_reason(maria, bring_in):
    bring_in("HAR-0001-A,Fever,2031-03-10,,1,no,,,,,,,")
    changed = "HAR-0001-A,Fever,2031-03-10,,2,no,,,,,,,"
    refused = bring_in(changed)
    assert [error.code for error in refused.errors] == ["reason_required"]
    assert totals(bring_in(changed, reason="Source corrected")) == (0, 1, 0, 0)
    assert AdverseEvent.objects.get().severity_grade == 2


def test_one_bad_row_refuses_the_whole_file_and_is_named(maria, bring_in):
    report = bring_in("HAR-0001-A,Fever,2031-03-10,,1,no,,,,,,,", "HAR-0001-A,Fever,2031-13-10,,1,no,,,,,,,")
    [error] = report.errors
    assert (error.row, error.column, error.value) == (3, "onset_date", "2031-13-10")
    assert not AdverseEvent.objects.exists()


def test_contradictions_become_queries_and_flags_not_refusals(maria, bring_in):
    report = bring_in(
        "HAR-0001-A,Sepsis,2031-03-10,2031-03-09,3,no,hospitalisation;life_threatening,fatal,,,,,",
        commit=True,
    )
    assert totals(report) == (1, 0, 0, 0)
    assert report.flagged == 1
    rules = set(Query.objects.values_list("rule", flat=True))
    assert {
        "criterion_without_serious",
        "fatal_not_serious",
        "end_before_onset",
        "fatal_not_grade_5",
    } <= rules


@pytest.mark.parametrize(
    ("onset", "end", "column"), [("2031-04", "", "onset_date"), ("2031-03", "2032", "end_date")]
)
def test_what_has_not_happened_yet_is_a_typing_error(maria, bring_in, onset, end, column):
    report = bring_in(f"HAR-0001-A,Fever,{onset},{end},1,no,,,,,,,")
    assert [(error.column, error.code) for error in report.errors] == [(column, "in_future")]


@pytest.mark.parametrize("grade", ["6", "severe", "0", "3-4", "²"])
def test_an_impossible_grade_is_kept_as_received_and_asked_about(maria, bring_in, grade):
    line = f"HAR-0001-A,Fever,2031-03-10,,{grade},no,,,,,,,"
    assert bring_in(line).flagged == 1
    event = AdverseEvent.objects.get()
    assert (event.severity_grade, event.severity_received) == (None, grade)
    assert Query.objects.get().rule == "impossible_grade"
    assert totals(bring_in(line)) == (0, 0, 1, 0)


def test_a_grade_the_term_does_not_have_is_kept_and_asked_about(maria, bring_in):
    bring_in("HAR-0001-A,Upper respiratory infection,2031-03-10,,1,no,,,,,,,")
    assert AdverseEvent.objects.get().severity_grade == 1
    assert "Other, specify" in Query.objects.get(rule="impossible_grade").reason


def test_moments_are_the_sites_own_clock_and_a_bare_date_stays_a_day(maria, bring_in):
    bring_in("HAR-0001-A,Fever,2031-03-10,,1,no,,,2031-03-11T08:00,2031-03-11,2031-03-12T08:00+01:00,,")
    event = AdverseEvent.objects.get()
    assert event.aware_at == datetime(2031, 3, 10, 19, 0, tzinfo=UTC)
    assert event.moment_as_known("site_aware_at") == "2031-03-11"
    assert event.sponsor_received_at == datetime(2031, 3, 12, 7, 0, tzinfo=UTC)


def test_an_unknown_patient_and_one_of_another_site_look_the_same(maria, bring_in, nora):
    report = bring_in("HAR-0001-A,Fever,2031,,,,,,,,,,", "RIV-9999-X,Fever,2031,,,,,,,,,,", by=nora)
    assert [error.message for error in report.errors] == [
        "no patient HAR-0001-A in your sites",
        "no patient RIV-9999-X in your sites",
    ]


def test_an_unknown_criterion_is_a_typing_error(maria, bring_in):
    report = bring_in("HAR-0001-A,Fever,2031,,,yes,hospital,,,,,,")
    assert [error.column for error in report.errors] == ["seriousness_criteria"]


def test_a_reported_cancer_in_two_rows_is_one_case(maria, bring_in):
    lines = ["HAR-0001-A,Pancreatic cancer,2030-07,,,yes,medically_important,,,,,,"] * 2
    bring_in(*lines)
    bring_in(*lines)
    case = Neoplasm.objects.get()
    assert (case.morphology, case.topography, case.diagnosed_on) == ("8000/3", "C80.9", "2030-07")
    assert "reported, unverified" in case.source
    assert set(Query.objects.filter(kind="missing").values_list("field", flat=True)) == {
        "topography",
        "morphology",
        "basis_of_diagnosis",
    }


def exported(tmp_path, hana):
    folder = tmp_path / "out"
    export_to(folder, scope=Scope(sites=hana.scope("events.view"), now=NOW))
    return (folder / "adverse_events.csv").read_text(encoding="utf-8")


def test_the_export_comes_back_unchanged(maria, bring_in, tmp_path, hana):
    bring_in(
        "HAR-0001-A,Fever,2031-03-10,,9,yes,hospitalisation;death,,2031-03-11,2031-03-11T08:00,,“in words”,",
        "HAR-0001-A,Fever,2031-03-10,,1,no,,,,,,,",
        "HAR-0001-A,Nausea,2031,,2,,,unknown,,,,,N-1",
    )
    record_event(
        patient=maria, facts={"term": "Chills", "onset_date": "2031-03", "aware_at": NOW}, by=hana, now=NOW
    )
    corrected = AdverseEvent.objects.get(severity_grade=1)
    correct_event(event=corrected, facts={"term": "Cough"}, version=1, reason="Misread", by=hana, now=NOW)
    head, *lines = exported(tmp_path, hana).splitlines()
    assert len(lines) == 4
    assert totals(bring_in(*lines, head=head)) == (0, 0, 4, 0)


def test_a_withdrawn_event_is_neither_exported_nor_brought_back(maria, bring_in, tmp_path, hana):
    line = "HAR-0001-A,Fever,2031-03-10,,1,no,,,,,,,"
    bring_in(line)
    withdraw_event(event=AdverseEvent.objects.get(), version=1, reason="Wrong person", by=hana, now=NOW)
    assert list(csv.DictReader(io.StringIO(exported(tmp_path, hana)))) == []
    assert totals(bring_in(line)) == (0, 0, 1, 0)
