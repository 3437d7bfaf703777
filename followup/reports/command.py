"""What the report commands share: their options, and refusals in one line with the right exit status."""

from datetime import date
from pathlib import Path

from django.core.management.base import CommandError, CommandParser


def add_output_options(parser: CommandParser) -> None:
    parser.add_argument("--out", type=Path, required=True, metavar="F.pdf", help="where the PDF goes")
    parser.add_argument("--numbers", type=Path, metavar="F.json", help="write the frozen numbers here too")
    parser.add_argument("--by", default="", metavar="USER", help="act as this person")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def check_folders(*paths: Path | None) -> None:
    for path in paths:
        if path is not None and not path.parent.is_dir():
            raise CommandError(f"There is no folder {path.parent}.", returncode=2)


def day(text: str) -> date:
    """For argparse, which turns ValueError into a usage message."""
    return date.fromisoformat(text)
