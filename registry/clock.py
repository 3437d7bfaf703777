"""The one source of "now" and "today at this site".

Only entry points (views, tasks, commands) ask; everything below them takes `now=` or `on=`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

_set_to: ContextVar[datetime | None] = ContextVar("clock", default=None)


def now() -> datetime:
    return _set_to.get() or datetime.now(UTC)


def today(zone: str) -> date:
    return local_date(now(), zone)


def local_date(moment: datetime, zone: str) -> date:
    """The calendar day of this moment at the site. ValueError for a moment without a time zone."""
    if moment.tzinfo is None:
        raise ValueError("A moment needs a time zone to have a calendar day")
    return moment.astimezone(ZoneInfo(zone)).date()


def local_moment(day: date, at: time, zone: str) -> datetime:
    """A site's wall-clock time as UTC. In the spring gap the clock has moved on; in autumn the first of two counts."""
    return datetime.combine(day, at, tzinfo=ZoneInfo(zone)).astimezone(UTC)


@contextmanager
def set_to(moment: datetime) -> Iterator[None]:
    """For registries marked demo or test only; the caller checks that."""
    token = _set_to.set(moment.astimezone(UTC))
    try:
        yield
    finally:
        _set_to.reset(token)
