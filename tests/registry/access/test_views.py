"""The settings pages: everybody reads the rights; an administrator keeps sites and accounts, never their own."""

import pytest
from django.test import Client

from registry.access import policy
from registry.access.models import AccountRequest, RoleGrant, Site, User
from tests.cast import person

STRONG = "violet-anvil-teapot-93"


def text(browser: Client, url: str, **post: str) -> str:
    got = browser.post(url, post, follow=True) if post else browser.get(url)
    return got.content.decode()


@pytest.fixture
def eve(acting: None) -> User:
    return person("eve", "administrator", None)


def test_everybody_reads_the_table_the_code_asks(nora, paul, sami, cora, adam, signed_in) -> None:
    for user in (nora, paul, sami, cora, adam):
        page = text(signed_in(user), "/settings/")
        assert all(act.label in page for act in policy.ACTS.values())
    assert "Research nurse, Riverside" in text(signed_in(nora), "/settings/account/")


def test_an_administrator_adds_and_changes_a_site(adam: User, riverside: Site, signed_in) -> None:
    browser = signed_in(adam)
    facts = {"name": "Hill", "country": "GB", "time_zone": "Europe/London", "closed_weekdays": "6,7"}
    text(browser, "/settings/sites/new/", code="HIL", **facts)
    assert Site.objects.filter(code="HIL").exists()
    assert "not a time zone" in text(
        browser, "/settings/sites/new/", code="X", **facts | {"time_zone": "Mars"}
    )
    url = f"/settings/sites/{riverside.pk}/"
    text(browser, url, **facts, form_version="1", reason="Renamed")
    assert "Somebody else changed" in text(
        browser, url, **facts | {"name": "Late"}, form_version="1", reason="x"
    )
    riverside.refresh_from_db()
    assert riverside.name == "Hill"


def test_an_account_needs_a_second_administrator(adam: User, eve: User, riverside: Site, signed_in) -> None:
    asked = {"username": "petra", "full_name": "Petra Holm", "role": "nurse", "site": str(riverside.pk)}
    assert "too weak" in text(signed_in(adam), "/settings/requests/new/", **asked, password="petra")
    text(signed_in(adam), "/settings/requests/new/", **asked, password=STRONG)
    request = AccountRequest.objects.get()
    assert "waits for another administrator" in text(signed_in(adam), "/settings/requests/")
    assert "somebody else decides" in text(signed_in(adam), f"/settings/requests/{request.pk}/open/", go="1")
    text(signed_in(eve), f"/settings/requests/{request.pk}/open/", go="1")
    assert Client().login(request=None, username="petra", password=STRONG) or User.objects.get(
        username="petra"
    ).check_password(STRONG)


def test_a_refused_request_opens_nothing(adam: User, signed_in, riverside: Site, eve: User) -> None:
    asked = {
        "username": "petra",
        "full_name": "P",
        "role": "nurse",
        "site": str(riverside.pk),
        "password": STRONG,
    }
    text(signed_in(adam), "/settings/requests/new/", **asked)
    text(signed_in(eve), f"/settings/requests/{AccountRequest.objects.get().pk}/refuse/", go="1")
    assert not User.objects.filter(username="petra").exists()


def test_roles_are_granted_and_ended_but_never_ones_own(
    adam: User, nora: User, riverside: Site, signed_in
) -> None:
    browser = signed_in(adam)
    url = f"/settings/accounts/{nora.pk}/"
    grant = {"role": "investigator", "site": str(riverside.pk), "starts_on": "2026-01-01", "reason": "Locum"}
    text(browser, url, **grant)
    granted = RoleGrant.objects.get(user=nora, role="investigator")
    assert granted.granted_by == adam
    assert "already" in text(browser, url, **grant)
    assert "cannot end before" in text(browser, url, **grant | {"role": "monitor", "ends_on": "2025-01-01"})
    text(browser, f"/settings/roles/{granted.pk}/end/", last_day="2026-06-30", reason="Over")
    granted.refresh_from_db()
    assert granted.ends_on is not None
    own = RoleGrant.objects.get(user=adam)
    assert "own rights" in text(browser, f"/settings/roles/{own.pk}/end/", last_day="2026-06-30", reason="x")


def test_an_account_is_switched_off_with_a_reason(adam: User, nora: User, signed_in) -> None:
    url = f"/settings/accounts/{nora.pk}/active/"
    assert "give a reason" in text(signed_in(adam), url, reason="")
    text(signed_in(adam), url, reason="Left the clinic")
    nora.refresh_from_db()
    assert not nora.is_active
    assert "own rights" in text(signed_in(adam), f"/settings/accounts/{adam.pk}/active/", reason="x")
