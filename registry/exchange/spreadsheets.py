"""Text cells that a spreadsheet would run as a formula are guarded on the way out and unguarded on the way in."""

import re

_FORMULA_STARTS = "=+-@\t\r\n\0＝＋－＠"  # the wide forms count in East Asian spreadsheets
_NUMBER = re.compile(r"^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$")


def is_formula_like(text: str) -> bool:
    bare = text.lstrip("'")
    return bare[:1] in tuple(_FORMULA_STARTS) and not _NUMBER.match(bare)


def guard(text: str) -> str:
    return f"'{text}" if is_formula_like(text) else text


def unguard(text: str) -> str:
    return text[1:] if text.startswith("'") and is_formula_like(text[1:]) else text
