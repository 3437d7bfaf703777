"""A plan's terms in plain words."""

from followup.schedule.plan_file import FOR_LIFE, ReminderStep, Timepoint

ANCHOR_WORDS = {
    "enrolment": "enrolment",
    "first_infusion": "the first infusion",
    "each_infusion": "each infusion",
    "last_infusion": "the last infusion",
}
MODE_WORDS = {
    "on_site": "on site",
    "phone": "by phone",
    "video": "by video",
    "letter": "by letter",
    "records": "from records",
}
STEP_WORDS = {
    "due_soon": "Due soon",
    "due_soon_again": "Due soon, again",
    "due": "Due",
    "window_closing": "Window closing",
    "overdue": "Overdue",
    "escalated": "Escalated",
}
ORIGIN_WORDS = {"target": "the target day", "opens": "the window opens", "closes": "the window closes"}


def number_of(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


def target_in_words(timepoint: Timepoint) -> str:
    anchor, value = ANCHOR_WORDS[timepoint.anchor], timepoint.offset_value
    if value == 0:
        return f"on the day of {anchor}"
    side = "after" if value > 0 else "before"
    return f"{number_of(abs(value), timepoint.offset_unit)} {side} {anchor}"


def window_in_words(timepoint: Timepoint) -> str:
    before, after = timepoint.window_before_days, timepoint.window_after_days
    if before == after == 0:
        return "the day itself"
    if before == after:
        return f"{number_of(before, 'day')} to either side"
    parts = [
        f"{number_of(days, 'day')} {side}" for days, side in ((before, "before"), (after, "after")) if days
    ]
    return " to ".join(parts)


def yearly_in_words(timepoint: Timepoint) -> str:
    if timepoint.yearly_until is None:
        return "once"
    return (
        "yearly for life"
        if timepoint.yearly_until == FOR_LIFE
        else f"yearly until year {timepoint.yearly_until}"
    )


def step_in_words(step: ReminderStep) -> str:
    name, origin = STEP_WORDS[step.step], ORIGIN_WORDS[step.counted_from]
    if step.days == 0:
        on = origin if step.counted_from == "target" else f"the day {origin}"
        return f"{name}: on {on}"
    return f"{name}: {number_of(abs(step.days), 'day')} {'after' if step.days > 0 else 'before'} {origin}"
