"""Reads a follow-up plan from its signed TOML text and refuses one that does not say exactly what it means."""

import hashlib
import json
import re
import tomllib
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from followup.schedule.plan_fields import (
    PlanError,
    field,
    no_repeats,
    one_of,
    only_keys,
    tables,
    whole_number,
    word,
)
from followup.schedule.plan_fields import (
    text as text_of,
)

ANCHORS = ("enrolment", "first_infusion", "each_infusion", "last_infusion")
UNITS = ("day", "week", "month", "year")
CONTACT_MODES = ("on_site", "phone", "video", "letter", "records")
STEPS = ("due_soon", "due_soon_again", "due", "window_closing", "overdue", "escalated")
STEP_ORIGINS = ("target", "opens", "closes")

EXAMPLES = Path(__file__).parent / "plans"
DEFAULT_PLAN_PATH = EXAMPLES / "default.toml"

# Follow-up lasts so many years for everybody; a visit “for life” goes on after them, a few years ahead at a time.
FOLLOW_UP_YEARS = 15
FOR_LIFE = "life"
LAST_YEAR = 80  # nobody treated as an adult needs a visit so many years later

MAX_CHARACTERS = 100_000
MAX_LINE = 1_000
MAX_TIMEPOINTS = 200
MAX_VISITS = 500  # a yearly timepoint stands for one each year
MAX_DAYS = {"day": 36_500, "week": 5_200, "month": 1_200, "year": 100}
CODE = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,11}")

Read = TypeVar("Read")


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
    yearly_until: int | str | None = None  # the last year, or FOR_LIFE; the first is the offset
    is_for_life: bool = False  # of one year: planned only as it comes near

    @property
    def is_infusion_day(self) -> bool:
        return "infusion" in self.assessments

    @property
    def years(self) -> list["Timepoint"]:
        """Each visit of a yearly line; every other line is its own only visit."""
        if self.yearly_until is None:
            return [self]
        last = LAST_YEAR if isinstance(self.yearly_until, str) else self.yearly_until
        return [self._in_year(year) for year in range(self.offset_value, last + 1)]

    def _in_year(self, year: int) -> "Timepoint":
        first = str(self.offset_value)
        named = re.sub(rf"\b{first}\b", str(year), self.label)
        return replace(
            self,
            code=f"{self.code.removesuffix(first)}{year}",
            label=named if year == self.offset_value or named != self.label else f"{self.label}, year {year}",
            offset_value=year,
            yearly_until=None,
            is_for_life=self.yearly_until == FOR_LIFE and year > FOLLOW_UP_YEARS,
        )


@dataclass(frozen=True)
class Plan:
    code: str
    title: str
    version: int
    source: str
    assessments: tuple[Assessment, ...]
    lines: tuple[Timepoint, ...]  # as written; a yearly line stands for a visit each year
    reminders: tuple[ReminderStep, ...] = ()  # of the lines that have none of their own

    @cached_property
    def timepoints(self) -> tuple[Timepoint, ...]:
        """Every visit of the plan."""
        return tuple(each for line in self.lines for each in line.years)

    def timepoint(self, code: str) -> Timepoint:
        """The timepoint of this code; KeyError where the plan has none."""
        for timepoint in self.timepoints:
            if timepoint.code == code:
                return timepoint
        raise KeyError(code)


def read_plan(path: Path) -> Plan:
    return parse_plan(path.read_text(encoding="utf-8"))


def parse_plan(text: str, *, is_draft: bool = False) -> Plan:
    """The plan written in this TOML text; raises PlanError naming the timepoint and the field that is
    wrong. Only a draft may have no timepoint yet.
    """
    document = _toml(text)
    only_keys(document, {"plan", "reminders", "assessment", "timepoint"}, "plan file")
    head = field(document, "plan", dict, "plan file")
    only_keys(head, {"code", "title", "version", "source"}, "[plan]")
    reminders = field(document, "reminders", dict, "plan file")
    only_keys(reminders, {"steps"}, "[reminders]")
    default_steps = _steps(field(reminders, "steps", list, "[reminders]"), "[reminders]: steps")
    assessments = tuple(_each(text, document, "assessment", _assessment))
    no_repeats([assessment.code for assessment in assessments], "assessment")
    known = frozenset(assessment.code for assessment in assessments)
    if is_draft:
        document.setdefault("timepoint", [])
    lines = tuple(
        _each(text, document, "timepoint", lambda row: _timepoint(row, known, default_steps), at_least=not is_draft)
    )  # fmt: skip
    if len(lines) > MAX_TIMEPOINTS:
        raise PlanError(f"plan file: it has {len(lines)} timepoints; {MAX_TIMEPOINTS} are the most")
    visits = sum(len(line.years) for line in lines)
    if visits > MAX_VISITS:
        raise PlanError(f"plan file: its timepoints stand for {visits} visits; {MAX_VISITS} are the most")
    plan = Plan(
        code=word(head, "code", "[plan]"),
        title=text_of(head, "title", "[plan]", 120),
        version=whole_number(head, "version", "[plan]", minimum=1, maximum=100_000),
        source=text_of(head, "source", "[plan]"),
        assessments=assessments,
        lines=lines,
        reminders=default_steps,
    )
    no_repeats([timepoint.code for timepoint in plan.timepoints], "timepoint")
    return plan


def _toml(text: str) -> dict[str, Any]:
    """Bounded before it is parsed: a deep or endless line would keep the parser busy for minutes."""
    if len(text) > MAX_CHARACTERS:
        raise PlanError(f"plan file: it has {len(text)} characters; {MAX_CHARACTERS} are the most")
    for number, line in enumerate(text.splitlines(), start=1):
        if len(line) > MAX_LINE:
            raise PlanError(f"plan file: the line is longer than {MAX_LINE} characters; break it", number)
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        at = re.search(r"at line (\d+)", str(error))
        what = (
            str(error)
            if isinstance(error, tomllib.TOMLDecodeError)
            else "it is nested too deep or holds a number too long"
        )
        raise PlanError(f"The plan is not valid TOML: {what}", int(at[1]) if at else None) from error


def _each(
    text: str, document: dict[str, Any], name: str, read: Callable[[dict[str, Any]], Read], *, at_least: bool = True
) -> list[Read]:  # fmt: skip
    """What each [[name]] says; an error tells on which line the table begins."""
    heads = [n for n, line in enumerate(text.splitlines(), start=1) if line.strip().startswith(f"[[{name}]]")]
    rows, found = tables(document, name, at_least=at_least), []
    for place, row in enumerate(rows):
        try:
            found.append(read(row))
        except PlanError as error:
            raise PlanError(str(error), heads[place] if len(heads) == len(rows) else None) from error
    return found


def plan_digest(plan: Plan) -> str:
    """SHA-256 (hex) of what the plan says. Comments and layout do not change it; any date, window, step or
    wording does.
    """
    said = asdict(plan)
    del said["reminders"]  # each line holds its own
    said["timepoints"] = [
        {name: value for name, value in line.items() if name not in ("yearly_until", "is_for_life") or value}
        for line in said.pop("lines")
    ]
    content = json.dumps(said, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(content.encode()).hexdigest()


TIMEPOINT_KEYS = {
    *("code", "label", "anchor", "offset", "window"),
    *("contact_mode", "assessments", "neoplasia_check", "reminders", "yearly_until"),
}


def _timepoint(
    row: dict[str, Any], known_assessments: frozenset[str], default_steps: tuple[ReminderStep, ...]
) -> Timepoint:
    where = f"timepoint {row.get('code', '(without a code)')}"
    only_keys(row, TIMEPOINT_KEYS, where)
    offset = field(row, "offset", dict, where)
    only_keys(offset, {"value", "unit"}, f"{where}: offset")
    window = field(row, "window", dict, where)
    only_keys(window, {"before", "after"}, f"{where}: window")
    assessments = _assessment_codes(row, known_assessments, where)
    steps = (
        _steps(field(row, "reminders", list, where), f"{where}: reminders")
        if "reminders" in row
        else default_steps
    )
    unit = one_of(offset, "unit", UNITS, f"{where}: offset")
    most = MAX_DAYS[unit]
    timepoint = Timepoint(
        code=text_of(row, "code", where, 12),
        label=text_of(row, "label", where, 60),
        anchor=one_of(row, "anchor", ANCHORS, where),
        offset_value=whole_number(offset, "value", f"{where}: offset", minimum=-most, maximum=most),
        offset_unit=unit,
        window_before_days=whole_number(window, "before", f"{where}: window", minimum=0, maximum=3650),
        window_after_days=whole_number(window, "after", f"{where}: window", minimum=0, maximum=3650),
        contact_mode=one_of(row, "contact_mode", CONTACT_MODES, where),
        assessments=assessments,
        neoplasia_check=_neoplasia_check(row, assessments, where),
        reminders=steps,
        yearly_until=_yearly_until(row, where),
    )
    if not CODE.fullmatch(timepoint.code):
        raise PlanError(
            f"{where}: code is {timepoint.code!r}, expected a letter, then letters, digits, - or _"
        )
    _check_yearly(timepoint, where)
    return timepoint


def _yearly_until(row: dict[str, Any], where: str) -> int | str | None:
    value = row.get("yearly_until")
    if value is None or value == FOR_LIFE:
        return value
    if not isinstance(value, int) or isinstance(value, bool):
        raise PlanError(f'{where}: yearly_until is {value!r}, expected a year such as 15, or "{FOR_LIFE}"')
    return whole_number(row, "yearly_until", where, minimum=1, maximum=LAST_YEAR)


def _check_yearly(timepoint: Timepoint, where: str) -> None:
    """A yearly line counts on in its code, so that each year keeps its own in every version."""
    if timepoint.yearly_until is None:
        return
    first = timepoint.offset_value
    if timepoint.offset_unit != "year" or first < 1:
        raise PlanError(f"{where}: yearly_until needs an offset of 1 or more years")
    if not re.search(rf"(?<!\d){first}$", timepoint.code):
        raise PlanError(f"{where}: a yearly visit's code ends with its first year, for example Y{first}")
    if isinstance(timepoint.yearly_until, int) and timepoint.yearly_until < first:
        raise PlanError(f"{where}: yearly_until is {timepoint.yearly_until}, before its first year {first}")
    longest = timepoint.years[-1]
    if len(longest.code) > 12 or len(longest.label) > 60:
        raise PlanError(f"{where}: code or label is too long once it counts to {longest.offset_value}")


def _assessment(row: dict[str, Any]) -> Assessment:
    where = f"assessment {row.get('code', '(without a code)')}"
    only_keys(row, {"code", "label", "remote"}, where)
    return Assessment(
        code=word(row, "code", where),
        label=text_of(row, "label", where, 120),
        remote=bool(field(row, "remote", bool, where)),
    )


def _assessment_codes(row: dict[str, Any], known: frozenset[str], where: str) -> tuple[str, ...]:
    codes = field(row, "assessments", list, where)
    if not codes:
        raise PlanError(f"{where}: assessments is empty; a visit with nothing to do cannot be done")
    for code in codes:
        if not isinstance(code, str) or code not in known:
            raise PlanError(
                f"{where}: assessments names {code!r}, which is not an [[assessment]] of this plan"
            )
    no_repeats(codes, f"{where}: assessments:")
    if len(";".join(codes)) > 400:
        raise PlanError(f"{where}: assessments names too many to be kept; 400 characters are the most")
    return tuple(codes)


def _neoplasia_check(row: dict[str, Any], assessments: tuple[str, ...], where: str) -> bool:
    """The flag and the list of assessments must agree: a check that is counted but never asked is the
    failure we exist to prevent.
    """
    flag = bool(field(row, "neoplasia_check", bool, where))
    if flag != ("neoplasia_check" in assessments):
        raise PlanError(f"{where}: neoplasia_check is {str(flag).lower()} but assessments says otherwise")
    return flag


def _steps(rows: list[Any], where: str) -> tuple[ReminderStep, ...]:
    steps = tuple(_step(row, where) for row in rows)
    no_repeats([step.step for step in steps], f"{where}: step")
    ranks = [STEPS.index(step.step) for step in steps]
    if ranks != sorted(ranks):
        raise PlanError(f"{where}: steps are out of order; they go {', '.join(STEPS)}")
    return steps


def _step(row: Any, where: str) -> ReminderStep:
    if not isinstance(row, dict):
        raise PlanError(f"{where}: each step is written {{ step = …, from = …, days = … }}")
    only_keys(row, {"step", "from", "days"}, where)
    return ReminderStep(
        step=one_of(row, "step", STEPS, where),
        counted_from=one_of(row, "from", STEP_ORIGINS, where),
        days=whole_number(row, "days", where, minimum=-3650, maximum=3650),
    )
