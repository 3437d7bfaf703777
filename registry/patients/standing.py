"""Where the history of many patients leaves them, in three queries whatever their number."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from registry import partial_dates
from registry.patients.models import Consent, Patient, Status, StatusEvent
from registry.patients.rules import ScopeEffect, scope_effect


@dataclass
class Standing:
    """What was withdrawn and not taken back (scope → since when), and what is known of a death.

    A death counts once it is confirmed. A withdrawal whose scope is unknown ends nothing here: a query asks for it.
    """

    status: str
    scopes: dict[str, str] = field(default_factory=dict)
    died_on: str = ""
    death_is_reported: bool = False
    linkage: bool = False

    def add(self, event: StatusEvent) -> None:
        """The next step of the history, in time order. Coming back into follow-up ends withdrawals."""
        if event.status == Status.WITHDRAWN and event.scope:
            self.scopes[event.scope] = event.on_date
        elif event.status == Status.DECEASED and event.death_confirmed:
            self.died_on = event.on_date
        elif event.status == Status.DECEASED and event.death_confirmed is False:
            self.death_is_reported = True
        elif event.status in (Status.ENROLLED, Status.IN_FOLLOW_UP):
            self.scopes, self.died_on, self.death_is_reported = {}, "", False

    @property
    def death(self) -> str:
        return "confirmed" if self.died_on else "reported" if self.death_is_reported else ""

    @property
    def effect(self) -> ScopeEffect:
        return scope_effect(self.scopes, self.linkage)


def standings(patient_ids: Iterable[int]) -> dict[int, Standing]:
    ids = list(set(patient_ids))
    statuses = Patient.objects.filter(pk__in=ids).order_by("pk").values_list("pk", "status")
    found = {pk: Standing(status) for pk, status in statuses}
    events = StatusEvent.objects.filter(patient__in=ids)
    for event in sorted(events, key=lambda each: (partial_dates.latest(each.on_date), each.pk)):
        found[event.patient_id].add(event)
    signed = Consent.objects.filter(patient__in=ids).order_by("patient", "signed_on", "pk")
    for pk, linkage in signed.values_list("patient_id", "tier_linkage"):
        found[pk].linkage = linkage
    return found
