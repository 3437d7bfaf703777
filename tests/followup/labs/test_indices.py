"""Published worked examples of each formula, and its limits."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from followup.labs import indices

D = Decimal


def near(value: str, tolerance: str = "0.0005"):
    return pytest.approx(D(value), abs=D(tolerance))


@pytest.mark.parametrize(
    ("percent", "mmol_mol", "reported"),
    [
        ("5.0", "31.15", 31),
        ("5.7", "38.80", 39),
        ("6.0", "42.08", 42),
        ("6.5", "47.55", 48),
        ("7.0", "53.01", 53),
        ("8.0", "63.94", 64),
        ("9.0", "74.87", 75),
        ("10.0", "85.80", 86),
    ],
)
def test_hba1c_percent_to_mmol_mol(percent: str, mmol_mol: str, reported: int) -> None:
    result = indices.hba1c_percent_to_mmol_mol(D(percent))
    assert result == near(mmol_mol, "0.0051")
    assert round(result) == reported


@pytest.mark.parametrize(
    ("mmol_mol", "percent", "reported"),
    [
        ("20", "3.982", "4.0"),
        ("39", "5.720", "5.7"),
        ("42", "5.994", "6.0"),
        ("48", "6.543", "6.5"),
        ("53", "7.000", "7.0"),
        ("64", "8.007", "8.0"),
        ("75", "9.013", "9.0"),
        ("86", "10.019", "10.0"),
    ],
)
def test_hba1c_mmol_mol_to_percent(mmol_mol: str, percent: str, reported: str) -> None:
    result = indices.hba1c_mmol_mol_to_percent(D(mmol_mol))
    assert result == near(percent)
    assert f"{result:.1f}" == reported


@given(st.integers(40, 140))
def test_a_reported_hba1c_survives_the_round_trip(tenths: int) -> None:
    percent = D(tenths) / 10
    back = indices.hba1c_mmol_mol_to_percent(D(round(indices.hba1c_percent_to_mmol_mol(percent))))
    assert round(back, 1) == percent


def test_a_change_of_hba1c_converts_by_the_slope_only() -> None:
    assert indices.hba1c_change_percent_to_mmol_mol(D("-1.0")) == D("-10.93")
    assert indices.hba1c_change_percent_to_mmol_mol(D(0)) == 0
    assert indices.hba1c_change_mmol_mol_to_percent(D(-10)) == D("-0.91480")


@pytest.mark.parametrize(
    ("percent", "mg_dl", "mmol_l"),
    [
        ("5.0", "96.8", "5.36"),
        ("6.0", "125.5", "6.95"),
        ("6.5", "139.85", "7.745"),
        ("7.0", "154.2", "8.54"),
        ("8.0", "182.9", "10.13"),
        ("9.0", "211.6", "11.72"),
        ("10.0", "240.3", "13.31"),
    ],
)
def test_estimated_average_glucose(percent: str, mg_dl: str, mmol_l: str) -> None:
    assert indices.estimated_average_glucose_mg_dl(D(percent)) == D(mg_dl)
    assert indices.estimated_average_glucose_mmol_l(D(percent)) == D(mmol_l)


@pytest.mark.parametrize(
    ("formula", "value"),
    [
        (indices.hba1c_percent_to_mmol_mol, "53"),
        (indices.hba1c_mmol_mol_to_percent, "7"),
        (indices.estimated_average_glucose_mg_dl, "53"),
        (indices.estimated_average_glucose_mmol_l, "2.9"),
        (indices.glucose_mg_dl_to_mmol_l, "-1"),
    ],
)
def test_values_outside_the_valid_range_are_refused(formula, value: str) -> None:
    with pytest.raises(ValueError, match=r"outside|below"):
        formula(D(value))


@pytest.mark.parametrize(
    ("glucose", "insulin", "ir", "beta", "s"),
    [
        ("5.0", "5", "1.111", "66.67", "90.00"),
        ("5.5", "10", "2.444", "100.00", "40.91"),
        ("8.0", "12", "4.267", "53.33", "23.44"),
        ("10.0", "15", "6.667", "46.15", "15.00"),
        ("4.5", "4", "0.800", "80.00", "125.00"),
        ("7.0", "20", "6.222", "114.29", "16.07"),
    ],
)
def test_homa1(glucose: str, insulin: str, ir: str, beta: str, s: str) -> None:
    g, i = D(glucose), D(insulin)
    assert indices.homa_ir(g, i) == near(ir)
    assert indices.homa_beta(g, i) == near(beta, "0.005")
    assert indices.homa_s(g, i) == near(s, "0.005")


def test_homa_from_mg_dl_goes_through_mmol_l() -> None:
    glucose = indices.glucose_mg_dl_to_mmol_l(D(126))
    assert indices.homa_ir(glucose, D(12)) == near("3.7300", "0.00005")  # 3.7333 by the mg/dL formula
    assert indices.homa_beta(glucose, D(12)) == near("68.6934", "0.00005")  # 68.571 by the mg/dL formula


def test_the_insulin_factor_moves_homa() -> None:
    assert indices.homa_ir(D("7.0"), indices.insulin_pmol_l_to_miu_l(D(72))) == near("3.733")
    assert indices.homa_ir(D("7.0"), indices.insulin_pmol_l_to_miu_l(D(72), D("6.945"))) == near("3.225")
    with pytest.raises(ValueError, match="insulin factor"):
        indices.insulin_pmol_l_to_miu_l(D(72), D("69.45"))


@pytest.mark.parametrize(
    ("mg_dl", "insulin", "expected"),
    [(90, 5, "0.3769"), (100, 10, "0.3333"), (126, 12, "0.3145"), (180, 15, "0.2914")],
)
def test_quicki(mg_dl: int, insulin: int, expected: str) -> None:
    assert indices.quicki(indices.glucose_mg_dl_to_mmol_l(D(mg_dl)), D(insulin)) == near(expected, "0.00005")


@pytest.mark.parametrize("glucose", ["3.5", "3.0"])
def test_homa_beta_is_undefined_at_low_glucose(glucose: str) -> None:
    with pytest.raises(ValueError, match="not defined"):
        indices.homa_beta(D(glucose), D(10))


@pytest.mark.parametrize("formula", [indices.homa_ir, indices.homa_beta, indices.homa_s, indices.quicki])
def test_fasting_indices_need_insulin_above_zero(formula) -> None:
    with pytest.raises(ValueError, match="above 0"):
        formula(D(7), D(0))


def test_quicki_is_undefined_where_its_logarithm_is_not_positive() -> None:
    with pytest.raises(ValueError, match="above 1"):
        indices.quicki(D("0.55"), D("0.1"))


def test_tyg_and_c_peptide_ratio() -> None:
    glucose = indices.glucose_mg_dl_to_mmol_l(D(100))
    assert indices.tyg(D(150) * D("0.01129"), glucose) == near("8.9227", "0.0001")  # ln(150 x 100 / 2)
    assert indices.c_peptide_glucose_ratio(D("0.6622"), glucose) == near("2.0", "0.000001")


@pytest.mark.parametrize(
    ("sex", "age", "mg_dl", "expected"),
    [
        ("male", 50, "1.0", "91.69"),
        ("female", 50, "1.0", "68.63"),
        ("female", 60, "0.8", "84.30"),
        ("female", 40, "0.7", "112.05"),
        ("male", 65, "0.9", "94.78"),
        ("male", 70, "2.0", "35.24"),
        ("female", 58, "1.4", "43.61"),
        ("male", 45, "0.6", "121.32"),
    ],
)
def test_egfr_ckd_epi_2021(sex: str, age: int, mg_dl: str, expected: str) -> None:
    assert indices.egfr_ckd_epi_2021(D(mg_dl) * D("88.4"), age, sex) == near(expected, "0.005")


@pytest.mark.parametrize(
    ("creatinine", "age", "sex"), [("0", 50, "male"), ("80", 17, "male"), ("80", 50, "unknown")]
)
def test_egfr_outside_its_range_is_refused(creatinine: str, age: int, sex: str) -> None:
    with pytest.raises(ValueError, match=r"above 0|18 years|sex at birth"):
        indices.egfr_ckd_epi_2021(D(creatinine), age, sex)


def test_ldl_friedewald_in_both_units() -> None:
    assert indices.ldl_friedewald_mg_dl(D(200), D(45), D(150)) == 125
    assert indices.ldl_friedewald_mmol_l(D("5.2"), D("1.2"), D("1.7")) == near("3.227")
    with pytest.raises(ValueError, match="not valid"):
        indices.ldl_friedewald_mg_dl(D(200), D(45), D(400))
    with pytest.raises(ValueError, match="not valid"):
        indices.ldl_friedewald_mmol_l(D("5.2"), D("1.2"), D("4.52"))


def test_dose_and_body_size() -> None:
    assert indices.insulin_iu_per_kg_day(D(42), D(84)) == D("0.5")
    assert indices.insulin_iu_per_kg_day(D(0), D(84)) == 0
    assert indices.bmi(D(80), D(175)) == near("26.122")
    with pytest.raises(ValueError, match="below 0"):
        indices.insulin_iu_per_kg_day(D(-1), D(84))
    with pytest.raises(ValueError, match="weight_kg"):
        indices.bmi(D(0), D(175))


@pytest.mark.parametrize(("base", "now", "reduction"), [("42", "14", "66.67"), ("40.5", "27.5", "32.10")])
def test_reduction_of_insulin(base: str, now: str, reduction: str) -> None:
    assert indices.percent_reduction(D(base), D(now)) == near(reduction, "0.005")


def test_percent_change_keeps_its_sign_and_has_no_value_from_zero() -> None:
    assert indices.percent_change(D(360), D("517.68")) == D("43.8")
    assert indices.percent_change(D(0), D(5)) is None
    assert indices.percent_reduction(D(0), D(5)) is None


def curve(minutes: str, values: str) -> list[tuple[D, D]]:
    return [(D(m), D(v)) for m, v in zip(minutes.split(), values.split(), strict=True)]


def test_area_of_an_oral_glucose_test() -> None:
    samples = curve("0 30 60 90 120", "1.2 2.0 2.9 3.1 2.7")
    assert indices.auc_total(samples) == D("298.5")
    assert indices.auc_mean(samples) == D("2.4875")
    assert indices.auc_net(samples) == D("154.5")
    assert indices.auc_total(samples) * D("0.3311") == near("98.83", "0.005")


def test_area_of_a_mixed_meal_with_two_baseline_samples_in_any_order() -> None:
    samples = curve("120 -10 0 15 30 60 90", "1.00 0.42 0.40 0.55 0.80 1.10 1.20")
    assert indices.samples_with_baseline(samples)[0] == (0, D("0.41"))
    assert indices.auc_total(samples) == D("113.325")
    assert indices.auc_mean(samples) == near("0.9444", "0.00005")
    assert indices.auc_net(samples) == D("64.125")


def test_positive_area_counts_only_what_lies_above_the_baseline() -> None:
    assert indices.auc_positive(curve("0 30 60 90 120", "5.0 8.0 7.0 4.5 4.0")) == near("144.0", "1e-20")
    assert indices.auc_positive(curve("0 30 60", "5 4 6")) == D(15) / 2
    assert indices.auc_positive(curve("0 30", "5 4")) == 0


@given(st.lists(st.decimals("0.1", 30, places=1), min_size=2, max_size=8))
def test_the_positive_area_is_never_less_than_the_net_area(values: list[D]) -> None:
    samples = [(D(30 * n), value) for n, value in enumerate(values)]
    assert indices.auc_positive(samples) >= max(indices.auc_net(samples), D(0)) - D("1e-20")


@pytest.mark.parametrize(
    ("minutes", "values"),
    [("0", "5"), ("30 60", "5 6"), ("0 30 30", "5 6 7")],
    ids=["one", "no baseline", "twice"],
)
def test_an_incomplete_curve_has_no_area(minutes: str, values: str) -> None:
    with pytest.raises(ValueError, match="sample"):
        indices.auc_total(curve(minutes, values))


def test_matsuda_uses_arithmetic_means() -> None:
    glucose = curve("0 30 60 90 120", "100 160 180 150 140")
    insulin = curve("0 30 60 90 120", "10 60 80 70 50")
    assert indices.matsuda(glucose, insulin) == near("3.561")


@pytest.mark.parametrize(
    ("glucose", "insulin"),
    [
        (curve("0 30", "100 160"), curve("0 60", "10 60")),
        (curve("30 60", "100 160"), curve("30 60", "10 60")),
        (curve("0 30", "100 160"), curve("0 30", "0 60")),
    ],
)
def test_matsuda_needs_paired_samples_from_minute_0(glucose, insulin) -> None:
    with pytest.raises(ValueError, match=r"same minutes|minute 0"):
        indices.matsuda(glucose, insulin)


def test_insulinogenic_index() -> None:
    assert indices.insulinogenic_index(D(100), D(160), D(10), D(60)) == near("0.8333", "0.00005")
    with pytest.raises(ValueError, match="did not rise"):
        indices.insulinogenic_index(D(100), D(100), D(10), D(60))
