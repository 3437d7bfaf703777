"""Writing tables out: one CSV a table, streamed, pseudonymised, with a manifest that says what is in it."""

import csv
import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings

from registry.access.models import SiteScope
from registry.exchange.spreadsheets import guard


@dataclass(frozen=True)
class Scope:
    """Which sites go out, and the moment the export looks at (visit status depends on the day)."""

    sites: SiteScope
    now: datetime

    def filter(self, path: str = "site") -> dict[str, Any]:
        """Keyword arguments for `.filter()`; a scope of no sites matches nothing."""
        return {} if self.sites.everywhere else {f"{path}__in": self.sites.site_ids}


@dataclass(frozen=True)
class ExportTable:
    """`rows` yields one value a column: None is blank, bool is yes/no, dates are ISO, text is guarded."""

    name: str
    columns: Sequence[str]
    rows: Callable[[Scope], Iterable[Sequence[Any]]]


_registered: dict[str, ExportTable] = {}


def register_table(table: ExportTable) -> ExportTable:
    """Rooms register in their AppConfig.ready()."""
    _registered[table.name] = table
    return table


def tables() -> list[ExportTable]:
    return sorted(_registered.values(), key=lambda table: table.name)


def export_to(folder: Path, *, scope: Scope) -> dict[str, Any]:
    """Writes every table and `manifest.json` into `folder`; returns the manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {f"{table.name}.csv": _write(folder / f"{table.name}.csv", table, scope) for table in tables()}
    manifest = {
        "cut_off": scope.now.isoformat(),
        "sites": "all" if scope.sites.everywhere else sorted(scope.sites.site_ids),
        "pseudonymised": True,
        "versions": {"registry": settings.VERSION},
        "files": files,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1))
    return manifest


def _write(path: Path, table: ExportTable, scope: Scope) -> dict[str, Any]:
    count = 0
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(table.columns)
        for row in table.rows(scope):
            writer.writerow([cell(value) for value in row])
            count += 1
    with path.open("rb") as file:
        return {"rows": count, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.isoformat()
    return guard(str(value)) if isinstance(value, str) else str(value)
