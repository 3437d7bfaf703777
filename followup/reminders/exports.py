"""`reminders.csv`: every step that was ever raised and what became of it."""

from collections.abc import Iterator
from typing import Any

from followup.reminders.models import Reminder
from registry.exchange.exporting import ExportTable, Scope, register_table

COLUMNS = (
    "patient_id", "visit_code", "sequence", "step", "recipient_kind", "channel", "generation", "raised_on", "state",
    "sent_at",
)  # fmt: skip


def _rows(scope: Scope) -> Iterator[tuple[Any, ...]]:
    rows = Reminder.objects.filter(**scope.filter()).order_by(
        "patient__patient_id", "visit__target_date", "pk"
    )
    return rows.values_list(
        "patient__patient_id", "visit__visit_code", "visit__sequence", *COLUMNS[3:]
    ).iterator()


REMINDERS = ExportTable("reminders", COLUMNS, _rows)


def register() -> None:
    register_table(REMINDERS)
