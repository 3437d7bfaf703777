"""Accounts, roles and sites. Nobody changes their own rights, and an account takes two people."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection
from datetime import datetime

from django.apps import apps
from django.contrib.auth.hashers import make_password
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError

from registry.access import masking, policy
from registry.access.granting import (
    LONGEST_DELAY,
    SHORTEST_DELAY,
    Refused,
    holders,
    may_approve,
    not_yourself,
    place_trouble,
    year_after,
)
from registry.access.models import AccountRequest, Registry, RoleGrant, Site, User
from registry.access.signals import account_switched_off
from registry.audit.acting import because
from registry.audit.actions import record_event
from registry.saving import ChangedMeanwhile, claim_version, create_once

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


def create_first_administrator(
    *, username: str, full_name: str, email: str, password: str, now: datetime
) -> User:
    """Also when nobody is an administrator any more, all having left or their roles having ended: the way back in."""
    if holders("administrator", now=now).exists():
        raise Refused(
            "There is an administrator already: further accounts are asked for, and opened by a second person."
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
        reason="First administrator, made on the server",
    )
    return user


def request_account(
    *, username: str, full_name: str, email: str, role: str, site: Site | None, password: str,
    by: User | None, now: datetime, form_token: str = "",
) -> AccountRequest:  # fmt: skip
    """The same form sent twice is one request."""
    if by is not None:
        by.require("accounts.propose", site)
        if site is None and not by.scope("accounts.propose").everywhere:
            raise Refused("You ask for accounts at your own site: name the site.")
    if form_token and (
        first := AccountRequest.objects.filter(form_token=form_token, requested_by=by).first()
    ):
        return first
    name = check_account(
        username=username, full_name=full_name, email=email, role=role, site=site, password=password
    )
    return AccountRequest.objects.create(
        username=name, full_name=full_name, email=email, role=role, site=site,
        password=make_password(password), requested_at=now, requested_by=by, form_token=form_token,
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
        ends_on=year_after(now.date()),
        granted_by=by,
        reason="Account opened",
    )
    return user


def refuse_account(*, request: AccountRequest, by: User, now: datetime) -> None:
    _decide(request, "refused", by, now)


def _decide(request: AccountRequest, decision: str, by: User, now: datetime) -> None:
    if not may_approve(by, request.role, now=now):
        who = "An administrator" if request.role in policy.TECHNICAL else "A coordinator"
        raise Refused(f"{who} decides on an account with the role {policy.ROLES[request.role].lower()}.")
    if request.requested_by_id == by.pk:
        raise Refused("You asked for this account, so somebody else decides on it.")
    decided = AccountRequest.objects.filter(pk=request.pk, decision="")
    if not decided.update(decision=decision, decided_by=by, decided_at=now):
        raise ChangedMeanwhile("This request was decided already.")


def set_active(*, user: User, active: bool, reason: str, by: User) -> None:
    """Accounts are switched off, never deleted. Open sessions end at once."""
    by.require("settings.accounts")
    not_yourself(user, by)
    with because(reason):
        if not User.objects.filter(pk=user.pk, is_active=not active).update(is_active=active):
            raise ChangedMeanwhile(f"This account was switched {'on' if active else 'off'} already.")
        if not active:
            account_switched_off.send(sender=User, user=user)


# Approving alone -----------------------------------------------------------------------------------------------


def change_self_approval(*, hours: int, stood: int, reason: str, by: User, now: datetime) -> None:
    """`stood` is the number of hours the person saw. What was approved alone before keeps the moment it was given."""
    by.require("settings.self_approval")
    if not SHORTEST_DELAY <= hours <= LONGEST_DELAY:
        raise Refused(
            f"Between {SHORTEST_DELAY} and {LONGEST_DELAY} hours: others must have time to stop it."
        )
    if not reason.strip():
        raise Refused("Write why: the reason stays in the trail.")
    with because(reason):
        registry, _ = Registry.objects.get_or_create(pk=1)
        rows = Registry.objects.filter(pk=1, self_approval_hours=stood)
        if not rows.update(self_approval_hours=hours):
            raise ChangedMeanwhile(
                f"Somebody else changed it since you opened it: it is {registry.self_approval_hours} hours now."
            )
        record_event(
            action="self-approval delay changed", about=registry, detail=f"{stood} to {hours} hours", now=now
        )


# The protocol ------------------------------------------------------------------------------------------------


def switch_blinding(*, blinded: bool, reason: str, by: User, now: datetime) -> None:
    """Only while nobody is enrolled: afterwards what people have seen cannot be unseen."""
    by.require("settings.blinding")
    if not reason.strip():
        raise Refused("Write why: the reason stays in the trail.")
    _nobody_enrolled("whether the protocol is blinded stays as it is")
    if blinded:
        _check_pairs(now)
    registry = Registry.current()
    registry.blinded = blinded
    if not blinded:
        registry.masked_analytes = ""
    with because(reason):
        registry.save()


def mask_analytes(*, analytes: Collection[str], seen: str, reason: str, by: User, now: datetime) -> None:
    """`seen` is the list as the form showed it: ChangedMeanwhile where somebody else chose another since."""
    by.require("settings.blinding")
    if not reason.strip():
        raise Refused("Write why: the reason stays in the trail.")
    registry = Registry.current()
    if not registry.blinded:
        raise Refused("Only a blinded protocol masks results. Make it blinded first.")
    _nobody_enrolled("which results are masked stays as it is")
    if unknown := set(analytes) - set(masking.offered()):
        raise Refused(f"These cannot be masked: {', '.join(sorted(unknown))}.")
    if analytes:
        _check_pairs(now, masks=True)
    wanted = ",".join(code for code in masking.offered() if code in analytes)
    with because(reason):
        rows = Registry.objects.filter(pk=registry.pk, blinded=True, masked_analytes=seen)
        if not rows.update(masked_analytes=wanted):
            raise ChangedMeanwhile("Somebody else chose the masked results since you opened the page.")


def anybody_enrolled() -> bool:
    return bool(apps.get_model("patients.Patient")._default_manager.exists())


def _nobody_enrolled(so: str) -> None:
    if anybody_enrolled():
        raise Refused(f"A patient is enrolled, so {so}.")


def _check_pairs(now: datetime, *, masks: bool = False) -> None:
    held: dict[User, set[str]] = defaultdict(set)
    for grant in RoleGrant.objects.in_force_at(now).select_related("user").order_by("user", "pk"):
        held[grant.user].add(grant.role)
    found = {
        str(user): why
        for user, roles in held.items()
        if (why := policy.forbidden_pair(roles, blinded=True, masking=masks))
    }
    if found:
        raise Refused(f"End one of the roles first of: {', '.join(found)}. {next(iter(found.values()))}")


# Sites -------------------------------------------------------------------------------------------------------


def create_site(*, site: Site, by: User, form_token: str = "") -> Site:
    """The same form sent twice is one site."""
    by.require("settings.sites")
    site.form_token = form_token

    def make() -> Site:
        site.save(force_insert=True)
        return site

    return create_once(Site, form_token, make)


def update_site(*, site: Site, version: int, reason: str, by: User, **columns: str) -> None:
    """ChangedMeanwhile when somebody else saved the site since `version`."""
    by.require("settings.sites")
    with because(reason):
        claim_version(site, version)
        Site.objects.filter(pk=site.pk).update(**columns)
