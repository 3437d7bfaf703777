"""Running an import: all rows or none, or the clean rows when asked; always with totals that add up."""

from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

from django.db import transaction

from registry.access.models import Site
from registry.audit.actions import record_event
from registry.exchange.reading import FileRefused, read_table
from registry.exchange.resources import (
    CREATE,
    REFUSED,
    UNCHANGED,
    UPDATE,
    Context,
    Row,
    StagedResource,
    resource_for,
)

MAX_ERRORS_SHOWN = 1000


@dataclass(frozen=True)
class ErrorLine:
    row: int
    column: str
    value: str
    code: str
    message: str


@dataclass
class Report:
    """The totals of files.md: rows = created + updated + unchanged + refused."""

    file: str
    sha256: str = ""
    committed: bool = False
    rows: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    refused: int = 0
    flagged: int = 0
    errors: list[ErrorLine] = field(default_factory=list)
    flags: list[ErrorLine] = field(default_factory=list)

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


def import_file(
    *, kind: str, path: Path, context: Context, commit: bool, clean_rows: bool = False, name: str = ""
) -> Report:
    """Needs `acting_as()` when `commit`. Nothing is stored when a row is refused, unless `clean_rows`."""
    report = Report(file=name or path.name)
    try:
        table = read_table(path, name=name)
        report.sha256 = table.sha256
        resource = resource_for(kind)(context)
        if not commit:
            _fill(report, resource.examine(table), stored=False, forecast=True)
            return report
        with transaction.atomic():
            _one_import_at_a_time()
            # Judged inside the transaction that writes: what was seen before may have changed since.
            rows = resource.examine(table)
            stored = clean_rows or not any(row.errors for row in rows)
            if stored:
                resource.write([row for row in rows if row.outcome in (CREATE, UPDATE)])
            _fill(report, rows, stored=stored, forecast=False)
            _note_event(kind, report, context)
    except FileRefused as refusal:
        report.errors.append(ErrorLine(1, "", "", refusal.code, refusal.message))
    return report


def _one_import_at_a_time() -> None:
    """The same file twice at once: the second waits, and finds every row unchanged. SQLite has one writer anyway.
    The weak lock leaves people at their pages free to add rows that refer to a site.
    """
    list(Site.objects.select_for_update(no_key=True).order_by("pk").values_list("pk", flat=True))


def preview(
    *, kind: str, path: Path, context: Context, name: str = ""
) -> tuple[Report, list[Row], StagedResource]:
    """For the page: the forecast with its rows. Raises FileRefused."""
    table = read_table(path, name=name)
    resource = resource_for(kind)(context)
    rows = resource.examine(table)
    report = Report(file=table.name, sha256=table.sha256)
    _fill(report, rows, stored=False, forecast=True)
    return report, rows, resource


def _fill(report: Report, rows: list[Row], *, stored: bool, forecast: bool) -> None:
    counts = Counter(row.outcome for row in rows)
    report.rows = len(rows)
    report.unchanged = counts[UNCHANGED]
    if stored or forecast:
        report.created, report.updated = counts[CREATE], counts[UPDATE]
    report.refused = report.rows - report.unchanged - report.created - report.updated
    report.committed = stored
    report.flagged = sum(bool(row.flags) for row in rows if row.outcome != REFUSED)
    problems = [
        ErrorLine(r.number, e.column, r.cells.get(e.column, ""), e.code, e.message)
        for r in rows
        for e in r.errors
    ]
    report.errors = problems[:MAX_ERRORS_SHOWN]
    flags = [ErrorLine(row.number, "", "", "flagged", why) for row in rows for why in row.flags]
    report.flags = flags[:MAX_ERRORS_SHOWN]


def _note_event(kind: str, report: Report, context: Context) -> None:
    detail = (
        f"{kind}: {report.file} (sha256 {report.sha256}): {report.rows} rows, {report.created} created, "
        f"{report.updated} updated, {report.unchanged} unchanged, {report.refused} refused"
    )
    record_event(
        action="import" if report.committed else "import refused",
        about="import",
        detail=detail,
        now=context.now,
    )
