from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django import forms
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from config.templatetags.registry_ui import (
    clinic_date,
    clinic_moment,
    distance_from,
    due_from,
    field_unit,
    iso_day,
    number,
)

TODAY = date(2031, 3, 14)
LATE_EVENING_UTC = datetime(2031, 3, 14, 23, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (date(2031, 3, 14), "14 Mar 2031"),
        (date(2031, 12, 1), "1 Dec 2031"),
        ("2014", "2014"),
        ("2014-03", "Mar 2014"),
        ("2014-03-09", "9 Mar 2014"),
        ("2014-13", "2014-13"),
        ("not known", "not known"),
        ("", ""),
        (None, ""),
    ],
)
def test_a_date_is_written_with_the_precision_it_has(value: object, written: str) -> None:
    assert clinic_date(value) == written


def test_a_moment_is_shown_in_the_zone_of_the_site() -> None:
    with timezone.override(ZoneInfo("Europe/Berlin")):
        assert clinic_date(LATE_EVENING_UTC) == "15 Mar 2031"
        assert clinic_moment(LATE_EVENING_UTC) == "15 Mar 2031, 00:30"
        assert iso_day(LATE_EVENING_UTC) == "2031-03-15"
        assert distance_from(LATE_EVENING_UTC, TODAY) == "in 1 day"
    assert clinic_moment(None) == ""


@pytest.mark.parametrize(
    ("value", "machine"), [(TODAY, "2031-03-14"), ("2014-03", "2014-03"), ("2014", "2014"), (None, "")]
)
def test_machines_read_the_known_part_of_a_date(value: object, machine: str) -> None:
    assert iso_day(value) == machine


@pytest.mark.parametrize(
    ("day", "ago", "late"),
    [
        (date(2031, 3, 26), "in 12 days", "in 12 days"),
        (date(2031, 3, 15), "in 1 day", "in 1 day"),
        (TODAY, "today", "today"),
        (date(2031, 3, 13), "1 day ago", "1 day late"),
        (date(2031, 2, 23), "19 days ago", "19 days late"),
        (date(2030, 3, 15), "11 months ago", "364 days late"),
        (date(2031, 9, 2), "in 5 months", "in 5 months"),
        (date(2028, 9, 2), "2\u00a0y 6\u00a0m ago", "923 days late"),
        (date(2028, 3, 14), "3 years ago", "1095 days late"),
        ("2031-03-26", "in 12 days", "in 12 days"),
        ("2031", "", ""),
        (None, "", ""),
    ],
)
def test_a_date_tells_how_far_it_is(day: object, ago: str, late: str) -> None:
    assert distance_from(day, TODAY) == ago
    assert due_from(day, TODAY) == late


@given(st.integers(min_value=1, max_value=5000))
def test_lateness_is_counted_in_days_however_long_it_lasts(days: int) -> None:
    assert due_from(TODAY - timedelta(days=days), TODAY).split()[0] == str(days)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (Decimal("7.2000"), "7.2"),
        (Decimal("48.00"), "48"),
        (Decimal("0.00000"), "0"),
        (Decimal("0.083456"), "0.0835"),
        (Decimal("6.12345"), "6.123"),
        (Decimal("1234.56"), "1\u202f234.6"),
        (254_000, "254\u202f000"),
        (1398, "1\u202f398"),
        (Decimal("-2.50"), "−2.5"),
        (75_000_000, "75.0\u00a0× 10⁶"),
        (Decimal("1023456.789"), "1.02\u00a0× 10⁶"),
        (1_250_000_000, "1.25\u00a0× 10⁹"),
        (525_000_000, "525\u00a0× 10⁶"),
        (0.1 + 0.2, "0.3"),
        ("< 0.5", "< 0.5"),
        (float("nan"), "nan"),
        (None, ""),
    ],
)
def test_numbers_are_trimmed_grouped_and_given_their_power(value: object, written: str) -> None:
    assert number(value) == written


def test_a_page_may_ask_for_a_fixed_number_of_decimals() -> None:
    assert number(Decimal(7), 1) == "7.0"
    assert number(Decimal("0.25"), 1) == "0.3"
    assert number(75_000_000, 2) == "75.00\u00a0× 10⁶"


@given(st.decimals(min_value=Decimal("0.001"), max_value=Decimal(999999), places=3))
def test_no_number_is_shown_more_than_half_a_percent_off(value: Decimal) -> None:
    shown = Decimal(number(value).replace("\u202f", ""))
    assert abs(shown - value) <= value * Decimal("0.005")


def test_a_field_names_its_unit() -> None:
    class WeightForm(forms.Form):
        weight_kg = forms.DecimalField(widget=forms.NumberInput(attrs={"data-unit": "kg"}))
        note = forms.CharField()

    form = WeightForm()
    assert field_unit(form["weight_kg"]) == "kg"
    assert field_unit(form["note"]) == ""
