"""Which derived values may be read, which carry a warning, and which do not exist."""

import json
from decimal import Decimal

import pytest

from followup.labs.derived import (
    FORMULA_VERSIONS,
    UNITS,
    Reading,
    derive_bmi,
    derive_c_peptide_glucose_ratio,
    derive_egfr,
    derive_fasting_indices,
    derive_insulin_per_kg,
    derive_tyg,
)

D = Decimal


def fasting(glucose="7.0", insulin="12", **changes):
    facts = {
        "glucose_mmol_l": Reading(D(glucose)) if isinstance(glucose, str) else glucose,
        "insulin_miu_l": Reading(D(insulin)) if isinstance(insulin, str) else insulin,
        "fasting": True,
        "insulin_status": "no_insulin",
        **changes,
    }
    return {index.code: index for index in derive_fasting_indices(**facts)}


def test_a_fasting_sample_without_insulin_treatment_is_read() -> None:
    found = fasting()
    assert set(found) == {"homa_ir", "homa_beta", "homa_s", "quicki"}
    assert {index.status for index in found.values()} == {"ok"}
    assert {index.reason for index in found.values()} == {""}
    assert found["homa_ir"].value == D("3.733333")
    assert found["homa_ir"].formula_version == "HOMA1-1985/1"


def test_inputs_let_a_reader_work_the_value_out_again() -> None:
    inputs = fasting(insulin_pmol_per_miu=D("6.945"))["homa_ir"].inputs
    assert json.loads(json.dumps(inputs)) == {
        "glucose_mmol_l": "7.0",
        "insulin_miu_l": "12",
        "fasting": "yes",
        "insulin_status": "no_insulin",
        "insulin_free": "no",
        "insulin_pmol_per_miu": "6.945",
    }


@pytest.mark.parametrize(
    ("status", "words"), [("on_insulin", "insulin treatment at collection:"), ("unknown", "unknown")]
)
def test_insulin_treatment_or_not_knowing_makes_every_index_unreadable_but_shown(
    status: str, words: str
) -> None:
    for index in fasting(insulin_status=status).values():
        assert index.status == "not_interpretable"
        assert words in index.reason
        assert index.value is not None


@pytest.mark.parametrize("status", ["on_insulin", "unknown"])
def test_results_declared_free_of_insulin_are_read(status: str) -> None:
    assert fasting(insulin_status=status, insulin_free=True)["homa_ir"].status == "ok"


@pytest.mark.parametrize(
    ("answer", "reason"), [(False, "not fasting"), (None, "fasting of 8 hours not stated")]
)
def test_a_sample_not_known_to_be_fasting_is_not_interpretable(answer: bool | None, reason: str) -> None:
    index = fasting(fasting=answer)["homa_ir"]
    assert (index.status, index.reason, index.value) == ("not_interpretable", reason, D("3.733333"))


def test_samples_far_apart_are_not_interpretable() -> None:
    assert fasting(minutes_apart=5)["homa_ir"].status == "ok"
    assert "5 minutes" in fasting(minutes_apart=-6)["homa_ir"].reason


@pytest.mark.parametrize("glucose", ["3.5", "3.0"])
def test_beta_does_not_exist_at_low_glucose_but_the_others_do(glucose: str) -> None:
    found = fasting(glucose)
    assert (found["homa_beta"].status, found["homa_beta"].value) == ("not_computable", None)
    assert "glucose ≤3.5" in found["homa_beta"].reason
    assert found["homa_ir"].status == "ok"


@pytest.mark.parametrize(("glucose", "cautious"), [("3.6", True), ("3.99", True), ("4.0", False)])
def test_beta_near_its_limit_carries_a_caution(glucose: str, cautious: bool) -> None:
    beta = fasting(glucose)["homa_beta"]
    assert beta.status == "ok"
    assert ("unstable" in beta.reason) == cautious


def test_caution_and_doubts_are_both_told() -> None:
    reason = fasting("3.7", insulin_status="unknown")["homa_beta"].reason
    assert "unstable" in reason
    assert "unknown" in reason


def test_a_censored_input_is_never_computed_with() -> None:
    for index in fasting(insulin=Reading(D("0.1"), "<")).values():
        assert (index.status, index.value) == ("not_computable", None)
        assert index.reason == "insulin is censored (<0.1)"


@pytest.mark.parametrize(
    ("insulin", "reason"), [(Reading(None), "insulin unknown"), (Reading(D(0)), "above 0")]
)
def test_missing_is_unknown_and_zero_has_no_index(insulin: Reading, reason: str) -> None:
    index = fasting(insulin=insulin, insulin_status="on_insulin")["homa_ir"]
    assert (index.status, index.value) == ("not_computable", None)
    assert reason in index.reason


def test_a_meter_word_is_a_censored_input() -> None:
    assert "censored (>)" in fasting(glucose=Reading(None, ">"))["homa_ir"].reason


def test_an_unheard_of_insulin_status_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="insulin status"):
        fasting(insulin_status="maybe")


def test_egfr_says_what_it_lacks() -> None:
    creatinine = Reading(D("88.4"))
    good = derive_egfr(creatinine_umol_l=creatinine, age_years=50, sex_at_birth="female")
    assert (good.status, round(good.value or 0)) == ("ok", 69)
    for age, sex, words in [(None, "male", "age"), (17, "male", "18 years"), (50, "unknown", "sex at birth")]:
        index = derive_egfr(creatinine_umol_l=creatinine, age_years=age, sex_at_birth=sex)
        assert (index.status, index.value) == ("not_computable", None)
        assert words in index.reason


def test_a_blank_insulin_dose_is_unknown_and_a_recorded_zero_is_zero() -> None:
    weight = Reading(D(84))
    assert derive_insulin_per_kg(insulin_iu_per_day=Reading(D(42)), weight_kg=weight).value == D("0.5")
    assert derive_insulin_per_kg(insulin_iu_per_day=Reading(D(0)), weight_kg=weight).value == 0
    unknown = derive_insulin_per_kg(insulin_iu_per_day=Reading(None), weight_kg=weight)
    assert (unknown.status, unknown.value, unknown.reason) == ("not_computable", None, "insulin dose unknown")


def test_bmi_tyg_and_c_peptide_ratio() -> None:
    assert derive_bmi(weight_kg=Reading(D(80)), height_cm=Reading(D(175))).value == D("26.122449")
    glucose = Reading(D("5.550622"))
    tyg = derive_tyg(triglycerides_mmol_l=Reading(D("1.6935")), glucose_mmol_l=glucose, fasting=True)
    assert (tyg.status, round(tyg.value or 0, 3)) == ("ok", D("8.923"))
    ratio = derive_c_peptide_glucose_ratio(
        c_peptide_nmol_l=Reading(D("0.6622")), glucose_mmol_l=glucose, fasting=None
    )
    assert (ratio.status, round(ratio.value or 0, 3)) == ("not_interpretable", D("2.000"))


def test_every_derived_code_has_a_unit_and_a_version() -> None:
    assert set(UNITS) == set(FORMULA_VERSIONS)
