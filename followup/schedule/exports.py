"""The table of visits that goes out: one row a planned or unscheduled visit, its status on the site's own day."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.db.models import F

from followup.schedule.models import Visit
from followup.schedule.rules import visit_status
from registry.access.models import Site
from registry.clock import local_date
from registry.exchange.exporting import ExportTable, Scope

COLUMNS = (
    "patient_id", "visit_code", "sequence", "anchor", "anchor_date", "target_date", "window_opens",
    "window_closes", "status", "actual_date", "contact_mode",
)  # fmt: skip


def _rows(scope: Scope) -> Iterator[Sequence[Any]]:
    zones = Site.objects.order_by("pk").values_list("pk", "time_zone")
    today = {pk: local_date(scope.now, zone) for pk, zone in zones}
    rows = Visit.objects.filter(**scope.filter()).order_by(
        "patient__patient_id",
        F("target_date").asc(nulls_last=True),
        F("actual_date").asc(nulls_last=True),
        "pk",
    )
    columns = ("patient__patient_id", *COLUMNS[1:8], "state", "actual_date", "contact_mode", "site_id")
    for row in rows.values_list(*columns).iterator(chunk_size=2000):
        patient_id, code, sequence, anchor, anchored, target, opens, closes, state, held, mode, site = row
        status = visit_status(state, opens, closes, today[site]) if opens and closes else state
        unplanned = not code
        yield (
            patient_id, code, None if unplanned else sequence, anchor, anchored, target, opens, closes,
            status, held, mode if held else None,
        )  # fmt: skip


VISITS = ExportTable("visits", COLUMNS, _rows)
