"""The plan that is followed: an immutable version in the database, and its rules read from the stored text."""

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import lru_cache

from followup.schedule import plan_file
from followup.schedule.models import FollowUpPlan, Timepoint
from followup.schedule.plan_fields import PlanError
from followup.schedule.plan_file import DEFAULT_PLAN_PATH, Plan, parse_plan, plan_digest


@dataclass(frozen=True)
class LoadedPlan:
    """A stored version: what it says, and the rows that visits point to."""

    row: FollowUpPlan
    rules: Plan
    timepoints: dict[str, Timepoint]


def ensure_default_plan(now: datetime) -> FollowUpPlan:
    """Stores the shipped plan in a registry that has none. One that follows a plan keeps it whatever an upgrade ships: a
    plan is changed by two people, never by new software.
    """
    loaded = FollowUpPlan.objects.order_by("-pk").first()
    return loaded or load_plan(DEFAULT_PLAN_PATH.read_text(encoding="utf-8"), now=now)


def load_plan(text: str, *, now: datetime) -> FollowUpPlan:
    """Stores this text as the version that is followed from now on. Older versions stay: visits were planned by them.
    `repair_plans` lays every patient's visits against it.
    """
    plan = parse_plan(text)
    latest = latest_version(plan.code)
    if plan.version <= latest:
        raise PlanError(
            f"The plan {plan.code} says version {plan.version}, but version {latest} is loaded. "
            f"Raise `version` to {latest + 1} or more."
        )
    row = FollowUpPlan.objects.create(
        code=plan.code, version=plan.version, title=plan.title, source=text, sha256=plan_digest(plan), loaded_at=now
    )  # fmt: skip
    Timepoint.objects.bulk_create(
        _timepoint(row, position, timepoint) for position, timepoint in enumerate(plan.timepoints, start=1)
    )
    return row


def latest_version(code: str) -> int:
    """0 for a plan of which no version was followed yet."""
    latest = FollowUpPlan.objects.filter(code=code).order_by("-version").first()
    return latest.version if latest else 0


def _timepoint(row: FollowUpPlan, position: int, timepoint: plan_file.Timepoint) -> Timepoint:
    return Timepoint(
        plan=row,
        code=timepoint.code,
        label=timepoint.label,
        position=position,
        anchor=timepoint.anchor,
        offset_value=timepoint.offset_value,
        offset_unit=timepoint.offset_unit,
        days_before=timepoint.window_before_days,
        days_after=timepoint.window_after_days,
        contact_mode=timepoint.contact_mode,
        assessments=";".join(timepoint.assessments),
        neoplasia_check=timepoint.neoplasia_check,
        reminder_steps=json.dumps([asdict(step) for step in timepoint.reminders]),
    )


def plan_in_force() -> FollowUpPlan:
    """The version loaded last. `migrate` loads the first, so there always is one."""
    row = FollowUpPlan.objects.order_by("-pk").first()
    if row is None:
        raise PlanError("No follow-up plan is loaded. Run: manage.py migrate")
    return row


def current_plan() -> LoadedPlan:
    row = plan_in_force()
    return LoadedPlan(row, rules_of(row), {each.code: each for each in row.timepoints.all()})


def rules_of(row: FollowUpPlan) -> Plan:
    return _read(row.source)


@lru_cache(maxsize=16)
def _read(source: str) -> Plan:
    return parse_plan(source)


def plan_of(timepoint: Timepoint) -> Plan:
    """The version by which this visit was planned."""
    return _read(timepoint.plan.source)


def assessment_labels(plan: Plan) -> dict[str, str]:
    return {assessment.code: assessment.label for assessment in plan.assessments}
