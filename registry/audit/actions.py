"""Events that change no row but belong in the trail: reading identifiers, exporting, reporting, signing in."""

from datetime import datetime

from django.db import connection, models

from registry.audit import macs
from registry.audit.acting import NobodyActing, current
from registry.audit.coverage import PATIENT, SITE, path_to
from registry.audit.models import AuditEntry
from registry.audit.triggers import NEXT_ID_ON_SQLITE


def record_event(
    *, action: str, about: models.Model | str, detail: str = "", site_id: int | None = None, now: datetime
) -> AuditEntry:
    """`about` is the record concerned, or a word such as "export" when there is none; then `site_id` says whose it is.
    Needs `acting_as()`.
    """
    acting = current()
    if acting is None:
        raise NobodyActing(f"the event {action!r} needs somebody acting")
    table, row_id = (about, "") if isinstance(about, str) else (about._meta.db_table, str(about.pk))
    entry = AuditEntry(
        pk=_next_id(),
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
        software=acting.software,
        about_patient=None if isinstance(about, str) else _subject(about, PATIENT),
        about_site=site_id if isinstance(about, str) else _subject(about, SITE),
        nonce=acting.nonce,
    )
    entry.mac = macs.mac_of({name: getattr(entry, name) for name in macs.FIELDS})
    entry.save(force_insert=True)
    return entry


def _next_id() -> int:
    """The code covers the id, so it is drawn first. On SQLite acting has the only pen."""
    on_sqlite = connection.vendor == "sqlite"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {NEXT_ID_ON_SQLITE}" if on_sqlite else "SELECT nextval('audit_entry_id_seq')")
        return int(cursor.fetchone()[0])


def _subject(row: models.Model, target: str) -> int | None:
    path = path_to(row._meta.model, target)
    if path is None:
        return None
    found: int | None = next(
        getattr(row, one.attname) for one in row._meta.concrete_fields if one.column == path.column
    )
    with connection.cursor() as cursor:
        for step in path.steps:
            cursor.execute(f'SELECT "{step.column}" FROM "{step.table}" WHERE "{step.key}" = %s', [found])
            one = cursor.fetchone()
            found = one[0] if one else None
    return found
