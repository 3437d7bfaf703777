"""Holding an infusion against the rules: what stands against it, before it is saved and after it happened."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from registry.infusions import rules
from registry.infusions.facts import Standing, lot_facts, standings_of
from registry.infusions.models import Infusion, InfusionOrder
from registry.infusions.rules import Deviation, InfusionFacts, LotFacts, Refusal
from registry.patients.models import Patient, Query
from registry.patients.queries import QueryFacts, record_of
from registry.products.actions import remaining_cells
from registry.products.models import Lot


@dataclass(frozen=True)
class DoseGiven:
    """Cells of one lot. `lot` comes with its donor and the donor's patient."""

    lot: Lot
    cells_total: int
    viability_percent: Decimal

    @property
    def viable_cells(self) -> int:
        return rules.viable_cells(self.cells_total, self.viability_percent)


def infusion_facts(
    *, patient: Patient, on: date, weight_kg: Decimal, viable: int, standing: Standing, lots: Iterable[LotFacts],
    prescribed: int | None = None,
) -> InfusionFacts:  # fmt: skip
    return InfusionFacts(
        on=on,
        patient_id=patient.patient_id,
        enrolled_on=standing.enrolled_on,
        consented_on=standing.consented_on,
        consent_withdrawn_on=standing.withdrawn_on(on),
        lots=tuple(lots),
        viable_cells=viable,
        weight_kg=weight_kg,
        prescribed_viable_cells=prescribed,
        open_holds=standing.open_holds,
    )


def order_refusals(
    *, patient: Patient, lot: Lot, planned_on: date, weight_kg: Decimal, cells_ordered: int
) -> list[Refusal]:
    standing = standings_of([patient.pk])[patient.pk]
    nominal = _nominal_cells(cells_ordered, lot.viability_percent)
    left = remaining_cells([lot.pk])[lot.pk]
    return rules.ordering_refusals(
        infusion_facts(
            patient=patient,
            on=planned_on,
            weight_kg=weight_kg,
            viable=cells_ordered,
            standing=standing,
            lots=[lot_facts(lot, patient=patient, cells_left=left, cells_used=nominal)],
        )
    )


def _nominal_cells(viable: int, viability_percent: Decimal | None) -> int:
    """Cells to take from a lot so that this many are viable; without a viability, at least that many."""
    return -int(-viable * 100 // viability_percent) if viability_percent else viable


def judge(
    *, patient: Patient, on: date, weight_kg: Decimal, doses: Sequence[DoseGiven], standing: Standing,
    cells_left: Mapping[int, int], prescribed: int | None = None,
) -> list[Deviation]:  # fmt: skip
    """Deviations of an infusion that happened. `cells_left` of a lot is what it held before this infusion."""
    lots = [
        lot_facts(
            dose.lot, patient=patient, cells_left=cells_left.get(dose.lot.pk), cells_used=dose.cells_total
        )
        for dose in doses
    ]
    viable = sum(dose.viable_cells for dose in doses)
    return rules.recording_deviations(
        infusion_facts(
            patient=patient, on=on, weight_kg=weight_kg, viable=viable, standing=standing, lots=lots,
            prescribed=prescribed,
        )
    )  # fmt: skip


def deviations_before_saving(
    *, patient: Patient, on: date, weight_kg: Decimal, doses: Sequence[DoseGiven],
    order: InfusionOrder | None = None, correcting: Infusion | None = None,
) -> list[Deviation]:  # fmt: skip
    """What the "check your answers" page shows, and what saving will open as queries."""
    left = remaining_cells(dose.lot.pk for dose in doses)
    if correcting:
        for lot, cells in correcting.doses.values_list("lot_id", "cells_total"):
            left[lot] = left.get(lot, 0) + cells
    return judge(
        patient=patient, on=on, weight_kg=weight_kg, doses=doses, cells_left=left,
        standing=standings_of([patient.pk])[patient.pk],
        prescribed=order.cells_ordered if order else None,
    )  # fmt: skip


def deviation_queries(infusion: Infusion, deviations: Iterable[Deviation]) -> list[QueryFacts]:
    """One query a rule: two expired lots of one infusion are one question with two reasons."""
    reasons: dict[str, list[str]] = {}
    for deviation in deviations:
        reasons.setdefault(deviation.kind, []).append(deviation.reason)
    return [
        QueryFacts(
            kind=Query.Kind.DEVIATION,
            rule=kind,
            record=record_of(infusion),
            reason="; ".join(texts),
            patient_id=infusion.patient_id,
            site_id=infusion.site_id,
        )
        for kind, texts in reasons.items()
    ]
