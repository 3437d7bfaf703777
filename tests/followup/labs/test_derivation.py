from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from followup.labs.derivation import Person, Sample, age_on, drawn_with, weight_for, work_out

DAY = date(2031, 3, 14)
NOON = datetime(2031, 3, 14, 12, 0, tzinfo=UTC)


def sample(analyte: str, value: str | None, **facts: object) -> Sample:
    key = str(facts.pop("key", analyte))
    day = facts.pop("day", DAY)
    return Sample(key=key, analyte=analyte, day=day, value=None if value is None else Decimal(value), **facts)


def person(status: str = "no_insulin", born: str = "1973-02-03") -> Person:
    return Person(sex_at_birth="female", born=born, insulin_status=lambda day: status)


def worked(samples, who=None):
    return {found.index.code: found.index for found in work_out(who or person(), samples)}


def fasting_pair(**facts):
    return [
        sample("fasting_glucose", "8.0", fasting=True, **facts),
        sample("fasting_insulin", "12", fasting=True, **facts),
    ]


def test_a_fasting_pair_without_insulin_treatment_may_be_read():
    found = worked(fasting_pair())
    assert (found["homa_ir"].status, round(found["homa_ir"].value, 3)) == ("ok", Decimal("4.267"))
    assert round(found["homa_beta"].value, 2) == Decimal("53.33")


@pytest.mark.parametrize("status", ["on_insulin", "unknown"])
def test_insulin_treatment_or_not_knowing_makes_homa_unreadable_but_shown(status):
    index = worked(fasting_pair(), person(status))["homa_ir"]
    assert index.status == "not_interpretable"
    assert index.value is not None
    assert "insulin treatment" in index.reason


def test_both_samples_declared_free_of_insulin_make_homa_readable():
    assert worked(fasting_pair(insulin_free=True), person("on_insulin"))["homa_ir"].status == "ok"


def test_one_sample_declared_free_is_not_enough():
    glucose, _ = fasting_pair()
    pair = [glucose, sample("fasting_insulin", "12", fasting=True, insulin_free=True)]
    assert worked(pair, person("on_insulin"))["homa_ir"].status == "not_interpretable"


def test_an_insulin_without_glucose_says_why_there_is_no_homa():
    index = worked([sample("fasting_insulin", "12", fasting=True)])["homa_ir"]
    assert (index.status, index.value, index.reason) == ("not_computable", None, "glucose unknown")


def test_samples_far_apart_on_one_day_are_not_one_specimen():
    pair = [
        sample("fasting_glucose", "8.0", fasting=True, at=NOON),
        sample("fasting_insulin", "12", fasting=True, at=NOON + timedelta(hours=2)),
    ]
    assert "5 minutes apart" in worked(pair)["homa_ir"].reason


def test_the_partner_is_the_one_of_the_same_accession_even_when_another_is_nearer():
    anchor = sample("fasting_insulin", "12", at=NOON, specimen=(1, "A7"))
    near = sample("fasting_glucose", "9", key="near", at=NOON, specimen=(1, "B2"))
    same = sample("fasting_glucose", "8", key="same", at=NOON + timedelta(minutes=9), specimen=(1, "A7"))
    assert drawn_with(anchor, [near, same]) == same


def test_a_partner_of_another_day_is_no_partner():
    assert (
        drawn_with(sample("fasting_insulin", "12"), [sample("fasting_glucose", "8", day=date(2031, 3, 13))])
        is None
    )


def test_egfr_needs_an_age_and_bmi_takes_the_last_height():
    found = worked([
        sample("creatinine", "88.4"),
        sample("weight", "70"),
        sample("height", "165", day=date(2029, 1, 1)),
        sample("height", "160", day=date(2031, 1, 1), key="later"),
    ])  # fmt: skip
    assert round(found["bmi"].value, 2) == Decimal("27.34")
    assert found["egfr_ckd_epi_2021"].inputs["age_years"] == "58"
    assert (
        worked([sample("creatinine", "88.4")], person(born=""))["egfr_ckd_epi_2021"].status
        == "not_computable"
    )


def test_insulin_per_kg_uses_a_recent_weight_and_says_when_there_is_none():
    dose = sample("insulin_daily_dose", "42")
    assert worked([dose, sample("weight", "84", day=date(2031, 1, 1))])[
        "insulin_iu_per_kg_day"
    ].value == Decimal("0.5")
    old = worked([dose, sample("weight", "84", day=date(2029, 1, 1))])["insulin_iu_per_kg_day"]
    assert old.status == "not_computable"
    assert "180 days" in old.reason


def test_the_weight_of_the_day_comes_before_a_later_one():
    weights = [
        sample("weight", "80", key="later", day=DAY + timedelta(days=3)),
        sample("weight", "84", key="today"),
    ]
    assert weight_for(DAY, weights).key == "today"


@pytest.mark.parametrize(
    ("born", "age"), [("1973-03-14", 58), ("1973-03-15", 57), ("1973-02", 58), ("1973", 57), ("", None)]
)
def test_age_on_the_day_of_collection(born, age):
    assert age_on(born, DAY) == age


@given(
    glucose=st.decimals("0.5", "60", places=2),
    insulin=st.decimals("0.1", "1000", places=1),
    fasting=st.sampled_from([True, False, None]),
    status=st.sampled_from(["on_insulin", "no_insulin", "unknown"]),
)
def test_homa_is_readable_only_when_fasting_and_without_insulin_are_both_certain(
    glucose, insulin, fasting, status
):
    pair = [
        sample("fasting_glucose", str(glucose), fasting=fasting),
        sample("fasting_insulin", str(insulin), fasting=fasting),
    ]
    index = worked(pair, person(status))["homa_ir"]
    assert (index.status == "ok") == (fasting is True and status == "no_insulin")
    assert (index.reason == "") == (index.status == "ok")
