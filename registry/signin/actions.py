"""What administrators and people do about accounts: reset a second factor, send a link for a new password, end sessions."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.contrib.auth.password_validation import validate_password
from django.contrib.auth.tokens import default_token_generator
from django.core.exceptions import ValidationError

from registry.access.models import User
from registry.audit.acting import because
from registry.audit.actions import record_event
from registry.saving import NotAccepted
from registry.signin import notices, second_factor, sessions
from registry.signin.models import BrowserSession


def reset_second_factor(*, user: User, reason: str, by: User, now: datetime) -> None:
    """The person signs in with the password alone once more and sets up another. Their sessions end."""
    by.require("settings.accounts")
    if user.pk == by.pk:
        raise NotAccepted("", "Your own second factor is reset by another administrator.")
    with because(reason):
        if not second_factor.remove(user):
            raise NotAccepted("", f"{user} has no second factor.")
        record_event(action="second factor reset", about=user, now=now)
        end_sessions(user, "second factor reset", now=now)
        notices.tell(user, "reset", now=now)
        notices.tell_watchers(user, "reset_elsewhere", besides=by, now=now)


def send_password_link(*, user: User, reason: str, by: User, now: datetime) -> None:
    """To the person's own address, so that nobody else ever knows the password. The second factor stays."""
    by.require("settings.accounts")
    if not user.is_active:
        raise NotAccepted("", "This account is switched off.")
    if not user.email:
        raise NotAccepted("", "This account has no e-mail address: ask for a new account instead.")
    with because(reason):
        record_event(action="password link sent", about=user, now=now)
        notices.tell(user, "new_password", now=now)


def set_new_password(*, user: User, password: str, now: datetime) -> None:
    """Every session of this person ends; the second factor stays as it is."""
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise NotAccepted("new_password", " ".join(error.messages)) from error
    user.set_password(password)
    user.save(update_fields=["password"])
    record_event(action="password set by link", about=user, now=now)
    end_sessions(user, "password changed", now=now)
    notices.tell(user, "password_changed", now=now)


def user_of_link(key: str) -> User | None:
    """Whose link this is, while it is good: a day, and until the password has been changed."""
    number, _, token = key.partition("-")
    user = (
        User.objects.filter(pk=int(number), is_active=True).first()
        if number.isdecimal() and len(number) < 19
        else None
    )
    return user if user is not None and default_token_generator.check_token(user, token) else None


def end_sessions(user: User, why: str, *, now: datetime, but: str | None = None) -> int:
    ended = sessions.end_all(user, but=but)
    if ended:
        record_event(action="session ended", about=user, detail=f"{ended}: {why}", now=now)
    return ended


def end_session(*, user: User, number: UUID, now: datetime) -> bool:
    """One of one's own."""
    deleted, _ = BrowserSession.objects.filter(account=user, number=number).delete()
    if deleted:
        record_event(action="session ended", about=user, detail="signed out from another session", now=now)
    return bool(deleted)
