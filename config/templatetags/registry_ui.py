"""How dates, distances and numbers are written on every page, so that one fact reads the same everywhere."""

from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

from django import template
from django.forms import BoundField
from django.utils import timezone

from registry.partial_dates import in_words, is_partial_date

register = template.Library()

# Does not break at the end of a line, so a number never falls apart.
THIN_SPACE = "\u202f"
NO_BREAK_SPACE = "\u00a0"
POWERS = ((Decimal(10) ** 9, "× 10⁹"), (Decimal(10) ** 6, "× 10⁶"))
DAYS_SHOWN_AS_DAYS = 91


def _local(value: date) -> date:
    """A moment in the zone that is active for this page; a plain date unchanged."""
    if isinstance(value, datetime) and timezone.is_aware(value):
        return timezone.localtime(value)
    return value


def _day(value: object) -> date | None:
    if isinstance(value, date):
        local = _local(value)
        return local.date() if isinstance(local, datetime) else local
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        return None


@register.filter
def clinic_date(value: object) -> str:
    """`14 Mar 2031`; a partial date keeps its precision (`Mar 2014`, `2014`); nothing stays nothing."""
    if value is None or value == "":
        return ""
    if isinstance(value, date):
        return in_words(_local(value))
    text = str(value)
    return in_words(text) if is_partial_date(text) else text


@register.filter
def clinic_moment(value: datetime | None) -> str:
    """`14 Mar 2031, 09:30` in the zone that is active for this page."""
    if value is None:
        return ""
    local = _local(value)
    return f"{clinic_date(local)}, {local:%H:%M}"


@register.filter
def iso_day(value: object) -> str:
    """For `<time datetime>`: the day, or the part of it that is known."""
    day = _day(value)
    if day is not None:
        return day.isoformat()
    return "" if value is None else str(value)


def _counted(number: int, unit: str) -> str:
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"


def _length(earlier: date, later: date) -> str:
    """Days up to three months, then whole months, then years and months: as a clinician says it."""
    days = (later - earlier).days
    if days <= DAYS_SHOWN_AS_DAYS:
        return _counted(days, "day")
    months = (later.year - earlier.year) * 12 + later.month - earlier.month - (later.day < earlier.day)
    if months < 24:
        return _counted(months, "month")
    years, rest = divmod(months, 12)
    return f"{years}{NO_BREAK_SPACE}y {rest}{NO_BREAK_SPACE}m" if rest else _counted(years, "year")


def _distance(value: object, origin: object, *, past: str) -> str:
    day, today = _day(value), _day(origin)
    if day is None or today is None:
        return ""
    if day == today:
        return "today"
    if day > today:
        return f"in {_length(today, day)}"
    return f"{_length(day, today)} {past}"


@register.filter
def distance_from(value: object, origin: object) -> str:
    """How far a day lies from `origin`: "in 12 days", "19 days ago". A partial date has no distance."""
    return _distance(value, origin, past="ago")


@register.filter
def due_from(value: object, origin: object) -> str:
    """The same for something owed: "19 days late", counted in days however late it is."""
    day, today = _day(value), _day(origin)
    if day is not None and today is not None and day < today:
        return f"{_counted((today - day).days, 'day')} late"
    return _distance(value, origin, past="late")


def _decimals(size: Decimal) -> int:
    """Four significant digits, three below one, and never a rounded whole part: what laboratories print."""
    if size == 0:
        return 0
    if size < 1:
        return 2 - size.adjusted()
    return max(1, 3 - size.adjusted())


def _rounded(amount: Decimal, decimals: int) -> Decimal:
    return amount.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_UP)


def _plain(amount: Decimal, decimals: int | None) -> str:
    if decimals is not None:
        return f"{_rounded(amount, decimals):,f}"
    text = f"{_rounded(amount, _decimals(abs(amount))):,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _with_power(amount: Decimal, power: Decimal, sign: str, decimals: int | None) -> str:
    mantissa = amount / power
    shown = max(0, 2 - mantissa.adjusted()) if decimals is None else decimals
    return f"{_rounded(mantissa, shown):f}{NO_BREAK_SPACE}{sign}"


@register.filter
def number(value: object, decimals: int | None = None) -> str:
    """A number for reading: `7.2`, `1 398.5`, `75.0 × 10⁶`. Words and nothing pass through unchanged.

    Without `decimals` trailing zeros go and at most four significant digits of the fraction stay. From one
    million on, the power of ten is written out with three digits, as cell counts are.
    """
    if value is None:
        return ""
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return str(value)
    if not amount.is_finite():
        return str(value)
    for power, sign in POWERS:
        if abs(amount) >= power:
            return _with_power(amount, power, sign, decimals)
    return _plain(amount, decimals).replace(",", THIN_SPACE).replace("-", "−")


@register.filter
def field_unit(field: BoundField) -> str:
    """The unit printed after an input, set by a form as the widget attribute `data-unit`."""
    return str(field.field.widget.attrs.get("data-unit", ""))
