"""The accepted transfers of the people who are at the exported sites now."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from registry.exchange.exporting import ExportTable, Scope
from registry.handover.models import Transfer

COLUMNS = ("patient_id", "from_site", "to_site", "moved_on", "accepted_at", "reason")


def _rows(scope: Scope) -> Iterator[tuple[Any, ...]]:
    rows = Transfer.objects.accepted().filter(**scope.filter("patient__site"))
    names = ("patient__patient_id", "from_site__code", "to_site__code", "moves_on", "decided_at", "reason")
    return rows.order_by("patient__patient_id", "decided_at", "pk").values_list(*names).iterator()


TRANSFERS = ExportTable("transfers", COLUMNS, _rows)
