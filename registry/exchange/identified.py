"""An export with names and contacts: an act of its own, with a reason, a daily cap, a notice to the coordinator, and a
line in the file that says who took it out, when and why.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings

from registry.access.models import Site, User
from registry.exchange.exporting import Scope, cell
from registry.exchange.models import ExportRun
from registry.saving import NotAccepted

ACT, ACTION = "export.identified", "export with names"
FILE = "people.csv"


@dataclass(frozen=True)
class Named:
    """Why names go out. A full birth date is asked for by itself: otherwise its year goes out."""

    reason: str
    with_birth_dates: bool = False


@dataclass(frozen=True)
class PeopleTable:
    """Registered by the room that can read identifiers: one row a person, in the order of `columns`."""

    columns: Sequence[str]
    rows: Callable[[Scope, bool], Iterable[Sequence[Any]]]


_people: list[PeopleTable] = []


def register_people(table: PeopleTable) -> None:
    _people[:] = [table]


def columns_for(named: Named, *, site: Site | None, by: User, now: datetime) -> dict[str, Any]:
    """What the run keeps, or NotAccepted."""
    if site is None:
        raise NotAccepted("site", "Choose the site: names go out for one site at a time.")
    by.require(ACT, site.pk)
    if not named.reason.strip():
        raise NotAccepted(
            "reason", "Say what the names are needed for: it stands in the file and in the trail."
        )
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    today = ExportRun.objects.filter(identified=True, requested_by=by, requested_at__gte=midnight).count()
    if today >= settings.IDENTIFIED_EXPORTS_PER_DAY:
        raise NotAccepted(
            "",
            f"You have exported names {today} times today, which is the limit of a day. The count starts again at midnight UTC.",
        )
    return {"identified": True, "with_birth_dates": named.with_birth_dates, "reason": named.reason.strip()}


def export_to(folder: Path, *, scope: Scope, run: ExportRun) -> dict[str, Any]:
    """Writes `people.csv` and `manifest.json`; returns the manifest."""
    (table,) = _people
    count = 0
    with (folder / FILE).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)
        writer.writerow([watermark(run, scope.now)])
        writer.writerow(table.columns)
        for row in table.rows(scope, run.with_birth_dates):
            writer.writerow([cell(value) for value in row])
            count += 1
    with (folder / FILE).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    manifest = {
        "cut_off": scope.now.isoformat(),
        "sites": sorted(scope.sites.site_ids),
        "pseudonymised": False,
        "watermark": watermark(run, scope.now),
        "versions": {"registry": settings.VERSION},
        "files": {FILE: {"rows": count, "sha256": digest}},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1, ensure_ascii=False))
    return manifest


def watermark(run: ExportRun, now: datetime) -> str:
    who = f"{run.requested_by} ({run.requested_by.username}, {run.requested_by.role_names})"
    reason = " ".join(run.reason.split())
    return f"# Contains identifiers of {run.site}. Taken out by {who} on {now.astimezone(UTC):%Y-%m-%d %H:%M} UTC: {reason}"
