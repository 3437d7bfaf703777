"""What only a person decides: a visit was missed, is not required, or is open after all."""

from datetime import datetime

from followup.schedule.actions.differences import is_kept, is_retired
from followup.schedule.actions.planning import plan_visits
from followup.schedule.actions.plans import current_plan
from followup.schedule.models import Visit
from registry.access.models import User
from registry.audit.acting import because
from registry.clock import local_date
from registry.partial_dates import in_words
from registry.saving import NotAccepted, claim_version


def mark_missed(*, visit: Visit, reason: str, by: User, now: datetime, version: int) -> Visit:
    """After the window has closed and nobody came. The next visit shows when the patient was last examined."""
    by.require("visits.excuse", visit.site_id)
    today = local_date(now, visit.site.time_zone)
    if visit.window_closes is None or visit.window_closes >= today:
        raise NotAccepted(
            "", f"Its window is open until {in_words(visit.window_closes)}: the visit can still be held."
        )
    return _close(visit, Visit.State.MISSED, reason, version)


def mark_not_required(*, visit: Visit, reason: str, by: User, now: datetime, version: int) -> Visit:
    by.require("visits.excuse", visit.site_id)
    return _close(visit, Visit.State.NOT_REQUIRED, reason, version)


def reopen(*, visit: Visit, reason: str, by: User, now: datetime, version: int) -> Visit:
    """Planned again, with its answers as they were and its dates by the anchor as it stands now."""
    by.require("visits.excuse", visit.site_id)
    if visit.state == Visit.State.PLANNED:
        raise NotAccepted("", "The visit is open already.")
    if is_retired(visit) or _would_be_retired(visit, now):
        raise NotAccepted(
            "",
            "The follow-up plan does not ask for this visit any more. What was held is recorded as a visit outside the plan.",
        )
    if not visit.visit_code:
        raise NotAccepted("", "An unscheduled visit was held and stays on record; correct it instead.")
    _demand(reason)
    with because(reason):
        claim_version(visit, version)
        visit.state, visit.state_reason = Visit.State.PLANNED, ""
        visit.save()
        plan_visits([visit.patient_id], now=now)
    visit.refresh_from_db()
    return visit


def _would_be_retired(visit: Visit, now: datetime) -> bool:
    """One of an older version that the version in force does not ask for: planning would close it at once."""
    if visit.timepoint is None or is_kept(visit, local_date(now, visit.site.time_zone)):
        return False
    plan = current_plan()
    return visit.timepoint.plan_id != plan.row.pk and visit.visit_code not in plan.timepoints


def _close(visit: Visit, state: str, reason: str, version: int) -> Visit:
    if visit.state != Visit.State.PLANNED:
        raise NotAccepted("", f"This visit is {visit.get_state_display().lower()} already.")
    _demand(reason)
    with because(reason):
        claim_version(visit, version)
        visit.state, visit.state_reason = state, reason.strip()
        visit.full_clean(validate_constraints=False)
        visit.save()
    return visit


def _demand(reason: str) -> None:
    if not reason.strip():
        raise NotAccepted("reason", "Say why.")
