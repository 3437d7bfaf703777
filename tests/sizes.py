"""How much a test does: a short form in the suite, the full figure where `make chaos` sets FULL_FIGURES=1."""

import os

FULL = os.environ.get("FULL_FIGURES") == "1"


def size(*, short: int, full: int) -> int:
    return full if FULL else short
