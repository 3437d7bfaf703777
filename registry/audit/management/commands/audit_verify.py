import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from registry.audit import verification
from registry.audit.models import AuditEntry, AuditSeal


class Command(BaseCommand):
    help = "Checks that the trail is whole and that every row is as the trail last saw it. Exit 1 names what is not."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        problems = verification.verify()
        facts = {
            "whole": not problems,
            "entries": AuditEntry.objects.count(),
            "seals": AuditSeal.objects.count(),
        }
        if options["json"]:
            self.stdout.write(json.dumps(facts | {"problems": [asdict(problem) for problem in problems]}))
        else:
            for problem in problems:
                self.stdout.write(f"{problem.where}: {problem.what}")
            self.stdout.write(
                f"{facts['entries']} entries, {facts['seals']} seals: "
                + ("NOT whole" if problems else "whole")
            )
        if problems:
            raise SystemExit(1)
