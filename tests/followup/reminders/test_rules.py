from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from followup.reminders.rules import (
    DueStep,
    control_totals_add_up,
    latest_step,
    may_remind,
    recipient_kinds,
    step_rank,
    steps_due,
)
from followup.schedule.plan_file import DEFAULT_PLAN_PATH, STEPS, read_plan
from followup.schedule.rules import window_for
from registry.patients.rules import WITHDRAWAL_SCOPES

PLAN = read_plan(DEFAULT_PLAN_PATH)
CODES = st.sampled_from([timepoint.code for timepoint in PLAN.timepoints])
DAYS = st.dates(date(1995, 1, 1), date(2070, 1, 1))
ANCHOR = date(2027, 1, 31)


def due(code: str, on: date, created_on: date = ANCHOR, anchor: date = ANCHOR) -> list[DueStep]:
    timepoint = PLAN.timepoint(code)
    window = window_for(timepoint, anchor)
    return steps_due(timepoint.reminders, window.target, window.opens, window.closes, created_on, anchor, on)


def latest(
    code: str, on: date, created_on: date = ANCHOR, anchor: date = ANCHOR, raised: tuple[str, ...] = ()
) -> DueStep | None:
    timepoint = PLAN.timepoint(code)
    window = window_for(timepoint, anchor)
    return latest_step(
        timepoint.reminders,
        window.target,
        window.opens,
        window.closes,
        created_on,
        anchor,
        on,
        already_raised=raised,
    )


def test_the_days_of_a_month_12_visit() -> None:
    assert due("M12", date(2040, 1, 1)) == [
        DueStep("due_soon", date(2028, 1, 1)),
        DueStep("due_soon_again", date(2028, 1, 24)),
        DueStep("due", date(2028, 1, 31)),
        DueStep("window_closing", date(2028, 2, 27)),
        DueStep("overdue", date(2028, 3, 8)),
        DueStep("escalated", date(2028, 3, 31)),
    ]


def test_a_step_is_reached_on_its_day_and_not_before() -> None:
    assert latest("M12", date(2027, 12, 31)) is None
    assert latest("M12", date(2028, 1, 1)) == DueStep("due_soon", date(2028, 1, 1))


def test_after_an_interruption_only_the_most_advanced_step_is_raised() -> None:
    assert latest("M12", date(2028, 3, 20), raised=("due_soon",)) == DueStep("overdue", date(2028, 3, 8))
    assert latest("M12", date(2040, 1, 1)) == DueStep("escalated", date(2028, 3, 31))


def test_nothing_is_raised_again_when_the_clock_goes_back() -> None:
    assert latest("M12", date(2028, 2, 1), raised=("overdue",)) is None
    assert latest("M12", date(2028, 3, 8), raised=("overdue",)) is None


def test_a_visit_planned_late_starts_with_the_steps_still_ahead() -> None:
    created_on = date(2028, 2, 10)
    assert [step.step for step in due("M12", date(2028, 2, 20), created_on)] == []
    assert [step.step for step in due("M12", date(2028, 2, 27), created_on)] == ["window_closing"]


def test_nobody_is_told_of_a_call_before_the_infusion() -> None:
    assert due("W4", ANCHOR + timedelta(days=400), created_on=date(2020, 1, 1))[0].raise_on >= ANCHOR
    assert [step.raise_on for step in due("D1", date(2040, 1, 1))] == [
        date(2027, 2, 1),
        date(2027, 2, 3),
        date(2027, 2, 5),
        date(2027, 2, 11),
    ]


def test_missing_screening_papers_are_chased_a_week_and_a_month_after_enrolment() -> None:
    assert [(step.raise_on - ANCHOR).days for step in due("SCR", date(2040, 1, 1))] == [7, 30]


@given(CODES, DAYS, st.integers(-400, 400), st.integers(-800, 8000))
def test_steps_respect_creation_anchor_and_today(
    code: str, anchor: date, created_after: int, days: int
) -> None:
    created_on, on = anchor + timedelta(days=created_after), anchor + timedelta(days=days)
    steps = due(code, on, created_on, anchor)
    assert all(max(created_on, anchor) <= step.raise_on <= on for step in steps)
    assert [step_rank(step.step) for step in steps] == sorted({step_rank(step.step) for step in steps})
    assert [step.raise_on for step in steps] == sorted(step.raise_on for step in steps)


@given(CODES, DAYS, st.lists(st.integers(-10, 6000), max_size=20), st.integers(0, 200))
def test_however_often_and_in_whatever_order_we_sweep_no_step_is_raised_twice_or_after_a_later_one(
    code: str, anchor: date, sweeps: list[int], created_after: int
) -> None:
    created_on = anchor + timedelta(days=created_after)
    raised: list[str] = []
    for days in sweeps:
        for _ in range(2):
            step = latest(code, anchor + timedelta(days=days), created_on, anchor, tuple(raised))
            if step is not None:
                raised.append(step.step)
    assert [step_rank(step) for step in raised] == sorted({step_rank(step) for step in raised})


@given(CODES, DAYS, st.lists(st.integers(0, 6000), min_size=1, max_size=20))
def test_sweeping_more_often_ends_at_the_same_step(code: str, anchor: date, sweeps: list[int]) -> None:
    raised: list[str] = []
    for days in sorted(sweeps):
        step = latest(code, anchor + timedelta(days=days), anchor, anchor, tuple(raised))
        raised += [step.step] if step else []
    once = latest(code, anchor + timedelta(days=max(sweeps)), anchor, anchor)
    assert (raised[-1] if raised else None) == (once.step if once else None)


def test_every_step_has_a_recipient_and_escalation_reaches_the_investigator_first() -> None:
    assert recipient_kinds("escalated") == ("investigator", "site_manager", "coordinator")
    assert {recipient_kinds(step) for step in STEPS if step != "escalated"} == {("site_staff",)}


def test_unknown_steps_have_no_rank() -> None:
    with pytest.raises(KeyError, match="nag"):
        step_rank("nag")


EVERYTHING = ("on_site", "phone", "video", "letter", "records")
REMOTE = EVERYTHING[1:]


@pytest.mark.parametrize(
    ("state", "status", "scopes", "death", "person", "staff", "modes"),
    [
        ("", "in_follow_up", [], "", True, True, EVERYTHING),
        ("", "enrolled", [], "", True, True, EVERYTHING),
        ("done", "in_follow_up", [], "", False, False, ()),
        ("missed", "in_follow_up", [], "", False, False, ()),
        ("not_required", "in_follow_up", [], "", False, False, ()),
        ("", "in_follow_up", ["no_cells"], "", True, True, EVERYTHING),
        ("", "withdrawn", ["no_visits"], "", True, True, REMOTE),
        ("", "withdrawn", ["no_contact"], "", False, True, ("records",)),
        ("", "withdrawn", ["no_new_data"], "", False, False, ()),
        ("", "withdrawn", ["erase"], "", False, False, ()),
        ("", "withdrawn", ["no_cells", "no_new_data"], "", False, False, ()),
        ("", "withdrawn", [], "", False, True, EVERYTHING),
        ("", "lost", [], "", False, True, EVERYTHING),
        ("", "completed", [], "", False, True, EVERYTHING),
        ("", "in_follow_up", [], "reported", False, True, EVERYTHING),
        ("", "deceased", [], "reported", False, True, EVERYTHING),
        ("", "in_follow_up", [], "confirmed", False, False, ()),
        ("", "deceased", [], "", False, False, ()),
    ],
)
def test_who_is_told_and_how_the_visit_may_be_done(
    state: str, status: str, scopes: list[str], death: str, person: bool, staff: bool, modes: tuple[str, ...]
) -> None:
    reach = may_remind(state, status, scopes, death)
    assert (reach.tell_person, reach.tell_staff, reach.contact_modes) == (person, staff, modes)
    assert bool(reach.reason) == (not person or modes != EVERYTHING)


def test_after_no_contact_without_consent_to_linkage_nothing_is_left_to_do() -> None:
    assert not may_remind("", "withdrawn", ["no_contact"], linkage_consented=False).tell_staff


@given(st.sets(st.sampled_from(WITHDRAWAL_SCOPES)), st.sampled_from(["", "reported", "confirmed"]))
def test_only_no_contact_no_new_data_and_erasure_stop_messages_to_a_living_person(
    scopes: set[str], death: str
) -> None:
    stopped = bool(scopes & {"no_contact", "no_new_data", "erase"}) or bool(death)
    assert may_remind("", "in_follow_up", scopes, death).tell_person == (not stopped)


def test_control_totals() -> None:
    assert control_totals_add_up(due=10, sent=6, held=1, excused=1, failed=1, uncertain=1)
    assert control_totals_add_up(0, 0, 0, 0, 0, 0)
    assert not control_totals_add_up(due=10, sent=9, held=0, excused=0, failed=0, uncertain=0)
    with pytest.raises(ValueError, match="negative"):
        control_totals_add_up(due=0, sent=1, held=-1, excused=0, failed=0, uncertain=0)
