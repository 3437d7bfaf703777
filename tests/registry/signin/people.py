"""Signing in as the people of the cast do: with a password, and with a telephone that shows codes."""

from datetime import datetime
from typing import Any

from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.http import HttpResponse
from django.test import Client

from registry import clock
from registry.access.models import User
from registry.audit.acting import acting_as
from registry.signin import second_factor
from tests.cast import PASSWORD

LOGIN, CODE, SET_UP = "/accounts/login/", "/accounts/code/", "/accounts/second-factor/"
ACCOUNT, PRESENCE = "/settings/account/", "/accounts/presence/"
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def code_at(moment: datetime, secret: str = SECRET) -> str:
    return str(format_hotp_value(hotp_value(secret, int(moment.timestamp()) // 30)))


def code_now() -> str:
    return code_at(clock.now())


def give_telephone(user: User) -> list[str]:
    """The recovery codes that come with it."""
    with acting_as("system:command"):
        return second_factor.set_up(user, SECRET, now=clock.now())


def type_password(browser: Client, username: str, password: str = PASSWORD, **headers: Any) -> HttpResponse:
    return browser.post(LOGIN, {"login": username, "password": password}, **headers)


def type_code(browser: Client, code: str) -> HttpResponse:
    return browser.post(CODE, {"code": code})


def is_in(browser: Client) -> bool:
    return "_auth_user_id" in browser.session


def session_id(browser: Client) -> str:
    return browser.cookies["session"].value


def with_session(key: str) -> Client:
    """Another browser that has got hold of a session's id."""
    browser = Client()
    browser.cookies["session"] = key
    return browser


def opens(browser: Client, path: str = "/settings/") -> bool:
    return browser.get(path).status_code == 200
