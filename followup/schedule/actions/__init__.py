"""Everything that changes the schedule, by topic: the plan, planning, status, recording, arranging, work items."""

from followup.schedule.actions.arranging import add_unscheduled, book, log_contact_attempt
from followup.schedule.actions.deciding import mark_missed, mark_not_required, reopen
from followup.schedule.actions.planning import Planned, plan_visits
from followup.schedule.actions.plans import assessment_labels, current_plan, ensure_default_plan, load_plan
from followup.schedule.actions.recording import Answer, record_visit
from followup.schedule.actions.repairing import repair_plans
from followup.schedule.actions.status import apply_status
from followup.schedule.actions.work_items import (
    close_items_of_closed_queries,
    close_work_item,
    close_work_items,
    raise_items_for_queries,
    raise_work_item,
    raise_work_items,
)

__all__ = [
    "Answer",
    "Planned",
    "add_unscheduled",
    "apply_status",
    "assessment_labels",
    "book",
    "close_items_of_closed_queries",
    "close_work_item",
    "close_work_items",
    "current_plan",
    "ensure_default_plan",
    "load_plan",
    "log_contact_attempt",
    "mark_missed",
    "mark_not_required",
    "plan_visits",
    "raise_items_for_queries",
    "raise_work_item",
    "raise_work_items",
    "record_visit",
    "reopen",
    "repair_plans",
]
