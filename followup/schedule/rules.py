"""When a visit is due: calendar arithmetic at the patient's site. No database, no clock."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from dateutil.relativedelta import relativedelta

from followup.schedule.plan_file import Plan, Timepoint

InfusionId = int | str

CLOSED_STATES = frozenset({"done", "missed", "not_required"})

# Visits further apart than this are not one trip, even where a wide window would allow it.
MAX_DAYS_BETWEEN_COINCIDING_TARGETS = 14


def add_offset(anchor: date, value: int, unit: str) -> date:
    """The day `value` days, weeks, months or years after (negative: before) the anchor.

    Months and years are counted from the anchor itself and clamped to the end of the month (31 Jan + 1
    month = 28 or 29 Feb; 31 Jan + 2 months = 31 Mar), so never add an offset to the result of another.
    ValueError for an unknown unit, OverflowError or ValueError outside the years 1–9999.
    """
    if unit == "day":
        return anchor + timedelta(days=value)
    if unit == "week":
        return anchor + timedelta(weeks=value)
    if unit == "month":
        return anchor + relativedelta(months=value)
    if unit == "year":
        return anchor + relativedelta(years=value)
    raise ValueError(f"{unit!r} is not a unit of time; use day, week, month or year")


@dataclass(frozen=True)
class Window:
    """Three site-local days; both ends belong to the window."""

    target: date
    opens: date
    closes: date

    def contains(self, on: date) -> bool:
        return self.opens <= on <= self.closes


def window_for(timepoint: Timepoint, anchor: date) -> Window:
    target = add_offset(anchor, timepoint.offset_value, timepoint.offset_unit)
    return Window(
        target=target,
        opens=target - timedelta(days=timepoint.window_before_days),
        closes=target + timedelta(days=timepoint.window_after_days),
    )


def is_out_of_window(opens: date, closes: date, on: date) -> bool:
    return not opens <= on <= closes


def visit_status(state: str, window_opens: date, window_closes: date, on: date) -> str:
    """planned | open | late | missed | done | not_required.

    `state` is what a person decided about the visit (done, missed, not_required) or anything else while
    nobody has. A late visit stays late for ever: only a person makes it missed.
    """
    if state in CLOSED_STATES:
        return state
    if on < window_opens:
        return "planned"
    return "open" if on <= window_closes else "late"


@dataclass(frozen=True)
class PlannedVisit:
    """One visit the plan asks for. `sequence` counts the infusions in order of date; `anchor_id` is the
    infusion, None for enrolment.
    """

    code: str
    sequence: int
    anchor: str
    anchor_id: InfusionId | None
    anchor_date: date
    target: date
    opens: date
    closes: date

    @property
    def key(self) -> tuple[str, InfusionId | None]:
        """What makes it the same visit when its anchor moves.

        A visit after each infusion belongs to that infusion, whatever its date or place in the order; every
        other visit exists once for the enrolment, whichever infusion happens to be first or last.
        Correcting a date there and back restores the same keys.
        """
        return self.code, self.anchor_id if self.anchor == "each_infusion" else None


def planned_visits(
    plan: Plan,
    enrolled_on: date,
    infusions: Iterable[tuple[InfusionId, date]],
    *,
    life_until: date | None = None,
) -> list[PlannedVisit]:
    """Every visit the plan asks of a patient with these infusions (id, site-local date), in order of target
    date.

    The same whatever the order in which the infusions are given. Without an infusion only the visits
    anchored on enrolment. Of the visits “for life” those with a target up to `life_until`, or all.
    """
    ordered = sorted(infusions, key=_infusion_order)
    visits = [
        _planned_visit(timepoint, sequence, anchor_id, anchor_date)
        for timepoint in plan.timepoints
        for sequence, anchor_id, anchor_date in _anchors(timepoint.anchor, enrolled_on, ordered)
        if _is_near(timepoint, anchor_date, life_until)
    ]
    return sorted(visits, key=lambda visit: (visit.target, visit.opens, visit.code, visit.sequence))


def _is_near(timepoint: Timepoint, anchor: date, life_until: date | None) -> bool:
    if not timepoint.is_for_life or life_until is None:
        return True
    return add_offset(anchor, timepoint.offset_value, timepoint.offset_unit) <= life_until


def _infusion_order(infusion: tuple[InfusionId, date]) -> tuple[date, int, str]:
    # Two infusions on one day go by id, numbers as numbers ("9" before "10").
    infusion_id, day = infusion
    return day, len(str(infusion_id)), str(infusion_id)


def _anchors(
    anchor: str, enrolled_on: date, infusions: Sequence[tuple[InfusionId, date]]
) -> list[tuple[int, InfusionId | None, date]]:
    if anchor == "enrolment":
        return [(1, None, enrolled_on)]
    if anchor == "each_infusion":
        return [
            (sequence, infusion_id, day) for sequence, (infusion_id, day) in enumerate(infusions, start=1)
        ]
    if not infusions:
        return []
    infusion_id, day = infusions[0] if anchor == "first_infusion" else infusions[-1]
    return [(1, infusion_id, day)]


def _planned_visit(
    timepoint: Timepoint, sequence: int, anchor_id: InfusionId | None, anchor_date: date
) -> PlannedVisit:
    window = window_for(timepoint, anchor_date)
    return PlannedVisit(
        code=timepoint.code,
        sequence=sequence,
        anchor=timepoint.anchor,
        anchor_id=anchor_id,
        anchor_date=anchor_date,
        target=window.target,
        opens=window.opens,
        closes=window.closes,
    )


@dataclass(frozen=True)
class VisitOption:
    """A planned visit offered to a contact that arrived without a visit code. `ref` is whatever the caller
    finds it again by.
    """

    ref: object
    code: str
    target: date
    opens: date
    closes: date
    is_infusion_day: bool = False
    is_done: bool = False


def choose_visit(candidates: Iterable[VisitOption], on: date) -> VisitOption | None:
    """The planned visit that a contact on this day fills; None: it is unscheduled.

    The first visit not yet done whose window contains the day, nearest target first (of two as near: the
    earlier). The day of an infusion belongs to its infusion visit. A contact outside every window never
    fills a planned visit.
    """
    fitting = [visit for visit in candidates if not visit.is_done and visit.opens <= on <= visit.closes]
    return min(
        fitting,
        key=lambda visit: (
            not (visit.is_infusion_day and visit.target == on),
            abs((visit.target - on).days),
            visit.target,
            visit.opens,
            visit.code,
        ),
        default=None,
    )


def nearest_open_day(
    target: date, opens: date, closes: date, closed_weekdays: Collection[int], holidays: Collection[date]
) -> date | None:
    """The day inside the window nearest to the target on which the site works (of two as near: the
    earlier); None if there is none.

    Weekdays as in `date.weekday()`: Monday 0 … Sunday 6.
    """
    days = [opens + timedelta(days=shift) for shift in range((closes - opens).days + 1)]
    working = [day for day in days if day.weekday() not in closed_weekdays and day not in holidays]
    return min(working, key=lambda day: (abs((day - target).days), day), default=None)


@dataclass(frozen=True)
class Booking:
    """Visits that one trip can serve: any day from `opens` to `closes` lies in the window of each."""

    visits: tuple[PlannedVisit, ...]
    opens: date
    closes: date

    @property
    def target(self) -> date:
        """The day closest to the target of the visit with the narrowest window."""
        strictest = min(self.visits, key=lambda visit: (visit.closes - visit.opens, visit.target, visit.code))
        return min(max(strictest.target, self.opens), self.closes)


def coinciding(
    visits: Iterable[PlannedVisit], max_days_apart: int = MAX_DAYS_BETWEEN_COINCIDING_TARGETS
) -> list[Booking]:
    """The visits grouped into bookings: every visit is in exactly one, whatever the order they are given
    in.

    Visits share a booking where one day lies in all their windows and their targets are at most
    `max_days_apart` days apart.
    """
    bookings: list[Booking] = []
    for visit in sorted(
        visits, key=lambda each: (each.target, each.opens, each.closes, each.code, each.sequence)
    ):
        for place, booking in enumerate(bookings):
            if _fits(visit, booking, max_days_apart):
                bookings[place] = _joined(booking, visit)
                break
        else:
            bookings.append(Booking((visit,), visit.opens, visit.closes))
    return bookings


def _fits(visit: PlannedVisit, booking: Booking, max_days_apart: int) -> bool:
    shares_a_day = max(visit.opens, booking.opens) <= min(visit.closes, booking.closes)
    return shares_a_day and (visit.target - booking.visits[0].target).days <= max_days_apart


def _joined(booking: Booking, visit: PlannedVisit) -> Booking:
    return replace(
        booking,
        visits=(*booking.visits, visit),
        opens=max(booking.opens, visit.opens),
        closes=min(booking.closes, visit.closes),
    )
