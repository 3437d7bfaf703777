"""Bookings, contacts outside the plan, and attempts to reach somebody."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import date, datetime

from followup.schedule.models import ContactAttempt, Visit
from followup.schedule.rules import nearest_open_day
from registry.access.models import Site, User
from registry.audit.acting import because
from registry.clock import local_date
from registry.partial_dates import in_words
from registry.patients.models import Patient
from registry.saving import NotAccepted, claim_version, create_once, made_by


def book(*, visit: Visit, on: date | None, by: User, now: datetime, version: int, reason: str = "") -> Visit:
    """Sets the day of the appointment; None takes it away. A day on which the site is closed is refused. An
    appointment that stands is moved with a reason.
    """
    by.require("visits.record", visit.site_id)
    if visit.state != Visit.State.PLANNED:
        raise NotAccepted(
            "", f"This visit is {visit.get_state_display().lower()}; only an open one is booked."
        )
    if on is not None:
        _check_day(visit, on, now)
    if visit.booked_for is not None and not reason.strip():
        raise NotAccepted("reason", "An appointment stands. Say why it is moved.")
    with because(reason) if reason else nullcontext():
        claim_version(visit, version)
        visit.booked_for = on
        visit.full_clean(validate_constraints=False)
        visit.save()
    return visit


def closed_weekdays(site: Site) -> set[int]:
    """As in `date.weekday()`; the site writes 1 for Monday to 7 for Sunday."""
    return {int(day) - 1 for day in site.closed_weekdays.split(",") if day.strip()}


def suggested_day(visit: Visit, *, on: date) -> date | None:
    """The open day nearest to the target that is still to come; None when the window has closed."""
    if visit.window_opens is None or visit.window_closes is None or visit.target_date is None:
        return None
    opens = max(visit.window_opens, on)
    if opens > visit.window_closes:
        return None
    target = max(visit.target_date, opens)
    return nearest_open_day(target, opens, visit.window_closes, closed_weekdays(visit.site), ())


def _check_day(visit: Visit, on: date, now: datetime) -> None:
    today = local_date(now, visit.site.time_zone)
    if on < today:
        raise NotAccepted("booked_for", f"{in_words(on)} is past. Book a day from {in_words(today)} on.")
    if on.weekday() in closed_weekdays(visit.site):
        nearest = suggested_day(visit, on=today)
        hint = f" The nearest open day in the window is {in_words(nearest)}." if nearest else ""
        raise NotAccepted("booked_for", f"{visit.site} is closed on {on:%A}s.{hint}")


def add_unscheduled(
    *,
    patient: Patient,
    actual_date: date,
    contact_mode: str,
    note: str,
    by: User,
    now: datetime,
    form_token: str = "",
) -> Visit:
    """A contact that no planned visit stands for. The same form sent twice is one visit."""
    by.require("visits.record", patient.site_id)
    if saved := made_by(Visit, form_token, patient=patient):
        return saved
    today = local_date(now, patient.site.time_zone)
    if actual_date > today:
        raise NotAccepted("actual_date", f"{in_words(actual_date)} has not come yet at {patient.site}.")
    visit = Visit(
        patient=patient, site=patient.site, state=Visit.State.DONE, actual_date=actual_date,
        contact_mode=contact_mode, note=note, created_on=today, form_token=form_token,
    )  # fmt: skip

    def make() -> Visit:
        visit.full_clean()
        visit.save()
        return visit

    return create_once(Visit, form_token, make, patient=patient)


def log_contact_attempt(
    *,
    patient: Patient,
    visit: Visit | None,
    at: datetime,
    channel: str,
    outcome: str,
    next_try_on: date | None,
    note: str,
    by: User,
    now: datetime,
    form_token: str = "",
) -> ContactAttempt:
    """Loss to follow-up is judged by these rows, so each try counts once."""
    by.require("visits.record", patient.site_id)
    if saved := made_by(ContactAttempt, form_token, patient=patient):
        return saved
    if at > now:
        raise NotAccepted("at", "An attempt cannot lie in the future.")
    attempt = ContactAttempt(
        patient=patient, visit=visit, at=at, channel=channel, outcome=outcome, next_try_on=next_try_on,
        note=note, by=by, form_token=form_token,
    )  # fmt: skip

    def make() -> ContactAttempt:
        attempt.full_clean()
        attempt.save()
        return attempt

    return create_once(ContactAttempt, form_token, make, patient=patient)
