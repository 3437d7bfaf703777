"""The base of every import_… command: dry run unless --commit, exit 0 done, 1 refused, 2 usage."""

import json
from pathlib import Path
from typing import Any, ClassVar

from django.core.management.base import BaseCommand, CommandError, CommandParser

from registry import clock
from registry.access.models import User
from registry.audit.acting import acting_as
from registry.exchange.actions import Report, import_file
from registry.exchange.resources import Context, resource_for


def person_named(username: str) -> User | None:
    """The person behind --by, or None for system:command."""
    if not username:
        return None
    user = User.objects.filter(username__iexact=username, is_active=True).first()
    if user is None:
        raise CommandError(f"--by: there is no active account {username}.", returncode=2)
    return user


class ImportCommand(BaseCommand):
    kind: ClassVar[str]

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="a .csv or .xlsx file")
        parser.add_argument("--commit", action="store_true", help="store; without it nothing is written")
        parser.add_argument(
            "--clean-rows", action="store_true", help="store the good rows, refuse the others"
        )
        parser.add_argument("--reason", default="", help="why stored rows are changed")
        parser.add_argument("--report", type=Path, help="write the full report as JSON to this file")
        parser.add_argument("--json", action="store_true", help="print the report as JSON")
        parser.add_argument("--by", default="", help="act as this person")

    def handle(self, *args: Any, **options: Any) -> None:
        by = person_named(options["by"])
        report_path: Path | None = options["report"]
        if report_path and (report_path.is_dir() or not report_path.parent.is_dir()):
            # Before anything is stored: a stored file must not end as an error.
            raise CommandError(f"--report: {report_path} cannot be written there.", returncode=2)
        if by is not None and not by.may(resource_for(self.kind).act):
            raise CommandError(f"{by} may not import {self.kind}.", returncode=1)
        context = Context(now=clock.now(), by=by, reason=options["reason"])
        with acting_as(by or "system:command", reason=options["reason"], channel="command"):
            report = import_file(
                kind=self.kind, path=options["file"], context=context,
                commit=options["commit"], clean_rows=options["clean_rows"],
            )  # fmt: skip
        if report_path:
            report_path.write_text(
                json.dumps(report.as_dict(), indent=1, ensure_ascii=False), encoding="utf-8"
            )
        self.stdout.write(
            json.dumps(report.as_dict()) if options["json"] else self._words(report, options["commit"])
        )
        if report.errors and not (report.committed and not report.refused):
            raise SystemExit(1)

    def _words(self, report: Report, commit: bool) -> str:
        lines = [
            f"row {e.row}"
            + (f", {e.column}" if e.column else "")
            + (f" = “{e.value}”" if e.value else "")
            + f": {e.message}"
            for e in report.errors[:50]
        ]
        if len(report.errors) > 50:
            lines.append(f"… and {len(report.errors) - 50} more; --report FILE writes them all")
        state = (
            "stored"
            if report.committed
            else ("refused, nothing stored" if commit else "dry run, nothing stored")
        )
        lines.append(
            f"{report.file}: {report.rows} rows = {report.created} created + {report.updated} updated + "
            f"{report.unchanged} unchanged + {report.refused} refused; {report.flagged} flagged ({state})"
        )
        return "\n".join(lines)
