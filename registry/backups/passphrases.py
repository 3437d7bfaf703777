"""A passphrase comes from a file, never from the command line, where everybody on the machine could read it."""

from pathlib import Path

from django.core.management.base import CommandError

SHORTEST = 12


def passphrase_in(path: Path | None) -> str:
    """The first line, or nothing without a file."""
    if path is None:
        return ""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"--passphrase-file {path} cannot be read.", returncode=2) from error
    passphrase = lines[0].strip() if lines else ""
    if len(passphrase) < SHORTEST:
        raise CommandError(
            f"--passphrase-file: use at least {SHORTEST} characters in its first line.", returncode=2
        )
    return passphrase
