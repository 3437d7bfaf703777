"""No cell leaves as a live formula, and every text comes back as it was."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.exchange.spreadsheets import guard, unguard


@pytest.mark.parametrize(
    "text", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "'=1", "''=1"]
)
def test_formula_like_text_is_guarded(text: str) -> None:
    assert guard(text) == "'" + text


@pytest.mark.parametrize("text", ["-2.5", "+3", "-1e-3", "7.0", "<0.1", "plain", "it's", "", "'quoted'"])
def test_numbers_and_plain_text_stay_as_they_are(text: str) -> None:
    assert guard(text) == text


@given(st.text(alphabet=st.sampled_from("'=+-@\t\r\0ab1. "), max_size=6))
def test_every_text_survives_the_round_trip(text: str) -> None:
    assert unguard(guard(text)) == text
    assert guard(text)[:1] not in "=@\t\r\0" or not text
