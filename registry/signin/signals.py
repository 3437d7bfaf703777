"""A session gets its particulars when somebody signs in; failures are counted; sessions end with the account or its password."""

from __future__ import annotations

from typing import Any

from allauth.account.signals import password_changed
from django.contrib.auth.signals import user_logged_in, user_login_failed
from django.http import HttpRequest

from registry import clock
from registry.access.models import User
from registry.access.signals import account_switched_off
from registry.audit.acting import acting_as
from registry.signin import actions, drafts, notices, sessions


def connect() -> None:
    user_logged_in.connect(_begin, dispatch_uid="session-begins")
    user_login_failed.connect(_failed, dispatch_uid="failure-counted")
    password_changed.connect(_password_changed, dispatch_uid="sessions-end-with-the-password")
    account_switched_off.connect(_switched_off, dispatch_uid="sessions-end-with-the-account")


def _begin(*, request: HttpRequest, user: User, **_: Any) -> None:
    sessions.begin(request, user)
    drafts.note_in_session(request, user, clock.now())


def _failed(*, credentials: dict[str, Any], **_: Any) -> None:
    name = str(credentials.get("username", "")).strip().lower()
    with acting_as("system:sign-in"):
        notices.count_failure(name, User.objects.filter(username=name).first(), now=clock.now())


def _password_changed(*, request: HttpRequest, user: User, **_: Any) -> None:
    now = clock.now()
    actions.end_sessions(user, "password changed", now=now, but=request.session.session_key)
    notices.tell(user, "password_changed", now=now)


def _switched_off(*, user: User, **_: Any) -> None:
    actions.end_sessions(user, "account switched off", now=clock.now())
