import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from registry.signatures.models import Signature
from registry.signatures.sealing import problems


class Command(BaseCommand):
    help = "Checks that no signature was copied, moved or altered. Exit 1 names those that were."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        found = list(problems())
        facts = {"whole": not found, "signatures": Signature.objects.count()}
        if options["json"]:
            self.stdout.write(json.dumps(facts | {"problems": [asdict(problem) for problem in found]}))
        else:
            for problem in found:
                self.stdout.write(f"{problem.where}: {problem.what}")
            self.stdout.write(f"{facts['signatures']} signatures: " + ("NOT whole" if found else "whole"))
        if found:
            raise SystemExit(1)
