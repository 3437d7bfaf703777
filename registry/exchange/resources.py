"""Bringing a table in: parse every cell, judge every row, then write what is new in few statements.

A room declares its columns and two methods on a `StagedResource`, and registers it. Preview, commands and pages
use the same resource. django-import-export is the shell staff see (result, diff, row errors); the data path is ours.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from django.db import models
from import_export.resources import Resource
from import_export.results import Result, RowResult
from tablib import Dataset

from registry.access.models import Site, SiteScope, User
from registry.exchange.cells import CellError, Column
from registry.exchange.reading import FileRefused, TableFile
from registry.signatures.locks import locks_keeping, words_of

CREATE, UPDATE, UNCHANGED, REFUSED = "create", "update", "unchanged", "refused"


@dataclass
class Row:
    """One line of the file on its way in. `number` counts like the spreadsheet: the heading is row 1."""

    number: int
    cells: dict[str, str]
    values: dict[str, Any] = field(default_factory=dict)
    errors: list[CellError] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)
    outcome: str = ""
    changes: dict[str, tuple[str, str]] = field(default_factory=dict)
    target: Any = None

    def __getitem__(self, column: str) -> Any:
        return self.values.get(column)

    def refuse(self, column: str, code: str, message: str) -> None:
        self.errors.append(CellError(code, message, column))
        self.outcome = REFUSED

    def flag(self, why: str) -> None:
        """Accept the row, and say that it leads to a deviation or query."""
        self.flags.append(why)


@dataclass(frozen=True)
class Context:
    """Who brings the file in, and when. Without a person (a command without --by) every site is in reach."""

    now: datetime
    by: User | None = None
    reason: str = ""

    def scope(self, act: str) -> SiteScope:
        return self.by.scope(act) if self.by else SiteScope(everywhere=True)


class StagedResource(Resource):
    """Subclass: set `kind`, `title`, `act`, `columns`; implement `load`, `judge` and `write`."""

    kind: ClassVar[str]
    title: ClassVar[str]
    act: ClassVar[str]
    columns: ClassVar[Sequence[Column]]
    holds_masked: ClassVar[bool] = False  # files of this kind may hold what a protocol masks

    def __init__(self, context: Context) -> None:
        super().__init__()
        self.context = context
        self.scope = context.scope(self.act)

    def load(self, rows: list[Row]) -> None:
        """Fetch in a few queries whatever `judge` needs. Rows with unreadable cells are already left out."""
        raise TypeError(f"{type(self).__name__} must say how")

    def judge(self, row: Row) -> None:
        """Set `row.outcome` (and `target`, `changes`), or `row.refuse(...)`. Must not write."""
        raise TypeError(f"{type(self).__name__} must say how")

    def write(self, rows: list[Row]) -> None:
        """Store the rows judged CREATE or UPDATE, set-based, inside the caller's transaction."""
        raise TypeError(f"{type(self).__name__} must say how")

    # The stages ------------------------------------------------------------------------------------------------

    def examine(self, table: TableFile) -> list[Row]:
        self._check_headings(table.headings)
        rows = [
            Row(number, dict(zip(table.headings, line, strict=True)))
            for number, line in enumerate(table.rows, start=2)
            if any(line)
        ]
        for row in rows:
            self._parse(row)
        readable = [row for row in rows if not row.errors]
        self.load(readable)
        for row in readable:
            self.judge(row)
            self._demand_reason(row)
        self._refuse_locked(readable)
        return rows

    def import_data(self, dataset: Dataset, dry_run: bool = False, **kwargs: Any) -> Result:
        """django-import-export's entry: examine, and write unless `dry_run` or any row is refused."""
        table = TableFile(
            "dataset", "", list(dataset.headers or []), [[str(c or "") for c in line] for line in dataset]
        )
        rows = self.examine(table)
        if not dry_run and not any(row.errors for row in rows):
            self.write([row for row in rows if row.outcome in (CREATE, UPDATE)])
        return as_result(rows, [column.name for column in self.columns])

    def _check_headings(self, headings: list[str]) -> None:
        known = {column.name for column in self.columns}
        if unknown := [heading for heading in headings if heading not in known]:
            names = ", ".join(f"“{heading}”" for heading in unknown)
            places = ", ".join(str(n) for n, one in enumerate(headings, start=1) if one not in known)
            rest = f"Known are: {', '.join(sorted(known))}."
            raise FileRefused(
                "unknown_heading", f"Unknown heading {names}. {rest}",
                kept=f"Unknown heading in column {places}. {rest}",
            )  # fmt: skip
        missing = [column.name for column in self.columns if column.required and column.name not in headings]
        if missing:
            raise FileRefused("missing_heading", f"The file lacks the heading {', '.join(missing)}.")

    def _parse(self, row: Row) -> None:
        for column in self.columns:
            cell = row.cells.get(column.name, "")
            if not cell:
                if column.required:
                    row.refuse(column.name, "required", "must not be blank")
                row.values[column.name] = None
                continue
            try:
                row.values[column.name] = column.parse(cell)
            except CellError as error:
                row.refuse(column.name, error.code, error.message)

    def _demand_reason(self, row: Row) -> None:
        if row.outcome == UPDATE and not self.context.reason:
            column = next(iter(row.changes), "")
            row.refuse(column, "reason_required", "differs from what is stored; give a reason for the change")

    def _refuse_locked(self, rows: list[Row]) -> None:
        """What a row would change is kept by a lock. What the file only adds comes in."""
        changing = [
            row for row in rows if row.outcome in (CREATE, UPDATE) and isinstance(row.target, models.Model)
        ]
        labels = {row.target._meta.label_lower for row in changing}
        keys = [row.target.pk for row in changing if row.target.pk]
        locks = {label: locks_keeping(label, keys) for label in sorted(labels)}
        for row in changing:
            if lock := locks[row.target._meta.label_lower].get(row.target.pk):
                row.refuse(next(iter(row.changes), ""), "locked", words_of(lock))

    def site_in_reach(self, code: str, sites: dict[str, Site]) -> Site | None:
        site = sites.get(code)
        return site if site and self.scope.covers(site.pk) else None


def as_result(rows: Iterable[Row], headings: list[str]) -> Result:
    """The same verdicts in django-import-export's words, for the preview page."""
    result = Result()
    result.diff_headers = headings
    words = {
        CREATE: RowResult.IMPORT_TYPE_NEW,
        UPDATE: RowResult.IMPORT_TYPE_UPDATE,
        UNCHANGED: RowResult.IMPORT_TYPE_SKIP,
        REFUSED: RowResult.IMPORT_TYPE_INVALID,
    }
    for row in rows:
        line = RowResult()
        line.number = row.number
        line.import_type = words[row.outcome]
        line.row_values = row.cells
        line.diff = [row.cells.get(heading, "") for heading in headings]
        result.append_row_result(line)
        result.increment_row_result_total(line)
    return result


_registered: dict[str, type[StagedResource]] = {}


def register(resource: type[StagedResource]) -> type[StagedResource]:
    """Rooms register in their AppConfig.ready()."""
    _registered[resource.kind] = resource
    return resource


def resource_for(kind: str) -> type[StagedResource]:
    return _registered[kind]


def kinds() -> list[type[StagedResource]]:
    return list(_registered.values())
