"""The second factor: who must have one, checking a code once, setting one up and taking it away."""

from __future__ import annotations

import re
from datetime import datetime

from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value
from allauth.mfa.utils import decrypt
from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare

from registry.access.models import User
from registry.audit.acting import acting_as
from registry.audit.actions import record_event
from registry.signin import notices, recovery
from registry.signin.guesses import claim_code
from registry.signin.throttle import TooMany

PERIOD_S = 30
DRIFT_STEPS = 1  # a telephone may be half a minute out
ASKED_AT = "second_factor_at"


class WrongCode(Exception):
    """The text says what to do."""


def is_demanded(user: User) -> bool:
    """Who may see names and contacts anywhere."""
    return bool(settings.REQUIRE_MFA and user.may("identifiers.view"))


def is_set_up(user: User) -> bool:
    return bool(Authenticator.objects.filter(user_id=user.pk, type=Authenticator.Type.TOTP).exists())


def is_asked(user: User) -> bool:
    """With REQUIRE_MFA off nobody is asked, whatever they have set up."""
    return bool(settings.REQUIRE_MFA) and is_set_up(user)


def was_given(request: HttpRequest) -> bool:
    return ASKED_AT in request.session


def note_given(request: HttpRequest, now: datetime) -> None:
    request.session[ASKED_AT] = now.timestamp()


def check_code(user: User, code: str, *, now: datetime) -> None:
    """A code of the telephone or a recovery code, each good once. Raises WrongCode."""
    try:
        claim = claim_code(user)
    except TooMany as error:
        raise WrongCode("Too many codes tried. Wait 15 minutes, then try again.") from error
    digits = re.sub(r"[\s-]", "", code)
    used = "code" if _is_fresh_totp(user, digits, now) else _use_recovery_code(user, digits)
    if not used:
        with acting_as("system:sign-in"):
            record_event(action="second factor failed", about=user, now=now)
            notices.count_failure(user.username, user, now=now)
        raise WrongCode(
            "This code is wrong, or was used already. Wait for the next one, or use a recovery code."
        )
    claim.give_back()
    with acting_as(user):
        record_event(action="second factor used", about=user, detail=used, now=now)


def matching_step(secret: str, code: str, *, now: datetime) -> int | None:
    """The 30-second step whose code this is (RFC 6238), if it is near enough to now."""
    step = int(now.timestamp()) // PERIOD_S
    near = range(step - DRIFT_STEPS, step + DRIFT_STEPS + 1)
    matches = [at for at in near if constant_time_compare(format_hotp_value(hotp_value(secret, at)), code)]
    return matches[0] if matches else None


def _is_fresh_totp(user: User, code: str, now: datetime) -> bool:
    """Of any number of posts of one code, one adds the mark. The mark outlives the code."""
    held = Authenticator.objects.filter(user_id=user.pk, type=Authenticator.Type.TOTP).first()
    if held is None:
        return False
    step = matching_step(decrypt(held.data["secret"]), code, now=now)
    return step is not None and use_step(user, step)


def use_step(user: User, step: int) -> bool:
    return bool(cache.add(f"second-factor:{user.pk}:{step}", 1, PERIOD_S * (2 * DRIFT_STEPS + 2)))


def _use_recovery_code(user: User, code: str) -> str:
    with acting_as(user):
        return "recovery code" if recovery.use(user, code) else ""


def set_up(user: User, secret: str, *, now: datetime) -> list[str]:
    """The recovery codes, to be shown once."""
    TOTP.activate(user, secret)
    record_event(action="second factor set up", about=user, now=now)
    notices.tell(user, "set_up", now=now)
    return new_recovery_codes(user, now=now)


def new_recovery_codes(user: User, *, now: datetime) -> list[str]:
    """The old ones stop working."""
    record_event(action="recovery codes made", about=user, now=now)
    return recovery.make(user)


def confirm_key(user: User, secret: str, code: str, *, now: datetime) -> None:
    """The app shows codes of this key. The one typed is used up, so it cannot sign anybody in as well."""
    try:
        claim = claim_code(user)
    except TooMany as error:
        raise WrongCode("Too many codes tried. Wait 15 minutes, then try again.") from error
    step = matching_step(secret, re.sub(r"[\s-]", "", code), now=now)
    if step is None or not use_step(user, step):
        raise WrongCode("This is not the code of this key now. Look at the app again, and at its clock.")
    claim.give_back()


def codes_left(user: User) -> int:
    return recovery.left(user)


def remove(user: User) -> bool:
    """Whether there was one."""
    deleted, _ = Authenticator.objects.filter(user_id=user.pk).delete()
    return bool(deleted)
