"""Prints the rights the code enforces, cell by cell."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from registry.access import policy


class Command(BaseCommand):
    help = "Print which role may do what, and where."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON list")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["json"]:
            self.stdout.write(json.dumps(policy.matrix()))
            return
        for code, act in policy.ACTS.items():
            held = ", ".join(f"{role} ({scope.replace('_', ' ')})" for role, scope in act.scopes.items())
            self.stdout.write(f"{code}: {held}")
