"""What a patient's status does to the visits still ahead. A confirmed death and a withdrawal from new data close
them; a withdrawal from visits or contact changes how they are held; taken back, they are open again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from followup.schedule.models import ContactMode, Visit
from registry import partial_dates
from registry.partial_dates import in_words
from registry.patients.models import Consent, Patient, Scope, Status, StatusEvent
from registry.patients.rules import scope_effect

ENDING = (Status.DECEASED, Status.WITHDRAWN)
BY_STATUS = "Closed by status: "
ROWS_AT_A_TIME = 500


@dataclass
class Standing:
    """A patient's status as it bears on visits."""

    died_on: str = ""
    scopes: dict[str, str] = field(default_factory=dict)
    linkage: bool = False

    def add(self, event: StatusEvent) -> None:
        if event.status == Status.DECEASED and event.death_confirmed:
            self.died_on = event.on_date
        elif event.status == Status.WITHDRAWN and event.scope:
            self.scopes[event.scope] = event.on_date
        elif event.status in (Status.ENROLLED, Status.IN_FOLLOW_UP):
            self.died_on, self.scopes = "", {}

    @property
    def closes_because(self) -> str:
        """Why no visit is owed any more; empty when visits go on."""
        if self.died_on:
            return f"{BY_STATUS}died {in_words(self.died_on)}"
        if self.scopes and not scope_effect(self.scopes, self.linkage).may_use_records:
            scope, on_date = list(self.scopes.items())[-1]
            return f"{BY_STATUS}withdrew on {in_words(on_date)} ({Scope(scope).label.lower()})"
        return ""

    @property
    def mode(self) -> str:
        """How visits are held instead of as planned; empty: as planned."""
        effect = scope_effect(self.scopes, self.linkage)
        if not effect.may_contact:
            return ContactMode.RECORDS
        return "" if effect.may_visit_on_site else ContactMode.PHONE


def apply_status(patient_ids: Iterable[int]) -> int:
    """Brings visits not held yet into line with the status; returns how many changed. A death that is
    reported and not confirmed closes nothing.
    """
    standings = _standings(list(patient_ids))
    undated = Visit.objects.filter(patient__in=list(standings), actual_date=None).exclude(visit_code="")
    changed = [visit for visit in undated.order_by("pk") if _settle(visit, standings[visit.patient_id])]
    fields = ["state", "state_reason", "contact_mode"]
    if changed:
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


def _standings(patient_ids: list[int]) -> dict[int, Standing]:
    """Of those who ever died or withdrew; for everybody else visits simply go on."""
    ended = StatusEvent.objects.filter(patient__in=patient_ids, status__in=ENDING).order_by("pk")
    found = {patient_id: Standing() for patient_id in ended.values_list("patient_id", flat=True)}
    events = StatusEvent.objects.filter(patient__in=list(found))
    for event in sorted(events, key=lambda each: (partial_dates.latest(each.on_date), each.pk)):
        found[event.patient_id].add(event)
    consents = Consent.objects.filter(patient__in=list(found)).order_by("patient", "signed_on", "pk")
    for patient_id, linkage in consents.values_list("patient_id", "tier_linkage"):
        found[patient_id].linkage = linkage
    return found


def _settle(visit: Visit, standing: Standing) -> bool:
    """Whether the visit changed. Only what a status closed is opened again, never what a person decided."""
    reason = standing.closes_because
    before = (visit.state, visit.state_reason, visit.contact_mode)
    if visit.state == Visit.State.NOT_REQUIRED and visit.state_reason.startswith(BY_STATUS) and not reason:
        visit.state, visit.state_reason = Visit.State.PLANNED, ""
    if visit.state == Visit.State.PLANNED:
        visit.contact_mode = standing.mode
        if reason:
            visit.state, visit.state_reason = Visit.State.NOT_REQUIRED, reason
    return before != (visit.state, visit.state_reason, visit.contact_mode)
