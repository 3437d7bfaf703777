"""Whether somebody was on insulin on a day. No database, no clock."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from registry.partial_dates import earliest, latest

# International nonproprietary names, as they stand in drug lists without the word insulin.
INSULIN_NAMES = frozenset(
    ("aspart", "degludec", "detemir", "glargine", "glulisine", "icodec", "isophane", "lispro", "nph")
)
ON_INSULIN, NO_INSULIN, UNKNOWN = "on_insulin", "no_insulin", "unknown"


@dataclass(frozen=True)
class InsulinSpan:
    """An insulin treatment by its partial dates; a blank stop is still running."""

    start: str
    stop: str = ""

    def surely_covers(self, day: date) -> bool:
        return latest(self.start) <= day and (not self.stop or day <= earliest(self.stop))

    def may_cover(self, day: date) -> bool:
        return earliest(self.start) <= day and (not self.stop or day <= latest(self.stop))


@dataclass(frozen=True)
class InsulinDose:
    """A daily dose somebody recorded, at enrolment or later. A blank dose is unknown and is no record."""

    on: date
    iu_per_day: Decimal


def is_insulin(drug: str, drug_class: str) -> bool:
    """By class; by name where the class was left blank, or was none we know and is kept as other."""
    words = set(re.findall(r"[a-z]+", drug.casefold()))
    by_name = bool(words & INSULIN_NAMES) and drug_class in ("", "other")
    return drug_class == "insulin" or by_name or (not drug_class and "insulin" in words)


def insulin_status(day: date, spans: Iterable[InsulinSpan], doses: Iterable[InsulinDose]) -> str:
    """on_insulin, no_insulin or unknown on this day.

    A running treatment decides. Otherwise the last thing recorded stands: a dose of 0 or a stop means no insulin until a
    treatment starts or a dose above 0 is recorded. Where partial dates leave the day open, and where nothing was
    recorded up to it, the status is unknown: blank is never 0.
    """
    spans = list(spans)
    if any(span.surely_covers(day) for span in spans):
        return ON_INSULIN
    if any(span.may_cover(day) for span in spans):
        return UNKNOWN
    known = [(dose.on, dose.iu_per_day > 0) for dose in doses if dose.on <= day]
    known += [(latest(span.stop), False) for span in spans if span.stop and latest(span.stop) < day]
    if not known:
        return UNKNOWN
    return ON_INSULIN if max(known)[1] else NO_INSULIN
