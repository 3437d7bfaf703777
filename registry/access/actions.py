"""Accounts, roles and sites. Nobody changes their own rights, and an account takes two people."""

from __future__ import annotations

import re
from datetime import date, datetime

from django.contrib.auth.hashers import make_password
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db.models import F

from registry.access import policy
from registry.access.models import AccountRequest, RoleGrant, RoleGrantQuerySet, Site, User
from registry.audit.acting import because

ACROSS_SITES = ("safety", "coordinator", "auditor", "administrator")
EITHER = ("product",)
ALONE = ("administrator", "auditor")


class Refused(Exception):
    """What was asked cannot be done; the text says why and what to do."""


# Accounts ----------------------------------------------------------------------------------------------------


def check_account(
    *, username: str, full_name: str, email: str, role: str, site: Site | None, password: str
) -> str:
    """The name as it is kept. Refused for a taken or unusable name, a weak password, a role at the wrong place."""
    name = username.strip().lower()
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{1,59}", name):
        raise Refused("The user name must be 2 to 60 letters, digits, dots, dashes or underscores.")
    waiting = AccountRequest.objects.filter(username__iexact=name, decision="").exists()
    if waiting or User.objects.filter(username__iexact=name).exists():
        raise Refused(f"The name {name} is taken: a name is never used twice. Choose another.")
    if trouble := place_trouble(role, site):
        raise Refused(trouble)
    try:
        validate_password(password, User(username=name, full_name=full_name, email=email))
    except ValidationError as error:
        raise Refused("The password is too weak: " + " ".join(error.messages)) from error
    return name


def place_trouble(role: str, site: Site | None) -> str:
    """Why a role cannot stand at this place; blank when it can."""
    label = policy.ROLES[role]
    if role in ACROSS_SITES and site:
        return f"{label} works across all sites: leave the site out."
    if role not in (*ACROSS_SITES, *EITHER) and not site:
        return f"{label} works at a site: name the site."
    return ""


def create_first_administrator(
    *, username: str, full_name: str, email: str, password: str, now: datetime
) -> User:
    if User.objects.exists():
        raise Refused(
            "There are accounts already: further ones are asked for, and opened by a second person."
        )
    name = check_account(
        username=username,
        full_name=full_name,
        email=email,
        role="administrator",
        site=None,
        password=password,
    )
    user = User.objects.create(
        username=name,
        full_name=full_name or name,
        email=email,
        date_joined=now,
        password=make_password(password),
    )
    RoleGrant.objects.create(
        user=user,
        role="administrator",
        starts_on=now.date(),
        reason="First administrator of an empty registry",
    )
    return user


def request_account(
    *, username: str, full_name: str, email: str, role: str, site: Site | None, password: str,
    by: User | None, now: datetime,
) -> AccountRequest:  # fmt: skip
    if by is not None:
        by.require("settings.accounts")
    name = check_account(
        username=username, full_name=full_name, email=email, role=role, site=site, password=password
    )
    return AccountRequest.objects.create(
        username=name, full_name=full_name, email=email, role=role, site=site,
        password=make_password(password), requested_at=now, requested_by=by,
    )  # fmt: skip


def open_account(*, request: AccountRequest, by: User, now: datetime) -> User:
    """A second person: never the one who asked."""
    _decide(request, "opened", by, now)
    user = User.objects.create(
        username=request.username, full_name=request.full_name or request.username, email=request.email,
        password=request.password, date_joined=now,
    )  # fmt: skip
    RoleGrant.objects.create(
        user=user,
        role=request.role,
        site=request.site,
        starts_on=now.date(),
        granted_by=by,
        reason="Account opened",
    )
    return user


def refuse_account(*, request: AccountRequest, by: User, now: datetime) -> None:
    _decide(request, "refused", by, now)


def _decide(request: AccountRequest, decision: str, by: User, now: datetime) -> None:
    by.require("settings.accounts")
    if request.requested_by_id == by.pk:
        raise Refused("You asked for this account, so somebody else decides on it.")
    decided = AccountRequest.objects.filter(pk=request.pk, decision="")
    if not decided.update(decision=decision, decided_by=by, decided_at=now):
        raise Refused("This request was decided in the meantime.")


def set_active(*, user: User, active: bool, reason: str, by: User) -> None:
    """Accounts are switched off, never deleted. Open sessions end with the next click."""
    by.require("settings.accounts")
    _not_yourself(user, by)
    with because(reason):
        User.objects.filter(pk=user.pk).update(is_active=active)


# Roles -------------------------------------------------------------------------------------------------------


def grant_role(
    *, user: User, role: str, site: Site | None, starts_on: date, ends_on: date | None, reason: str, by: User
) -> RoleGrant:
    by.require("settings.accounts")
    _not_yourself(user, by)
    if trouble := place_trouble(role, site):
        raise Refused(trouble)
    others = set(_standing(user, starts_on, ends_on).values_list("role", "site"))
    if (role, site.pk if site else None) in others:
        raise Refused(f"{user} holds this role there already. End it first to change its dates.")
    roles = {held for held, _ in others} | {role}
    if len(roles) > 1 and roles & set(ALONE):
        raise Refused("An administrator or auditor holds no other role: they check what others do.")
    with because(reason):
        return RoleGrant.objects.create(
            user=user,
            role=role,
            site=site,
            starts_on=starts_on,
            ends_on=ends_on,
            granted_by=by,
            reason=reason,
        )


def end_role(*, grant: RoleGrant, last_day: date, reason: str, by: User) -> None:
    by.require("settings.accounts")
    _not_yourself(grant.user, by)
    if last_day < grant.starts_on:
        raise Refused("A role cannot end before it starts.")
    with because(reason):
        RoleGrant.objects.filter(pk=grant.pk).update(ends_on=last_day)


def _not_yourself(user: User, by: User) -> None:
    if user.pk == by.pk:
        raise Refused("Nobody changes their own rights: ask another administrator.")


def _standing(user: User, starts_on: date, ends_on: date | None) -> RoleGrantQuerySet:
    held = RoleGrant.objects.filter(user=user).exclude(ends_on__lt=starts_on)
    return held.exclude(starts_on__gt=ends_on) if ends_on else held


# Sites -------------------------------------------------------------------------------------------------------


def update_site(*, site: Site, version: int, reason: str, by: User, **columns: str) -> None:
    """Refused when somebody else saved the site since `version`."""
    by.require("settings.sites")
    with because(reason):
        changed = Site.objects.filter(pk=site.pk, version=version)
        if not changed.update(**columns, version=F("version") + 1):
            raise Refused("Somebody else changed this site since you opened it.")
