"""Another day of an infusion that touches what is signed or locked: asked for by an investigator, and put in force only
when a coordinator approves it. Where it touches nothing it is corrected at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import transaction

from registry.access.models import User
from registry.audit.acting import because
from registry.infusions.actions import NeedsApproval, correct_infusion, put_in_force
from registry.infusions.effects import Effects, effects_of
from registry.infusions.judging import DoseGiven
from registry.infusions.models import DayCorrection, Infusion
from registry.infusions.signals import day_correction_changed
from registry.saving import ChangedMeanwhile, NotAccepted

APPROVE = "infusions.approve_date"
DAY = ("infused_on", "infused_at", "ended_at")
State = DayCorrection.State


def correct_or_ask(
    *, infusion: Infusion, version: int, reason: str, doses: Sequence[DoseGiven], by: User, now: datetime,
    **changes: Any,
) -> DayCorrection | None:  # fmt: skip
    """Corrects the infusion. Another day that touches what is signed or locked waits; the rest is corrected all the same.
    Gives what waits. Raises what `correct_infusion` raises.
    """
    stored = Infusion.objects.get(pk=infusion.pk)
    try:
        correct_infusion(
            infusion=infusion, version=version, reason=reason, doses=doses, by=by, now=now, **changes
        )
    except NeedsApproval as needed:
        rest = changes | {name: getattr(stored, name) for name in DAY}
        with transaction.atomic():  # the rest and the question, or neither
            if _differs(stored, rest, doses):
                stored = correct_infusion(
                    infusion=stored, version=version, reason=reason, doses=doses, by=by, now=now, **rest
                )
            return _ask(stored, {name: changes[name] for name in DAY}, needed.effects, reason, by, now)
    return None


def _differs(stored: Infusion, rest: dict[str, Any], doses: Sequence[DoseGiven]) -> bool:
    kept = {(one.lot_id, one.cells_total, one.viability_percent) for one in stored.doses.order_by("pk")}
    given = {(one.lot.pk, one.cells_total, one.viability_percent) for one in doses}
    return kept != given or any(getattr(stored, name) != value for name, value in rest.items())


def _ask(
    infusion: Infusion, day: dict[str, Any], effects: Effects, reason: str, by: User, now: datetime
) -> DayCorrection:
    waiting = DayCorrection.objects.select_for_update().filter(infusion=infusion, state=State.ASKED)
    if same := waiting.filter(asked_by=by, version=infusion.version, reason=reason, **day).first():
        return same  # the form was sent twice
    if waiting.exists():
        raise NotAccepted(
            "infused_on", "Another day of this infusion waits for a coordinator already. Take it back first."
        )
    with because(reason):
        made = DayCorrection.objects.create(
            infusion=infusion, patient_id=infusion.patient_id, site_id=infusion.site_id, stood_on=infusion.infused_on,
            version=infusion.version, reason=reason, touched="\n".join(effects.touched),
            follows="\n".join(effects.follows), asked_by=by, asked_at=now, **day,
        )  # fmt: skip
    day_correction_changed.send(sender=DayCorrection, correction=made, now=now)
    return made


def approve(*, correction: DayCorrection, reason: str, by: User, now: datetime) -> None:
    """Puts the day in force: what was signed of the touched records is to be signed again, and a lock stays on."""
    by.require(APPROVE)
    if correction.asked_by_id == by.pk:
        raise NotAccepted("", "You asked for this yourself, so somebody else decides on it.")
    infusion = Infusion.objects.select_for_update().get(pk=correction.infusion_id)
    if infusion.version != correction.version:
        raise NotAccepted(
            "", "The infusion was corrected since this was asked. Refuse it, so that it is looked at again."
        )
    _look_again(correction, infusion, by, now)
    words = f"{correction.reason} (asked by {correction.asked_by}, approved by {by}{f': {reason}' if reason else ''})"
    with because(words):
        _decide(correction, State.APPROVED, reason, by, now)
        put_in_force(
            infusion=infusion, version=correction.version, reason=words, doses=_doses(infusion), by=by, now=now,
            changes={name: getattr(correction, name) for name in DAY},
        )  # fmt: skip


def _look_again(correction: DayCorrection, infusion: Infusion, by: User, now: datetime) -> None:
    """What was signed or locked since this was asked is touched as well, and whoever approves is to see it first."""

    def trial() -> None:
        copy = Infusion.objects.select_related("patient__site", "site").get(pk=infusion.pk)
        put_in_force(
            infusion=copy, version=correction.version, reason=correction.reason, doses=_doses(infusion), by=by, now=now,
            changes={name: getattr(correction, name) for name in DAY},
        )  # fmt: skip

    found = effects_of(trial, patient=infusion.patient)
    if "\n".join(found.touched) != correction.touched:
        correction.touched, correction.follows = "\n".join(found.touched), "\n".join(found.follows)
        correction.save(update_fields=["touched", "follows"])
        raise NotAccepted(
            "", "What it touches has changed since it was asked: see the list, and decide again."
        )


def refuse(*, correction: DayCorrection, reason: str, by: User, now: datetime) -> None:
    by.require(APPROVE)
    if not reason.strip():
        raise NotAccepted("reason", "Write why: the investigator reads it.")
    with because(reason):
        _decide(correction, State.REFUSED, reason, by, now)


def take_back(*, correction: DayCorrection, by: User, now: datetime) -> None:
    by.require("infusions.correct_date", correction.site_id)
    _decide(correction, State.TAKEN_BACK, "", by, now)


def _decide(correction: DayCorrection, state: str, reason: str, by: User, now: datetime) -> None:
    waiting = DayCorrection.objects.filter(pk=correction.pk, state=State.ASKED)
    if not waiting.update(state=state, decided_by=by, decided_at=now, decision_reason=reason.strip()):
        raise ChangedMeanwhile("This was decided already.")
    correction.refresh_from_db()
    day_correction_changed.send(sender=DayCorrection, correction=correction, now=now)


def _doses(infusion: Infusion) -> list[DoseGiven]:
    rows = infusion.doses.select_related("lot__donor__patient").order_by("pk")
    return [DoseGiven(row.lot, row.cells_total, row.viability_percent) for row in rows]
