import json
from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import PermissionDenied

from followup.labs.actions import (
    Collection,
    Entry,
    change_insulin_factor,
    correct_result,
    record_results,
    withdraw_result,
)
from followup.labs.models import DerivedValue, Laboratory, LabResult
from followup.labs.recomputing import GONE, recompute
from followup.labs.units import UnitError
from followup.schedule.resources import NOT_TOLD
from followup.treatment.actions import TreatmentFacts, add_treatment
from registry.patients.models import Enrolment, Query
from registry.saving import ChangedMeanwhile
from tests.cast import NOW, TODAY

PAIR = [
    Entry("fasting_glucose", "8.0", "mmol/L", fasting=True),
    Entry("fasting_insulin", "72", "pmol/L", fasting=True),
]


@pytest.fixture
def record(rosa, nora):
    def record(entries, *, visit=None, token="", **shared):
        return record_results(
            patient=rosa, visit=visit, collection=Collection(**{"on": TODAY} | shared), entries=entries,
            by=nora, now=NOW, form_token=token,
        )  # fmt: skip

    return record


@pytest.fixture
def laboratory(acting):
    return Laboratory.objects.create(name="Central laboratory")


def homa():
    return DerivedValue.objects.get(code="homa_ir")


def test_what_was_received_stands_beside_what_it_converts_to(record):
    [result] = record([Entry("hba1c", "53", "mmol/mol")])
    result.refresh_from_db()
    assert (result.value_received, result.unit_received, result.value) == ("53", "mmol/mol", Decimal(53))
    assert (round(result.canonical_value, 2), result.canonical_unit) == (Decimal("7.00"), "%")
    assert result.conversion


def test_a_censored_value_stays_censored(record):
    [result] = record([Entry("cea", "<0.5", "ug/L")])
    assert (result.comparator, result.canonical_value) == ("<", Decimal("0.5"))


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        (Entry("hba1c", "53", "%"), "unit_contradicts_value"),
        (Entry("creatinine", "88", "mg/dL"), "unit_slip"),
        (Entry("weight", "700", "kg"), "out_of_range"),
        (Entry("alt", "30", ""), "unit_missing"),
        (Entry("unobtainium", "30", "g"), "unknown_analyte"),
    ],
)
def test_slips_are_refused_and_nothing_is_stored(record, entry, code):
    with pytest.raises(UnitError) as refused:
        record([Entry("alt", "30", "U/L"), entry])
    assert refused.value.code == code
    assert not LabResult.objects.exists()


def test_an_unusual_value_is_stored_and_queried(record):
    record([Entry("weight", "260", "kg")])
    query = Query.objects.get()
    assert (query.kind, query.field) == ("out_of_range", "value")


def test_a_second_submit_of_the_form_stores_nothing_new(record):
    first = record(PAIR, token="t1")
    assert record(PAIR, token="t1") == first
    assert LabResult.objects.count() == 2


def test_results_finish_the_assessments_of_their_group_and_no_other(record, visit):
    visit.assessments.filter(code="glycaemia").update(state="awaiting_result")
    visit.assessments.filter(code="vital_signs").update(state="not_done", reason="Scales broken")
    record([*PAIR, Entry("weight", "70", "kg")])
    states = dict(visit.assessments.values_list("code", "state"))
    assert states == {
        "interview": "pending", "glycaemia": "done", "islet_function": "done", "vital_signs": "not_done",
        "tumour_markers": "pending",
    }  # fmt: skip
    assert LabResult.objects.filter(visit=visit).count() == 3


def test_a_result_answers_what_an_import_of_visits_was_silent_about(record, visit):
    visit.assessments.filter(code="vital_signs").update(state="not_done", reason=NOT_TOLD)
    record([Entry("weight", "70", "kg")])
    row = visit.assessments.get(code="vital_signs")
    assert (row.state, row.reason, row.on_date) == ("done", "", TODAY)


def test_a_result_of_another_day_belongs_to_no_visit(record, visit):
    record(PAIR, on=TODAY - timedelta(days=1))
    assert not visit.lab_results.exists()


# Derived values ----------------------------------------------------------------------------------------------


def test_homa_is_shown_but_not_readable_while_insulin_is_unknown(record):
    record(PAIR)
    assert (homa().status, round(homa().value, 3)) == ("not_interpretable", Decimal("4.267"))
    assert json.loads(homa().inputs)["insulin_status"] == "unknown"


def test_a_recorded_dose_of_zero_makes_it_readable_and_a_new_treatment_takes_that_back(record, rosa, nora):
    record(PAIR)
    record([Entry("insulin_daily_dose", "0", "IU/day")], on=TODAY - timedelta(days=30))
    assert homa().status == "ok"
    facts = TreatmentFacts(drug="Insulin glargine", start_date="2031-03-01", drug_class="insulin")
    add_treatment(patient=rosa, facts=facts, by=nora, now=NOW)
    assert homa().status == "not_interpretable"


def test_a_baseline_dose_of_zero_stands_and_a_blank_one_is_unknown(record, rosa):
    Enrolment.objects.filter(patient=rosa).update(insulin_iu_per_day=0)
    record(PAIR)
    assert homa().status == "ok"


def test_correcting_an_input_works_the_index_out_again(record, nora):
    glucose, _ = record(PAIR)
    correct_result(
        result=glucose, entry=Entry("", "6.0", "mmol/L", fasting=True), reason="Transcription", version=1,
        by=nora, now=NOW,
    )  # fmt: skip
    assert round(homa().value, 3) == Decimal("3.200")


def test_an_index_whose_result_was_withdrawn_stays_with_the_reason(record, nora):
    _, insulin = record(PAIR)
    withdraw_result(result=insulin, reason="Haemolysed", version=1, by=nora, now=NOW)
    assert (homa().status, homa().value, homa().reason) == ("not_computable", None, GONE)


def test_working_out_again_changes_nothing(record, rosa):
    record([*PAIR, Entry("creatinine", "70", "umol/L"), Entry("weight", "70", "kg")])
    again = recompute([rosa.pk], now=NOW)
    assert (again.created, again.updated) == (0, 0)
    assert again.unchanged == 6


def test_the_laboratorys_factor_moves_the_canonical_insulin_and_homa(record, laboratory, adam):
    record(PAIR, laboratory=laboratory)
    changed = change_insulin_factor(
        laboratory=laboratory, pmol_per_miu=Decimal("6.945"), version=1, reason="As the assay says", by=adam, now=NOW
    )  # fmt: skip
    assert changed == 1
    assert round(homa().value, 3) == Decimal("3.686")


def test_somebody_elses_correction_is_not_overwritten(record, nora, ines):
    glucose, _ = record(PAIR)
    entry = Entry("", "6.0", "mmol/L")
    correct_result(result=glucose, entry=entry, reason="Transcription", version=1, by=nora, now=NOW)
    with pytest.raises(ChangedMeanwhile):
        withdraw_result(result=glucose, reason="Wrong person", version=1, by=ines, now=NOW)


def test_staff_of_another_site_cannot_record(rosa, hana):
    with pytest.raises(PermissionDenied):
        record_results(
            patient=rosa, visit=None, collection=Collection(on=TODAY), entries=PAIR, by=hana, now=NOW
        )
