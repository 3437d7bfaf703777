import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from config import env
from config.demo import cast
from config.demo.build import CannotBuild, build
from config.demo.signing import ask_for_a_report
from registry import clock
from registry.audit.acting import acting_as


class Command(BaseCommand):
    help = "Fills an empty registry with made-up people and marks it as a demo for ever."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--sites", type=int, default=2, choices=range(1, len(cast.SITES) + 1))
        parser.add_argument("--patients", type=int, default=60)
        parser.add_argument("--seed", type=int, default=1)
        parser.add_argument(
            "--blinded", action="store_true", help="a blinded protocol that masks HbA1c and C-peptide"
        )
        parser.add_argument("--json", action="store_true", help="print the sign-ins as one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            # One transaction: a demo stopped half-way leaves an empty registry, not half of one.
            with acting_as("system:command", channel="demo"):
                now = clock.now()
                accounts = build(
                    sites=options["sites"], patients=options["patients"], seed=options["seed"],
                    today=now.date(), password=env.text("DEMO_PASSWORD"), blinded=options["blinded"],
                )  # fmt: skip
                ask_for_a_report(now=now, today=now.date())
        except CannotBuild as refusal:
            raise CommandError(str(refusal), returncode=1) from refusal
        if options["json"]:
            self.stdout.write(json.dumps({"accounts": [asdict(one) for one in accounts]}))
            return
        for one in accounts:
            self.stdout.write(f"{one.role:<14} {one.site:<5} {one.username:<18} {one.password}")
