"""Plans for tests: the shipped ones, a small one in words, and a draft of any text."""

from dataclasses import replace
from pathlib import Path

from followup.plans.actions import bring_in
from followup.plans.models import PlanDraft
from followup.schedule.plan_file import DEFAULT_PLAN_PATH, EXAMPLES, Plan, Timepoint, read_plan
from followup.schedule.plan_text import write_plan
from registry.access.models import User
from registry.saving import new_token
from tests.cast import NOW, person

DEFAULT = read_plan(DEFAULT_PLAN_PATH)
TRIAL_PATH: Path = EXAMPLES / "three_infusions.toml"
TRIAL = read_plan(TRIAL_PATH)


def line(code: str, plan: Plan = DEFAULT) -> Timepoint:
    return next(each for each in plan.lines if each.code == code)


def changed(code: str, plan: Plan = DEFAULT, **fields: object) -> Plan:
    """The plan with one line changed."""
    lines = (replace(each, **fields) if each.code == code else each for each in plan.lines)
    return replace(plan, lines=tuple(lines))


def without(*codes: str, plan: Plan = DEFAULT) -> Plan:
    return replace(plan, lines=tuple(each for each in plan.lines if each.code not in codes))


def draft_of(plan: Plan, by: User) -> PlanDraft:
    return bring_in(text=write_plan(plan), name="plan.toml", by=by, now=NOW, form_token=new_token())


def second_coordinator() -> User:
    return person("carl", "coordinator", None)
