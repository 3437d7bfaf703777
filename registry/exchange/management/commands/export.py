from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from registry import clock
from registry.access.models import Site
from registry.audit.acting import acting_as
from registry.audit.actions import record_event
from registry.exchange.command import person_named
from registry.exchange.exporting import export_to, scope_of
from registry.exchange.exports import scope_for


class Command(BaseCommand):
    help = "Writes one pseudonymised CSV a table and manifest.json into DIR."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("dir", type=Path)
        parser.add_argument("--site", default="", help="only this site's rows (its code)")
        parser.add_argument("--by", default="", help="act as this person")

    def handle(self, *args: Any, **options: Any) -> None:
        by = person_named(options["by"])
        site = Site.objects.filter(code=options["site"]).first() if options["site"] else None
        if options["site"] and site is None:
            raise CommandError(f"There is no site {options['site']}.", returncode=2)
        scope = scope_for(by, site)
        if not scope:
            raise CommandError(f"{by} may not export these rows.", returncode=1)
        now = clock.now()
        manifest = export_to(options["dir"], scope=scope_of(by, scope, now=now))
        rows = {name: file["rows"] for name, file in manifest["files"].items()}
        with acting_as(by or "system:command", channel="command"):
            record_event(action="export", about="export", detail=f"{rows}", now=now)
        for name, count in rows.items():
            self.stdout.write(f"{name}: {count} rows")
