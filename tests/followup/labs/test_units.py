"""Values and units as laboratories send them: read exactly, converted exactly, refused with a reason."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from followup.labs.catalogue import ANALYTES
from followup.labs.units import (
    COMPARATORS,
    FLAGS,
    UnitError,
    convert,
    convert_limit,
    from_canonical,
    judge,
    limit_check,
    parse_value,
    ucum_unit,
)

UNIT_PAIRS = [(analyte.code, unit) for analyte in ANALYTES.values() for unit in analyte.units]


@pytest.mark.parametrize(
    ("text", "comparator", "value"),
    [
        ("7.2", "", "7.2"),
        (" 7.20 ", "", "7.20"),
        ("<0.1", "<", "0.1"),
        ("< 0.1", "<", "0.1"),
        (">14", ">", "14"),
        ("<=5", "<=", "5"),
        ("≤5", "<=", "5"),
        (">= 5", ">=", "5"),
        ("≥5", ">=", "5"),
        ("7,2", "", "7.2"),
        ("<0,125", "<", "0.125"),
        ("13,25", "", "13.25"),
        ("0", "", "0"),
        (".5", "", "0.5"),
        ("1e-05", "", "0.00001"),
        ("2.5E+3", "", "2500"),
    ],
)
def test_a_value_is_read_with_its_comparator(text: str, comparator: str, value: str) -> None:
    parsed = parse_value(text)
    assert (parsed.comparator, parsed.value, parsed.text) == (comparator, Decimal(value), text)
    assert parsed.is_censored == (comparator != "")


@pytest.mark.parametrize(("text", "comparator"), [("Hi", ">"), ("HIGH", ">"), ("Lo", "<"), (" low ", "<")])
def test_a_meter_beyond_its_range_is_censored_without_a_limit(text: str, comparator: str) -> None:
    parsed = parse_value(text)
    assert (parsed.comparator, parsed.value) == (comparator, None)
    assert parsed.is_censored


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "value_missing"),
        ("  ", "value_missing"),
        ("1,234", "value_ambiguous"),
        ("1,234.5", "value_not_number"),
        ("NaN", "value_not_number"),
        ("Infinity", "value_not_number"),
        ("-inf", "value_not_number"),
        ("-5", "value_not_number"),
        ("7.2 %", "value_not_number"),
        ("negative", "value_not_number"),
        ("<", "value_not_number"),
        ("<<5", "value_not_number"),
        ("٧", "value_not_number"),
        ("7..2", "value_not_number"),
        ("1e309", "value_out_of_range"),
        ("1e-400", "value_out_of_range"),
        ("1e99999", "value_not_number"),
        ("5000000000", "value_out_of_range"),
        ("9" * 5000, "value_not_number"),
    ],
)
def test_what_is_not_a_result_is_refused(text: str, code: str) -> None:
    with pytest.raises(UnitError) as refused:
        parse_value(text)
    assert refused.value.code == code
    assert len(refused.value.message) < 200


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused_but_never_becomes_a_strange_number(text: str) -> None:
    try:
        parsed = parse_value(text)
    except UnitError:
        return
    assert parsed.comparator in COMPARATORS
    assert parsed.value is None or (parsed.value.is_finite() and parsed.value >= 0)


@pytest.mark.parametrize(
    ("analyte", "value", "unit", "canonical", "ucum"),
    [
        ("hba1c", "7.0", "%", "7.0", "%"),
        ("hba1c", "53", "mmol/mol", "7.00044", "mmol/mol"),
        ("fasting_glucose", "126", "mg/dL", "6.993783", "mg/dL"),
        ("fasting_glucose", "7.0", "mmol/l", "7", "mmol/L"),
        ("fasting_insulin", "12", "mIU/L", "12", "m[IU]/L"),
        ("fasting_insulin", "12", "mU/L", "12", "m[IU]/L"),
        ("fasting_insulin", "12", "µU/mL", "12", "u[IU]/mL"),
        ("fasting_insulin", "12", "μU/ml", "12", "u[IU]/mL"),
        ("fasting_insulin", "12", "uIU/mL", "12", "u[IU]/mL"),
        ("fasting_insulin", "72", "pmol/L", "12", "pmol/L"),
        ("fasting_c_peptide", "1.2", "ng/mL", "0.39732", "ng/mL"),
        ("fasting_c_peptide", "600", "pmol/L", "0.6", "pmol/L"),
        ("c_peptide_auc", "298.5", "ng·min/mL", "98.83335", "ng.min/mL"),
        ("gir", "17.32", "µmol/kg/min", "3.120302", "umol/kg/min"),
        ("creatinine", "1.0", "mg/dL", "88.4", "mg/dL"),
        ("urine_acr", "30", "mg/g", "3.393665", "mg/g{creat}"),
        ("urine_acr", "30", "ug/mg", "3.393665", "ug/mg{creat}"),
        ("triglycerides", "150", "mg/dL", "1.6935", "mg/dL"),
        ("bilirubin", "0.6", "mg/dL", "10.26", "mg/dL"),
        ("haemoglobin", "14.3", "G/DL", "143", "g/dL"),
        ("leukocytes", "5.78", "THOU/uL", "5.78", "10*3/uL"),
        ("leukocytes", "5.78", "x10^9/L", "5.78", "10*9/L"),
        ("leukocytes", "5.78", "×10⁹/L", "5.78", "10*9/L"),
        ("leukocytes", "5.78", "G/L", "5.78", "10*9/L"),
        ("leukocytes", "5780", "cells/µL", "5.78", "/uL"),
        ("platelets", "266", "K/uL", "266", "10*3/uL"),
        ("rbc", "4.7", "10^6/µL", "4.7", "10*6/uL"),
        ("haematocrit", "0.42", "L/L", "42", "L/L"),
        ("alt", "0.5", "µkat/L", "30", "ukat/L"),
        ("crp", "0.5", "mg/dL", "5", "mg/dL"),
        ("afp", "10", "IU/mL", "12.1", "[IU]/mL"),
        ("ca19_9", "12", "U/mL", "12", "[arb'U]/mL"),
        ("psa", "2.5", "ng/mL", "2.5", "ng/mL"),
        ("insulin_daily_dose", "42", "IU/day", "42", "[IU]/d"),
        ("weight", "180", "lb", "81.646627", "[lb_av]"),
        ("temperature", "98.6", "°F", "37", "[degF]"),
        ("systolic_bp", "120", "mmHg", "120", "mm[Hg]"),
    ],
)
def test_results_in_the_units_that_laboratories_send(analyte, value, unit, canonical, ucum) -> None:
    conversion = convert(ANALYTES[analyte], Decimal(value), unit)
    assert conversion.canonical_value == Decimal(canonical)
    assert conversion.received_unit_ucum == ucum
    assert conversion.canonical_unit == ANALYTES[analyte].unit


PILOT_UNITS = {
    "alt": "U/L",
    "ast": "U/L",
    "bilirubin": "mg/dL",
    "creatinine": "mg/dL",
    "glucose_random": "mg/dL",
    "haemoglobin": "g/dL",
    "leukocytes": "THOU/uL",
    "lymphocytes": "THOU/uL",
    "platelets": "THOU/uL",
    "total_cholesterol": "mg/dL",
}


@pytest.mark.parametrize(("code", "unit"), PILOT_UNITS.items())
def test_units_of_a_real_central_laboratory_convert(code: str, unit: str) -> None:
    assert convert(ANALYTES[code], Decimal(50), unit).canonical_value > 0


@pytest.mark.parametrize(("code", "unit"), UNIT_PAIRS)
def test_every_unit_is_accepted_in_its_ucum_spelling_whatever_the_case(code: str, unit: str) -> None:
    analyte = ANALYTES[code]
    assert ucum_unit(analyte, unit) == unit
    assert ucum_unit(analyte, f" {unit.upper()} ") == unit


@given(pair=st.sampled_from(UNIT_PAIRS), value=st.decimals("0.01", "100000", places=2))
def test_a_value_converted_and_back_is_the_same_value(pair: tuple[str, str], value: Decimal) -> None:
    analyte, unit = ANALYTES[pair[0]], pair[1]
    canonical = convert_limit(analyte, value, unit)
    assert canonical is not None
    rounding = Decimal("0.000001") / Decimal(float(analyte.units[unit].factor))
    assert abs(from_canonical(analyte, canonical, unit) - value) <= rounding


@pytest.mark.parametrize(
    ("analyte", "unit", "code"),
    [
        ("hba1c", "", "unit_missing"),
        ("creatinine", " ", "unit_missing"),
        ("hba1c", "mg/dL", "unit_not_accepted"),
        ("leukocytes", "g/L", "unit_not_accepted"),
        ("insulin_daily_dose", "IU/kg/day", "unit_not_accepted"),
        ("d_dimer", "ng/mL DDU", "unit_not_accepted"),
        ("fasting_insulin", "IU/L", "unit_not_accepted"),
    ],
)
def test_a_missing_or_foreign_unit_is_refused_and_the_right_ones_named(analyte, unit, code) -> None:
    with pytest.raises(UnitError) as refused:
        convert(ANALYTES[analyte], Decimal(5), unit)
    assert refused.value.code == code
    assert ANALYTES[analyte].unit in refused.value.message


@pytest.mark.parametrize("code", ["inr", "m1_m2_ratio", "homa2_ir", "dsa"])
def test_unitless_analytes_may_leave_the_unit_blank(code: str) -> None:
    assert convert(ANALYTES[code], Decimal("1.1"), "").canonical_value == Decimal("1.1")


@pytest.mark.parametrize(
    ("value", "unit"), [("53", "%"), ("42", "%"), ("7.0", "mmol/mol"), ("6.5", "mmol/mol")]
)
def test_an_hba1c_that_only_makes_sense_in_the_other_unit_is_refused(value: str, unit: str) -> None:
    with pytest.raises(UnitError) as refused:
        convert(ANALYTES["hba1c"], Decimal(value), unit)
    assert refused.value.code == "unit_contradicts_value"


def test_the_laboratory_decides_the_insulin_factor_and_it_is_stored() -> None:
    insulin = ANALYTES["fasting_insulin"]
    old = convert(insulin, Decimal(72), "pmol/L", insulin_pmol_per_miu=Decimal("6.945"))
    assert (old.canonical_value, old.factor) == (Decimal("10.367171"), "1/6.945")
    assert convert(insulin, Decimal(72), "pmol/L").factor == "1/6.00"
    with pytest.raises(UnitError, match=r"6\.00 or 6\.945"):
        convert(insulin, Decimal(72), "pmol/L", insulin_pmol_per_miu=Decimal("69.45"))


def test_a_meter_word_keeps_the_unit_but_has_no_number() -> None:
    conversion = convert(ANALYTES["glucose_random"], None, "mg/dL")
    assert (conversion.canonical_value, conversion.received_unit_ucum) == (None, "mg/dL")


def test_a_missing_limit_stays_missing() -> None:
    assert convert_limit(ANALYTES["alt"], None, "U/L") is None


@pytest.mark.parametrize(
    ("analyte", "value", "comparator", "sex", "flag"),
    [
        ("hba1c", "5.6", "", "female", ""),
        ("hba1c", "5.7", "", "female", "high"),
        ("hba1c", "14", "", "female", "critical_high"),
        ("haemoglobin", "130", "", "female", ""),
        ("haemoglobin", "130", "", "male", "low"),
        ("haemoglobin", "130", "", "unknown", "ungradable"),
        ("haemoglobin", "110", "", "unknown", "low"),
        ("haemoglobin", "69", "", "unknown", "critical_low"),
        ("amylase", "60", "", "male", "ungradable"),
        ("platelets", "1000", "", "male", "high"),
        ("platelets", "1001", "", "male", "critical_high"),
        ("fasting_insulin", "0.1", "<", "male", "low"),
        ("fasting_insulin", "10", "<", "male", "ungradable"),
        ("crp", "4", "<", "male", ""),
        ("crp", "5", "<=", "male", ""),
        ("crp", "10", ">", "male", "high"),
        ("triglycerides", "11.29", ">=", "male", "critical_high"),
        ("crp", "2", ">=", "male", "ungradable"),
        ("glucose_random", None, ">", "male", "critical_high"),
        ("glucose_random", None, "<", "male", "critical_low"),
        ("amylase", None, ">", "male", "ungradable"),
        ("amylase", None, "", "male", "ungradable"),
    ],
)
def test_a_result_is_judged_by_the_default_interval(analyte, value, comparator, sex, flag) -> None:
    number = None if value is None else Decimal(value)
    assert judge(ANALYTES[analyte], number, comparator, sex) == flag


@pytest.mark.parametrize(
    ("value", "unit", "flag"),
    [
        ("70", "mg/dL", ""),
        ("69", "mg/dL", "low"),
        ("54", "mg/dL", "low"),
        ("53", "mg/dL", "critical_low"),
        ("3.9", "mmol/L", ""),
        ("3.0", "mmol/L", "low"),
        ("2.9", "mmol/L", "critical_low"),
        ("400", "mg/dL", "high"),
        ("401", "mg/dL", "critical_high"),
        ("99", "mg/dL", ""),
        ("100", "mg/dL", "high"),
    ],
)
def test_a_glucose_gets_the_same_flag_in_either_unit(value: str, unit: str, flag: str) -> None:
    glucose = ANALYTES["fasting_glucose"]
    assert judge(glucose, convert(glucose, Decimal(value), unit).canonical_value, "", "male") == flag


def test_the_laboratorys_interval_replaces_ours_as_a_whole() -> None:
    alt = ANALYTES["alt"]
    assert judge(alt, Decimal(50), "", "male") == ""
    assert judge(alt, Decimal(50), "", "male", reference_high=Decimal(40)) == "high"
    assert judge(alt, Decimal(2), "", "male", reference_high=Decimal(40)) == ""


@given(
    analyte=st.sampled_from(sorted(ANALYTES)),
    value=st.none() | st.decimals(0, 10000, places=2),
    comparator=st.sampled_from(COMPARATORS),
    sex=st.sampled_from(["female", "male", "unknown"]),
)
def test_every_result_gets_a_known_flag(analyte, value, comparator, sex) -> None:
    assert judge(ANALYTES[analyte], value, comparator, sex) in FLAGS


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2.9", "hard"),
        ("3", "soft"),
        ("4", "ok"),
        ("15", "ok"),
        ("15.1", "soft"),
        ("20.1", "hard"),
        (None, "ok"),
    ],
)
def test_typing_errors_are_told_from_rare_values(value: str | None, expected: str) -> None:
    assert limit_check(ANALYTES["hba1c"], None if value is None else Decimal(value)) == expected
