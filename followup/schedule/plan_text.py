"""Writes a plan as the TOML text that `plan_file` reads: what is written reads back as the same plan, to the letter."""

from collections.abc import Iterable, Iterator

from followup.schedule.plan_file import Assessment, Plan, ReminderStep, Timepoint

HEAD = """\
# A follow-up plan: who is seen, when, for what, and who is told. Written by the registry; it can be edited and imported again.
#
# target date = anchor + offset (months and years from the anchor itself, clamped to the end of the month);
# the window opens `before` days earlier and closes `after` days later, on days of the patient's own site.
"""
PER_LINE = 6
LONG = 120


def write_plan(plan: Plan) -> str:
    parts = [HEAD, _head(plan), _reminders(plan.reminders)]
    parts += [_assessment(each) for each in plan.assessments]
    parts += [_timepoint(line, plan) for line in plan.lines]
    return "\n".join(parts)


def _head(plan: Plan) -> str:
    lines = [f"code = {_text(plan.code)}", f"title = {_text(plan.title)}", f"version = {plan.version}"]
    return "[plan]\n" + "\n".join([*lines, f"source = {_text(plan.source)}"]) + "\n"


def _reminders(steps: Iterable[ReminderStep]) -> str:
    return f"# Raised for every visit below that has no reminders of its own.\n[reminders]\nsteps = {_steps(steps)}\n"


def _assessment(each: Assessment) -> str:
    remote = str(each.remote).lower()
    return f"[[assessment]]\ncode = {_text(each.code)}\nlabel = {_text(each.label)}\nremote = {remote}\n"


def _timepoint(line: Timepoint, plan: Plan) -> str:
    offset = f'{{ value = {line.offset_value}, unit = "{line.offset_unit}" }}'
    window = f"{{ before = {line.window_before_days}, after = {line.window_after_days} }}"
    rows = [
        "[[timepoint]]",
        f"code = {_text(line.code)}",
        f"label = {_text(line.label)}",
        f'anchor = "{line.anchor}"',
        f"offset = {offset}",
        f"window = {window}",
        f'contact_mode = "{line.contact_mode}"',
        f"assessments = {_codes(line.assessments)}",
        f"neoplasia_check = {str(line.neoplasia_check).lower()}",
    ]
    if line.yearly_until is not None:
        rows.append(f"yearly_until = {_value(line.yearly_until)}")
    if line.reminders != plan.reminders:
        rows.append(f"reminders = {_steps(line.reminders)}")
    return "\n".join(rows) + "\n"


def _codes(codes: tuple[str, ...]) -> str:
    rows = [codes[start : start + PER_LINE] for start in range(0, len(codes), PER_LINE)]
    return "[\n" + "".join(f"  {', '.join(_text(code) for code in row)},\n" for row in rows) + "]"


def _steps(steps: Iterable[ReminderStep]) -> str:
    rows = [
        f'  {{ step = "{one.step}", from = "{one.counted_from}", days = {one.days} }},\n' for one in steps
    ]
    return f"[\n{''.join(rows)}]" if rows else "[]"


def _value(value: int | str) -> str:
    return _text(value) if isinstance(value, str) else str(value)


def _text(value: str) -> str:
    """A basic TOML string, on lines short enough to be read in again."""
    if "\n" not in value and len(value) < LONG:
        return f'"{_escaped(value)}"'
    rows = ("\\\n".join(_escaped(piece) for piece in _pieces(row)) for row in value.split("\n"))
    return '"""\\\n' + "\n".join(rows) + '"""'


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')


def _pieces(row: str) -> Iterator[str]:
    """Parts that a backslash at the end of the line joins again; none begins with a space, which it would swallow."""
    start = 0
    for place in range(1, len(row)):
        is_long = (place - start >= LONG - 20 and row[place - 1] == " ") or place - start >= 2 * LONG
        if is_long and row[place] != " ":
            yield row[start:place]
            start = place
    yield row[start:]
