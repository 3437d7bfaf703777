"""What an order or an infusion is judged by: the person's standing and the lots, fetched for many at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from registry import partial_dates
from registry.access.models import SiteScope
from registry.batches import batches
from registry.infusions.models import InfusionHold
from registry.infusions.rules import LotFacts
from registry.patients.models import Consent, Enrolment, Patient, Status, StatusEvent
from registry.products.models import Lot

CELL_STEPS = (Status.WITHDRAWN, Status.ENROLLED, Status.IN_FOLLOW_UP)


@dataclass(frozen=True)
class Standing:
    """A person as far as giving cells is concerned. Every withdrawal scope ends further cells, until the
    person comes back. `steps` are (day, withdrew) in time order.
    """

    enrolled_on: date | None = None
    consented_on: date | None = None
    steps: tuple[tuple[date, bool], ...] = ()
    open_holds: tuple[str, ...] = ()

    def withdrawn_on(self, day: date) -> date | None:
        """When the withdrawal was made that is in force on `day`."""
        standing = None
        for on, withdrew in self.steps:
            if on <= day:
                standing = (standing or on) if withdrew else None
        return standing


def standings_of(patient_ids: Iterable[int]) -> dict[int, Standing]:
    """Four queries however many people; a person without any row has an empty standing."""
    ids = sorted(set(patient_ids))
    enrolled: dict[int, date] = {}
    consented: dict[int, date] = {}
    steps: dict[int, list[tuple[date, int, bool]]] = defaultdict(list)
    holds: dict[int, list[str]] = defaultdict(list)
    for some in batches(ids):
        enrolled |= dict(Enrolment.objects.filter(patient__in=some).values_list("patient_id", "enrolled_on"))
        for patient, day in Consent.objects.filter(patient__in=some).values_list("patient_id", "signed_on"):
            consented[patient] = min(day, consented.get(patient, day))
        for event in StatusEvent.objects.filter(patient__in=some, status__in=CELL_STEPS):
            withdrew = event.status == Status.WITHDRAWN
            day = partial_dates.earliest(event.on_date) if withdrew else partial_dates.latest(event.on_date)
            steps[event.patient_id].append((day, event.pk, withdrew))
        for hold in InfusionHold.objects.filter(patient__in=some, released_at=None).order_by(
            "opened_at", "pk"
        ):
            holds[hold.patient_id].append(hold.reason)
    return {
        pk: Standing(
            enrolled.get(pk),
            consented.get(pk),
            tuple((day, withdrew) for day, _, withdrew in sorted(steps[pk])),
            tuple(holds[pk]),
        )
        for pk in ids
    }


def lot_facts(lot: Lot, *, patient: Patient, cells_left: int | None, cells_used: int) -> LotFacts:
    """`lot` comes with its donor and the donor's patient. A donor code that is the person's own id is theirs."""
    donor = lot.donor
    owner = donor.patient.patient_id if donor.patient else None
    if owner is None and donor.code == patient.patient_id:
        owner = donor.code
    return LotFacts(
        code=lot.code,
        state=lot.state,
        released_on=lot.released_on,
        expires_on=lot.expires_on,
        cells_left=cells_left,
        cells_used=cells_used,
        donor_relation=lot.donor_relation,
        donor_patient_id=owner,
    )


def lots_by_code(codes: Iterable[str], scope: SiteScope) -> dict[str, Lot]:
    """A patient's own cells are found only where that patient is within reach."""
    wanted: Sequence[str] = sorted(set(codes))
    found: dict[str, Lot] = {}
    for batch in batches(wanted):
        some = Lot.objects.in_scope(scope).select_related("donor__patient").filter(code__in=batch)
        found |= {lot.code: lot for lot in some}
    return found
