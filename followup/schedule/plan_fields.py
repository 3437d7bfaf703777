"""Fields of a plan's text, one by one: each is what it must be, or the refusal names it."""

import re
from collections import Counter
from typing import Any

WORD = re.compile(r"[a-z][a-z0-9_-]{0,29}")


class PlanError(ValueError):
    """A plan that cannot be followed; the message names the timepoint and the field, `line` where it stands."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


def tables(document: dict[str, Any], name: str, *, at_least: bool) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = field(document, name, list, "plan file")
    if (at_least and not rows) or not all(isinstance(row, dict) for row in rows):
        raise PlanError(f"plan file: at least one [[{name}]] is needed")
    return rows


def field(table: dict[str, Any], name: str, kind: type, where: str) -> Any:
    if name not in table:
        raise PlanError(f"{where}: {name} is missing")
    value = table[name]
    wrong = not isinstance(value, kind) or (kind is int and isinstance(value, bool))
    if wrong:
        raise PlanError(f"{where}: {name} is {value!r}, expected {_KIND_WORDS[kind]}")
    return value


_KIND_WORDS: dict[type, str] = {
    int: "a whole number",
    str: "text",
    bool: "true or false",
    list: "a list",
    dict: "a table",
}


def text(table: dict[str, Any], name: str, where: str, longest: int = 2_000) -> str:
    value = str(field(table, name, str, where)).strip()
    if not value:
        raise PlanError(f"{where}: {name} is empty")
    if len(value) > longest:
        raise PlanError(f"{where}: {name} has {len(value)} characters; {longest} are the most")
    if not value.replace("\n", "").isprintable():
        raise PlanError(f"{where}: {name} holds a character that cannot be shown; take it out")
    return value


def word(table: dict[str, Any], name: str, where: str) -> str:
    value = text(table, name, where)
    if not WORD.fullmatch(value):
        raise PlanError(f"{where}: {name} is {value!r}, expected at most 30 small letters, digits, - and _")
    return value


def whole_number(
    table: dict[str, Any], name: str, where: str, minimum: int | None = None, maximum: int | None = None
) -> int:
    value = int(field(table, name, int, where))
    if minimum is not None and value < minimum:
        raise PlanError(f"{where}: {name} is {value}, expected {minimum} or more")
    if maximum is not None and value > maximum:
        raise PlanError(f"{where}: {name} is {value}, expected {maximum} or less")
    return value


def one_of(table: dict[str, Any], name: str, allowed: tuple[str, ...], where: str) -> str:
    value = text(table, name, where)
    if value not in allowed:
        raise PlanError(f"{where}: {name} is {value!r}, expected one of {', '.join(allowed)}")
    return value


def only_keys(table: dict[str, Any], allowed: set[str], where: str) -> None:
    unknown = sorted(set(table) - allowed)
    if unknown:
        raise PlanError(f"{where}: {unknown[0]} is not a known field; known are {', '.join(sorted(allowed))}")


def no_repeats(values: list[Any], what: str) -> None:
    repeated = next((value for value, times in Counter(values).items() if times > 1), None)
    if repeated is not None:
        raise PlanError(f"{what} {repeated} appears more than once")
