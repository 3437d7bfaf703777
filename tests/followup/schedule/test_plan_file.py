import re

import pytest

from followup.schedule.plan_file import DEFAULT_PLAN_PATH, Plan, PlanError, parse_plan, plan_digest, read_plan

DEFAULT_TEXT = DEFAULT_PLAN_PATH.read_text(encoding="utf-8")

MINIMAL = """
[plan]
code = "short"
title = "Short plan"
version = 1
source = "A test"

[reminders]
steps = [{ step = "due", from = "target", days = 0 }]

[[assessment]]
code = "interview"
label = "Interview"
remote = true

[[assessment]]
code = "neoplasia_check"
label = "Neoplasia check"
remote = true

[[timepoint]]
code = "M3"
label = "Month 3"
anchor = "first_infusion"
offset = { value = 3, unit = "month" }
window = { before = 14, after = 14 }
contact_mode = "on_site"
assessments = ["interview"]
neoplasia_check = false
"""


@pytest.fixture(scope="module")
def default_plan() -> Plan:
    return read_plan(DEFAULT_PLAN_PATH)


def test_default_plan_has_exactly_the_agreed_visits(default_plan: Plan) -> None:
    first = ["M3", "M6", "M9", "M12", "M18", "M24", "M36", "M48", "M60"] + [
        f"Y{year}" for year in range(6, 16)
    ]
    by_anchor: dict[str, list[str]] = {}
    for timepoint in default_plan.timepoints:
        by_anchor.setdefault(timepoint.anchor, []).append(timepoint.code)
    assert by_anchor == {
        "enrolment": ["SCR", "BL"],
        "each_infusion": ["INF", "D1", "D7", "W4"],
        "last_infusion": ["W12L"],
        "first_infusion": first,
    }


@pytest.mark.parametrize(
    ("code", "opens_after_days", "closes_after_days"),
    [
        ("SCR", -60, -8),
        ("BL", -7, 0),
        ("INF", 0, 0),
        ("D1", 1, 4),
        ("D7", 5, 9),
        ("W4", 21, 35),
        ("W12L", 70, 98),
    ],
)
def test_default_windows_counted_in_days(
    default_plan: Plan, code: str, opens_after_days: int, closes_after_days: int
) -> None:
    timepoint = default_plan.timepoint(code)
    assert timepoint.offset_unit == "day"
    assert timepoint.offset_value - timepoint.window_before_days == opens_after_days
    assert timepoint.offset_value + timepoint.window_after_days == closes_after_days


@pytest.mark.parametrize(
    ("codes", "days"),
    [
        (["M3", "M6"], 14),
        (["M9"], 21),
        (["M12", "M18"], 30),
        (["M24", "M36", "M48", "M60"], 60),
        ([f"Y{year}" for year in range(6, 16)], 90),
    ],
)
def test_default_windows_counted_in_months_and_years(default_plan: Plan, codes: list[str], days: int) -> None:
    for code in codes:
        timepoint = default_plan.timepoint(code)
        assert (timepoint.offset_value, timepoint.offset_unit) == (
            int(code[1:]),
            "month" if code[0] == "M" else "year",
        )
        assert (timepoint.window_before_days, timepoint.window_after_days) == (days, days)


def test_neoplasia_is_asked_at_baseline_and_at_least_yearly_to_year_15(default_plan: Plan) -> None:
    checks = [timepoint.code for timepoint in default_plan.timepoints if timepoint.neoplasia_check]
    assert checks == ["BL", "M6", "M12", "M24", "M36", "M48", "M60"] + [f"Y{year}" for year in range(6, 16)]


def test_examination_in_person_is_required_at_every_check_of_the_first_five_years(default_plan: Plan) -> None:
    remote = {assessment.code: assessment.remote for assessment in default_plan.assessments}
    assert not remote["physical_exam"]
    assert not remote["imaging"]
    for timepoint in default_plan.timepoints:
        if timepoint.neoplasia_check and not timepoint.code.startswith("Y"):
            assert "physical_exam" in timepoint.assessments, timepoint.code


def test_every_visit_in_person_after_infusion_has_the_core_set(default_plan: Plan) -> None:
    core = {"vital_signs", "insulin_and_drugs", "hypoglycaemia_count", "adverse_events"}
    for timepoint in default_plan.timepoints:
        if timepoint.contact_mode == "on_site" and timepoint.code != "INF":
            assert core <= set(timepoint.assessments), timepoint.code


def test_late_years_can_be_done_entirely_by_telephone_but_for_the_blood_sample(default_plan: Plan) -> None:
    remote = {assessment.code for assessment in default_plan.assessments if assessment.remote}
    for year in range(6, 16):
        assert set(default_plan.timepoint(f"Y{year}").assessments) - remote == {"glycaemia"}


def test_default_steps_are_the_signed_ones_and_every_visit_escalates(default_plan: Plan) -> None:
    steps = [(step.step, step.counted_from, step.days) for step in default_plan.timepoint("M12").reminders]
    assert steps == [
        ("due_soon", "target", -30),
        ("due_soon_again", "target", -7),
        ("due", "target", 0),
        ("window_closing", "closes", -3),
        ("overdue", "closes", 7),
        ("escalated", "closes", 30),
    ]
    for timepoint in default_plan.timepoints:
        assert {"overdue", "escalated"} <= {step.step for step in timepoint.reminders}, timepoint.code


def test_digest_ignores_comments_and_notices_one_day(default_plan: Plan) -> None:
    digest = plan_digest(default_plan)
    assert re.fullmatch(r"[0-9a-f]{64}", digest)
    assert plan_digest(parse_plan("# reviewed\n" + DEFAULT_TEXT)) == digest
    assert (
        plan_digest(parse_plan(DEFAULT_TEXT.replace("before = 21, after = 21", "before = 21, after = 22")))
        != digest
    )


@pytest.mark.parametrize(
    ("old", "new", "names"),
    [
        ('anchor = "first_infusion"', 'anchor = "birth"', ["M3", "anchor"]),
        ('anchor = "first_infusion"\n', "", ["M3", "anchor", "missing"]),
        ('unit = "month"', 'unit = "moon"', ["M3", "offset", "unit"]),
        ("value = 3,", 'value = "3",', ["M3", "offset", "value", "whole number"]),
        ("value = 3,", "value = true,", ["M3", "offset", "value"]),
        ("before = 14,", "before = -1,", ["M3", "window", "before"]),
        ("before = 14,", "", ["M3", "window", "before"]),
        ('contact_mode = "on_site"', 'contact_mode = "pigeon"', ["M3", "contact_mode"]),
        ('["interview"]', '["x_ray"]', ["M3", "assessments", "x_ray"]),
        ('["interview"]', "[]", ["M3", "assessments"]),
        ('["interview"]', '["interview", "interview"]', ["M3", "interview", "more than once"]),
        ("neoplasia_check = false", "neoplasia_check = true", ["M3", "neoplasia_check"]),
        ("neoplasia_check = false", 'neoplasia_check = "no"', ["M3", "neoplasia_check"]),
        ("neoplasia_check = false", "neoplasia_check = false\ncolour = 1", ["M3", "colour"]),
        ("neoplasia_check = false", 'neoplasia_check = false\nreminders = ["due"]', ["M3", "reminders"]),
        ('label = "Month 3"', 'label = " "', ["M3", "label"]),
        ('step = "due"', 'step = "nag"', ["reminders", "nag"]),
        ("version = 1", "version = 0", ["plan", "version"]),
        ("[plan]", "[plan", ["TOML"]),
        ('code = "neoplasia_check"', 'code = "interview"', ["assessment", "interview", "more than once"]),
    ],
)
def test_an_unclear_plan_is_refused_by_name(old: str, new: str, names: list[str]) -> None:
    assert old in MINIMAL
    with pytest.raises(PlanError) as refusal:
        parse_plan(MINIMAL.replace(old, new, 1))
    for name in names:
        assert name in str(refusal.value)


def test_steps_out_of_order_or_repeated_are_refused() -> None:
    early = '{ step = "due_soon", from = "target", days = -7 }'
    late = '{ step = "due", from = "target", days = 0 }'
    for steps, word in ((f"[{late}, {early}]", "order"), (f"[{late}, {late}]", "more than once")):
        with pytest.raises(PlanError, match=word):
            parse_plan(MINIMAL.replace(f"[{late}]", steps, 1))


def test_a_plan_without_timepoints_or_with_the_same_one_twice_is_refused() -> None:
    head, timepoint = MINIMAL.split("[[timepoint]]")
    with pytest.raises(PlanError, match="timepoint"):
        parse_plan(head)
    with pytest.raises(PlanError, match="M3 appears more than once"):
        parse_plan(f"{head}[[timepoint]]{timepoint}\n[[timepoint]]{timepoint}")


def test_unknown_timepoint_code(default_plan: Plan) -> None:
    with pytest.raises(KeyError):
        default_plan.timepoint("M7")


def test_a_plan_of_thousands_of_yearly_visits_is_refused_at_once() -> None:
    line = MINIMAL[MINIMAL.index("[[timepoint]]") :].replace('unit = "month"', 'unit = "year"')
    lines = [
        line.replace('"M3"', f'"{name}"').replace("value = 3,", "value = 1,") + 'yearly_until = "life"\n'
        for name in ("A1", "B1", "C1", "D1", "E1", "F1", "G1")
    ]
    head = MINIMAL[: MINIMAL.index("[[timepoint]]")]
    with pytest.raises(PlanError, match="stand for 560 visits; 500 are the most"):
        parse_plan(head + "".join(lines))
    assert len(parse_plan(head + "".join(lines[:6])).timepoints) == 480
