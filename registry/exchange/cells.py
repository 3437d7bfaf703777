"""Reading one cell: text in, value out, or a CellError that says what to write instead."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

from registry import partial_dates


class CellError(Exception):
    """One cell that cannot be accepted. `column` may be left out by parsers, which do not know it."""

    def __init__(self, code: str, message: str, column: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.column = column


Parse = Callable[[str], Any]


@dataclass(frozen=True)
class Column:
    """`parse` gets the text of a cell that is not blank; a blank cell is None."""

    name: str
    parse: Parse
    required: bool = False


@dataclass(frozen=True)
class LocalMoment:
    """A date, with a time of the site's clock where one was written, or an instant where an offset was."""

    day: date
    at: time | None = None
    instant: datetime | None = None

    def utc(self, zone: str) -> datetime | None:
        if self.instant:
            return self.instant
        return datetime.combine(self.day, self.at, tzinfo=ZoneInfo(zone)).astimezone(UTC) if self.at else None

    def local_day(self, zone: str) -> date:
        return self.instant.astimezone(ZoneInfo(zone)).date() if self.instant else self.day


def text(max_length: int = 200) -> Parse:
    def parse(cell: str) -> str:
        if len(cell) > max_length:
            raise CellError("too_long", f"longer than {max_length} characters")
        if any(ord(character) < 32 and character not in "\n\r\t" for character in cell):
            raise CellError("control_character", "holds a control character; type it again")
        return cell

    return parse


def one_of(values: Iterable[str]) -> Parse:
    allowed = tuple(values)

    def parse(cell: str) -> str:
        if cell.lower() not in allowed:
            raise CellError("not_allowed", f"must be one of {', '.join(allowed)}")
        return cell.lower()

    return parse


def yes_no(cell: str) -> bool:
    return bool(one_of(["yes", "no"])(cell) == "yes")


def number(*, low: str | None = None, high: str | None = None, decimals: int = 6, unit: str = "") -> Parse:
    """A plain decimal number inside hard limits; outside them it is a typing error."""

    def parse(cell: str) -> Decimal:
        value = _decimal(cell)
        if (low is not None and value < Decimal(low)) or (high is not None and value > Decimal(high)):
            raise CellError("out_of_range", f"must lie between {low} and {high} {unit}".rstrip())
        if value != value.quantize(Decimal(1).scaleb(-decimals)):
            raise CellError("too_precise", f"has more than {decimals} decimals")
        return value

    return parse


def whole(*, low: int, high: int) -> Parse:
    def parse(cell: str) -> int:
        value = _decimal(cell)
        if value != value.to_integral_value() or not low <= value <= high:
            raise CellError("out_of_range", f"must be a whole number from {low} to {high}")
        return int(value)

    return parse


def day(cell: str) -> date:
    if partial_dates.is_partial_date(cell) and len(cell) == 10:
        return date.fromisoformat(cell)
    raise CellError("not_a_date", "is not a date: write it as 2031-03-14")


def partial_day(cell: str) -> str:
    if not partial_dates.is_partial_date(cell):
        raise CellError("not_a_date", "is not a date: write 2031-03-14, 2031-03 or 2031")
    return cell


def moment(cell: str) -> LocalMoment:
    """2031-03-14, 2031-03-14T09:30 on the site's clock, or with an offset such as 2031-03-14T09:30+01:00."""
    if len(cell) == 10:
        return LocalMoment(day(cell))
    try:
        parsed = datetime.fromisoformat(cell)
    except ValueError as error:
        raise CellError("not_a_moment", "is not a date and time: write 2031-03-14T09:30") from error
    day(cell[:10])
    if parsed.tzinfo:
        return LocalMoment(parsed.date(), instant=parsed.astimezone(UTC))
    return LocalMoment(parsed.date(), parsed.time())


def _decimal(cell: str) -> Decimal:
    try:
        value = Decimal(cell)
    except InvalidOperation as error:
        raise CellError(
            "not_a_number", "is not a number; write 7.5, without unit or thousands separator"
        ) from error
    if not value.is_finite() or abs(value) >= Decimal("1e15"):
        raise CellError("not_a_number", "is not a usable number")
    return value
