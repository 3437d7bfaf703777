"""What a patient's status does to the visits still ahead. A confirmed death and a withdrawal from new data close
them; a withdrawal from visits or contact changes how they are held; taken back, they are open again.
"""

from __future__ import annotations

from collections.abc import Iterable

from followup.schedule.models import ContactMode, Visit
from registry.audit.acting import past_locks
from registry.partial_dates import in_words
from registry.patients.models import Patient, Scope, Status, StatusEvent
from registry.patients.standing import Standing, standings

ENDING = (Status.DECEASED, Status.WITHDRAWN)
BY_STATUS = "Closed by status: "
ROWS_AT_A_TIME = 500


def closes_because(standing: Standing) -> str:
    """Why no visit is owed any more; empty when visits go on."""
    if standing.died_on:
        return f"{BY_STATUS}died {in_words(standing.died_on)}"
    if standing.scopes and not standing.effect.may_use_records:
        scope, on_date = list(standing.scopes.items())[-1]
        return f"{BY_STATUS}withdrew on {in_words(on_date)} ({Scope(scope).label.lower()})"
    return ""


def mode_for(standing: Standing) -> str:
    """How visits are held instead of as planned; empty: as planned."""
    if not standing.effect.may_contact:
        return ContactMode.RECORDS
    return "" if standing.effect.may_visit_on_site else ContactMode.PHONE


def apply_status(patient_ids: Iterable[int]) -> int:
    """Brings visits not held yet into line with the status; returns how many changed. A death that is
    reported and not confirmed closes nothing.
    """
    ever_ended = StatusEvent.objects.filter(patient__in=list(patient_ids), status__in=ENDING)
    standing = standings(ever_ended.order_by("pk").values_list("patient_id", flat=True))
    undated = Visit.objects.filter(patient__in=list(standing), actual_date=None).exclude(visit_code="")
    changed = [visit for visit in undated.order_by("pk") if _settle(visit, standing[visit.patient_id])]
    fields = ["state", "state_reason", "contact_mode"]
    with past_locks():
        Visit.objects.bulk_update(changed, fields, batch_size=ROWS_AT_A_TIME)
    return len(changed)


def patients_to_settle() -> list[int]:
    """Those whose status may close or change visits, or once did."""
    ended = Patient.objects.filter(status__in=[Status.DECEASED, Status.WITHDRAWN], visit__state="planned")
    resumed = Patient.objects.filter(
        visit__state="not_required", visit__state_reason__startswith=BY_STATUS
    ).exclude(status__in=[Status.DECEASED, Status.WITHDRAWN])
    return sorted(
        set(ended.order_by("pk").values_list("pk", flat=True))
        | set(resumed.order_by("pk").values_list("pk", flat=True))
    )


def _settle(visit: Visit, standing: Standing) -> bool:
    """Whether the visit changed. Only what a status closed is opened again, never what a person decided."""
    reason = closes_because(standing)
    before = (visit.state, visit.state_reason, visit.contact_mode)
    if visit.state == Visit.State.NOT_REQUIRED and visit.state_reason.startswith(BY_STATUS) and not reason:
        visit.state, visit.state_reason = Visit.State.PLANNED, ""
    if visit.state == Visit.State.PLANNED:
        visit.contact_mode = mode_for(standing)
        if reason:
            visit.state, visit.state_reason = Visit.State.NOT_REQUIRED, reason
    return before != (visit.state, visit.state_reason, visit.contact_mode)
