from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from followup.reminders.actions import run_sweep
from registry import clock
from registry.access.models import Registry
from registry.exchange.command import person_named


def moment(text: str) -> datetime:
    """An ISO moment; without an offset it is UTC."""
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


class Command(BaseCommand):
    help = "Plans visits, raises and sends what is due, stops what is settled, and prints the control totals as JSON."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--now", type=moment, help="look at this moment (demo and test registries only)")
        parser.add_argument("--by", default="", help="act as this person")
        parser.add_argument("--json", action="store_true", help="the totals are always one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        by = person_named(options["by"])
        if by is not None and not by.may("reminders.control"):
            raise CommandError(f"{by} may not sweep.", returncode=1)
        started = clock.now()
        as_of = options["now"] or started
        if options["now"] and Registry.current().kind == "live":
            raise CommandError(
                "--now is for registries marked demo or test; this one holds real people.", returncode=1
            )
        with clock.set_to(as_of):
            totals = run_sweep(now=started, as_of=as_of, by=by or "system:command")
        self.stdout.write(totals.as_json())
        if totals.problems or not totals.add_up:
            raise SystemExit(1)
