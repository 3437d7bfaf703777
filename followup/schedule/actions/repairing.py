"""Finds patients whose visits do not agree with what they are planned from, and plans them again, some at a time."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Exists, F, OuterRef, Q, QuerySet

from followup.schedule.actions.differences import YEARS_AHEAD
from followup.schedule.actions.doses import ask_for_doses
from followup.schedule.actions.planning import Planned, plan_visits
from followup.schedule.actions.plans import LoadedPlan, current_plan
from followup.schedule.actions.status import apply_status, patients_to_settle
from followup.schedule.actions.work_items import close_items_of_closed_queries, raise_missing_items
from followup.schedule.models import FollowedPlan, FollowUpPlan, Visit
from followup.schedule.rules import add_offset
from registry.audit.acting import Actor, acting_as
from registry.batches import batches
from registry.infusions.models import Infusion
from registry.patients.models import Enrolment

PATIENTS_IN_ONE_TRANSACTION = 100


def repair_plans(now: datetime, *, by: Actor | str = "system:worker") -> Planned:
    """Patients whose visits do not agree with their enrolment, infusions, status or the plan in force, because the
    news of a change was lost or a new version was put in force. Each hundred of them is a transaction of its
    own: whatever is killed, the next sweep goes on with the rest. With nothing to repair it only reads.
    """
    plan, total = current_plan(), Planned()
    for batch in batches(sorted(patients_to_plan(plan, now)), PATIENTS_IN_ONE_TRANSACTION):
        with acting_as(by, channel="sweep", reason=f"Follow-up plan: {plan.row}"):
            total += plan_visits(batch, now=now)
    with acting_as(by, channel="sweep"):
        apply_status(patients_to_settle())
        raise_missing_items(now=now)
        ask_for_doses(now=now)
        close_items_of_closed_queries(now=now)
    return total


def not_following(plan: FollowUpPlan) -> QuerySet[Enrolment]:
    """Those whom this version has not reached yet."""
    reached = FollowedPlan.objects.filter(patient=OuterRef("patient"), plan=plan)
    return Enrolment.objects.filter(~Exists(reached))


def patients_to_plan(plan: LoadedPlan, now: datetime) -> set[int]:
    of_infusion = Visit.objects.filter(infusion=OuterRef("pk"), anchor="each_infusion")
    infusions = Infusion.objects.filter(~Exists(of_infusion), patient__enrolment__isnull=False)
    if all(line.anchor != "each_infusion" for line in plan.rules.lines):
        infusions = infusions.none()
    waiting = Visit.objects.not_finished().filter(patient__enrolment__isnull=False)
    by_enrolment = waiting.filter(anchor="enrolment").exclude(
        anchor_date=F("patient__enrolment__enrolled_on")
    )
    by_infusion = waiting.filter(infusion__isnull=False).exclude(anchor_date=F("infusion__infused_on"))
    # What was begun or booked, or is a neoplasia check that is owed, and is in the plan no longer stays with its version.
    is_owed = Q(neoplasia_check=True, window_opens__lte=now.date())
    unbegun = Q(actual_date=None, booked_for=None) & ~is_owed
    open_to_change = unbegun | Q(visit_code__in=list(plan.timepoints))
    old_plan = waiting.filter(open_to_change, timepoint__isnull=False).exclude(timepoint__plan=plan.row)
    soon = add_offset(now.date(), YEARS_AHEAD - 1, "year")
    ending = FollowedPlan.objects.filter(plan=plan.row, planned_until__lt=soon)
    wanting = (not_following(plan.row), infusions, by_enrolment, by_infusion, old_plan, ending)
    return {
        patient_id
        for rows in wanting
        for patient_id in rows.order_by("pk").values_list("patient_id", flat=True)
    }
