"""Writing tables out: one CSV a table, streamed, pseudonymised, with a manifest that says what is in it."""

import csv
import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from django.conf import settings
from django.db.models import CharField, Exists, Model, OuterRef, QuerySet
from django.db.models.functions import Cast

from registry.access.models import Registry, SiteScope, User
from registry.audit.models import AuditEntry
from registry.exchange.spreadsheets import guard

M = TypeVar("M", bound=Model)


@dataclass(frozen=True)
class Scope:
    """Which sites go out, and the moment the export looks at (visit status depends on the day)."""

    sites: SiteScope
    now: datetime
    left_out: frozenset[str] = frozenset()  # tables this person may not read at all these sites
    shows_product: bool = True  # lots, sources and doses
    made_by: User | None = None  # only the rows this person's own imports and entries made

    def filter(self, path: str = "site") -> dict[str, Any]:
        """Keyword arguments for `.filter()`; a scope of no sites matches nothing."""
        return {} if self.sites.everywhere else {f"{path}__in": self.sites.site_ids}

    def own(self, rows: QuerySet[M]) -> QuerySet[M]:
        """The rows of `made_by`, by the trail: it says who wrote each row first, and nobody can alter it."""
        if self.made_by is None:
            return rows
        made = AuditEntry.objects.filter(
            table_name=rows.model._meta.db_table, row_id=Cast(OuterRef("pk"), CharField()), action="insert",
            user_id=self.made_by.pk,
        )  # fmt: skip
        return rows.filter(Exists(made))


@dataclass(frozen=True)
class ExportTable:
    """`rows` yields one value a column: None is blank, bool is yes/no, dates are ISO, text is guarded."""

    name: str
    columns: Sequence[str]
    rows: Callable[[Scope], Iterable[Sequence[Any]]]
    act: str = ""  # who may take it out, beyond the right to export
    by_maker: bool = False  # asks `scope.own()`: may go out to those who may take out their own rows alone
    product_columns: Sequence[str] = ()  # left out where the product is hidden

    def columns_for(self, scope: Scope) -> list[str]:
        return [one for one in self.columns if scope.shows_product or one not in self.product_columns]


_registered: dict[str, ExportTable] = {}


def register_table(table: ExportTable) -> ExportTable:
    """Rooms register in their AppConfig.ready()."""
    _registered[table.name] = table
    return table


def tables() -> list[ExportTable]:
    return sorted(_registered.values(), key=lambda table: table.name)


def scope_of(person: User | None, sites: SiteScope, *, now: datetime, own_rows: bool = False) -> Scope:
    """What this person may take out of these sites. Without a person it is the server's own command, which sees no more
    of a blinded protocol than those who are blinded.
    """
    if person is None:
        blinded = Registry.current().blinded
        return Scope(sites, now, frozenset({"lots"}) if blinded else frozenset(), shows_product=not blinded)
    hidden = [
        table.name
        for table in tables()
        if (table.act and not person.scope(table.act).contains(sites)) or (own_rows and not table.by_maker)
    ]
    return Scope(
        sites,
        now,
        frozenset(hidden),
        shows_product=person.scope("infusions.product").contains(sites),
        made_by=person if own_rows else None,
    )


def export_to(folder: Path, *, scope: Scope) -> dict[str, Any]:
    """Writes every table and `manifest.json` into `folder`; returns the manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {
        f"{table.name}.csv": _write(folder / f"{table.name}.csv", table, scope)
        for table in tables()
        if table.name not in scope.left_out
    }
    manifest = {
        "cut_off": scope.now.isoformat(),
        "sites": "all" if scope.sites.everywhere else sorted(scope.sites.site_ids),
        "pseudonymised": True,
        "versions": {"registry": settings.VERSION},
        "files": files,
    }
    if scope.made_by:
        manifest["rows_of"] = scope.made_by.username
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1))
    return manifest


def _write(path: Path, table: ExportTable, scope: Scope) -> dict[str, Any]:
    count = 0
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        # The plain writer leaves a lone carriage return unquoted, and readers would take it for the end of the row.
        careful = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)
        columns = table.columns_for(scope)
        kept = [place for place, name in enumerate(table.columns) if name in columns]
        writer.writerow(columns)
        for row in table.rows(scope):
            cells = [cell(row[place]) for place in kept]
            (careful if any("\r" in one for one in cells) else writer).writerow(cells)
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
