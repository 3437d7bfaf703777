from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from followup.outcomes.rules import (
    clopper_pearson,
    follow_up_completeness,
    incidence_rate,
    neoplasia_time_at_risk,
    person_days,
    person_years,
    rule_of_three,
    wilson,
    zero_event_proportion_upper,
    zero_event_rate_upper,
)

ENTERED = date(2020, 3, 1)
CUT_OFF = date(2025, 12, 31)
DAYS = st.dates(date(2018, 1, 1), date(2040, 1, 1))


def test_worked_person_years() -> None:
    assert person_days(ENTERED, CUT_OFF) == 2131
    assert person_years(ENTERED, CUT_OFF) == pytest.approx(5.8344, abs=5e-5)


def test_the_last_day_is_not_counted_and_time_is_never_negative() -> None:
    assert person_days(ENTERED, ENTERED) == 0
    assert person_days(ENTERED, ENTERED + timedelta(days=1)) == 1
    assert person_days(ENTERED, ENTERED - timedelta(days=9)) == 0


@given(DAYS, DAYS, DAYS)
def test_person_time_adds_up_across_a_split(first: date, second: date, third: date) -> None:
    start, middle, end = sorted((first, second, third))
    assert person_days(start, middle) + person_days(middle, end) == person_days(start, end)


def test_time_ends_when_the_status_was_last_known_not_at_the_cut_off() -> None:
    time = neoplasia_time_at_risk(ENTERED, CUT_OFF, [date(2021, 3, 1), date(2023, 3, 1)])
    assert (time.ends_on, time.ended_by) == (date(2023, 3, 1), "last_known")
    assert time.years == pytest.approx(1095 / 365.25)
    assert time.years_to_cut_off == pytest.approx(2131 / 365.25)
    assert time.unascertained_years == pytest.approx((2131 - 1095) / 365.25)


@pytest.mark.parametrize(
    ("known", "event_on", "died_on", "ends_on", "ended_by"),
    [
        ([], None, None, ENTERED, "last_known"),
        ([date(2019, 1, 1)], None, None, ENTERED, "last_known"),
        ([CUT_OFF], None, None, CUT_OFF, "cut_off"),
        ([date(2026, 5, 1), date(2022, 1, 1)], None, None, CUT_OFF, "cut_off"),
        ([date(2021, 1, 1)], date(2023, 6, 1), None, date(2023, 6, 1), "event"),
        ([date(2024, 1, 1)], None, date(2023, 6, 1), date(2023, 6, 1), "death"),
        ([date(2022, 1, 1)], None, date(2023, 6, 1), date(2022, 1, 1), "last_known"),
        ([date(2023, 6, 1)], None, date(2023, 6, 1), date(2023, 6, 1), "death"),
        ([], date(2023, 6, 1), date(2023, 6, 1), date(2023, 6, 1), "event"),
        ([date(2022, 1, 1)], date(2026, 2, 1), date(2026, 3, 1), date(2022, 1, 1), "last_known"),
    ],
)
def test_what_ends_the_time_at_risk(
    known: list[date], event_on: date | None, died_on: date | None, ends_on: date, ended_by: str
) -> None:
    time = neoplasia_time_at_risk(ENTERED, CUT_OFF, known, event_on, died_on)
    assert (time.ends_on, time.ended_by) == (ends_on, ended_by)


def test_without_the_first_six_months() -> None:
    time = neoplasia_time_at_risk(ENTERED, CUT_OFF, [CUT_OFF], skip_first_months=6)
    assert time.entered_on == date(2020, 9, 1)
    assert time.years == pytest.approx((2131 - 184) / 365.25)
    early = neoplasia_time_at_risk(ENTERED, CUT_OFF, [], event_on=date(2020, 5, 1), skip_first_months=6)
    assert early.years == 0


@given(DAYS, DAYS, st.lists(DAYS, max_size=5), st.none() | DAYS, st.none() | DAYS)
def test_known_time_is_part_of_the_time_to_cut_off(
    entered_on: date, cut_off: date, known: list[date], event_on: date | None, died_on: date | None
) -> None:
    time = neoplasia_time_at_risk(entered_on, cut_off, known, event_on, died_on)
    assert 0 <= time.years <= time.years_to_cut_off <= person_years(entered_on, cut_off)
    assert time == neoplasia_time_at_risk(entered_on, cut_off, sorted(known, reverse=True), event_on, died_on)


@pytest.mark.parametrize(
    ("events", "years", "rate", "low", "high"),
    [
        (0, 100, 0, 0, 3.68888),
        (1, 250, 0.400, 0.01013, 2.22866),
        (2, 250, 0.800, 0.09688, 2.88988),
        (3, 150.5, 1.99336, 0.41108, 5.82543),
        (5, 1000, 0.500, 0.16235, 1.16683),
        (10, 400, 2.500, 1.19885, 4.59759),
    ],
)
def test_published_exact_rates_per_100_person_years(
    events: int, years: float, rate: float, low: float, high: float
) -> None:
    estimate = incidence_rate(events, years)
    assert (estimate.value, estimate.low, estimate.high) == pytest.approx((rate, low, high), abs=5e-6)
    per_1000 = incidence_rate(events, years, per_years=1000)
    assert per_1000.high == pytest.approx(10 * estimate.high)


def test_zero_events_one_sided_and_two_sided_limits_differ() -> None:
    assert zero_event_rate_upper(1, per_years=1) == pytest.approx(2.9957, abs=5e-5)
    assert incidence_rate(0, 1, per_years=1).high == pytest.approx(3.6889, abs=5e-5)
    assert zero_event_proportion_upper(100) == pytest.approx(0.02951, abs=5e-6)
    assert rule_of_three(100) == 0.03
    assert clopper_pearson(0, 100).high == pytest.approx(0.03622, abs=5e-6)
    assert rule_of_three(2) == 1


@pytest.mark.parametrize(
    ("successes", "total", "percent", "low", "high"),
    [
        (9, 11, 81.82, 48.22, 97.72),
        (0, 10, 0, 0, 30.85),
        (5, 15, 33.33, 11.82, 61.62),
        (2, 15, 13.33, 1.66, 40.46),
        (0, 16, 0, 0, 20.59),
        (7, 10, 70, 34.75, 93.33),
        (3, 22, 13.64, 2.91, 34.91),
        (4, 18, 22.22, 6.41, 47.64),
        (9, 45, 20.00, 9.58, 34.60),
        (2, 44, 4.55, 0.56, 15.47),
        (0, 61, 0, 0, 5.87),
    ],
)
def test_published_exact_proportions(
    successes: int, total: int, percent: float, low: float, high: float
) -> None:
    estimate = clopper_pearson(successes, total)
    assert (100 * estimate.value, 100 * estimate.low, 100 * estimate.high) == pytest.approx(
        (percent, low, high), abs=0.00501
    )


@pytest.mark.parametrize(
    ("successes", "total", "low", "high"), [(9, 11, 52.30, 94.86), (0, 10, 0, 27.75), (5, 15, 15.18, 58.29)]
)
def test_published_wilson_intervals(successes: int, total: int, low: float, high: float) -> None:
    estimate = wilson(successes, total)
    assert (100 * estimate.low, 100 * estimate.high) == pytest.approx((low, high), abs=0.00501)


@given(st.integers(1, 400), st.data())
def test_intervals_hold_the_estimate_and_mirror(total: int, data: st.DataObject) -> None:
    successes = data.draw(st.integers(0, total))
    for interval in (clopper_pearson, wilson):
        estimate, mirror = interval(successes, total), interval(total - successes, total)
        assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1
        assert estimate.low == pytest.approx(1 - mirror.high, abs=1e-9)


@given(st.integers(0, 300), st.floats(0.1, 1e5), st.floats(0.5, 0.98))
def test_a_rate_lies_in_its_interval_which_widens_with_confidence(
    events: int, years: float, confidence: float
) -> None:
    narrow, wide = (
        incidence_rate(events, years, confidence=confidence),
        incidence_rate(events, years, confidence=0.99),
    )
    assert wide.low <= narrow.low <= narrow.value * (1 + 1e-12)
    assert narrow.value <= narrow.high <= wide.high


@pytest.mark.parametrize(
    "calculation",
    [
        lambda: incidence_rate(-1, 10),
        lambda: incidence_rate(1, 0),
        lambda: incidence_rate(1, 10, confidence=95),
        lambda: zero_event_rate_upper(0),
        lambda: clopper_pearson(3, 2),
        lambda: wilson(0, 0),
        lambda: zero_event_proportion_upper(0),
        lambda: rule_of_three(0),
        lambda: follow_up_completeness([(2.0, 1.0)]),
    ],
)
def test_impossible_counts_are_refused(calculation: object) -> None:
    with pytest.raises(ValueError, match=r"No rate|No proportion|confidence|impossible"):
        calculation()


def test_completeness_of_follow_up() -> None:
    assert follow_up_completeness([(1.0, 2.0), (3.0, 3.0)]) == pytest.approx(0.8)
    assert follow_up_completeness([(0.0, 0.0)]) is None
    assert follow_up_completeness([]) is None
