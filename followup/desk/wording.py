"""Short words for lists, where the full labels of the plan would not fit."""

from collections.abc import Iterable
from datetime import date

from registry.partial_dates import MONTHS, in_words

ASSESSMENTS = {
    "eligibility": "eligibility",
    "consent_check": "consent",
    "interview": "interview",
    "vital_signs": "vital signs",
    "glycaemia": "HbA1c",
    "islet_function": "C-peptide",
    "safety_bloods": "safety bloods",
    "lipids_renal": "lipids and kidney",
    "tumour_markers": "tumour markers",
    "insulin_and_drugs": "insulin and drugs",
    "hypoglycaemia_count": "hypoglycaemia",
    "adverse_events": "events",
    "physical_exam": "examination",
    "imaging": "imaging",
    "neoplasia_check": "neoplasia check",
    "infusion": "infusion",
    "clamp": "clamp",
    "vital_status": "vital status",
    "linkage": "linkage",
}
# What a caller wants to know first: whether the person must come, fasting or for imaging.
FIRST = (
    "neoplasia_check",
    "glycaemia",
    "islet_function",
    "clamp",
    "imaging",
    "tumour_markers",
    "safety_bloods",
)
NAMED = 4


def assessment_words(codes: Iterable[str]) -> str:
    """`Neoplasia check, HbA1c, C-peptide, imaging and 5 more`."""
    ordered = sorted(codes, key=lambda code: FIRST.index(code) if code in FIRST else len(FIRST))
    words = [ASSESSMENTS.get(code, code.replace("_", " ")) for code in ordered]
    if not words:
        return ""
    named, rest = words[:NAMED], len(words) - NAMED
    text = ", ".join(named) + (f" and {rest} more" if rest > 0 else "")
    return text[0].upper() + text[1:]


def days_late_words(closed: date, on: date) -> str:
    """`19 days late`, counted from the last day of the window."""
    days = (on - closed).days
    return "1 day late" if days == 1 else f"{days} days late"


def window_words(opens: date | None, closes: date | None, on: date) -> str:
    """`12 to 26 Mar 2031, closes in 3 days` or `opens in 5 days`; empty where there is no window."""
    if opens is None or closes is None:
        return ""
    span = f"{_start_words(opens, closes)} to {in_words(closes)}"
    if on < opens:
        return f"{span}, opens in {counted((opens - on).days, 'day')}"
    left = (closes - on).days
    return f"{span}, closes today" if left == 0 else f"{span}, closes in {counted(left, 'day')}"


def _start_words(opens: date, closes: date) -> str:
    """Without what the end of the window says again."""
    if opens.year != closes.year:
        return in_words(opens)
    return str(opens.day) if opens.month == closes.month else f"{opens.day} {MONTHS[opens.month - 1]}"


def counted(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"
