"""Runs alone in a limited process: reads one table and prints it as JSON. No Django, no network, no writing."""

import csv
import datetime
import io
import json
import resource
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

MEMORY_BYTES = 1024 * 1024 * 1024
CPU_SECONDS = 40


class Refused(Exception):
    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def main() -> None:
    job = json.load(sys.stdin)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    try:
        answer: dict[str, Any] = _read(job)
    except Refused as refused:
        answer = {"code": refused.code, "message": str(refused)}
    except MemoryError:
        answer = {"code": "too_large", "message": "The sheet needs too much memory. Save it as .csv."}
    except Exception as error:
        answer = {
            "code": "unreadable",
            "message": f"The file cannot be read ({type(error).__name__}). Save it as .csv (UTF-8).",
        }
    json.dump(answer, sys.stdout)


def _read(job: dict[str, Any]) -> dict[str, Any]:
    lines = _xlsx(job["path"]) if job["kind"] == "xlsx" else _csv(job["path"])
    rows: list[list[str]] = []
    headings: list[str] = []
    for number, line in enumerate(lines, start=1):
        if number == 1:
            headings = _trim(line)
            if len(headings) > job["max_columns"]:
                raise Refused("too_many_columns", f"There are more than {job['max_columns']} columns.")
            continue
        if number - 1 > job["max_rows"]:
            raise Refused("too_many_rows", f"There are more than {job['max_rows']:,} rows. Split the file.")
        rows.append(_fit(line, len(headings), number))
    if not headings:
        raise Refused("empty_file", "There is no heading row.")
    while rows and not any(rows[-1]):
        rows.pop()
    return {"headings": headings, "rows": rows}


def _trim(line: list[str]) -> list[str]:
    while line and not line[-1]:
        line = line[:-1]
    return line


def _fit(line: list[str], width: int, number: int) -> list[str]:
    if len(line) > width:
        if any(line[width:]):
            raise Refused("ragged_row", f"Row {number} has more cells than there are headings.")
        line = line[:width]
    return line + [""] * (width - len(line))


def _csv(path: str) -> Iterator[list[str]]:
    raw = Path(path).read_bytes()
    if b"\0" in raw:
        raise Refused(
            "wrong_encoding", "The file holds NUL bytes: it is not UTF-8 text. Save it as CSV (UTF-8)."
        )
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = raw[: error.start].count(b"\n") + 1
        raise Refused("wrong_encoding", f"Row {row} is not UTF-8. Save the file as CSV (UTF-8).") from error
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    csv.field_size_limit(1_000_000)
    try:
        for line in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True):
            yield [cell.strip() for cell in line]
    except csv.Error as error:
        raise Refused("broken_csv", f"The CSV is broken: {error}. Check the quotes.") from error


def _xlsx(path: str) -> Iterable[list[str]]:
    from python_calamine import CalamineWorkbook

    workbook = CalamineWorkbook.from_path(path)
    sheet = workbook.get_sheet_by_index(0)
    if sheet.total_height > 1_048_000 or sheet.total_width > 1000:
        raise Refused(
            "too_large", "The sheet reaches far beyond its data. Delete the empty rows and columns."
        )
    return ([_text(cell) for cell in line] for line in sheet.to_python(skip_empty_area=False))


def _text(cell: Any) -> str:
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() else repr(cell)
    if isinstance(cell, datetime.datetime):
        return _moment(cell)
    if isinstance(cell, datetime.date | datetime.time):
        return cell.isoformat()
    return str(cell).strip()


def _moment(cell: datetime.datetime) -> str:
    """As a CSV of the same sheet would say it: a day, minutes, and seconds only where there are any."""
    # A sheet keeps fractions of days: seconds come out a little off.
    whole = (cell + datetime.timedelta(milliseconds=500)).replace(microsecond=0)
    if whole.time() == datetime.time():
        return whole.date().isoformat()
    return whole.isoformat(timespec="seconds" if whole.second else "minutes")


if __name__ == "__main__":
    main()
