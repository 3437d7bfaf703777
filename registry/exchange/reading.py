"""Opens an uploaded table in a limited subprocess, after checks that need no parser."""

import hashlib
import json
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

from registry.exchange.spreadsheets import unguard

SECONDS = 60
XLSX_UNPACKED_BYTES = 400 * 1024 * 1024


class FileRefused(Exception):
    """The file as a whole cannot be read; `code` names why. `kept` is what may be stored for ever: where a file has
    no headings, its first line is a person.
    """

    def __init__(self, code: str, message: str, *, kept: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.kept = kept or message


@dataclass(frozen=True)
class TableFile:
    name: str
    sha256: str
    headings: list[str]
    rows: list[list[str]]


def read_table(path: Path, *, name: str = "") -> TableFile:
    """Headings and rows as text; cells are stripped and unguarded. Raises FileRefused, and stores nothing."""
    name = name or path.name
    _check_outside(path, name)
    content = _parse(path, "xlsx" if name.lower().endswith(".xlsx") else "csv")
    headings = [unguard(heading).lower() for heading in content["headings"]]
    _check_headings(headings)
    rows = [[unguard(cell) for cell in line] for line in content["rows"]]
    return TableFile(name=name, sha256=digest(path), headings=headings, rows=rows)


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_outside(path: Path, name: str) -> None:
    if not path.is_file():
        raise FileRefused("no_file", f"There is no file {name}.")
    if not name.lower().endswith((".csv", ".xlsx")):
        raise FileRefused(
            "wrong_format", f"{name} is neither .csv nor .xlsx. Save the sheet in one of these."
        )
    size = path.stat().st_size
    if size == 0:
        raise FileRefused("empty_file", f"{name} is empty.")
    if size > settings.UPLOAD_MAX_BYTES:
        limit = settings.UPLOAD_MAX_BYTES // 1024 // 1024
        raise FileRefused("too_large", f"{name} is larger than {limit} MB. Split it into several files.")
    with path.open("rb") as file:
        start = file.read(4)
    if name.lower().endswith(".xlsx"):
        _check_zip(path, name)
    elif start.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"%PDF")):
        raise FileRefused("wrong_format", f"{name} is called .csv but is another kind of file.")


def _check_zip(path: Path, name: str) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except zipfile.BadZipFile as error:
        raise FileRefused(
            "wrong_format", f"{name} is not a readable .xlsx file. Save it again, or as .csv."
        ) from error
    if sum(member.file_size for member in members) > XLSX_UNPACKED_BYTES or len(members) > 2000:
        raise FileRefused("too_large", f"{name} unpacks to far more than a table should.")


def _parse(path: Path, kind: str) -> dict[str, Any]:
    job = {
        "path": str(path),
        "kind": kind,
        "max_rows": settings.UPLOAD_MAX_ROWS,
        "max_columns": settings.UPLOAD_MAX_COLUMNS,
    }
    command = [sys.executable, "-m", "registry.exchange.read_child"]
    try:
        done = subprocess.run(
            command,
            input=json.dumps(job),
            capture_output=True,
            text=True,
            timeout=SECONDS,
            cwd=settings.BASE_DIR,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise FileRefused(
            "too_slow", f"Reading took longer than {SECONDS} s. Save the sheet as .csv."
        ) from error
    try:
        answer: dict[str, Any] = json.loads(done.stdout)
    except json.JSONDecodeError as error:
        raise FileRefused(
            "unreadable", "The file cannot be read. Open it, save it as .csv (UTF-8), try again."
        ) from error
    if "code" in answer:
        raise FileRefused(answer["code"], answer["message"])
    return answer


def _check_headings(headings: list[str]) -> None:
    seen: set[str] = set()
    for position, heading in enumerate(headings, start=1):
        if not heading:
            raise FileRefused("blank_heading", f"Column {position} has no heading. Name it or remove it.")
        if heading in seen:
            raise FileRefused(
                "duplicate_heading", f"The heading “{heading}” stands twice. Remove one of them.",
                kept=f"The heading of column {position} stands twice. Remove one of them.",
            )  # fmt: skip
        seen.add(heading)
