"""Signing in, failing to and signing out are events in the trail."""

from typing import Any

from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.dispatch import Signal
from django.http import HttpRequest

from registry import clock
from registry.access.models import User
from registry.audit.acting import acting_as
from registry.audit.actions import record_event

account_switched_off = Signal()  # user=; the room of sign-in ends the sessions


def connect() -> None:
    user_logged_in.connect(_signed_in, dispatch_uid="trail-sign-in")
    user_logged_out.connect(_signed_out, dispatch_uid="trail-sign-out")
    user_login_failed.connect(_failed, dispatch_uid="trail-sign-in-failed")


def _signed_in(*, user: Any, **_: Any) -> None:
    with acting_as(user):
        record_event(action="sign-in", about=user, now=clock.now())


def _signed_out(*, user: Any, **_: Any) -> None:
    if user is not None:
        with acting_as(user):
            record_event(action="sign-out", about=user, now=clock.now())


def _failed(*, credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any) -> None:
    """Of a name that is nobody's nothing is kept: people type passwords into the wrong box."""
    name = str(credentials.get("username", "")).strip().lower()
    with acting_as("system:sign-in"):
        tried = User.objects.filter(username=name).first()
        detail = tried.username if tried else ""
        record_event(action="sign-in failed", about="access_user", detail=detail, now=clock.now())
