"""What stands against a plan is said in plain words, and the shipped plans have nothing against them."""

from dataclasses import replace
from datetime import date

import pytest

from followup.plans.rules.calendar import by_year, example
from followup.plans.rules.checks import findings
from followup.plans.rules.comparing import changes
from followup.plans.rules.words import step_in_words, target_in_words, window_in_words
from followup.schedule.plan_file import Plan, ReminderStep
from tests.followup.plans.scene import DEFAULT, TRIAL, changed, line, without


def said(plan: Plan, **kinds: bool) -> list[tuple[bool, str]]:
    return [(one.is_error, one.text) for one in findings(plan, kinds)]


@pytest.mark.parametrize("plan", [DEFAULT, TRIAL], ids=["default", "trial"])
def test_nothing_stands_against_the_shipped_plans(plan: Plan) -> None:
    assert said(plan) == []


def test_an_empty_plan_is_asked_for_its_first_visit() -> None:
    assert said(without(*(each.code for each in DEFAULT.lines))) == [
        (True, "The plan has no visit yet. Add the first one.")
    ]


@pytest.mark.parametrize(
    ("plan", "is_error", "words"),
    [
        (without("INF"), True, "No visit belongs to the day of an infusion"),
        (
            changed("Y6", TRIAL, window_before_days=200, window_after_days=200), True,
            "Year 6: its window is so wide that one year's overlaps the next",
        ),
        (
            changed("D7", reminders=(ReminderStep("due_soon", "target", -30),)), True,
            "Day 7: the reminder “Due soon” would fall 23 days before each infusion, when the visit is not planned yet",
        ),
        (changed("M9", window_before_days=90), False, "The windows of Month 6 and Month 9 overlap"),
        (without("Y15"), False, "The last neoplasia check is 14.0 years after the infusion; they are expected to year 15."),
        (without("M24", "M36"), False, "there is no neoplasia check for 36 months"),
        (changed("D1", offset_value=0), False, "Day 1 telephone call: contact on the day of the infusion itself"),
        (
            changed("M3", assessments=("interview", "vital_signs", "adverse_events")), False,
            "Month 3: a visit on site is expected to hold insulin and drugs, hypoglycaemia count as well.",
        ),
        (changed("M9", reminders=()), False, "Month 9: it has no reminder"),
        (
            changed("M9", reminders=(ReminderStep("due", "target", 0),)), False,
            "Month 9: nobody is told when it is overdue",
        ),
        (
            changed("M9", reminders=(ReminderStep("due", "target", 0), ReminderStep("overdue", "opens", 0))), False,
            "Month 9: the reminder “Overdue” comes before “Due”.",
        ),
        (changed("M3", offset_value=-3), False, "Month 3: it lies before the first infusion"),
        (
            changed("BL", assessments=tuple(c for c in line("BL").assessments if c != "islet_function")), False,
            "The islet function test is asked for later but not at baseline",
        ),
        (
            changed("M6", assessments=tuple(c for c in line("M6").assessments if c != "physical_exam")), False,
            "Month 6: a neoplasia check of the first 5 years needs the physical examination.",
        ),
    ],
)  # fmt: skip
def test_each_trouble_is_named_in_words(plan: Plan, is_error: bool, words: str) -> None:
    assert [text for error, text in said(plan) if error is is_error and words in text]


def test_without_any_check_of_late_effects_the_approver_is_warned() -> None:
    bare = replace(DEFAULT, lines=tuple(replace(each, neoplasia_check=False) for each in DEFAULT.lines))
    assert (False, "No neoplasia check is planned: at least one a year is expected to year 15.") in said(bare)


def test_a_code_stays_once_a_person_or_once_for_each_infusion() -> None:
    plan = changed("M3", anchor="each_infusion")
    [(is_error, text)] = [one for one in said(plan, M3=False) if "M3" in one[1]]
    assert is_error
    assert text == (
        "Month 3: the code M3 was held once a person in an earlier version and is counted from each infusion here. "
        "Give the visit a new code."
    )
    assert not [text for error, text in said(changed("M3", anchor="last_infusion"), M3=False) if error]


def test_a_line_reads_as_a_sentence() -> None:
    assert target_in_words(line("SCR")) == "28 days before enrolment"
    assert target_in_words(line("INF")) == "on the day of each infusion"
    assert window_in_words(line("SCR")) == "32 days before to 20 days after"
    assert window_in_words(line("D1")) == "3 days after"
    assert step_in_words(ReminderStep("due", "target", 0)) == "Due: on the target day"
    assert step_in_words(ReminderStep("overdue", "closes", 7)) == "Overdue: 7 days after the window closes"


# Beside the version in force ---------------------------------------------------------------------------------


def test_what_is_added_changed_and_removed_is_told_visit_by_visit() -> None:
    new = changed("M3", offset_value=4, window_after_days=21, contact_mode="phone", plan=without("M9"))
    new = replace(new, lines=(*new.lines, replace(line("M3"), code="M2", label="Month 2", offset_value=2)))
    told = {(one.kind, one.label): one.lines for one in changes(DEFAULT, new)}
    assert told["changed", "Month 3"] == (
        "Held: 3 months after the first infusion → 4 months after the first infusion",
        "Window: 14 days to either side → 14 days before to 21 days after",
        "Contact: on site → by phone",
    )
    assert told["removed", "Month 9"] == ("Was held 9 months after the first infusion",)
    assert told["added", "Month 2"][0] == "Held 2 months after the first infusion, on site"
    assert len(told) == 3


def test_the_same_plan_in_other_lines_changes_nothing() -> None:
    years = without(*(f"Y{year}" for year in range(7, 16)))
    assert changes(DEFAULT, changed("Y6", plan=years, yearly_until=15)) == []


def test_years_with_the_same_words_are_told_together() -> None:
    longer = changed("Y6", TRIAL, yearly_until="life")
    [one] = changes(TRIAL, longer)
    assert (one.kind, one.label) == ("added", "Year 16 to Year 80")
    assert one.lines[0] == "Held 16 to 80 years after the first infusion, by phone"


def test_other_parts_and_reminders_are_told() -> None:
    shorter = tuple(code for code in line("M9").assessments if code != "safety_bloods")
    new = changed("M9", assessments=(*shorter, "lipids_renal"), reminders=line("M9").reminders[1:])
    [one] = changes(DEFAULT, new)
    assert one.lines == (
        "Asked for as well: Lipids and urine albumin",
        "Not asked for any more: Full blood count, liver enzymes, creatinine, lactate dehydrogenase, CRP",
        "Reminder “Due soon”: 30 days before the target day → none",
    )


# The example patient -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("infused", "code", "target"),
    [
        (date(2027, 1, 31), "M3", date(2027, 4, 30)),
        (date(2027, 1, 31), "M6", date(2027, 7, 31)),
        (date(2027, 8, 31), "M6", date(2028, 2, 29)),
        (date(2028, 2, 29), "M12", date(2029, 2, 28)),
        (date(2028, 2, 29), "M48", date(2032, 2, 29)),
        (date(2028, 2, 29), "Y15", date(2043, 2, 28)),
    ],
)
def test_months_of_the_example_are_counted_from_the_infusion_itself(
    infused: date, code: str, target: date
) -> None:
    [entry] = [one for one in example(DEFAULT, infused, [infused]) if one.visit.code == code]
    assert entry.visit.target == target


def test_the_calendar_holds_every_visit_once_in_its_month() -> None:
    entries = example(TRIAL, date(2027, 1, 17), [date(2027, 1, 31), date(2027, 2, 28), date(2027, 3, 28)])
    years = by_year(entries)
    assert [entry for year in years for month in year.months for entry in month] == sorted(
        entries, key=lambda entry: (entry.visit.target.year, entry.visit.target.month)
    )
    assert [entry.name for entry in years[1].months[1]] == ["D1", "WK4", "INF (2)"]
    assert next(entry for entry in entries if entry.name == "WK4").together == ("INF",)
    assert by_year([]) == []


def test_a_plan_for_life_is_shown_for_twenty_years() -> None:
    entries = example(changed("Y6", TRIAL, yearly_until="life"), date(2027, 1, 1), [date(2027, 1, 15)])
    assert entries[-1].label == "Year 20"
