"""Reads a follow-up plan from its signed TOML text and refuses one that does not say exactly what it means."""

import hashlib
import json
import tomllib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ANCHORS = ("enrolment", "first_infusion", "each_infusion", "last_infusion")
UNITS = ("day", "week", "month", "year")
CONTACT_MODES = ("on_site", "phone", "video", "letter", "records")
STEPS = ("due_soon", "due_soon_again", "due", "window_closing", "overdue", "escalated")
STEP_ORIGINS = ("target", "opens", "closes")

DEFAULT_PLAN_PATH = Path(__file__).parent / "plans" / "default.toml"


class PlanError(ValueError):
    """A plan that cannot be followed; the message names the timepoint and the field."""


@dataclass(frozen=True)
class ReminderStep:
    step: str
    counted_from: str
    days: int


@dataclass(frozen=True)
class Assessment:
    code: str
    label: str
    remote: bool


@dataclass(frozen=True)
class Timepoint:
    code: str
    label: str
    anchor: str
    offset_value: int
    offset_unit: str
    window_before_days: int
    window_after_days: int
    contact_mode: str
    assessments: tuple[str, ...]
    neoplasia_check: bool
    reminders: tuple[ReminderStep, ...]

    @property
    def is_infusion_day(self) -> bool:
        return "infusion" in self.assessments


@dataclass(frozen=True)
class Plan:
    code: str
    title: str
    version: int
    source: str
    assessments: tuple[Assessment, ...]
    timepoints: tuple[Timepoint, ...]

    def timepoint(self, code: str) -> Timepoint:
        """The timepoint of this code; KeyError where the plan has none."""
        for timepoint in self.timepoints:
            if timepoint.code == code:
                return timepoint
        raise KeyError(code)


def read_plan(path: Path) -> Plan:
    return parse_plan(path.read_text(encoding="utf-8"))


def parse_plan(text: str) -> Plan:
    """The plan written in this TOML text; raises PlanError naming the timepoint and the field that is
    wrong.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PlanError(f"The plan is not valid TOML: {error}") from error
    _only_keys(document, {"plan", "reminders", "assessment", "timepoint"}, "plan file")
    head = _field(document, "plan", dict, "plan file")
    _only_keys(head, {"code", "title", "version", "source"}, "[plan]")
    reminders = _field(document, "reminders", dict, "plan file")
    _only_keys(reminders, {"steps"}, "[reminders]")
    default_steps = _steps(_field(reminders, "steps", list, "[reminders]"), "[reminders]: steps")
    assessments = tuple(_assessment(row) for row in _tables(document, "assessment"))
    _no_repeats([assessment.code for assessment in assessments], "assessment")
    known = frozenset(assessment.code for assessment in assessments)
    timepoints = tuple(_timepoint(row, known, default_steps) for row in _tables(document, "timepoint"))
    _no_repeats([timepoint.code for timepoint in timepoints], "timepoint")
    return Plan(
        code=_text(head, "code", "[plan]"),
        title=_text(head, "title", "[plan]"),
        version=_whole_number(head, "version", "[plan]", minimum=1),
        source=_text(head, "source", "[plan]"),
        assessments=assessments,
        timepoints=timepoints,
    )


def plan_digest(plan: Plan) -> str:
    """SHA-256 (hex) of what the plan says. Comments and layout do not change it; any date, window, step or
    wording does.
    """
    content = json.dumps(asdict(plan), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(content.encode()).hexdigest()


TIMEPOINT_KEYS = {
    *("code", "label", "anchor", "offset", "window"),
    *("contact_mode", "assessments", "neoplasia_check", "reminders"),
}


def _timepoint(
    row: dict[str, Any], known_assessments: frozenset[str], default_steps: tuple[ReminderStep, ...]
) -> Timepoint:
    where = f"timepoint {row.get('code', '(without a code)')}"
    _only_keys(row, TIMEPOINT_KEYS, where)
    offset = _field(row, "offset", dict, where)
    _only_keys(offset, {"value", "unit"}, f"{where}: offset")
    window = _field(row, "window", dict, where)
    _only_keys(window, {"before", "after"}, f"{where}: window")
    assessments = _assessment_codes(row, known_assessments, where)
    steps = (
        _steps(_field(row, "reminders", list, where), f"{where}: reminders")
        if "reminders" in row
        else default_steps
    )
    return Timepoint(
        code=_text(row, "code", where),
        label=_text(row, "label", where),
        anchor=_one_of(row, "anchor", ANCHORS, where),
        offset_value=_whole_number(offset, "value", f"{where}: offset"),
        offset_unit=_one_of(offset, "unit", UNITS, f"{where}: offset"),
        window_before_days=_whole_number(window, "before", f"{where}: window", minimum=0),
        window_after_days=_whole_number(window, "after", f"{where}: window", minimum=0),
        contact_mode=_one_of(row, "contact_mode", CONTACT_MODES, where),
        assessments=assessments,
        neoplasia_check=_neoplasia_check(row, assessments, where),
        reminders=steps,
    )


def _assessment(row: dict[str, Any]) -> Assessment:
    where = f"assessment {row.get('code', '(without a code)')}"
    _only_keys(row, {"code", "label", "remote"}, where)
    return Assessment(
        code=_text(row, "code", where),
        label=_text(row, "label", where),
        remote=bool(_field(row, "remote", bool, where)),
    )


def _assessment_codes(row: dict[str, Any], known: frozenset[str], where: str) -> tuple[str, ...]:
    codes = _field(row, "assessments", list, where)
    if not codes:
        raise PlanError(f"{where}: assessments is empty; a visit with nothing to do cannot be done")
    for code in codes:
        if code not in known:
            raise PlanError(
                f"{where}: assessments names {code!r}, which is not an [[assessment]] of this plan"
            )
    _no_repeats(codes, f"{where}: assessments:")
    return tuple(codes)


def _neoplasia_check(row: dict[str, Any], assessments: tuple[str, ...], where: str) -> bool:
    """The flag and the list of assessments must agree: a check that is counted but never asked is the
    failure we exist to prevent.
    """
    flag = bool(_field(row, "neoplasia_check", bool, where))
    if flag != ("neoplasia_check" in assessments):
        raise PlanError(f"{where}: neoplasia_check is {str(flag).lower()} but assessments says otherwise")
    return flag


def _steps(rows: list[Any], where: str) -> tuple[ReminderStep, ...]:
    steps = tuple(_step(row, where) for row in rows)
    _no_repeats([step.step for step in steps], f"{where}: step")
    ranks = [STEPS.index(step.step) for step in steps]
    if ranks != sorted(ranks):
        raise PlanError(f"{where}: steps are out of order; they go {', '.join(STEPS)}")
    return steps


def _step(row: Any, where: str) -> ReminderStep:
    if not isinstance(row, dict):
        raise PlanError(f"{where}: each step is written {{ step = …, from = …, days = … }}")
    _only_keys(row, {"step", "from", "days"}, where)
    return ReminderStep(
        step=_one_of(row, "step", STEPS, where),
        counted_from=_one_of(row, "from", STEP_ORIGINS, where),
        days=_whole_number(row, "days", where),
    )


def _tables(document: dict[str, Any], name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = _field(document, name, list, "plan file")
    if not rows or not all(isinstance(row, dict) for row in rows):
        raise PlanError(f"plan file: at least one [[{name}]] is needed")
    return rows


def _field(table: dict[str, Any], name: str, kind: type, where: str) -> Any:
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


def _text(table: dict[str, Any], name: str, where: str) -> str:
    value = str(_field(table, name, str, where)).strip()
    if not value:
        raise PlanError(f"{where}: {name} is empty")
    return value


def _whole_number(table: dict[str, Any], name: str, where: str, minimum: int | None = None) -> int:
    value = int(_field(table, name, int, where))
    if minimum is not None and value < minimum:
        raise PlanError(f"{where}: {name} is {value}, expected {minimum} or more")
    return value


def _one_of(table: dict[str, Any], name: str, allowed: tuple[str, ...], where: str) -> str:
    value = _text(table, name, where)
    if value not in allowed:
        raise PlanError(f"{where}: {name} is {value!r}, expected one of {', '.join(allowed)}")
    return value


def _only_keys(table: dict[str, Any], allowed: set[str], where: str) -> None:
    unknown = sorted(set(table) - allowed)
    if unknown:
        raise PlanError(f"{where}: {unknown[0]} is not a known field; known are {', '.join(sorted(allowed))}")


def _no_repeats(values: list[Any], what: str) -> None:
    repeated = next((value for value in values if values.count(value) > 1), None)
    if repeated is not None:
        raise PlanError(f"{what} {repeated} appears more than once")
