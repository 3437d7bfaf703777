import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from followup.reminders.reconciliation import reconcile
from registry import clock


class Command(BaseCommand):
    help = "Checks that totals add up and that nobody fell off the follow-up. Exit 1 names what is off."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        result = reconcile(now=clock.now())
        if options["json"]:
            answer = {
                "whole": result.whole,
                "findings": [asdict(finding) for finding in result.findings],
                "warnings": [asdict(warning) for warning in result.warnings],
                "totals": json.loads(result.totals.as_json()),
            }
            self.stdout.write(json.dumps(answer))
        else:
            for finding in [*result.findings, *result.warnings]:
                self.stdout.write(f"{finding.kind}: {finding.record}: {finding.what}")
            self.stdout.write(f"Control totals: {result.totals.as_json()}")
            self.stdout.write("Whole." if result.whole else f"NOT whole: {len(result.findings)} findings.")
        if not result.whole:
            raise SystemExit(1)
