"""Sites in and out as files. It stands in this room because `registry.access` lies below the exchange."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from django.core.exceptions import ValidationError

from registry.access.models import Site, is_time_zone
from registry.exchange.cells import CellError, Column, text
from registry.exchange.exporting import ExportTable, Scope
from registry.exchange.resources import CREATE, UNCHANGED, UPDATE, Row, StagedResource

COMPARED = ("name", "country", "time_zone")


def _code(cell: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,19}", cell):
        raise CellError("not_a_code", "must be letters, digits, dots, dashes or underscores, at most 20")
    return cell


def _country(cell: str) -> str:
    if not re.fullmatch(r"[A-Za-z]{2}", cell):
        raise CellError("not_a_country", "must be two letters, for example GB")
    return cell.upper()


def _time_zone(cell: str) -> str:
    try:
        is_time_zone(cell)
    except ValidationError as error:
        raise CellError(
            "unknown_time_zone", "is not a time zone name; write for example Europe/London"
        ) from error
    return cell


class SiteResource(StagedResource):
    """Key: code."""

    kind: ClassVar[str] = "sites"
    title: ClassVar[str] = "Sites"
    act: ClassVar[str] = "import.sites"
    columns: ClassVar[Sequence[Column]] = (
        Column("code", _code, required=True),
        Column("name", text(120), required=True),
        Column("country", _country, required=True),
        Column("time_zone", _time_zone, required=True),
    )

    def load(self, rows: list[Row]) -> None:
        self.stored = {
            site.code: site for site in Site.objects.filter(code__in=[row["code"] for row in rows])
        }
        self.seen: dict[str, int] = {}

    def judge(self, row: Row) -> None:
        code = row["code"]
        if code in self.seen:
            row.refuse("code", "twice_in_file", f"stands in row {self.seen[code]} already")
            return
        self.seen[code] = row.number
        site = self.stored.get(code)
        if site is None:
            row.outcome = CREATE
            return
        row.target = site
        row.changes = {
            name: (getattr(site, name), row[name]) for name in COMPARED if getattr(site, name) != row[name]
        }
        row.outcome = UPDATE if row.changes else UNCHANGED

    def write(self, rows: list[Row]) -> None:
        Site.objects.bulk_create(
            Site(code=row["code"], **{name: row[name] for name in COMPARED})
            for row in rows
            if row.outcome == CREATE
        )
        for row in rows:
            if row.outcome == UPDATE:
                for name, (_, after) in row.changes.items():
                    setattr(row.target, name, after)
                row.target.version += 1
                row.target.save(update_fields=[*row.changes, "version"])


def _rows(scope: Scope) -> Iterator[tuple[Any, ...]]:
    rows = Site.objects.filter(**scope.filter("pk")).order_by("code")
    return rows.values_list("code", *COMPARED).iterator()


SITES = ExportTable("sites", ("code", *COMPARED), _rows)
