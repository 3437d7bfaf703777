"""Roles: asked for, approved by a second person or by oneself with a delay, reviewed each quarter, ended. Never one's own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import F

from registry.access import policy
from registry.access.models import (
    AccountRequest,
    Registry,
    RoleGrant,
    RoleGrantQuerySet,
    RoleRequest,
    Site,
    User,
)
from registry.audit.acting import because
from registry.saving import ChangedMeanwhile, claim_version

ACROSS_SITES = ("safety", "coordinator", "auditor", "administrator")
EITHER = ("product",)
REVIEW_EVERY = timedelta(days=90)
ENDING_SOON = timedelta(days=30)
# Hours that what somebody approves alone may wait: longer than a night, and not for ever.
SHORTEST_DELAY, LONGEST_DELAY = 12, 336


class Refused(Exception):
    """What was asked cannot be done; the text says why and what to do."""


@dataclass(frozen=True)
class Wanted:
    """A role somebody is to hold."""

    user: User
    role: str
    site: Site | None
    starts_on: date
    ends_on: date
    reason: str


def place_trouble(role: str, site: Site | None) -> str:
    """Why a role cannot stand at this place; blank when it can."""
    label = policy.ROLES[role]
    if role in ACROSS_SITES and site:
        return f"{label} works across all sites: leave the site out."
    if role not in (*ACROSS_SITES, *EITHER) and not site:
        return f"{label} works at a site: name the site."
    return ""


def year_after(day: date) -> date:
    """The last day a role may reach that starts on `day`. 29 February becomes 28."""
    is_leap_day = (day.month, day.day) == (2, 29)
    return day.replace(year=day.year + 1, day=28) if is_leap_day else day.replace(year=day.year + 1)


def may_approve(by: User, role: str, *, now: datetime) -> bool:
    """Coordinators approve clinical roles, administrators technical ones. While no coordinator is in force, as on a new
    registry, administrators approve the clinical ones too: else nobody ever could.
    """
    if role in policy.TECHNICAL:
        return by.may("settings.accounts")
    return by.may("accounts.approve") or (
        by.may("settings.accounts") and not holders("coordinator", now=now).exists()
    )


def holders(role: str, *, now: datetime) -> RoleGrantQuerySet:
    return RoleGrant.objects.in_force_at(now).filter(role=role, user__is_active=True)


def requests_waiting_for(user: User, *, now: datetime) -> int:
    """Roles and accounts this person may decide on: the notice on every page of the settings."""
    if not (user.may("accounts.approve") or user.may("settings.accounts")):
        return 0
    roles = (
        RoleRequest.objects.filter(decision="")
        .exclude(user=user)
        .exclude(asked_by=user)
        .values_list("role", flat=True)
    )
    accounts = (
        AccountRequest.objects.filter(decision="").exclude(requested_by=user).values_list("role", flat=True)
    )
    return sum(may_approve(user, role, now=now) for role in [*roles.order_by("pk"), *accounts.order_by("pk")])


# Asking and deciding -----------------------------------------------------------------------------------------


def ask_for_role(*, wanted: Wanted, form_token: str, by: User, now: datetime) -> RoleRequest:
    """In force at once only for a role that is not sensitive, asked for by somebody who may approve it. The same form
    sent twice is one request.
    """
    _require_place(by, wanted.site)
    not_yourself(wanted.user, by)
    if first := RoleRequest.objects.filter(form_token=form_token, asked_by=by).first():
        return first
    _check(wanted)
    with because(wanted.reason):
        asked = RoleRequest.objects.create(**vars(wanted), asked_by=by, asked_at=now, form_token=form_token)
        if not policy.is_sensitive(wanted.role) and may_approve(by, wanted.role, now=now):
            _put_in_force(asked, by=by, reason=wanted.reason, now=now)
    return asked


def approve_role(*, request: RoleRequest, reason: str, by: User, now: datetime) -> RoleGrant:
    """By a second person: in force at once. By the asker: after the registry's delay, in which anybody who may approve
    can still stop it, and with a reason.
    """
    _require_decider(request, by, now=now)
    if request.asked_by_id == by.pk and not reason.strip():
        raise Refused("You asked for this role yourself: write why nobody else can approve it.")
    _check(_wanted(request), beside=request)
    with because(reason or request.reason):
        return _put_in_force(request, by=by, reason=reason, now=now)


def refuse_role(*, request: RoleRequest, reason: str, by: User, now: datetime) -> None:
    """Also stops a self-approved role whose delay has not passed."""
    _require_decider(request, by, now=now, is_open=False)
    if not reason.strip():
        raise Refused("Write why the role is refused.")
    with because(reason):
        if request.state_at(now) == "approved" and request.grant is not None:
            RoleGrant.objects.filter(pk=request.grant.pk).update(stopped_at=now, version=F("version") + 1)
            return
        _decide(request, "refused", reason, by, now)


def take_back(*, request: RoleRequest, by: User, now: datetime) -> None:
    if request.asked_by_id != by.pk:
        raise Refused("Only the person who asked can take the request back.")
    _decide(request, "withdrawn", "", by, now)


def _put_in_force(request: RoleRequest, *, by: User, reason: str, now: datetime) -> RoleGrant:
    _decide(request, "approved", reason, by, now)
    waits = policy.is_sensitive(request.role) and request.asked_by_id == by.pk
    delay = timedelta(hours=Registry.current().self_approval_hours)
    grant = RoleGrant.objects.create(
        user=request.user, role=request.role, site=request.site, starts_on=request.starts_on, ends_on=request.ends_on,
        granted_by=by, reason=request.reason, effective_at=now + delay if waits else None,
    )  # fmt: skip
    RoleRequest.objects.filter(pk=request.pk).update(grant=grant)
    request.refresh_from_db()
    return grant


def _decide(request: RoleRequest, decision: str, reason: str, by: User, now: datetime) -> None:
    waiting = RoleRequest.objects.filter(pk=request.pk, decision="")
    if not waiting.update(decision=decision, decision_reason=reason, decided_by=by, decided_at=now):
        raise ChangedMeanwhile("This request was decided already.")


def _require_place(by: User, site: Site | None) -> None:
    by.require("accounts.propose", site)
    if site is None and not by.scope("accounts.propose").everywhere:
        raise Refused("You ask for roles at your own site: name the site.")


def _require_decider(request: RoleRequest, by: User, *, now: datetime, is_open: bool = True) -> None:
    not_yourself(request.user, by)
    if not may_approve(by, request.role, now=now):
        kind = "an administrator" if request.role in policy.TECHNICAL else "a coordinator"
        raise Refused(f"{policy.ROLES[request.role]}: {kind} decides on this role.")
    if is_open and request.decision:
        raise ChangedMeanwhile("This request was decided already.")


def _wanted(request: RoleRequest) -> Wanted:
    return Wanted(
        request.user, request.role, request.site, request.starts_on, request.ends_on, request.reason
    )


def _check(wanted: Wanted, beside: RoleRequest | None = None) -> None:
    if trouble := place_trouble(wanted.role, wanted.site):
        raise Refused(trouble)
    if wanted.ends_on < wanted.starts_on:
        raise Refused("A role cannot end before it starts.")
    if wanted.ends_on > year_after(wanted.starts_on):
        raise Refused(
            f"A role lasts a year at most: until {year_after(wanted.starts_on):%Y-%m-%d}. It can be granted again."
        )
    others = set(_standing(wanted).values_list("role", "site"))
    if (wanted.role, wanted.site.pk if wanted.site else None) in others:
        raise Refused(f"{wanted.user} holds this role there already. End it first to change its dates.")
    waiting = RoleRequest.objects.filter(user=wanted.user, role=wanted.role, site=wanted.site, decision="")
    if beside is not None:
        waiting = waiting.exclude(pk=beside.pk)
    if waiting.exists():
        raise Refused("This role was asked for already and waits for a decision.")
    roles = {held for held, _ in others} | {wanted.role}
    registry = Registry.current()
    if trouble := policy.forbidden_pair(roles, blinded=registry.blinded, masking=bool(registry.masked)):
        raise Refused(trouble)


def _standing(wanted: Wanted) -> RoleGrantQuerySet:
    held = RoleGrant.objects.filter(user=wanted.user, stopped_at=None).exclude(ends_on__lt=wanted.starts_on)
    return held.exclude(starts_on__gt=wanted.ends_on)


# Reviewing and ending ----------------------------------------------------------------------------------------


def confirm_role(*, grant: RoleGrant, by: User, now: datetime) -> None:
    """The quarterly review: this person still needs this role."""
    by.require("accounts.review")
    not_yourself(grant.user, by)
    RoleGrant.objects.filter(pk=grant.pk).update(reviewed_at=now, reviewed_by=by)


def end_role(
    *, grant: RoleGrant, last_day: date, at_once: bool, reason: str, by: User, now: datetime
) -> None:
    """`at_once` ends it with the person's next click, whatever day was written."""
    by.require("accounts.review")
    not_yourself(grant.user, by)
    if last_day < grant.starts_on and not at_once:
        raise Refused("A role cannot end before it starts.")
    columns = {"stopped_at": now} if at_once else {"ends_on": last_day}
    with because(reason):
        claim_version(grant, grant.version)
        RoleGrant.objects.filter(pk=grant.pk).update(**columns)


def review_is_due_on(grant: RoleGrant) -> date:
    seen = grant.reviewed_at.date() if grant.reviewed_at else grant.starts_on
    return seen + REVIEW_EVERY


def not_yourself(user: User, by: User) -> None:
    if user.pk == by.pk:
        raise Refused("Nobody changes their own rights: ask somebody else who may.")
