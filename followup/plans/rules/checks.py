"""What stands against a plan: errors keep it from being approved, warnings are shown to whoever approves it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import combinations, pairwise

from followup.plans.rules.words import ANCHOR_WORDS, STEP_WORDS, number_of
from followup.schedule.plan_file import FOLLOW_UP_YEARS, Plan, ReminderStep, Timepoint
from followup.schedule.rules import Window, add_offset, window_for

# From each of these the months that follow have another length; what holds from all of them holds.
ANCHOR_DAYS = (date(2027, 1, 31), date(2028, 2, 29), date(2027, 8, 31), date(2027, 6, 15))
DAY = ANCHOR_DAYS[0]
CORE = ("vital_signs", "insulin_and_drugs", "hypoglycaemia_count", "adverse_events")
REMOTE = ("phone", "video", "letter", "records")
AT_MOST_BETWEEN_CHECKS = 400  # days: a year, and what months of different length add
IN_PERSON_YEARS = 5


@dataclass(frozen=True)
class Finding:
    """`code`: the visit it is about, blank for the plan as a whole."""

    is_error: bool
    code: str
    text: str


def findings(plan: Plan, kinds: Mapping[str, bool] | None = None) -> list[Finding]:
    """Errors first, in the order of the plan. `kinds`: of every code that was ever followed, whether it was counted from
    each infusion.
    """
    found = [
        *_of_the_whole(plan),
        *(one for line in plan.lines for one in _of_line(line)),
        *_overlaps(plan),
        *_other_kind(plan, kinds or {}),
        *_checks_to_year_15(plan),
    ]
    return sorted(found, key=lambda one: not one.is_error)


def _error(code: str, text: str) -> Finding:
    return Finding(True, code, text)


def _warning(code: str, text: str) -> Finding:
    return Finding(False, code, text)


def _of_the_whole(plan: Plan) -> Iterator[Finding]:
    if not plan.lines:
        yield _error("", "The plan has no visit yet. Add the first one.")
        return
    if not any(line.is_infusion_day and line.anchor == "each_infusion" for line in plan.lines):
        yield _error(
            "", "No visit belongs to the day of an infusion. Add one that is counted from each infusion, 0 days after, with the "
            "assessment “Infusion record and observation”.",
        )  # fmt: skip
    tested = [line for line in plan.lines if "islet_function" in line.assessments]
    if tested and not any(line.anchor == "enrolment" for line in tested):
        yield _warning(
            "", "The islet function test is asked for later but not at baseline: nothing to compare it with."
        )


def _of_line(line: Timepoint) -> Iterator[Finding]:
    yield from _reminders(line)
    if line.yearly_until is not None and line.window_before_days + line.window_after_days >= 365:
        yield _error(
            line.code, f"{line.label}: its window is so wide that one year's overlaps the next. Make both sides together "
            "shorter than a year.",
        )  # fmt: skip
    on = window_for(line, DAY)
    after_cells = line.anchor != "enrolment"
    if after_cells and on.closes < DAY:
        yield _warning(
            line.code, f"{line.label}: it lies before {ANCHOR_WORDS[line.anchor]}, and is planned only once that is recorded. "
            "Count it from enrolment.",
        )  # fmt: skip
    if after_cells and line.contact_mode in REMOTE and on.contains(DAY):
        yield _warning(
            line.code, f"{line.label}: contact on the day of the infusion itself comes before most fevers. Begin a day later."
        )  # fmt: skip
    missing = [code for code in CORE if code not in line.assessments]
    if line.contact_mode == "on_site" and not line.is_infusion_day and missing:
        names = ", ".join(code.replace("_", " ") for code in missing)
        yield _warning(line.code, f"{line.label}: a visit on site is expected to hold {names} as well.")
    in_person = on.target < add_offset(DAY, IN_PERSON_YEARS, "year") + timedelta(days=1)
    if after_cells and line.neoplasia_check and in_person and "physical_exam" not in line.assessments:
        yield _warning(
            line.code, f"{line.label}: a neoplasia check of the first {IN_PERSON_YEARS} years needs the physical examination."
        )  # fmt: skip


def _reminders(line: Timepoint) -> Iterator[Finding]:
    for step in line.reminders:
        early = min((_day_of(step, window_for(line, day)) - day).days for day in ANCHOR_DAYS)
        if early < 0:
            yield _error(
                line.code, f"{line.label}: the reminder “{STEP_WORDS[step.step]}” would fall {number_of(-early, 'day')} before "
                f"{ANCHOR_WORDS[line.anchor]}, when the visit is not planned yet, so nobody would be told. Count it later, or "
                "give this visit reminders of its own.",
            )  # fmt: skip
    window = window_for(line, DAY)
    for first, second in pairwise(line.reminders):
        if _day_of(first, window) > _day_of(second, window):
            yield _warning(
                line.code, f"{line.label}: the reminder “{STEP_WORDS[second.step]}” comes before “{STEP_WORDS[first.step]}”."
            )  # fmt: skip
    if line.reminders and not {"overdue", "escalated"} & {step.step for step in line.reminders}:
        yield _warning(line.code, f"{line.label}: nobody is told when it is overdue.")
    if not line.reminders:
        yield _warning(line.code, f"{line.label}: it has no reminder; it is seen on the worklist alone.")


def _day_of(step: ReminderStep, window: Window) -> date:
    origins = {"target": window.target, "opens": window.opens, "closes": window.closes}
    return origins[step.counted_from] + timedelta(days=step.days)


def _overlaps(plan: Plan) -> Iterator[Finding]:
    """Of one anchor: between anchors days coincide by chance, and become one booking."""
    for one, other in combinations([each for each in plan.timepoints if not each.is_for_life], 2):
        if one.anchor != other.anchor:
            continue
        first, second = window_for(one, DAY), window_for(other, DAY)
        if first.opens <= second.closes and second.opens <= first.closes:
            yield _warning(
                one.code, f"The windows of {one.label} and {other.label} overlap: a contact between them could count for either."
            )  # fmt: skip


def _other_kind(plan: Plan, kinds: Mapping[str, bool]) -> Iterator[Finding]:
    """A code that is once for a person and once for each infusion would be two visits under one name."""
    for timepoint in plan.timepoints:
        was_each = kinds.get(timepoint.code)
        is_each = timepoint.anchor == "each_infusion"
        if was_each is not None and was_each != is_each:
            was, is_now = ("each infusion", "once") if was_each else ("once", "each infusion")
            yield _error(
                timepoint.code, f"{timepoint.label}: the code {timepoint.code} was counted from {was} in an earlier version and is "
                f"counted from {is_now} here. Give the visit a new code.".replace("counted from once", "held once a person"),
            )  # fmt: skip


def _checks_to_year_15(plan: Plan) -> Iterator[Finding]:
    """At least one a year after the first infusion."""
    if not plan.lines:
        return
    days = sorted(
        window_for(each, DAY).target
        for each in plan.timepoints
        if each.neoplasia_check and each.anchor != "enrolment"
    )
    end = add_offset(DAY, FOLLOW_UP_YEARS, "year")
    if not days:
        yield _warning(
            "", f"No neoplasia check is planned: at least one a year is expected to year {FOLLOW_UP_YEARS}."
        )
        return
    if days[-1] < end:
        last = (days[-1] - DAY).days / 365.25
        yield _warning(
            "", f"The last neoplasia check is {last:.1f} years after the infusion; they are expected to year {FOLLOW_UP_YEARS}."
        )  # fmt: skip
    for before, after in pairwise([DAY, *days]):
        if (after - before).days > AT_MOST_BETWEEN_CHECKS and before < end:
            months = round((after - before).days / 30.44)
            begins = (before - DAY).days / 365.25
            yield _warning(
                "", f"Between {begins:.1f} and {(after - DAY).days / 365.25:.1f} years after the infusion there is no neoplasia "
                f"check for {months} months; at least one a year is expected.",
            )  # fmt: skip
