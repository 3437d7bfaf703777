"""Recording what was done at a visit. A fact is never refused for breaking a rule: outside its window it is a deviation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import date, datetime

from followup.schedule.actions.deviations import judge_window
from followup.schedule.actions.plans import assessment_labels, plan_of
from followup.schedule.models import ContactMode, Visit, VisitAssessment
from followup.schedule.rules import is_out_of_window
from registry.access.models import User
from registry.audit.acting import because
from registry.clock import local_date
from registry.partial_dates import in_words
from registry.saving import NotAccepted, claim_version

State = VisitAssessment.State


@dataclass(frozen=True)
class Answer:
    """The state of one assessment; `reason` is required where it was not done."""

    state: str
    on_date: date | None = None
    reason: str = ""


def record_visit(
    *,
    visit: Visit,
    actual_date: date,
    contact_mode: str,
    assessments: Mapping[str, Answer],
    note: str,
    by: User,
    now: datetime,
    version: int,
    reason: str = "",
    window_reason: str = "",
) -> Visit:
    """Saves the answers. The visit is done when every assessment has one; until then it stays planned with
    what was answered, and what a call or letter cannot settle stays due. `reason` is needed to change a
    visit that was done; `window_reason` explains a day outside the window.
    """
    by.require("visits.record", visit.site_id)
    for problem in problems(
        visit=visit, actual_date=actual_date, contact_mode=contact_mode, assessments=assessments,
        reason=reason, now=now,
    ):  # fmt: skip
        raise problem
    with because(reason) if reason else nullcontext():
        rows = _answer(visit, contact_mode, actual_date, assessments)
        claim_version(visit, version)
        visit.actual_date, visit.contact_mode, visit.note = actual_date, contact_mode, note
        visit.out_of_window = verdict(visit, actual_date)
        settled = all(row.state != State.PENDING for row in rows)
        visit.state = Visit.State.DONE if settled else Visit.State.PLANNED
        visit.full_clean(validate_constraints=False)
        visit.save()
        VisitAssessment.objects.bulk_update(rows, ["state", "on_date", "reason"])
    if visit.out_of_window is not None:
        judge_window([visit], now=now, why=window_reason)
    return visit


def verdict(visit: Visit, actual_date: date) -> bool | None:
    """Outside the window? None for a visit without one."""
    if visit.window_opens is None or visit.window_closes is None:
        return None
    return is_out_of_window(visit.window_opens, visit.window_closes, actual_date)


def must_be_present(visit: Visit) -> set[str]:
    """The assessments that a call, a letter or a record cannot settle."""
    if visit.timepoint is None:
        return set()
    return {each.code for each in plan_of(visit.timepoint).assessments if not each.remote}


def labels_of(visit: Visit) -> dict[str, str]:
    return assessment_labels(plan_of(visit.timepoint)) if visit.timepoint else {}


def problems(
    *,
    visit: Visit,
    actual_date: date,
    contact_mode: str,
    assessments: Mapping[str, Answer],
    reason: str,
    now: datetime,
) -> Iterator[NotAccepted]:
    """Everything that stands against saving this as it is. A day outside the window does not: it is a deviation."""
    if visit.state in (Visit.State.MISSED, Visit.State.NOT_REQUIRED):
        yield NotAccepted("", f"This visit is {visit.get_state_display().lower()}. Reopen it first.")
    if visit.state == Visit.State.DONE and not reason:
        yield NotAccepted("reason", "The visit was saved as done. Say why it is changed.")
    if contact_mode not in ContactMode.values:
        yield NotAccepted("contact_mode", "Choose how the contact was made.")
    if actual_date > local_date(now, visit.site.time_zone):
        yield NotAccepted(
            "actual_date", f"{in_words(actual_date)} has not come yet at {visit.site}; record what was held."
        )
    yield from _open_ends(visit, contact_mode, assessments)


def _open_ends(visit: Visit, contact_mode: str, assessments: Mapping[str, Answer]) -> Iterator[NotAccepted]:
    in_person, labels = must_be_present(visit), labels_of(visit)
    for code, answer in assessments.items():
        name = labels.get(code, code)
        if answer.state == State.NOT_DONE and not answer.reason.strip():
            yield NotAccepted(code, f"{name}: say why it was not done.")
        if answer.state == State.DONE and code in in_person and contact_mode != ContactMode.ON_SITE:
            yield NotAccepted(
                code, f"{name}: needs the patient on site. Leave it open, or choose “Done elsewhere”."
            )


def _answer(
    visit: Visit, contact_mode: str, actual_date: date, assessments: Mapping[str, Answer]
) -> list[VisitAssessment]:
    rows = list(visit.assessments.order_by("pk"))
    if unknown := set(assessments) - {row.code for row in rows}:
        raise NotAccepted(min(unknown), f"{min(unknown)} is not part of this visit.")
    for row in rows:
        if (answer := assessments.get(row.code)) is not None:
            row.state = answer.state
            row.on_date = answer.on_date or (actual_date if answer.state == State.DONE else None)
            row.reason = answer.reason.strip()
            row.full_clean(validate_unique=False, validate_constraints=False)
    return rows
