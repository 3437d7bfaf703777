"""Infusions as they go out: one row a dose, in the columns they come in by, and what was computed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.db.models import F

from registry.exchange.exporting import ExportTable, Scope
from registry.infusions.models import Infusion

COLUMNS = (
    "patient_id", "infused_at", "lot", "tissue_source", "donor_relation", "cell_type", "route", "cells_total",
    "viability_percent", "weight_kg", "viable_cells", "cells_per_kg", "sequence",
)  # fmt: skip
PRODUCT = (
    "lot", "tissue_source", "donor_relation", "cell_type", "cells_total", "viability_percent", "viable_cells", "cells_per_kg",
)  # fmt: skip
PATHS = (
    "pk", "infused_on", "infused_at", "patient__patient_id", "doses__lot__code", "doses__tissue_source",
    "doses__donor_relation", "doses__cell_type", "route", "doses__cells_total", "doses__viability_percent",
    "weight_kg", "doses__viable_cells", "doses__viable_cells_per_kg",
)  # fmt: skip


def export_rows(scope: Scope) -> Iterable[Sequence[Any]]:
    """A day stays a day, a moment is written in UTC. `sequence` counts the person's infusions in time order;
    an infusion without a known lot has a row with the lot left blank.
    """
    if not scope.shows_product:
        yield from _without_product(scope)
        return
    rows = Infusion.objects.filter(**scope.filter()).order_by(
        "patient__patient_id", "infused_on", F("infused_at").asc(nulls_first=True), "pk", "doses__pk"
    )
    person, infusion, sequence = "", 0, 0
    for pk, day, at, patient_id, *values in rows.values_list(*PATHS).iterator():
        sequence = sequence + (pk != infusion) if patient_id == person else 1
        person, infusion = patient_id, pk
        yield [patient_id, at.isoformat() if at else day.isoformat(), *values, sequence]


def _without_product(scope: Scope) -> Iterable[Sequence[Any]]:
    """One row an infusion: how many lots it took would say something about them."""
    rows = Infusion.objects.filter(**scope.filter()).order_by(
        "patient__patient_id", "infused_on", F("infused_at").asc(nulls_first=True), "pk"
    )
    person, sequence = "", 0
    for patient_id, day, at, route, weight_kg in rows.values_list(
        "patient__patient_id", "infused_on", "infused_at", "route", "weight_kg"
    ).iterator():
        person, sequence = patient_id, sequence + 1 if patient_id == person else 1
        known = {
            "patient_id": patient_id,
            "infused_at": (at or day).isoformat(),
            "route": route,
            "weight_kg": weight_kg,
        }
        yield [known.get(column) for column in COLUMNS[:-1]] + [sequence]


INFUSIONS_TABLE = ExportTable(
    "infusions", COLUMNS, export_rows, act="infusions.view", product_columns=PRODUCT
)
