"""When somebody is told about a visit, who, and what makes us stop. No database, no clock."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from followup.schedule.plan_file import STEPS, ReminderStep
from followup.schedule.rules import CLOSED_STATES
from registry.patients.rules import scope_effect

# Tried in this order: the first that the site has is told.
RECIPIENTS: dict[str, tuple[str, ...]] = {
    "due_soon": ("site_staff",),
    "due_soon_again": ("site_staff",),
    "due": ("site_staff",),
    "window_closing": ("site_staff",),
    "overdue": ("site_staff",),
    "escalated": ("investigator", "site_manager", "coordinator"),
}

SWEEP_MAX_AGE = timedelta(minutes=15)  # three intervals; older, nobody may count on being reminded
_RANKS = {step: rank for rank, step in enumerate(STEPS)}


def step_rank(step: str) -> int:
    """Place of a step in the order of urgency, 0 first. KeyError for an unknown step."""
    return _RANKS[step]


def recipient_kinds(step: str) -> tuple[str, ...]:
    """Who a step goes to, in order of preference. KeyError for an unknown step."""
    return RECIPIENTS[step]


@dataclass(frozen=True)
class DueStep:
    step: str
    raise_on: date


def steps_due(
    steps: Iterable[ReminderStep],
    target: date,
    opens: date,
    closes: date,
    created_on: date,
    anchor_date: date,
    on: date,
) -> list[DueStep]:
    """The steps of a visit reached by this site-local day, least urgent first.

    A step whose day lies before the visit was planned, or before its anchor, is never raised.
    """
    origins = {"target": target, "opens": opens, "closes": closes}
    days = [DueStep(step.step, origins[step.counted_from] + timedelta(days=step.days)) for step in steps]
    earliest = max(created_on, anchor_date)
    reached = [due for due in days if earliest <= due.raise_on <= on]
    return sorted(reached, key=lambda due: step_rank(due.step))


def latest_step(
    steps: Iterable[ReminderStep],
    target: date,
    opens: date,
    closes: date,
    created_on: date,
    anchor_date: date,
    on: date,
    already_raised: Collection[str] = (),
) -> DueStep | None:
    """The one step to raise now: the most advanced reached, unless it or a more advanced one was raised
    before.

    So an interruption of any length costs one notice a visit, and a clock set back raises nothing again.
    """
    reached = steps_due(steps, target, opens, closes, created_on, anchor_date, on)
    if not reached:
        return None
    highest_raised = max((step_rank(step) for step in already_raised), default=-1)
    return reached[-1] if step_rank(reached[-1].step) > highest_raised else None


def step_to_raise(
    steps: Iterable[ReminderStep],
    target: date,
    opens: date,
    closes: date,
    created_on: date,
    anchor_date: date,
    on: date,
    already_raised: Collection[str] = (),
) -> str:
    """The step to raise now, or nothing: as `latest_step`, and `overdue` once for a visit that was already late
    when it was planned.

    Without that exception a person brought in from an earlier register, all of whose steps lie in the past,
    would be missed by everybody.
    """
    due = latest_step(steps, target, opens, closes, created_on, anchor_date, on, already_raised)
    if due is not None:
        return due.step
    return "overdue" if on > closes and created_on > closes and not already_raised else ""


def is_another_occurrence(told_of: date, target: date, days_before: int, days_after: int) -> bool:
    """Whether a visit moved so far from the target people were told of that they must be told again: by more
    days than its window allows to that side (0 or more each).
    """
    moved_days = (target - told_of).days
    return moved_days > days_after or -moved_days > days_before


@dataclass(frozen=True)
class Reach:
    """Who may be told about a visit and how it may still be done. `reason` says what stopped or narrowed
    it, empty when nothing did.
    """

    tell_person: bool
    tell_staff: bool
    contact_modes: tuple[str, ...]
    reason: str = ""


_ALL_MODES = ("on_site", "phone", "video", "letter", "records")


def may_remind(
    state: str,
    status: str,
    withdrawal_scopes: Iterable[str] = (),
    death: str = "",
    linkage_consented: bool = True,
) -> Reach:
    """Whom reminders of a visit may still reach.

    `state`: what a person decided about the visit (done, missed, not_required stop everything). `status`:
    of the patient. `death`: "", "reported" (pauses messages to the person, closes nothing) or "confirmed"
    (stops everything). Withdrawal: no cells changes nothing; no visits leaves telephone, letter and
    records; no contact leaves records where linkage was consented to; no new data and erasure stop
    everything. A withdrawal whose scope is unknown stops messages to the person only. The lost keep their
    staff work: somebody still looks for them. So do those recorded as completed while visits of the plan
    are left: follow-up is complete only after its last year, and whoever says otherwise answers a query.
    """
    if state in CLOSED_STATES:
        return Reach(False, False, (), f"the visit is {state.replace('_', ' ')}")
    if death == "confirmed" or (status == "deceased" and death != "reported"):
        return Reach(False, False, (), "the patient has died")
    scopes = set(withdrawal_scopes)
    modes = _contact_modes(scopes, linkage_consented)
    if not modes:
        return Reach(False, False, (), "the patient withdrew from new data")
    silence = _reason_for_silence(status, scopes, death)
    narrowed = "the patient withdrew from visits" if "on_site" not in modes else ""
    return Reach(not silence, True, modes, silence or narrowed)


def _contact_modes(scopes: set[str], linkage_consented: bool) -> tuple[str, ...]:
    effect = scope_effect(scopes, linkage_consented)
    allowed = {
        "on_site": effect.may_visit_on_site,
        "phone": effect.may_contact,
        "video": effect.may_contact,
        "letter": effect.may_contact,
        "records": effect.may_use_records,
    }
    return tuple(mode for mode in _ALL_MODES if allowed[mode])


def _reason_for_silence(status: str, scopes: set[str], death: str) -> str:
    """Why nothing is sent to the person while staff go on; empty when messages may be sent."""
    if death == "reported":
        return "a death was reported and is not confirmed"
    if not scope_effect(scopes).may_contact:
        return "the patient withdrew from contact"
    if status == "withdrawn" and not scopes:
        return "the patient withdrew and the scope is not known"
    ended = {"lost": "the patient is lost to follow-up", "completed": "follow-up was recorded as completed"}
    return ended.get(status, "")


def control_totals_add_up(due: int, sent: int, held: int, excused: int, failed: int, uncertain: int) -> bool:
    """Whether every reminder that was due is accounted for. ValueError for a negative count."""
    parts = (sent, held, excused, failed, uncertain)
    if min(due, *parts) < 0:
        raise ValueError("A control total cannot be negative")
    return due == sum(parts)
