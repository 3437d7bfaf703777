"""What a sweep tidies up after the others: the embedded broker's file and the trail's open end."""

import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.db import IntegrityError

from registry.audit import seals
from registry.audit.models import AuditEntry, SealedEntry

EMBEDDED = "sqla+sqlite:///"


def forget_consumed_messages() -> int:
    """The embedded broker hides what was taken and never deletes it; returns how many rows went."""
    url = str(settings.CELERY_BROKER_URL)
    path = Path(url.removeprefix(EMBEDDED))
    if not url.startswith(EMBEDDED) or not path.exists():
        return 0
    with closing(sqlite3.connect(path, timeout=10)) as broker, broker:
        known = broker.execute("SELECT 1 FROM sqlite_master WHERE name = 'kombu_message'").fetchone()
        return broker.execute("DELETE FROM kombu_message WHERE visible = 0").rowcount if known else 0


def seal_what_waits(*, now: datetime) -> None:
    """Another sweep may be sealing the same entries: one of the two seals stands."""
    if not AuditEntry.objects.exclude(pk__in=SealedEntry.objects.values("entry_id")).exists():
        return
    try:
        seals.seal(now=now)
    except IntegrityError:
        return
