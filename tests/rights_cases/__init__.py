"""Which act opens which address. One file a room, each with CASES: the address's name → Case."""

from importlib import import_module
from pathlib import Path

from tests.rights_world import Case


def every_case() -> dict[str, Case]:
    cases: dict[str, Case] = {}
    for file in sorted(Path(__file__).parent.glob("[a-z]*.py")):
        cases |= import_module(f"tests.rights_cases.{file.stem}").CASES
    return cases
