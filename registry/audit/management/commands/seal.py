import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from registry import clock
from registry.audit import seals


class Command(BaseCommand):
    help = "Closes a seal over the entries written since the last one."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        made = seals.seal(now=clock.now())
        facts: dict[str, Any] = {
            "seal": made.pk if made else None,
            "entries": made.entries if made else 0,
            "head": seals.head(),
        }
        if options["json"]:
            self.stdout.write(json.dumps(facts))
        else:
            self.stdout.write(f"{facts['entries']} entries sealed, head {facts['head'][:16] or 'none yet'}")
