"""What a plan changes of another, visit by visit, in plain words."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from followup.plans.rules.words import (
    MODE_WORDS,
    STEP_WORDS,
    step_in_words,
    target_in_words,
    window_in_words,
)
from followup.schedule.plan_file import Plan, Timepoint

ADDED, CHANGED, REMOVED = "added", "changed", "removed"
NONE = "none"


@dataclass(frozen=True)
class Change:
    """`lines`: what is different, or what the visit was or will be."""

    kind: str
    code: str
    label: str
    lines: tuple[str, ...]


def changes(old: Plan, new: Plan) -> list[Change]:
    """In the order of the new plan, what it leaves out last; years with the same words are one entry."""
    before = {each.code: each for each in old.timepoints}
    after = {each.code: each for each in new.timepoints}
    labels = {each.code: each.label for plan in (old, new) for each in plan.assessments}
    found = [change for change in [_plan_itself(old, new)] if change]
    for code, timepoint in after.items():
        if code not in before:
            found.append(Change(ADDED, code, timepoint.label, tuple(_described(timepoint, labels))))
        elif lines := tuple(_differences(before[code], timepoint, labels)):
            found.append(Change(CHANGED, code, timepoint.label, lines))
    for code, timepoint in before.items():
        if code not in after:
            found.append(Change(REMOVED, code, timepoint.label, (f"Was held {target_in_words(timepoint)}",)))
    return _in_runs(found)


def _plan_itself(old: Plan, new: Plan) -> Change | None:
    lines = [
        f"{name}: {was} → {now}"
        for name, was, now in (("Code", old.code, new.code), ("Title", old.title, new.title))
        if was != now
    ]
    known = {each.code: each for each in old.assessments}
    for each in new.assessments:
        was = known.get(each.code)
        if was and was.label != each.label:
            lines.append(f"Assessment {each.code}: {was.label} → {each.label}")
        if was and was.remote != each.remote:
            now = "can be settled without the patient" if each.remote else "needs the patient"
            lines.append(f"Assessment {each.label}: now {now}")
    return Change(CHANGED, "", "The plan as a whole", tuple(lines)) if lines else None


def _described(timepoint: Timepoint, labels: dict[str, str]) -> Iterator[str]:
    yield f"Held {target_in_words(timepoint)}, {MODE_WORDS[timepoint.contact_mode]}"
    yield f"Window: {window_in_words(timepoint)}"
    yield f"Assessments: {_names(timepoint.assessments, labels)}"


def _differences(was: Timepoint, now: Timepoint, labels: dict[str, str]) -> Iterator[str]:
    pairs = (
        ("Name", was.label, now.label),
        ("Held", target_in_words(was), target_in_words(now)),
        ("Window", window_in_words(was), window_in_words(now)),
        ("Contact", MODE_WORDS[was.contact_mode], MODE_WORDS[now.contact_mode]),
    )
    yield from (f"{name}: {before} → {after}" for name, before, after in pairs if before != after)
    more = [code for code in now.assessments if code not in was.assessments]
    less = [code for code in was.assessments if code not in now.assessments]
    if more:
        yield f"Asked for as well: {_names(more, labels)}"
    if less:
        yield f"Not asked for any more: {_names(less, labels)}"
    yield from _reminders(was, now)


def _reminders(was: Timepoint, now: Timepoint) -> Iterator[str]:
    before, after = ({step.step: step for step in each.reminders} for each in (was, now))
    for name, words in STEP_WORDS.items():
        one, other = before.get(name), after.get(name)
        if one != other:
            texts = [step_in_words(step).partition(": ")[2] if step else NONE for step in (one, other)]
            yield f"Reminder “{words}”: {texts[0]} → {texts[1]}"


def _names(codes: tuple[str, ...] | list[str], labels: dict[str, str]) -> str:
    return "; ".join(labels.get(code, code).partition(":")[0] for code in codes)


def _in_runs(found: list[Change]) -> list[Change]:
    """Year 7, year 8, year 9 … of one wording become “Year 7 to Year 9”."""
    runs: list[list[Change]] = []
    for change in found:
        if runs and _continues(runs[-1][-1], change):
            runs[-1].append(change)
        else:
            runs.append([change])
    return [_joined(run) for run in runs]


def _continues(before: Change, change: Change) -> bool:
    one, other = (re.fullmatch(r"(\D+)(\d+)", each.code) for each in (before, change))
    if not one or not other or before.kind != change.kind:
        return False
    follows = one[1] == other[1] and int(other[2]) == int(one[2]) + 1
    return follows and _blank(before, one[2]) == _blank(change, other[2])


def _blank(change: Change, number: str) -> tuple[str, ...]:
    return tuple(re.sub(rf"\b{number}\b", "#", line) for line in change.lines)


def _joined(run: list[Change]) -> Change:
    first, last = run[0], run[-1]
    if len(run) == 1:
        return first
    number = re.sub(r"\D", "", first.code)
    lines = tuple(
        re.sub(rf"\b{number} year", f"{number} to {re.sub(r'[^0-9]', '', last.code)} year", line)
        for line in first.lines
    )
    return Change(first.kind, f"{first.code} … {last.code}", f"{first.label} to {last.label}", lines)
