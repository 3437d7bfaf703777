"""How far each of many patients may still be reached, in three queries whatever their number."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from followup.reminders.rules import Reach, may_remind
from registry.patients.models import Consent, Patient, Status, StatusEvent


@dataclass
class Standing:
    """What a patient's history says about reminders of visits that are still planned."""

    status: str
    scopes: set[str] = field(default_factory=set)
    death: str = ""
    linkage: bool = False

    def add(self, event: StatusEvent) -> None:
        if event.status == Status.WITHDRAWN and event.scope:
            self.scopes.add(event.scope)
        elif event.status == Status.DECEASED and event.death_confirmed is not None:
            self.death = "confirmed" if event.death_confirmed else "reported"
        elif event.status in (Status.ENROLLED, Status.IN_FOLLOW_UP):
            self.scopes, self.death = set(), ""

    @property
    def reach(self) -> Reach:
        return may_remind("planned", self.status, self.scopes, self.death, self.linkage)


def standings(patient_ids: Iterable[int]) -> dict[int, Standing]:
    ids = list(set(patient_ids))
    statuses = Patient.objects.filter(pk__in=ids).order_by("pk").values_list("pk", "status")
    found = {pk: Standing(status) for pk, status in statuses}
    for event in StatusEvent.objects.filter(patient__in=ids).order_by("patient", "on_date", "pk"):
        found[event.patient_id].add(event)
    signed = Consent.objects.filter(patient__in=ids).order_by("patient", "signed_on", "pk")
    for pk, linkage in signed.values_list("patient_id", "tier_linkage"):
        found[pk].linkage = linkage
    return found
