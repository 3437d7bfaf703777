"""The hazard log, the security list, the records list and the seeded faults name tests that exist, and leave nothing open."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
LISTS = {"hazards": "hazard", "asvs": "requirement", "records": "requirement", "faults": "fault"}
STATES = {"met", "partly", "planned", "not applicable", "of the clinic"}


@cache
def entries(name: str) -> list[dict[str, Any]]:
    content = tomllib.loads((ROOT / "docs" / "validation" / f"{name}.toml").read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = content[LISTS[name]]
    return found


@cache
def functions_in(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test")
    }


def missing(tests: list[str]) -> Iterator[str]:
    for test in tests:
        path, _, name = test.partition("::")
        if not (ROOT / path).is_file() or (name and name not in functions_in(path)):
            yield test


def named(entry: dict[str, Any]) -> list[str]:
    return [*entry.get("tests", []), *([entry["caught_by"]] if "caught_by" in entry else [])]


@pytest.mark.parametrize("name", LISTS)
def test_every_control_names_tests_that_exist(name: str) -> None:
    wrong = [f"{entry['id']}: {test}" for entry in entries(name) for test in missing(named(entry))]
    assert wrong == []
    assert len({entry["id"] for entry in entries(name)}) == len(entries(name))


def test_every_hazard_is_whole_and_none_was_taken_away() -> None:
    numbers = [int(entry["id"].removeprefix("H")) for entry in entries("hazards")]
    assert numbers == list(range(1, len(numbers) + 1))
    needed = {
        "title",
        "cause",
        "effect",
        "harm",
        "severity",
        "likelihood",
        "control",
        "residual",
        "owner",
        "tests",
    }
    for entry in entries("hazards"):
        assert needed <= entry.keys(), entry["id"]
        assert entry["tests"], f"{entry['id']} has no test"
        assert {entry["severity"], entry["likelihood"], entry["residual"]} <= {1, 2, 3, 4, 5}


@pytest.mark.parametrize("name", ["asvs", "records"])
def test_every_requirement_has_its_state_and_what_is_met_its_test(name: str) -> None:
    for entry in entries(name):
        assert entry["state"] in STATES, entry["id"]
        assert entry["state"] not in ("met", "partly") or entry["tests"], (
            f"{entry['id']} is met, but by no test"
        )
        assert entry["state"] == "met" or entry["note"], f"{entry['id']} says not what is missing"


def test_every_seeded_fault_can_still_be_put_in() -> None:
    """That its test then fails is shown by `make chaos`."""
    for fault in entries("faults"):
        text = (ROOT / fault["file"]).read_text(encoding="utf-8")
        assert text.count(fault["find"]) == 1, f"{fault['id']}: its place in {fault['file']} is gone"
        assert fault["find"] != fault["put"]


def test_every_figure_names_a_test_that_exists() -> None:
    page = (ROOT / "docs" / "validation" / "figures.md").read_text(encoding="utf-8")
    tests = re.findall(r"`(tests/[^`]+)`", page)
    assert len(tests) >= 10
    assert list(missing(tests)) == []
