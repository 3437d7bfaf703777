"""Puts a backup back into an empty place, or tries out in a temporary one whether it could be."""

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from registry import clock
from registry.backups.archive import Damaged
from registry.backups.drill import CannotDrill, drill
from registry.backups.in_use import CannotRestore
from registry.backups.passphrases import passphrase_in
from registry.backups.restoring import Order, restore
from registry.backups.sealed_file import WrongPassphrase
from registry.backups.tables import CannotLoad

NO_LEDGER = (
    "Warning: no ledger of erasures is at hand. If somebody was erased after this backup was made, their names are back: "
    "give the old registry's anchors/erasures.jsonl with --erasures, or erase them again."
)


class Command(BaseCommand):
    help = "Restores a backup into an empty DATA_DIR and database, and prints what was restored as JSON."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--passphrase-file", type=Path, help="of an encrypted backup")
        parser.add_argument("--erasures", type=Path, help="the old registry's ledger of erasures")
        parser.add_argument(
            "--drill",
            action="store_true",
            help="restore into a temporary place, check, throw away, and note the date",
        )
        parser.add_argument("--json", action="store_true", help="the answer is always one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        if not path.is_file():
            raise CommandError(f"There is no file {path}.", returncode=2)
        order = Order(path.resolve(), passphrase_in(options["passphrase_file"]), options["erasures"])
        facts = self._do(order, options)
        self.stdout.write(json.dumps(facts))
        if facts.get("ledger") == "none at hand" and not options["drill"]:
            self.stderr.write(NO_LEDGER)
        if not facts["whole"]:
            raise SystemExit(1)

    def _do(self, order: Order, options: dict[str, Any]) -> dict[str, Any]:
        try:
            if options["drill"]:
                return drill(
                    order, passphrase_file=options["passphrase_file"], clock=clock.now, by="system:command"
                )
            return restore(order, clock=clock.now)
        except (CannotRestore, CannotDrill, CannotLoad, WrongPassphrase) as refusal:
            raise CommandError(str(refusal), returncode=1) from refusal
        except Damaged as damage:
            raise CommandError(
                f"{order.path.name} is damaged, nothing was written. {damage}. Take an earlier backup.",
                returncode=1,
            ) from damage
