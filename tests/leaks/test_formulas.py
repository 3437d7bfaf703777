"""No text that a person typed leaves as a formula that a spreadsheet would run, and none is changed by guarding it."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from followup.safety.models import AdverseEvent
from registry.access.models import SiteScope
from registry.audit.acting import acting_as
from registry.exchange.exporting import Scope, export_to
from registry.exchange.spreadsheets import unguard
from tests.cast import NOW
from tests.journeys.test_contract import Bring, bring, run, whole
from tests.leaks.hostile import fill, hostile_world

__all__ = ["bring", "whole"]  # fixtures

BEGINNINGS = ("=", "+", "-", "@", "\t", "\r", "\t=", "\r\n@", "'=", "''+", "=+", "\t+", "\n=", "＝", "--")
CALLS = ("1+1", "SUM(A1:A9)", 'cmd|" /C calc"!A0', 'HYPERLINK("http://127.0.0.1/?"&A1,"open")')
FORMULAS = [start + call for start in BEGINNINGS for call in CALLS]  # 60
STARTS = ("=", "+", "-", "@", "\t", "\r", "\0", "\n", "＝", "＋", "－", "＠")


def is_live(cell: str) -> bool:
    """Whether a spreadsheet would take this cell for anything but text or a plain number."""
    if not cell.startswith(STARTS):
        return False
    try:
        float(cell)
    except ValueError:
        return True
    return False


def cells(folder: Path) -> Iterator[tuple[str, str, str]]:
    for path in sorted(folder.glob("*.csv")):
        with path.open(newline="", encoding="utf-8") as file:
            for line in csv.DictReader(file):
                yield from ((path.stem, column, cell) for column, cell in line.items())


@pytest.fixture
def exported(acting: None, tmp_path: Path) -> Path:
    world = hostile_world(FORMULAS)
    fill(world, rounds=6)
    export_to(tmp_path / "out", scope=Scope(SiteScope(everywhere=True), NOW))
    return tmp_path / "out"


def test_there_are_sixty_ways_in() -> None:
    assert len(set(FORMULAS)) == 60


def test_no_cell_of_an_export_is_a_live_formula(exported: Path) -> None:
    found = list(cells(exported))
    assert [where for where in found if is_live(where[2])] == []
    guarded = Counter((table, column) for table, column, cell in found if cell.startswith("'"))
    assert len(guarded) >= 12, "hardly any free text was exported: the test shows nothing"
    assert all(unguard(cell) != cell for _, _, cell in found if cell.startswith("'") and is_live(cell[1:]))


def test_numbers_stay_numbers(exported: Path) -> None:
    numbers = [
        cell for table, column, cell in cells(exported) if column in ("weight_kg", "canonical_value", "value")
    ]
    plain = [cell for cell in numbers if cell and not cell.startswith("'")]
    assert plain
    assert [float(cell) for cell in plain if cell.replace(".", "").replace("-", "").isdigit()]


@pytest.mark.django_db
def test_what_was_guarded_comes_back_exactly(whole: Bring, tmp_path: Path) -> None:
    """Typed by a person in a form, so with every kind of line end; out, in again, and out again."""
    first = AdverseEvent.objects.order_by("pk")[0]
    with acting_as("system:command"):
        AdverseEvent.objects.bulk_create(
            AdverseEvent(
                patient=first.patient, site=first.site, term=f"Fever {number}", onset_date="2021-02-03",
                narrative=f"{text}\r\nsecond line", event_ref=f"E-{number}",
            )
            for number, text in enumerate(FORMULAS)
        )  # fmt: skip
    files = [tmp_path / folder / "adverse_events.csv" for folder in ("once", "twice")]
    assert run("export", files[0].parent)[0] == 0
    report = tmp_path / "report.json"
    code, said = run("import_adverse_events", files[0], "--commit", "--report", report)
    told = json.loads(report.read_text())
    assert (code, told["errors"], told["unchanged"]) == (0, [], told["rows"]), said
    assert told["rows"] > len(FORMULAS)
    assert run("export", files[1].parent)[0] == 0
    assert files[0].read_bytes() == files[1].read_bytes()
