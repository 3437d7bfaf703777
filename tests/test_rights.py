"""Every address, asked by every role, by the same role at another site, and by nobody: only the policy table opens it."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from registry.access import policy
from registry.access.models import User
from tests.rights_cases import every_case
from tests.rights_world import Case, World, make_world

# Sign-in and health answer everybody; the account pages answer everybody who has signed in.
OPEN = {"healthz", "readyz", "account_login", "account_logout", "signin:code", "signin:new_password"}
SIGNED_IN = {"account_change_password"}
CASES = every_case()
ANSWERED = {200, 302, 405}
BACKEND = "allauth.account.auth_backends.AuthenticationBackend"


def addresses() -> dict[str, URLPattern]:
    return dict(_walk(get_resolver().url_patterns, ""))


def _walk(patterns: list[Any], room: str) -> Iterator[tuple[str, URLPattern]]:
    for one in patterns:
        if isinstance(one, URLResolver):
            yield from _walk(one.url_patterns, one.namespace or room)
        else:
            yield (f"{room}:{one.name}" if room else one.name), one


@pytest.fixture
def world(acting: None) -> World:
    return make_world()


def answer(user: User | None, url: str, method: str = "get") -> HttpResponse:
    browser = Client()
    if user is not None:
        browser.force_login(user, backend=BACKEND)
    return getattr(browser, method)(url)


def allowed(role: str, case: Case, *, blinded: bool = False) -> set[str]:
    return {policy.scope_of(role, act, blinded=blinded) for act in case.acts} - {"none"}


def test_every_address_has_its_case() -> None:
    missing = sorted(addresses().keys() - CASES.keys() - OPEN - SIGNED_IN)
    assert not missing, f"say in tests/rights_cases/<room>.py which act opens: {', '.join(missing)}"
    gone = sorted(CASES.keys() - addresses().keys())
    assert not gone, f"these addresses are gone, remove their cases: {', '.join(gone)}"


@pytest.mark.parametrize("name", sorted(addresses().keys() - OPEN - SIGNED_IN))
def test_every_view_asks_for_the_act_its_case_names(name: str) -> None:
    asked = getattr(addresses()[name].callback, "acts", ())
    assert asked, f"{name} stands behind no @needs(...)"
    assert name in CASES, f"{name} has no case in tests/rights_cases"
    assert set(asked) == set(CASES[name].acts)
    assert set(asked) <= policy.ACTS.keys()


@pytest.mark.parametrize("name", sorted(CASES))
def test_only_the_policy_opens_an_address(name: str, world: World) -> None:
    case = CASES[name]
    keys = case.kwargs(world)
    url = reverse(name, kwargs=keys)
    wrong = [*_nobody(url), *_own_site(url, case, world)]
    if keys and case.of_site:
        wrong += _other_site(url, case, world)
    assert wrong == []


def _nobody(url: str) -> Iterator[str]:
    for method in ("get", "post"):
        got = answer(None, url, method)
        if got.status_code != 302 or not got.headers["Location"].startswith("/accounts/login/"):
            yield f"nobody, {method}: {got.status_code}, not the sign-in page"


def _own_site(url: str, case: Case, world: World) -> Iterator[str]:
    """Whether a view looks at the method or at the right first, who may not do the act is refused."""
    answered = ANSWERED | {403, 404} if case.may_hide else ANSWERED
    for role, user in world.own.items():
        may = allowed(role, case)
        status = answer(user, url).status_code
        if status == 405 and not may:
            status = answer(user, url, "post").status_code
        expected = answered if may else {403}
        if status not in expected:
            yield f"{role}: {status}, expected {sorted(expected)}"


def _other_site(url: str, case: Case, world: World) -> Iterator[str]:
    """An address that takes POST alone is asked by POST; the empty form changes nothing anybody may see."""
    for role, user in world.other.items():
        if allowed(role, case) != {policy.OWN}:
            continue
        status = answer(user, url).status_code
        if status == 405:
            status = answer(user, url, "post").status_code
        if status != 404:
            yield f"{role} of another site: {status}, expected 404"


@pytest.mark.parametrize("name", sorted(OPEN))
def test_open_addresses_answer_nobody(name: str, db: None) -> None:
    got = answer(None, reverse(name))
    assert got.status_code in {200, 302, 503}
    assert not got.headers.get("Location", "").startswith("/accounts/login/?next")


@pytest.mark.parametrize("name", sorted(SIGNED_IN))
def test_account_pages_ask_for_sign_in(name: str, world: World) -> None:
    assert answer(None, reverse(name)).headers["Location"].startswith("/accounts/login/")
    assert answer(world.own["auditor"], reverse(name)).status_code == 200


def test_a_person_without_a_role_sees_nothing(world: World) -> None:
    nobody = User.objects.create(username="new", full_name="New", date_joined=world.patient.created_at)
    for name in CASES:
        if not addresses()[name].pattern.converters:
            assert answer(nobody, reverse(name)).status_code == 403, name
