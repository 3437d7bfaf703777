"""Writing a draft: begun empty, from a version or an example, or brought in as a file; then changed part by part."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from followup.plans.models import PlanDraft, read_draft
from followup.schedule.actions.plans import latest_version, plan_in_force
from followup.schedule.plan_fields import PlanError
from followup.schedule.plan_file import (
    DEFAULT_PLAN_PATH,
    EXAMPLES,
    Assessment,
    Plan,
    ReminderStep,
    Timepoint,
    parse_plan,
    read_plan,
)
from followup.schedule.plan_text import write_plan
from registry.access.models import User
from registry.saving import ChangedMeanwhile, NotAccepted, claim_version, create_once

EMPTY, IN_FORCE = "empty", "in_force"
STARTS = {
    EMPTY: "An empty plan, with the usual assessments and reminders",
    IN_FORCE: "The version in force",
    "default": "The example “default”: 15 years as shipped",
    "three_infusions": "The example “three infusions”: a trial with visits at weeks 0, 4, 8, 20, 32 and 48",
}
NUMBER = re.compile(r"(?m)^version\s*=\s*\d+")


class Refused(Exception):
    """What was asked cannot be done with this plan now; the text says why and what to do."""


def begin(*, start: str, code: str, title: str, by: User, now: datetime, form_token: str) -> PlanDraft:
    """The same form sent twice is one draft."""
    by.require("plans.edit")
    if start == IN_FORCE:
        row = plan_in_force()
        text, begun_from = row.source, str(row)
    elif start == EMPTY:
        text, begun_from = write_plan(_empty()), "an empty plan"
    else:
        text, begun_from = (EXAMPLES / f"{start}.toml").read_text(encoding="utf-8"), f"the example {start}"
    plan = read_draft(text)
    named = replace(plan, code=code or plan.code, title=title or plan.title)
    text = text if named == plan else write_plan(named)
    return _create(text, begun_from, by=by, now=now, form_token=form_token)


def _empty() -> Plan:
    return replace(
        read_plan(DEFAULT_PLAN_PATH), code="plan", title="New plan", version=1, source="Not stated yet", lines=()
    )  # fmt: skip


def bring_in(*, text: str, name: str, by: User, now: datetime, form_token: str) -> PlanDraft:
    """A file as it is, comments too; PlanError says what is wrong where. An exported draft may be without a visit."""
    by.require("plans.edit")
    parse_plan(text, is_draft=True)
    return _create(text, f"the file {name}"[:200], by=by, now=now, form_token=form_token)


def _create(text: str, begun_from: str, *, by: User, now: datetime, form_token: str) -> PlanDraft:
    text = numbered(text)

    def make() -> PlanDraft:
        return PlanDraft.objects.create(
            text=text, begun_from=begun_from, created_by=by, created_at=now, form_token=form_token
        )

    return create_once(PlanDraft, form_token, make, created_by=by)


def numbered(text: str) -> str:
    """With the number of the version it would become, and nothing else of the text touched."""
    plan = read_draft(text)
    number = latest_version(plan.code) + 1
    if plan.version == number:
        return text
    wanted = replace(plan, version=number)
    changed = NUMBER.sub(f"version = {number}", text, count=1)
    return changed if _says(changed, wanted) else write_plan(wanted)


def _says(text: str, wanted: Plan) -> bool:
    try:
        return read_draft(text) == wanted
    except PlanError:
        return False


# Part by part ------------------------------------------------------------------------------------------------


def save_head(
    *, draft: PlanDraft, code: str, title: str, source: str, reminders: tuple[ReminderStep, ...], version: int, by: User
) -> None:  # fmt: skip
    """New reminders of the plan hold for every visit that had the plan's."""

    def change(plan: Plan) -> Plan:
        lines = tuple(
            replace(line, reminders=reminders) if line.reminders == plan.reminders else line for line in plan.lines
        )  # fmt: skip
        return replace(plan, code=code, title=title, source=source, reminders=reminders, lines=lines)

    _change(draft, change, version=version, by=by)


def save_line(*, draft: PlanDraft, line: Timepoint, instead_of: str, version: int, by: User) -> None:
    """A new visit, or one instead of another. Lines stand by anchor and by day."""

    def change(plan: Plan) -> Plan:
        kept = [each for each in plan.lines if each.code != instead_of]
        if instead_of and len(kept) == len(plan.lines):
            raise ChangedMeanwhile("This visit was taken out by somebody else.")
        known = {each.code: each.label for each in kept for each in each.years}
        for code in (each.code for each in line.years):
            if code in known:
                raise NotAccepted(
                    "code", f"{code} is the code of {known[code]} already. Give this visit another."
                )
        return replace(plan, lines=tuple(sorted((*kept, line), key=_place)))

    _change(draft, change, version=version, by=by)


def remove_line(*, draft: PlanDraft, code: str, version: int, by: User) -> None:
    def change(plan: Plan) -> Plan:
        kept = tuple(line for line in plan.lines if line.code != code)
        if len(kept) == len(plan.lines):
            raise ChangedMeanwhile("This visit was taken out already.")
        return replace(plan, lines=kept)

    _change(draft, change, version=version, by=by)


def save_assessment(*, draft: PlanDraft, assessment: Assessment, version: int, by: User) -> None:
    """A new one, or other words for one that the plan has."""

    def change(plan: Plan) -> Plan:
        if any(each.code == assessment.code for each in plan.assessments):
            each_one = (assessment if each.code == assessment.code else each for each in plan.assessments)
            return replace(plan, assessments=tuple(each_one))
        return replace(plan, assessments=(*plan.assessments, assessment))

    _change(draft, change, version=version, by=by)


def _place(line: Timepoint) -> tuple[int, float]:
    anchors = ("enrolment", "each_infusion", "last_infusion", "first_infusion")
    days = {"day": 1.0, "week": 7.0, "month": 30.44, "year": 365.25}
    return anchors.index(line.anchor), line.offset_value * days[line.offset_unit]


def _change(draft: PlanDraft, change: Callable[[Plan], Plan], *, version: int, by: User) -> None:
    """ChangedMeanwhile where somebody else saved the draft since `version`; NotAccepted for what a plan cannot say."""
    by.require("plans.edit")
    stored = PlanDraft.objects.get(pk=draft.pk)
    if stored.state != PlanDraft.State.DRAFT:
        raise Refused("This plan was asked for and is fixed. Take the request back to change it.")
    if stored.version != version:
        raise ChangedMeanwhile("This was saved by somebody else since you opened it.")
    try:
        text = numbered(write_plan(change(stored.rules)))
    except PlanError as error:
        raise NotAccepted("", f"{error}.") from error
    claim_version(draft, version, state=PlanDraft.State.DRAFT)
    PlanDraft.objects.filter(pk=draft.pk).update(text=text)
    draft.refresh_from_db()
