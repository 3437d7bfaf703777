"""The plan as it was loaded: an immutable version in the database, and its rules read from the stored text."""

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import lru_cache

from followup.schedule import plan_file
from followup.schedule.models import FollowUpPlan, Timepoint
from followup.schedule.plan_file import DEFAULT_PLAN_PATH, Plan, PlanError, parse_plan, plan_digest

DEFAULT_CODE = "default"


@dataclass(frozen=True)
class LoadedPlan:
    """A stored version: what it says, and the rows that visits point to."""

    row: FollowUpPlan
    rules: Plan
    timepoints: dict[str, Timepoint]


def ensure_default_plan(now: datetime, *, text: str | None = None) -> FollowUpPlan:
    """Stores the plan of the file as a version of its own, once. A changed text must carry a higher version;
    older versions stay, because visits were planned by them.
    """
    source = DEFAULT_PLAN_PATH.read_text(encoding="utf-8") if text is None else text
    plan = parse_plan(source)
    digest = plan_digest(plan)
    if loaded := FollowUpPlan.objects.filter(sha256=digest).first():
        return loaded
    latest = FollowUpPlan.objects.filter(code=plan.code).order_by("-version").first()
    if latest and plan.version <= latest.version:
        raise PlanError(
            f"The plan {plan.code} was changed but still says version {plan.version}; version "
            f"{latest.version} is loaded. Raise `version` to {latest.version + 1} or more."
        )
    row = FollowUpPlan.objects.create(
        code=plan.code, version=plan.version, title=plan.title, source=source, sha256=digest, loaded_at=now
    )
    Timepoint.objects.bulk_create(
        _timepoint(row, position, timepoint) for position, timepoint in enumerate(plan.timepoints, start=1)
    )
    return row


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


def current_plan() -> LoadedPlan:
    """The newest version of the default plan. `migrate` loads it, so there always is one."""
    row = FollowUpPlan.objects.filter(code=DEFAULT_CODE).order_by("-version").first()
    if row is None:
        raise PlanError("No follow-up plan is loaded. Run: manage.py migrate")
    return LoadedPlan(row, _read(row.source), {each.code: each for each in row.timepoints.all()})


@lru_cache(maxsize=8)
def _read(source: str) -> Plan:
    return parse_plan(source)


def plan_of(timepoint: Timepoint) -> Plan:
    """The version by which this visit was planned."""
    return _read(timepoint.plan.source)


def assessment_labels(plan: Plan) -> dict[str, str]:
    return {assessment.code: assessment.label for assessment in plan.assessments}
