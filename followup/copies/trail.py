"""Every entry of the trail about one person: what was entered and changed, and who read, exported and printed it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import UTC
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Q

from followup.copies.clear import Opener
from registry.access.blinding import hides
from registry.access.masking import masked_entries
from registry.access.models import Registry, User
from registry.audit.coverage import audited_models
from registry.audit.history import SYSTEM
from registry.audit.models import AuditEntry
from registry.batches import batches
from registry.exchange.models import ExportRun
from registry.patients.models import Patient

CHANGES = ("insert", "update", "delete")
EXPORTS = ("export", "export with names", "export downloaded")


def collect_trail(patient: Patient, rows: Mapping[str, list[str]], opener: Opener) -> dict[str, Any]:
    """The content of `trail.json`, oldest first. Each entry holds the digest of the one before it: none can be taken out,
    put in or moved without all that follow giving it away.
    """
    hidden = _hidden_tables()
    found = {entry.pk: entry for entry in _entries(patient, rows) if entry.table_name not in hidden}
    masked = AuditEntry.objects.filter(masked_entries(), about_patient=patient.pk)
    for pk in masked.order_by().values_list("pk", flat=True):
        found.pop(pk, None)
    people = _people(found.values())
    digest, entries = "", []
    for number, pk in enumerate(sorted(found), start=1):
        entry = _entry(found[pk], patient, opener, people) | {"number": number}
        digest = chained(digest, entry)
        entries.append(entry | {"digest": digest})
    return {"patient_id": patient.patient_id, "entries": entries, "head": digest}


def _hidden_tables() -> set[str]:
    registry = Registry.current()
    return {model._meta.db_table for model in audited_models() if hides(model, registry)}


def chained(before: str, entry: Mapping[str, Any]) -> str:
    """SHA-256 over the digest before and this entry without its own, as canonical JSON. `verify_copy.py` says it again."""
    text = json.dumps(entry, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256((before + text).encode()).hexdigest()


def _entries(patient: Patient, rows: Mapping[str, list[str]]) -> Iterable[AuditEntry]:
    yield from AuditEntry.objects.filter(about_patient=patient.pk)
    for table, keys in rows.items():
        for some in batches(keys):
            yield from AuditEntry.objects.filter(table_name=table, row_id__in=some)
    # Readings of several people at once name them in their words.
    yield from AuditEntry.objects.filter(Q(row_id="") & Q(new__contains=patient.patient_id)).exclude(
        action__in=CHANGES
    )
    runs = ExportRun.objects.filter(
        Q(site=patient.site_id) | Q(site=None), requested_at__gte=patient.created_at
    )
    for keys in batches(str(pk) for pk in runs.order_by("pk").values_list("pk", flat=True)):
        yield from AuditEntry.objects.filter(
            table_name=ExportRun._meta.db_table, row_id__in=keys, action__in=EXPORTS
        )


def _people(entries: Iterable[AuditEntry]) -> dict[int, str]:
    ids = {entry.user_id for entry in entries if entry.user_id}
    return {user.pk: str(user) for user in User.objects.filter(pk__in=ids)}


def _entry(entry: AuditEntry, patient: Patient, opener: Opener, people: Mapping[int, str]) -> dict[str, Any]:
    zone = ZoneInfo(patient.site.time_zone)
    is_change = entry.action in CHANGES
    name = people.get(entry.user_id or 0, "") or SYSTEM.get(entry.actor, "")
    return {
        "id": entry.pk,
        "at": entry.at.astimezone(UTC).isoformat(),
        "at_site": entry.at.astimezone(zone).isoformat(),
        "kind": _kind(entry),
        "action": entry.action,
        "table": entry.table_name,
        "row": entry.row_id,
        "who": entry.actor,
        "name": name,
        "role": entry.role,
        "site": entry.site,
        "reason": entry.reason,
        "channel": entry.channel,
        "request": entry.request_id,
        "software": entry.software,
        "old": _opened(entry, entry.old, opener) if is_change else "",
        "new": _opened(entry, entry.new, opener) if is_change else _only(patient, entry.new),
        "registry_code": entry.mac,
    }


def _kind(entry: AuditEntry) -> str:
    """`export` may have held this person's record among others, without a name unless the action says so."""
    if entry.action in CHANGES:
        return "change"
    return "export" if entry.action in EXPORTS else "reading or event"


def _opened(entry: AuditEntry, text: str, opener: Opener) -> Any:
    if not text:
        return ""
    columns = json.loads(text)
    return {name: opener.open(entry.table_name, name, value) for name, value in columns.items()}


def _only(patient: Patient, detail: str) -> str:
    """A reading of several people names them all: the others are nobody's business here."""
    ids = [one.strip() for one in detail.split(",")]
    if patient.patient_id not in ids or len(ids) == 1:
        return detail
    return f"{patient.patient_id} and {len(ids) - 1} more"
