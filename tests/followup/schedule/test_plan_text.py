"""A plan goes out as TOML and comes back as the same plan; a broken file is told what, where and what to do."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from followup.schedule.plan_fields import PlanError
from followup.schedule.plan_file import DEFAULT_PLAN_PATH, EXAMPLES, parse_plan, read_plan
from followup.schedule.plan_text import write_plan

DEFAULT = read_plan(DEFAULT_PLAN_PATH)
TEXT = DEFAULT_PLAN_PATH.read_text(encoding="utf-8")
WORDS = st.text(
    st.characters(blacklist_categories=("C", "Z"), whitelist_characters=' "\\\n'), min_size=1, max_size=600
)


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.toml")), ids=lambda path: path.stem)
def test_every_shipped_plan_comes_back_as_it_went_out(path):
    plan = read_plan(path)
    text = write_plan(plan)
    assert parse_plan(text) == plan
    assert write_plan(parse_plan(text)) == text


@given(
    source=WORDS.map(str.strip).filter(bool),
    title=WORDS.map(lambda text: " ".join(text.split())[:120].strip()).filter(bool),
)
def test_any_words_come_back_to_the_letter(source, title):
    plan = replace(DEFAULT, source=source, title=title)
    assert parse_plan(write_plan(plan)) == plan


def test_a_yearly_line_stands_for_a_visit_each_year():
    head, *points = TEXT.split("[[timepoint]]")
    kept = [point for point in points if not any(f'code = "Y{year}"' in point for year in range(7, 16))]
    text = "[[timepoint]]".join([head, *kept]).rstrip() + "\nyearly_until = 15\n"
    plan = parse_plan(text)
    assert plan.timepoints == DEFAULT.timepoints
    assert parse_plan(write_plan(plan)) == plan


def line_of(words):
    return TEXT[: TEXT.index(words)].count("\n") + 1


MONTH_9 = line_of('[[timepoint]]\ncode = "M9"')


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ('code = "M9"\n', 'code = "M 9"\n', MONTH_9, "expected a letter, then letters, digits, - or _"),
        ("value = 9, unit", "value = 99999, unit", MONTH_9, "expected 1200 or less"),
        ('label = "Month 9"', f'label = "{"x" * 61}"', MONTH_9, "61 characters; 60 are the most"),
        (
            'code = "vital_signs"',
            'code = "Vital signs"',
            line_of('[[assessment]]\ncode = "vital_signs"'),
            "expected at most 30 small letters",
        ),
        ("version = 1", "version = 1\nversion = 2", line_of("version = 1") + 1, "not valid TOML"),
    ],
)
def test_a_broken_file_is_told_what_and_where(old, new, line, words):
    assert old in TEXT
    with pytest.raises(PlanError, match=words) as refusal:
        parse_plan(TEXT.replace(old, new, 1))
    assert refusal.value.line == line


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ("yearly_until = 5", "yearly_until is 5, before its first year 15"),
        ("yearly_until = 99", "expected 80 or less"),
        ('yearly_until = "ever"', 'expected a year such as 15, or "life"'),
        ("yearly_until = true", "expected a year such as 15"),
    ],
)
def test_a_yearly_line_must_make_sense(extra, words):
    with pytest.raises(PlanError, match=words):
        parse_plan(f"{TEXT.rstrip()}\n{extra}\n")


def test_a_yearly_line_needs_years_and_a_code_that_counts():
    last = 'code = "Y15"'
    with pytest.raises(PlanError, match="ends with its first year, for example Y15"):
        parse_plan(TEXT.replace(last, 'code = "LAST"').rstrip() + "\nyearly_until = 16\n")
    months = TEXT.replace('value = 15, unit = "year"', 'value = 15, unit = "month"')
    with pytest.raises(PlanError, match="needs an offset of 1 or more years"):
        parse_plan(f"{months.rstrip()}\nyearly_until = 16\n")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x" * 100_001, "100000 are the most"),
        ("a = 1 # " + "x" * 1000, "longer than 1000 characters"),
        ("a = " + "[" * 900, "TOML"),
        ("a = " + "9" * 900 + "\nb = " + "[" * 990, "TOML"),
    ],
)
def test_a_hostile_file_is_refused_before_it_costs_anything(text, words):
    with pytest.raises(PlanError, match=words):
        parse_plan(text)


def test_only_a_draft_may_be_without_visits():
    text = write_plan(replace(DEFAULT, lines=()))
    assert parse_plan(text, is_draft=True).lines == ()
    with pytest.raises(PlanError, match="timepoint"):
        parse_plan(text)
