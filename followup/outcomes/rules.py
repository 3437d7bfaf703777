"""Person-time, rates and exact intervals. No database, no clock; SciPy is loaded only when a figure is
asked for.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from math import expm1, log1p, sqrt
from statistics import NormalDist

from followup.schedule.rules import add_offset

DAYS_PER_YEAR = 365.25


# ── Person-time ─────────────────────────────────────────────────────────────────────────────────────────


def person_days(entered_on: date, left_on: date) -> int:
    """Days at risk from entry to exit, the last day not counted; 0 where the exit is not after the entry."""
    return max(0, (left_on - entered_on).days)


def person_years(entered_on: date, left_on: date) -> float:
    """Years at risk: days (last day not counted) / 365.25."""
    return person_days(entered_on, left_on) / DAYS_PER_YEAR


@dataclass(frozen=True)
class TimeAtRisk:
    """Time at risk of a neoplasm. `ended_by`: event, death, last_known or cut_off.

    `unascertained_years` is the time between the last date the neoplasia status was known and the end of
    observation: counted only in `years_to_cut_off`, the sensitivity version.
    """

    entered_on: date
    ends_on: date
    ended_by: str
    years: float
    years_to_cut_off: float

    @property
    def unascertained_years(self) -> float:
        return self.years_to_cut_off - self.years


def neoplasia_time_at_risk(
    entered_on: date,
    cut_off: date,
    status_known_on: Iterable[date],
    event_on: date | None = None,
    died_on: date | None = None,
    skip_first_months: int = 0,
) -> TimeAtRisk:
    """Time at risk from the first infusion until the neoplasia status was last known, the event, death or
    the cut-off, the earliest.

    `status_known_on`: dates of checks, of contacts that asked, of a death certificate, and of the end of
    linkage coverage; one beyond the end of observation counts up to that end. Without any, and without an
    event, the time is 0: a death whose cause nobody knows says nothing about neoplasia. `skip_first_months`
    leaves out the first months (6 in the sensitivity version): an event within them leaves 0.
    """
    start = add_offset(entered_on, skip_first_months, "month")
    observed_until, observed_by = _end_of_observation(cut_off, event_on, died_on)
    last_known = max((day for day in status_known_on if day >= entered_on), default=entered_on)
    is_known = observed_by == "event" or last_known >= observed_until
    ends_on, ended_by = (observed_until, observed_by) if is_known else (last_known, "last_known")
    return TimeAtRisk(
        entered_on=start,
        ends_on=ends_on,
        ended_by=ended_by,
        years=person_years(start, ends_on),
        years_to_cut_off=person_years(start, observed_until),
    )


def _end_of_observation(cut_off: date, event_on: date | None, died_on: date | None) -> tuple[date, str]:
    """The earliest of event, death and cut-off; on the same day the event comes before death, and death
    before the cut-off.
    """
    ends = [(event_on, "event"), (died_on, "death"), (cut_off, "cut_off")]
    known = [(day, reason) for day, reason in ends if day is not None]
    return min(known, key=lambda end: end[0])


def follow_up_completeness(observed_and_potential: Iterable[tuple[float, float]]) -> float | None:
    """Share (0–1) of the follow-up time that could have been observed and was: Σ observed / Σ potential;
    None without potential time.

    Each pair is one person's (observed, potential) years; potential runs to the event, death or cut-off.
    ValueError where observed is negative or exceeds potential. Source: Clark, Altman and De Stavola, Lancet
    2002;359:1309–1310.
    """
    pairs = list(observed_and_potential)
    for observed, potential in pairs:
        if not 0 <= observed <= potential:
            raise ValueError(f"Observed {observed} years of a potential {potential} is impossible")
    total = sum(potential for _, potential in pairs)
    return sum(observed for observed, _ in pairs) / total if total > 0 else None


# ── Rates ───────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Estimate:
    """A value with its two-sided interval, all in the same unit."""

    value: float
    low: float
    high: float


def _check_confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence}, expected between 0 and 1")


def incidence_rate(events: int, years: float, per_years: float = 100.0, confidence: float = 0.95) -> Estimate:
    """Events per `per_years` person-years with the exact (Garwood) Poisson interval.

    low = χ²(α/2; 2x)/2 (0 when x = 0), high = χ²(1 − α/2; 2x + 2)/2, each divided by the person-years. With
    events that recur, this counts events, not persons. ValueError unless events ≥ 0 and years > 0. Source:
    Garwood, Biometrika 1936;28:437–442.
    """
    from scipy.special import gammaincinv  # χ²(p; 2k)/2 is the inverse of the gamma distribution of shape k

    _check_confidence(confidence)
    if events < 0 or years <= 0:
        raise ValueError(f"No rate from {events} events in {years} person-years")
    tail = (1 - confidence) / 2
    low = float(gammaincinv(events, tail)) if events else 0.0
    high = float(gammaincinv(events + 1, 1 - tail))
    scale = per_years / years
    return Estimate(events * scale, low * scale, high * scale)


def zero_event_rate_upper(years: float, per_years: float = 100.0, confidence: float = 0.95) -> float:
    """One-sided upper limit of a rate when no event was seen: −ln(1 − confidence) / years (2.9957 / years
    at 95 %).

    Label it one-sided: the two-sided limit of `incidence_rate` is 3.6889 / years. ValueError unless years >
    0.
    """
    _check_confidence(confidence)
    if years <= 0:
        raise ValueError(f"No rate from {years} person-years")
    return -log1p(-confidence) * per_years / years


# ── Proportions ─────────────────────────────────────────────────────────────────────────────────────────


def _check_counts(successes: int, total: int) -> None:
    if total < 1 or not 0 <= successes <= total:
        raise ValueError(f"No proportion of {successes} in {total}")


def clopper_pearson(successes: int, total: int, confidence: float = 0.95) -> Estimate:
    """Proportion (0–1) with the exact Clopper–Pearson interval. ValueError unless 0 ≤ successes ≤ total and
    total ≥ 1.

    Source: Clopper and Pearson, Biometrika 1934;26:404–413.
    """
    from scipy.special import betaincinv  # the inverse of the beta distribution

    _check_confidence(confidence)
    _check_counts(successes, total)
    tail = (1 - confidence) / 2
    low = float(betaincinv(successes, total - successes + 1, tail)) if successes else 0.0
    high = float(betaincinv(successes + 1, total - successes, 1 - tail)) if successes < total else 1.0
    return Estimate(successes / total, low, high)


def wilson(successes: int, total: int, confidence: float = 0.95) -> Estimate:
    """Proportion (0–1) with the Wilson score interval, without continuity correction. ValueError as for
    `clopper_pearson`.

    Source: Wilson, J Am Stat Assoc 1927;22:209–212.
    """
    _check_confidence(confidence)
    _check_counts(successes, total)
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = successes / total
    centre = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z / (1 + z * z / total) * sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    low = 0.0 if successes == 0 else centre - half
    high = 1.0 if successes == total else centre + half
    return Estimate(share, low, high)


def zero_event_proportion_upper(total: int, confidence: float = 0.95) -> float:
    """One-sided upper limit (0–1) of a proportion when none of `total` had the event: 1 − (1 −
    confidence)^(1/total).

    The rule of three, 3/total, approximates it. Label it one-sided: the two-sided Clopper–Pearson limit is
    higher.
    """
    _check_confidence(confidence)
    _check_counts(0, total)
    return -expm1(log1p(-confidence) / total)


def rule_of_three(total: int) -> float:
    """3/total, the approximate one-sided 95 % upper limit (0–1, at most 1) when none of `total` had the
    event.
    """
    _check_counts(0, total)
    return min(1.0, 3 / total)
