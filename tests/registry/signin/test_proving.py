"""Proving who one is: the password each time, the code once a session, wrong ones counted."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.contrib.sessions.backends.base import SessionBase
from django.core.cache import cache
from django.test import RequestFactory
from pytest_django import Settings

from registry import clock
from registry.access.models import User
from registry.audit.models import AuditEntry
from registry.signin import second_factor
from registry.signin.proving import NotProven, needs_code, prove
from registry.signin.sessions import SessionStore
from tests.cast import NOW, PASSWORD
from tests.registry.signin.people import SECRET, code_at


@pytest.fixture(autouse=True)
def forget_throttles(db: None) -> Iterator[None]:
    cache.clear()
    with clock.set_to(NOW):
        yield


def request_of(user: User, session: SessionBase | None = None):
    request = RequestFactory().post("/")
    request.user, request.session = user, session if session is not None else SessionStore()
    return request


def test_the_password_is_enough_where_no_second_factor_is_asked(nora: User) -> None:
    second_factor.set_up(nora, SECRET, now=NOW)
    request = request_of(nora)
    assert not needs_code(request)
    prove(request, password=PASSWORD)


def test_a_wrong_password_is_refused_noted_and_counted_but_never_locks_for_ever(nora: User) -> None:
    for _ in range(5):
        with pytest.raises(NotProven) as refusal:
            prove(request_of(nora), password="wrong")
        assert refusal.value.field == "password"
    assert AuditEntry.objects.filter(action="password refused", user_id=nora.pk).count() == 5
    with pytest.raises(NotProven, match="Too many tries"):
        prove(request_of(nora), password=PASSWORD)
    cache.clear()  # as after 15 minutes
    prove(request_of(nora), password=PASSWORD)


def test_a_code_is_asked_once_a_session_and_taken_once(nora: User, settings: Settings) -> None:
    settings.REQUIRE_MFA = True
    second_factor.set_up(nora, SECRET, now=NOW)
    request = request_of(nora)
    assert needs_code(request)
    with pytest.raises(NotProven, match="code is wrong"):
        prove(request, password=PASSWORD, code="000000")
    prove(request, password=PASSWORD, code=code_at(NOW))
    assert not needs_code(request)
    prove(request, password=PASSWORD)
    with pytest.raises(NotProven, match="used already"):
        prove(request_of(nora), password=PASSWORD, code=code_at(NOW))


def test_a_recovery_code_works_once(nora: User, settings: Settings) -> None:
    settings.REQUIRE_MFA = True
    first = second_factor.set_up(nora, SECRET, now=NOW)[0]
    prove(request_of(nora), password=PASSWORD, code=f" {first[:4]}-{first[4:]}")
    with pytest.raises(NotProven):
        prove(request_of(nora), password=PASSWORD, code=first)
    assert second_factor.codes_left(nora) == 9


def test_who_must_have_a_second_factor_and_has_none_is_told_where_to_get_it(
    nora: User, cora: User, settings: Settings
) -> None:
    settings.REQUIRE_MFA = True
    with pytest.raises(NotProven, match="My account"):
        prove(request_of(nora), password=PASSWORD, code="123456")
    assert not needs_code(request_of(cora)), "a coordinator sees no names and chose no second factor"
    prove(request_of(cora), password=PASSWORD)


def test_an_old_code_is_refused(nora: User, settings: Settings) -> None:
    settings.REQUIRE_MFA = True
    second_factor.set_up(nora, SECRET, now=NOW)
    with pytest.raises(NotProven):
        prove(request_of(nora), password=PASSWORD, code=code_at(NOW - timedelta(seconds=90)))
    prove(request_of(nora), password=PASSWORD, code=code_at(NOW - timedelta(seconds=30)))
