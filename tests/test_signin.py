"""Signing in and out: one answer for every wrong pair, a throttle, an idle limit, and nothing kept by browsers."""

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.test import Client

from registry import clock
from registry.access.models import User
from registry.audit.models import AuditEntry
from tests.cast import NOW, PASSWORD

LOGIN = "/accounts/login/"


@pytest.fixture(autouse=True)
def forget_throttles(db: None) -> None:
    cache.clear()


def sign_in(browser: Client, username: str, password: str):
    return browser.post(LOGIN, {"login": username, "password": password})


def test_a_person_signs_in_by_name_whatever_its_capitals(nora: User, client: Client) -> None:
    got = sign_in(client, "NORA", PASSWORD)
    assert (got.status_code, got.headers["Location"]) == (302, "/")
    assert AuditEntry.objects.filter(action="sign-in", actor="nora").count() == 1


def test_a_stranger_is_sent_to_sign_in_and_back(client: Client, db: None) -> None:
    assert client.get("/patients/").headers["Location"] == "/accounts/login/?next=/patients/"


def test_a_wrong_name_and_a_wrong_password_read_the_same(nora: User, client: Client) -> None:
    pages = [sign_in(client, *pair).content.decode() for pair in (("nora", "wrong"), ("nobody", "wrong"))]
    shown = [page.split("error-summary")[1].split("</ul>")[0] for page in pages]
    assert shown[0] == shown[1]
    failed = AuditEntry.objects.filter(action="sign-in failed")
    assert failed.count() == 2
    assert not any("nobody" in entry.new or "wrong" in entry.new for entry in failed)


def test_an_account_switched_off_cannot_sign_in(nora: User, client: Client) -> None:
    User.objects.filter(pk=nora.pk).update(is_active=False)
    got = sign_in(client, "nora", PASSWORD)
    assert "_auth_user_id" not in client.session
    assert "error-summary" in got.content.decode()


def test_guessing_is_slowed_down(nora: User, client: Client) -> None:
    for _ in range(10):
        sign_in(client, "nora", "wrong")
    sign_in(client, "nora", PASSWORD)
    assert "_auth_user_id" not in client.session


def test_a_session_ends_when_nobody_is_there_and_at_the_latest_after_a_day_of_work(
    nora: User, signed_in
) -> None:
    browser = signed_in(nora)
    with clock.set_to(NOW):
        assert browser.get("/settings/").status_code == 200
    with clock.set_to(NOW + timedelta(minutes=10)):
        assert browser.get("/settings/").status_code == 200
    with clock.set_to(NOW + timedelta(hours=3)):
        assert browser.get("/settings/").headers["Location"] == f"{LOGIN}?ended=idle&next=%2Fsettings%2F"
    assert "_auth_user_id" not in browser.session
    assert AuditEntry.objects.filter(action="sign-out").exists()


def test_a_link_cannot_sign_anybody_out(nora: User, signed_in) -> None:
    browser = signed_in(nora)
    browser.get("/accounts/logout/")
    assert "_auth_user_id" in browser.session
    assert browser.post("/accounts/logout/").status_code == 302
    assert "_auth_user_id" not in browser.session


def test_pages_are_not_kept_and_load_nothing_from_elsewhere(nora: User, signed_in, client: Client) -> None:
    for got in (signed_in(nora).get("/settings/"), client.get(LOGIN)):
        assert "no-store" in got.headers["Cache-Control"]
        policy = got.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
        assert got.headers["X-Frame-Options"] == "DENY"
        assert got.headers["X-Content-Type-Options"] == "nosniff"


def test_nobody_signs_themselves_up(client: Client, db: None) -> None:
    assert client.get("/accounts/signup/").status_code in (302, 404)
    assert not User.objects.exists()


def test_a_removed_right_ends_at_once(nora: User, signed_in) -> None:
    browser = signed_in(nora)
    assert browser.get("/patients/").status_code == 200
    nora.rolegrant_set.update(ends_on="2020-01-01")
    assert browser.get("/patients/").status_code == 403
