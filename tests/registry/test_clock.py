"""The day at a site, and the moment a site's clock shows."""

from datetime import UTC, date, datetime, time

import pytest

from registry import clock


def test_the_day_is_that_of_the_sites_calendar() -> None:
    moment = datetime(2031, 3, 14, 23, 30, tzinfo=UTC)
    assert clock.local_date(moment, "Europe/London") == date(2031, 3, 14)
    assert clock.local_date(moment, "Asia/Tokyo") == date(2031, 3, 15)


def test_a_moment_without_a_zone_has_no_day() -> None:
    with pytest.raises(ValueError, match="time zone"):
        clock.local_date(datetime(2031, 3, 14), "UTC")


def test_in_the_spring_gap_the_clock_has_moved_on() -> None:
    """On 30 Mar 2031 London's clocks go from 01:00 to 02:00."""
    assert clock.local_moment(date(2031, 3, 30), time(1, 30), "Europe/London") == datetime(
        2031, 3, 30, 1, 30, tzinfo=UTC
    )


def test_the_clock_stands_where_it_is_set_and_runs_on_afterwards() -> None:
    fixed = datetime(2031, 3, 14, 9, tzinfo=UTC)
    with clock.set_to(fixed):
        assert clock.now() == fixed
        assert clock.today("Asia/Tokyo") == date(2031, 3, 14)
    assert clock.now() != fixed
