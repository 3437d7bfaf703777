"""Saying once more who one is, before an act that counts as one's hand: a signature, a second factor, new recovery codes."""

from __future__ import annotations

from allauth.account.adapter import get_adapter
from django.contrib.auth.hashers import check_password
from django.http import HttpRequest

from registry import clock
from registry.access.guards import signed_in
from registry.access.models import User
from registry.audit.acting import acting_as
from registry.audit.actions import record_event
from registry.signin import notices, second_factor
from registry.signin.guesses import claim_proof
from registry.signin.throttle import TooMany


class NotProven(Exception):
    """Refused; `field` is "password" or "code", the message says why and what to do."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


def needs_code(request: HttpRequest) -> bool:
    """Whether the form asks for a code: once a session, of people who have a second factor or must have one."""
    user = signed_in(request)
    if second_factor.was_given(request):
        return False
    return second_factor.is_demanded(user) or second_factor.is_asked(user)


def prove(request: HttpRequest, *, password: str, code: str = "") -> None:
    """The password each time, the second factor once a session. Raises NotProven; counts wrong ones like a sign-in."""
    user = signed_in(request)
    prove_password(user, password)
    if not needs_code(request):
        return
    if not second_factor.is_set_up(user):
        raise NotProven("code", "Set up the second factor first: Settings › My account.")
    now = clock.now()
    try:
        second_factor.check_code(user, code, now=now)
    except second_factor.WrongCode as wrong:
        raise NotProven("code", str(wrong)) from wrong
    second_factor.note_given(request, now)


def prove_password(user: User, password: str) -> None:
    try:
        claim = claim_proof(user)
    except TooMany as error:
        message = str(get_adapter().error_messages["too_many_login_attempts"])
        raise NotProven("password", message) from error
    if not check_password(password, user.password):
        with acting_as(user):
            record_event(action="password refused", about=user, now=clock.now())
            notices.count_failure(user.username, user, now=clock.now())
        raise NotProven("password", "This is not your password.")
    claim.give_back()
