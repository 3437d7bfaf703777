"""One file that holds the whole record, made while people work."""

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from registry import clock
from registry.backups.backing_up import CannotBackUp, Request, back_up
from registry.backups.passphrases import passphrase_in

KEYS_INSIDE = (
    "The file holds the keys of this registry ({names}): whoever has it can read every name. Keep it as you keep the "
    "registry itself, or encrypt it with --passphrase-file."
)
NO_KEYS = (
    "The file holds no keys. Without FIELD_KEYS no name in it can ever be read, and without AUDIT_KEY its trail cannot be "
    "checked: keep them safe elsewhere."
)


class Command(BaseCommand):
    help = "Writes one file with the database, the reports and uploads, and the keys kept in DATA_DIR."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "file", type=Path, help="the file to write; one of that name is replaced at the end"
        )
        parser.add_argument("--passphrase-file", type=Path, help="encrypt under the first line of this file")
        parser.add_argument(
            "--without-keys", action="store_true", help="leave the keys of DATA_DIR out: keep them elsewhere"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        if path.is_dir() or not path.parent.is_dir():
            raise CommandError(
                f"{path} cannot be written: name a file in a folder that is there.", returncode=2
            )
        passphrase = passphrase_in(options["passphrase_file"])
        request = Request(path.resolve(), passphrase, keys=not options["without_keys"])
        try:
            facts = back_up(request, clock=clock.now, by="system:command")
        except CannotBackUp as refusal:
            raise CommandError(str(refusal), returncode=1) from refusal
        if options["json"]:
            self.stdout.write(json.dumps(facts))
            return
        self.stdout.write(
            f"{path}: {facts['bytes']:,} bytes, {facts['rows']:,} rows of {facts['tables']} tables, {facts['files']} files, "
            f"{facts['entries']:,} entries of the trail, {'encrypted' if facts['encrypted'] else 'not encrypted'}. "
            "Written, read back and whole."
        )
        self.stdout.write(KEYS_INSIDE.format(names=", ".join(facts["keys"])) if facts["keys"] else NO_KEYS)
