from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from followup.treatment.rules import InsulinDose, InsulinSpan, insulin_status, is_insulin

DAYS = st.dates(date(2025, 1, 1), date(2030, 12, 31))


def dose(day: str, units: str) -> InsulinDose:
    return InsulinDose(date.fromisoformat(day), Decimal(units))


@pytest.mark.parametrize(
    ("day", "spans", "doses", "expected"),
    [
        ("2029-05-01", [], [], "unknown"),
        ("2029-05-01", [], [dose("2029-01-10", "0")], "no_insulin"),
        ("2029-05-01", [], [dose("2029-01-10", "42")], "on_insulin"),
        ("2029-05-01", [], [dose("2029-06-01", "0")], "unknown"),
        ("2029-05-01", [], [dose("2029-01-10", "42"), dose("2029-04-30", "0")], "no_insulin"),
        ("2029-05-01", [InsulinSpan("2029-03-01")], [dose("2029-01-10", "0")], "on_insulin"),
        ("2029-05-01", [InsulinSpan("2029-06-01")], [dose("2029-01-10", "0")], "no_insulin"),
        ("2029-05-01", [InsulinSpan("2028-01", "2029-03")], [], "no_insulin"),
        ("2029-03-15", [InsulinSpan("2028-01", "2029-03")], [], "unknown"),
        ("2029-05-01", [InsulinSpan("2029")], [dose("2029-01-10", "0")], "unknown"),
        ("2029-05-01", [InsulinSpan("2028-01", "2029-03-01")], [dose("2029-04-01", "8")], "on_insulin"),
        ("2029-05-01", [InsulinSpan("2028", "2028"), InsulinSpan("2029-04-02")], [], "on_insulin"),
    ],
)
def test_insulin_on_a_day(day, spans, doses, expected):
    assert insulin_status(date.fromisoformat(day), spans, doses) == expected


@given(started=DAYS, days=st.integers(0, 2000), asked=DAYS)
def test_a_running_treatment_always_wins_over_a_recorded_zero(started, days, asked):
    stopped = started + timedelta(days=days)
    status = insulin_status(
        asked,
        [InsulinSpan(started.isoformat(), stopped.isoformat())],
        [InsulinDose(date(2024, 1, 1), Decimal(0))],
    )
    assert status == ("on_insulin" if started <= asked <= stopped else "no_insulin")


@given(day=DAYS, recorded=DAYS, units=st.decimals(0, 200, places=1))
def test_what_is_recorded_later_says_nothing_about_an_earlier_day(day, recorded, units):
    status = insulin_status(day, [], [InsulinDose(recorded, units)])
    if day < recorded:
        assert status == "unknown"
    else:
        assert status == ("on_insulin" if units > 0 else "no_insulin")


@pytest.mark.parametrize(
    ("drug", "kind", "expected"),
    [
        ("Glargine", "insulin", True),
        ("Insulin lispro", "", True),
        ("Glargine U100", "", True),
        ("Insulin glargine", "other", True),
        ("Metformin", "", False),
        ("Insulin pump diary", "other", False),
    ],
)
def test_insulin_is_known_by_its_class_or_by_its_name(drug, kind, expected):
    assert is_insulin(drug, kind) is expected
