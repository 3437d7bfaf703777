import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from followup.copies.archive import MANIFEST, attestation_of, verifier


class Command(BaseCommand):
    help = (
        "Checks a copy about one person, and that this registry made it. Exit 0 whole, 1 not whole, 2 usage."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="the ZIP file as it was downloaded")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        if not path.is_file():
            raise CommandError(f"There is no file {path}.", returncode=2)
        raw = path.read_bytes()
        troubles = verifier().check(raw)
        if not troubles and not _is_ours(raw):
            troubles = [f"{MANIFEST}: it was not made by this registry, or not with its audit key"]
        for trouble in troubles:
            self.stdout.write(trouble)
        if troubles:
            raise CommandError(f"{path} is not whole.", returncode=1)
        self.stdout.write(f"{path}: whole, and made by this registry")


def _is_ours(raw: bytes) -> bool:
    manifest = json.loads(dict(verifier().read(raw)[0])[MANIFEST])
    return bool(manifest.get("attestation") == attestation_of(manifest))
