"""Events that change no row but belong in the trail: reading identifiers, exporting, reporting, signing in."""

from datetime import datetime

from django.db import models

from registry.audit.acting import NobodyActing, current
from registry.audit.models import AuditEntry


def record_event(*, action: str, about: models.Model | str, detail: str = "", now: datetime) -> AuditEntry:
    """`about` is the record concerned, or a word such as "export" when there is none. Needs `acting_as()`."""
    acting = current()
    if acting is None:
        raise NobodyActing(f"the event {action!r} needs somebody acting")
    table, row_id = (about, "") if isinstance(about, str) else (about._meta.db_table, str(about.pk))
    return AuditEntry.objects.create(
        at=now,
        table_name=table,
        row_id=row_id,
        action=action,
        old="",
        new=detail,
        actor=acting.actor,
        user_id=acting.user_id,
        role=acting.role,
        site=acting.site,
        reason=acting.reason,
        channel=acting.channel,
        request_id=acting.request_id,
    )
