"""Control totals: every reminder that was ever raised is somewhere, and the trail is asked how many that were."""

import json
from collections import Counter
from dataclasses import asdict, dataclass, field

from django.db.models import Count

from followup.reminders.models import Reminder
from followup.reminders.rules import control_totals_add_up
from registry.audit.models import AuditEntry

ATTEMPTS = 3


@dataclass
class Totals:
    """`due` comes from the trail, its parts from the rows; `waiting` is not due before tomorrow's message."""

    due: int = 0
    sent: int = 0
    held: int = 0
    excused: int = 0
    failed: int = 0
    uncertain: int = 0
    waiting: int = 0
    raised_now: int = 0
    closed_now: int = 0
    reopened_now: int = 0
    messages_sent_now: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def add_up(self) -> bool:
        return self.due >= 0 and control_totals_add_up(
            self.due, self.sent, self.held, self.excused, self.failed, self.uncertain
        )

    def as_json(self) -> str:
        return json.dumps(asdict(self) | {"add_up": self.add_up})


def count(totals: Totals) -> Totals:
    """Fills in the totals. Counted again where another sweep wrote between the two counts."""
    for _ in range(ATTEMPTS):
        raised_ever = AuditEntry.objects.filter(table_name=Reminder._meta.db_table, action="insert").count()
        rows = Counter(dict(Reminder.objects.order_by("state").values_list("state").annotate(Count("pk"))))
        totals.waiting = rows[Reminder.State.RAISED]
        totals.due = raised_ever - totals.waiting
        for name in ("sent", "held", "excused", "failed", "uncertain"):
            setattr(totals, name, rows[name])
        if totals.add_up:
            break
    return totals
