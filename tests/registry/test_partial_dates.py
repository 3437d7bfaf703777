"""Dates as precise as they are known, in words and in order."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.partial_dates import certainly_before, earliest, in_words, is_partial_date, latest


@pytest.mark.parametrize(
    ("day", "words"),
    [
        ("2031-03-04", "4 Mar 2031"),
        ("2031-03", "Mar 2031"),
        ("2031", "2031"),
        (date(2031, 3, 4), "4 Mar 2031"),
        (datetime(2031, 3, 4, 23, 30, tzinfo=UTC), "4 Mar 2031"),
        (date(1066, 10, 14), "14 Oct 1066"),  # a slip of the hand can be named in the refusal
        ("", "an unknown day"),
        (None, "an unknown day"),
    ],
)
def test_words_keep_the_precision_that_is_known(day: date | str | None, words: str) -> None:
    assert in_words(day) == words


@pytest.mark.parametrize("text", ["2031-02-30", "2031-13", "31", "1849", "14 Mar 2031"])
def test_what_is_not_a_real_date_is_refused(text: str) -> None:
    assert not is_partial_date(text)
    with pytest.raises(ValueError, match=r"not a date|before 1850|must be in|out of range"):
        earliest(text)


@given(st.dates(min_value=date(1850, 1, 1)), st.sampled_from([4, 7, 10]))
def test_a_day_lies_between_the_first_and_last_day_its_text_can_mean(day: date, kept: int) -> None:
    text = day.isoformat()[:kept]
    assert earliest(text) <= day <= latest(text)


def test_a_date_is_before_another_only_when_no_reading_says_otherwise() -> None:
    assert certainly_before("2030-12", "2031")
    assert not certainly_before("2031-03", "2031")
