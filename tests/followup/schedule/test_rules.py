from datetime import date, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from followup.schedule.plan_file import DEFAULT_PLAN_PATH, read_plan
from followup.schedule.rules import (
    PlannedVisit,
    VisitOption,
    add_offset,
    choose_visit,
    coinciding,
    is_out_of_window,
    nearest_open_day,
    planned_visits,
    visit_status,
    window_for,
)

PLAN = read_plan(DEFAULT_PLAN_PATH)
DAYS = st.dates(min_value=date(1990, 1, 1), max_value=date(2080, 12, 31))
INFUSIONS = st.lists(DAYS, max_size=4).map(lambda days: list(enumerate(days, start=8)))


@pytest.mark.parametrize(
    ("anchor", "value", "unit", "expected"),
    [
        (date(2027, 1, 31), 1, "month", date(2027, 2, 28)),
        (date(2028, 1, 31), 1, "month", date(2028, 2, 29)),
        (date(2027, 1, 31), 2, "month", date(2027, 3, 31)),
        (date(2028, 2, 29), 1, "year", date(2029, 2, 28)),
        (date(2028, 2, 29), 4, "year", date(2032, 2, 29)),
        (date(2027, 12, 31), -10, "month", date(2027, 2, 28)),
        (date(2027, 3, 30), 84, "day", date(2027, 6, 22)),
        (date(2027, 3, 30), 12, "week", date(2027, 6, 22)),
        (date(2027, 1, 1), -28, "day", date(2026, 12, 4)),
    ],
)
def test_offsets(anchor: date, value: int, unit: str, expected: date) -> None:
    assert add_offset(anchor, value, unit) == expected


def test_unknown_unit_is_refused() -> None:
    with pytest.raises(ValueError, match="fortnight"):
        add_offset(date(2027, 1, 1), 1, "fortnight")


@given(DAYS, st.integers(0, 200))
def test_months_keep_the_day_or_end_the_month(anchor: date, months: int) -> None:
    day = add_offset(anchor, months, "month")
    assert (day.year * 12 + day.month) - (anchor.year * 12 + anchor.month) == months
    assert day.day == anchor.day or (day.day < anchor.day and (day + timedelta(days=1)).day == 1)


@given(DAYS, st.integers(0, 15))
def test_a_year_is_twelve_months(anchor: date, years: int) -> None:
    assert add_offset(anchor, years, "year") == add_offset(anchor, 12 * years, "month")


@given(DAYS, DAYS, st.integers(0, 180))
def test_a_later_anchor_is_never_due_earlier(first: date, second: date, months: int) -> None:
    earlier, later = sorted((first, second))
    assert add_offset(earlier, months, "month") <= add_offset(later, months, "month")


def test_year_15_after_a_leap_day() -> None:
    window = window_for(PLAN.timepoint("Y15"), date(2028, 2, 29))
    assert (window.target, window.opens, window.closes) == (
        date(2043, 2, 28),
        date(2042, 11, 30),
        date(2043, 5, 29),
    )
    assert window.contains(window.closes)
    assert not window.contains(window.closes + timedelta(days=1))


def test_the_telephone_call_is_never_on_the_day_of_infusion() -> None:
    window = window_for(PLAN.timepoint("D1"), date(2027, 5, 10))
    assert [day for day in range(9, 18) if window.contains(date(2027, 5, day))] == [11, 12, 13, 14]


@pytest.mark.parametrize(
    ("state", "on", "expected"),
    [
        ("", date(2027, 3, 9), "planned"),
        ("", date(2027, 3, 10), "open"),
        ("", date(2027, 3, 20), "open"),
        ("", date(2027, 3, 21), "late"),
        ("", date(2040, 1, 1), "late"),
        ("done", date(2040, 1, 1), "done"),
        ("missed", date(2027, 3, 12), "missed"),
        ("not_required", date(2027, 3, 1), "not_required"),
        ("planned", date(2027, 3, 12), "open"),
    ],
)
def test_status_of_a_visit(state: str, on: date, expected: str) -> None:
    assert visit_status(state, date(2027, 3, 10), date(2027, 3, 20), on) == expected


@given(DAYS, st.integers(0, 180), DAYS)
def test_out_of_window_agrees_with_status(opens: date, width: int, on: date) -> None:
    closes = opens + timedelta(days=width)
    assert is_out_of_window(opens, closes, on) == (visit_status("", opens, closes, on) != "open")


def test_before_infusion_only_screening_and_baseline_are_planned() -> None:
    visits = planned_visits(PLAN, date(2027, 3, 1), [])
    assert [(visit.code, visit.opens, visit.closes) for visit in visits] == [
        ("SCR", date(2026, 12, 31), date(2027, 2, 21)),
        ("BL", date(2027, 2, 22), date(2027, 3, 1)),
    ]


def test_two_infusions_make_one_series_from_the_first_and_one_week_12_from_the_last() -> None:
    visits = planned_visits(PLAN, date(2027, 1, 1), [(12, date(2027, 4, 1)), (7, date(2027, 1, 31))])
    found = {(visit.code, visit.sequence): visit for visit in visits}
    assert len(found) == len(visits) == 2 + 2 * 4 + 1 + 19
    assert found["M3", 1].target == date(2027, 4, 30)
    assert found["W12L", 1].target == date(2027, 6, 24)
    assert (found["D7", 1].anchor_id, found["D7", 2].anchor_id) == (7, 12)
    assert found["Y15", 1].target == date(2042, 1, 31)


@given(DAYS, INFUSIONS, st.randoms(use_true_random=False))
def test_the_order_in_which_infusions_are_told_does_not_matter(
    enrolled_on: date, infusions: list[tuple[int, date]], random: Random
) -> None:
    shuffled = list(infusions)
    random.shuffle(shuffled)
    assert planned_visits(PLAN, enrolled_on, shuffled) == planned_visits(PLAN, enrolled_on, infusions)


@given(DAYS, INFUSIONS.filter(bool), st.integers(0, 3), st.integers(-400, 400))
def test_moving_an_infusion_keeps_every_key_and_moving_it_back_restores_every_date(
    enrolled_on: date, infusions: list[tuple[int, date]], which: int, days: int
) -> None:
    place = which % len(infusions)
    moved = list(infusions)
    moved[place] = (infusions[place][0], infusions[place][1] + timedelta(days=days))
    before = planned_visits(PLAN, enrolled_on, infusions)
    after = planned_visits(PLAN, enrolled_on, moved)
    assert {visit.key for visit in before} == {visit.key for visit in after}
    assert len({visit.key for visit in before}) == len(before)
    moved[place] = infusions[place]
    assert planned_visits(PLAN, enrolled_on, moved) == before


@given(DAYS, INFUSIONS)
def test_every_visit_lies_in_its_window_and_its_code_and_sequence_are_unique(
    enrolled_on: date, infusions: list[tuple[int, date]]
) -> None:
    visits = planned_visits(PLAN, enrolled_on, infusions)
    assert all(visit.opens <= visit.target <= visit.closes for visit in visits)
    assert len({(visit.code, visit.sequence) for visit in visits}) == len(visits)


@given(DAYS, INFUSIONS, DAYS)
def test_a_new_infusion_never_removes_a_visit(
    enrolled_on: date, infusions: list[tuple[int, date]], day: date
) -> None:
    before = {visit.key for visit in planned_visits(PLAN, enrolled_on, infusions)}
    after = {visit.key for visit in planned_visits(PLAN, enrolled_on, [*infusions, (99, day)])}
    assert before <= after


def option(ref: int, code: str, target: date, before: int, after: int, **kwargs: bool) -> VisitOption:
    return VisitOption(
        ref, code, target, target - timedelta(days=before), target + timedelta(days=after), **kwargs
    )


def test_a_contact_without_a_code_takes_the_nearest_target_among_open_windows() -> None:
    month_6 = option(1, "M6", date(2027, 6, 10), 14, 14)
    week_12 = option(2, "W12L", date(2027, 6, 20), 14, 14)
    assert choose_visit([month_6, week_12], date(2027, 6, 14)) == month_6
    assert choose_visit([month_6, week_12], date(2027, 6, 16)) == week_12
    assert choose_visit([week_12, month_6], date(2027, 6, 15)) == month_6
    assert choose_visit([month_6, week_12], date(2027, 7, 5)) is None


def test_a_done_visit_is_not_filled_twice() -> None:
    month_6 = option(1, "M6", date(2027, 6, 10), 14, 14, is_done=True)
    assert choose_visit([month_6], date(2027, 6, 10)) is None


def test_the_day_of_an_infusion_belongs_to_its_infusion_visit() -> None:
    baseline = option(1, "BL", date(2027, 6, 10), 7, 0)
    infusion = option(2, "INF", date(2027, 6, 10), 0, 0, is_infusion_day=True)
    assert choose_visit([baseline, infusion], date(2027, 6, 10)) == infusion
    assert choose_visit([baseline, infusion], date(2027, 6, 9)) == baseline


@given(st.lists(st.tuples(DAYS, st.integers(0, 90), st.integers(0, 90)), max_size=8), DAYS, st.randoms())
def test_the_choice_contains_the_day_and_does_not_depend_on_order(
    windows: list[tuple[date, int, int]], on: date, random: Random
) -> None:
    options = [option(ref, f"V{ref}", *window) for ref, window in enumerate(windows)]
    chosen = choose_visit(options, on)
    shuffled = list(options)
    random.shuffle(shuffled)
    assert choose_visit(shuffled, on) == chosen
    assert (chosen is None) == all(is_out_of_window(each.opens, each.closes, on) for each in options)
    assert chosen is None or chosen.opens <= on <= chosen.closes


def test_a_closed_target_day_moves_to_the_nearest_working_day_in_the_window() -> None:
    saturday = date(2027, 6, 12)
    weekend = {5, 6}
    around = (saturday - timedelta(days=7), saturday + timedelta(days=7))
    assert nearest_open_day(saturday, *around, weekend, set()) == date(2027, 6, 11)
    assert nearest_open_day(saturday, *around, weekend, {date(2027, 6, 10), date(2027, 6, 11)}) == date(
        2027, 6, 14
    )
    assert nearest_open_day(saturday, saturday, saturday, weekend, set()) is None


@given(DAYS, st.integers(0, 40), st.integers(0, 40), st.sets(st.integers(0, 6)), st.sets(DAYS, max_size=5))
def test_the_booked_day_is_a_working_day_inside_the_window(
    target: date, before: int, after: int, closed: set[int], holidays: set[date]
) -> None:
    opens, closes = target - timedelta(days=before), target + timedelta(days=after)
    day = nearest_open_day(target, opens, closes, closed, holidays)
    if day is not None:
        assert opens <= day <= closes
        assert day.weekday() not in closed
        assert day not in holidays


def test_month_3_and_week_12_of_a_single_infusion_are_one_booking() -> None:
    bookings = coinciding(planned_visits(PLAN, date(2027, 1, 1), [(1, date(2027, 1, 11))]))
    together = [{visit.code for visit in booking.visits} for booking in bookings if len(booking.visits) > 1]
    assert together == [{"W12L", "M3"}]


def test_a_day_7_visit_does_not_pull_a_distant_annual_visit_forward() -> None:
    visits = planned_visits(PLAN, date(2027, 1, 1), [(1, date(2027, 1, 11)), (2, date(2028, 12, 1))])
    booked = next(
        booking for booking in coinciding(visits) if any(visit.code == "M24" for visit in booking.visits)
    )
    assert {(visit.code, visit.sequence) for visit in booked.visits} & {
        ("INF", 2),
        ("D1", 2),
        ("D7", 2),
    } == set()


@given(DAYS, INFUSIONS, st.randoms())
def test_every_visit_is_in_exactly_one_booking_that_suits_it(
    enrolled_on: date, infusions: list[tuple[int, date]], random: Random
) -> None:
    visits = planned_visits(PLAN, enrolled_on, infusions)
    bookings = coinciding(visits)
    booked: list[PlannedVisit] = [visit for booking in bookings for visit in booking.visits]
    assert sorted(map(repr, booked)) == sorted(map(repr, visits))
    for booking in bookings:
        assert booking.opens <= booking.target <= booking.closes
        assert all(visit.opens <= booking.target <= visit.closes for visit in booking.visits)
    shuffled = list(visits)
    random.shuffle(shuffled)
    assert coinciding(shuffled) == bookings
