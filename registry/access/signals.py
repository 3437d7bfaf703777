"""Signing in, failing to and signing out are events in the trail."""

from typing import Any

from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.http import HttpRequest

from registry import clock
from registry.audit.acting import acting_as
from registry.audit.actions import record_event


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
    """The name tried is not kept: people type passwords into the wrong box."""
    with acting_as("system:sign-in"):
        record_event(action="sign-in failed", about="access_user", now=clock.now())
