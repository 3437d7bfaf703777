"""Deciding on a plan: asked for, approved by a second person or alone after a delay, and put in force."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

from followup.plans.actions.writing import Refused, numbered
from followup.plans.models import PlanDraft
from followup.plans.rules.checks import Finding, findings
from followup.schedule.actions.plans import load_plan, plan_in_force
from followup.schedule.models import FollowUpPlan, Timepoint
from registry.access.models import Registry, User
from registry.audit.acting import because
from registry.audit.models import AuditEntry
from registry.saving import claim_version, nobody_else_has

State = PlanDraft.State


def checked(draft: PlanDraft) -> list[Finding]:
    rows = Timepoint.objects.order_by("pk").values_list("code", "anchor")
    return findings(draft.rules, {code: anchor == "each_infusion" for code, anchor in rows})


def ask(*, draft: PlanDraft, reason: str, version: int, by: User, now: datetime) -> None:
    """From here on the text is fixed: what is approved is what was asked for."""
    by.require("plans.edit")
    _require_state(draft, State.DRAFT, "It was asked for already.")
    errors = [one.text for one in checked(draft) if one.is_error]
    if errors:
        raise Refused(f"It cannot be asked for yet. {errors[0]}")
    _require_reason(reason, "Write what changes and why: whoever approves it reads this first.")
    other = PlanDraft.objects.filter(state=State.ASKED).first()
    if other is not None:
        raise Refused(
            f"“{other}” waits for approval. One plan is decided on at a time: let that be decided first."
        )
    text, standing = numbered(draft.text), plan_in_force()
    with because(reason), nobody_else_has():
        claim_version(draft, version, state=State.DRAFT)
        _set(
            draft, state=State.ASKED, text=text, asked_by=by, asked_at=now, asked_because=reason.strip(), compared_with=standing,
            decided_by=None, decided_at=None, decision_reason="", effective_at=None,
        )  # fmt: skip


def take_back(*, draft: PlanDraft, version: int, by: User) -> None:
    """By whoever asked: it is a draft again, and may be changed."""
    by.require("plans.edit")
    _require_state(draft, State.ASKED, "It does not wait for a decision any more.")
    if draft.asked_by_id != by.pk:
        raise Refused("Only the person who asked can take the request back.")
    claim_version(draft, version, state=State.ASKED)
    _set(draft, state=State.DRAFT)


def discard(*, draft: PlanDraft, reason: str, version: int, by: User) -> None:
    """It stays on record and is not followed."""
    by.require("plans.edit")
    _require_state(draft, State.DRAFT, "Only a draft is discarded.")
    _require_reason(reason, "Write why it is discarded.")
    with because(reason):
        claim_version(draft, version, state=State.DRAFT)
        _set(draft, state=State.DISCARDED)


def wrote_it(draft: PlanDraft, by: User) -> bool:
    """Whether this person asked for it or wrote any part of it: then they are not the second one."""
    if by.pk in (draft.asked_by_id, draft.created_by_id):
        return True
    entries = AuditEntry.objects.filter(
        table_name=PlanDraft._meta.db_table, row_id=str(draft.pk), user_id=by.pk, action="update"
    )
    changes = entries.order_by("pk").values_list("old", "new")
    return any(json.loads(old).get("text") != json.loads(new).get("text") for old, new in changes)


def approve(*, draft: PlanDraft, reason: str, version: int, by: User, now: datetime) -> None:
    """By a second person: it may be put in force at once. By one who wrote it: with a reason, and after the registry's
    delay, in which anybody who may approve can still stop it.
    """
    by.require("plans.approve")
    _require_state(draft, State.ASKED, "This plan was decided on already.")
    _require_same_plan(draft)
    alone = wrote_it(draft, by)
    if alone:
        _require_reason(reason, "You wrote this plan yourself: write why nobody else can approve it.")
    if other := PlanDraft.objects.filter(state=State.APPROVED).first():
        raise Refused(f"“{other}” is approved already. Put it in force or stop it first.")
    delay = timedelta(hours=Registry.current().self_approval_hours)
    with because(reason or draft.asked_because), nobody_else_has():
        claim_version(draft, version, state=State.ASKED)
        _set(
            draft, state=State.APPROVED, decided_by=by, decided_at=now, decision_reason=reason.strip(),
            effective_at=now + delay if alone else None,
        )  # fmt: skip


def refuse(*, draft: PlanDraft, reason: str, version: int, by: User, now: datetime) -> None:
    """It is a draft again, with the reason on it. Also stops one that was approved and is not in force yet."""
    by.require("plans.approve")
    if draft.state not in (State.ASKED, State.APPROVED):
        raise Refused("This plan does not wait for a decision.")
    _require_reason(reason, "Write why it is refused.")
    with because(reason):
        claim_version(draft, version, state=draft.state)
        _set(
            draft, state=State.DRAFT, decided_by=by, decided_at=now, decision_reason=reason.strip(), effective_at=None
        )  # fmt: skip


def put_in_force(*, draft: PlanDraft, version: int, by: User, now: datetime) -> FollowUpPlan:
    """Stored as a version that is followed from now on. The sweep lays everybody's visits against it."""
    by.require("plans.approve")
    _require_state(draft, State.APPROVED, "Only an approved plan is put in force.")
    _require_same_plan(draft)
    if draft.waits_at(now):
        raise Refused(
            "It was approved by who wrote it, and its delay has not passed: anybody who may approve can still stop it."
        )
    with because(draft.asked_because):
        claim_version(draft, version, state=State.APPROVED)
        row = load_plan(draft.text, now=now)
        _set(draft, state=State.IN_FORCE, plan=row, in_force_by=by, in_force_at=now)
    return row


def _require_state(draft: PlanDraft, state: str, otherwise: str) -> None:
    if draft.state != state:
        raise Refused(otherwise)


def _require_reason(reason: str, otherwise: str) -> None:
    if not reason.strip():
        raise Refused(otherwise)


def _require_same_plan(draft: PlanDraft) -> None:
    if draft.compared_with_id != plan_in_force().pk:
        raise Refused(
            "Another version was put in force since this was asked for, so it was compared with what is not followed any more. "
            "Send it back, compare it anew, and ask again."
        )


def _set(draft: PlanDraft, **columns: object) -> None:
    PlanDraft.objects.filter(pk=draft.pk).update(**columns)
    draft.refresh_from_db()
