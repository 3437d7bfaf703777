"""After a backup was put back nothing is sent a second time.

What fell due between the backup and the restore may have gone out from the registry that was lost. It is brought up to date here
without sending, and every message in hand becomes `uncertain`: it stays, in sight, until a person decides. What falls due
afterwards goes out as always.
"""

from datetime import datetime
from typing import Any

from followup.reminders import actions, status_lines
from followup.reminders.dispatch import NOT_TOLD, move_reminders
from followup.reminders.models import MailMessage, Notice, Reminder
from followup.reminders.reconciliation import reconcile
from registry.backups import hooks
from registry.backups.hooks import Restored

IN_HAND = (
    MailMessage.State.PLANNED, MailMessage.State.CLAIMED, MailMessage.State.ATTEMPTING, MailMessage.State.FAILED,
)  # fmt: skip
BY = "system:command"


def register() -> None:
    hooks.after_restore("reminders", hold_what_may_have_gone_out)
    hooks.check("reconcile", what_is_off)
    status_lines.register()


def hold_what_may_have_gone_out(restored: Restored) -> dict[str, Any]:
    """Needs `acting_as()`."""
    actions.catch_up_without_sending(now=restored.at, by=BY)
    waiting = MailMessage.objects.filter(state__in=IN_HAND).order_by("pk")
    held = list(waiting.values_list("pk", flat=True))
    error = (
        f"A backup of {restored.data_from:%d %b %Y %H:%M} UTC was restored. It may have gone out since then."
    )
    for pk in held:
        MailMessage.objects.filter(pk=pk).update(
            state=MailMessage.State.UNCERTAIN, lease_until=None, error=error
        )
        move_reminders(pk, NOT_TOLD, Reminder.State.UNCERTAIN)
    notices = Notice.objects.filter(state__in=IN_HAND).order_by("pk")
    notices_held = notices.update(state=MailMessage.State.UNCERTAIN, lease_until=None)
    return {"messages_held": len(held), "notices_held": notices_held}


def what_is_off(now: datetime) -> list[str]:
    return [f"{one.kind}: {one.record}: {one.what}" for one in reconcile(now=now).findings]
