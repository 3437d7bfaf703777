"""Dates known to the year, the month or the day, kept as ISO text: "2014", "2014-03", "2014-03-05".

Text keeps its precision and sorts in time order; the missing part is never invented.
"""

import calendar
import re
from datetime import date

_SHAPE = re.compile(r"^(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?$")
# Written out because clinic dates must not change with the language of the server.
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
PRECISIONS = {4: "year", 7: "month", 10: "day"}


def is_partial_date(text: str) -> bool:
    try:
        earliest(text)
    except ValueError:
        return False
    return True


def precision(text: str) -> str:
    earliest(text)
    return PRECISIONS[len(text)]


def earliest(text: str) -> date:
    """First day the text can mean. Raises ValueError for anything that is not a real date."""
    year, month, day = _parts(text)
    return date(year, month or 1, day or 1)


def latest(text: str) -> date:
    """Last day the text can mean."""
    year, month, day = _parts(text)
    month = month or 12
    return date(year, month, day or calendar.monthrange(year, month)[1])


def in_words(day: date | str | None) -> str:
    """As clinic staff write it: `14 Mar 2031`, `Mar 2014`, `2014`. ValueError for text of another shape."""
    if not day:
        return "an unknown day"
    year, month, of_month = (day.year, day.month, day.day) if isinstance(day, date) else _parts(day)
    return " ".join(str(part) for part in (of_month, month and MONTHS[month - 1], year) if part)


def certainly_before(first: str, second: str) -> bool:
    """True only when no reading of the two dates lets `first` be on or after `second`."""
    return latest(first) < earliest(second)


def _parts(text: str) -> tuple[int, int | None, int | None]:
    match = _SHAPE.match(text)
    if not match:
        raise ValueError(f"{text!r} is not a date: write 2014, 2014-03 or 2014-03-05")
    year, month, day = (int(part) if part else None for part in match.groups())
    if year is None or year < 1850:
        raise ValueError(f"{text!r} is before 1850")
    return year, month, day
