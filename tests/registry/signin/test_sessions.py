"""S6: the id of a session changes when it gains rights, an old id opens nothing, and sessions end by the clock; P-11."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from registry import clock
from registry.access import actions as accounts
from registry.access.models import RoleGrant, Site, User
from registry.audit.acting import acting_as
from registry.audit.models import AuditEntry
from registry.signin import drafts
from registry.signin.models import BrowserSession, Draft
from registry.signin.sessions import in_words
from tests.cast import NOW, PASSWORD
from tests.registry.signin.people import (
    ACCOUNT,
    CODE,
    PRESENCE,
    code_now,
    give_telephone,
    is_in,
    opens,
    session_id,
    type_code,
    type_password,
    with_session,
)  # fmt: skip

FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture(autouse=True)
def a_day(db: None) -> Iterator[None]:
    cache.clear()
    with clock.set_to(NOW):
        yield


def sign_in(username: str, **headers: str) -> Client:
    browser = Client(headers=headers)
    type_password(browser, username)
    assert opens(browser)
    return browser


# The id ------------------------------------------------------------------------------------------------------


def test_the_id_of_before_opens_nothing_after_sign_in(nora: User) -> None:
    browser = Client()
    browser.get("/accounts/new-password/?key=planted")  # gives an anonymous session
    planted = session_id(browser)
    type_password(browser, "nora")
    assert session_id(browser) != planted
    assert not opens(with_session(planted))


def test_the_id_changes_at_the_password_and_at_the_code(nora: User, settings) -> None:
    settings.REQUIRE_MFA = True
    give_telephone(nora)
    browser, ids = Client(), []
    browser.get("/accounts/new-password/?key=planted")
    for step in (
        lambda: None,
        lambda: type_password(browser, "nora"),
        lambda: type_code(browser, code_now()),
    ):
        step()
        ids.append(session_id(browser))
    assert len(set(ids)) == 3
    assert opens(browser)
    for old in ids[:2]:
        thief = with_session(old)
        assert not opens(thief)
        assert thief.get(CODE).headers["Location"] == "/accounts/login/"


def test_the_id_changes_when_a_role_is_gained_or_ends(mona: User, adam: User) -> None:
    browser, ids = sign_in("mona"), []
    for change in ({"ends_on": NOW.date()}, {"role": "nurse"}):
        ids.append(session_id(browser))
        with acting_as("system:command"):
            mona.rolegrant_set.update(**change)
        with clock.set_to(NOW + timedelta(minutes=1)):
            browser.get("/settings/")
    assert session_id(browser) not in ids or ids[0] != ids[1]
    assert not opens(with_session(ids[0]))
    assert opens(browser)


def test_an_old_id_opens_nothing_after_signing_out(nora: User) -> None:
    browser = sign_in("nora")
    old = session_id(browser)
    got = browser.post("/accounts/logout/")
    assert got.headers["Clear-Site-Data"] == '"cache", "storage"'
    assert not opens(with_session(old))


def test_a_switched_off_account_ends_at_once_and_does_not_wake_up_with_its_old_sessions(
    nora: User, adam: User
) -> None:
    browser = sign_in("nora")
    with acting_as(adam):
        accounts.set_active(user=nora, active=False, reason="Left", by=adam)
    assert not opens(browser)
    again = sign_in_again = with_session(session_id(browser)) if "session" in browser.cookies else Client()
    with acting_as(adam):
        accounts.set_active(user=nora, active=True, reason="Came back", by=adam)
    assert not opens(again)
    assert not opens(sign_in_again)
    assert AuditEntry.objects.filter(action="session ended", new="1: account switched off").exists()


def test_switching_off_kills_a_session_that_asks_nothing_in_between(nora: User, adam: User) -> None:
    browser = sign_in("nora")
    with acting_as(adam):
        accounts.set_active(user=nora, active=False, reason="Left", by=adam)
        accounts.set_active(user=nora, active=True, reason="Came back", by=adam)
    assert not opens(browser)


def test_a_changed_password_ends_the_other_sessions_and_the_old_id(nora: User) -> None:
    here, there = sign_in("nora"), sign_in("nora")
    old = session_id(here)
    new = "another-long-passphrase"
    here.post("/accounts/password/", {"oldpassword": PASSWORD, "password1": new, "password2": new})
    assert opens(here)
    assert not opens(there)
    assert not opens(with_session(old))
    assert type_password(Client(), "nora", new).status_code == 302


# The clock ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("minutes", "lives"), [(14, True), (15, True), (16, False), (60 * 24 * 3, False)])
def test_fifteen_minutes_without_anybody_end_a_session(nora: User, minutes: int, lives: bool) -> None:
    browser = sign_in("nora")
    with clock.set_to(NOW + timedelta(minutes=minutes)):
        assert opens(browser) == lives
        assert is_in(browser) == lives


def test_twelve_hours_end_a_session_however_busy(nora: User) -> None:
    browser = sign_in("nora")
    for minutes in range(10, 12 * 60 + 1, 10):
        with clock.set_to(NOW + timedelta(minutes=minutes)):
            assert opens(browser), minutes
    with clock.set_to(NOW + timedelta(hours=12, minutes=1)):
        assert browser.get("/settings/").headers["Location"].startswith("/accounts/login/?ended=absolute")


def test_what_a_page_asks_by_itself_is_nobodys_presence(nora: User) -> None:
    polls, asks = sign_in("nora"), sign_in("nora")
    for minutes in range(2, 16, 2):
        with clock.set_to(NOW + timedelta(minutes=minutes)):
            polls.get("/settings/", headers={"HX-Request": "true"})
            asks.get(PRESENCE)
            asks.post("/accounts/drafts/", {"draft_page": "/today/"})
    with clock.set_to(NOW + timedelta(minutes=16)):
        assert not opens(polls)
        assert not opens(asks)


def test_somebody_who_is_there_may_stay(nora: User) -> None:
    browser = sign_in("nora")
    with clock.set_to(NOW + timedelta(minutes=13)):
        assert browser.get(PRESENCE).json() == {"seconds": 120, "may_stay": True}
        assert browser.post(PRESENCE).json()["seconds"] == 900
    with clock.set_to(NOW + timedelta(minutes=27)):
        assert opens(browser)


# One's own list ----------------------------------------------------------------------------------------------


def test_the_list_names_each_browser_and_ends_one_or_all_others(nora: User) -> None:
    here = sign_in("nora", **{"User-Agent": FIREFOX})
    there, third = sign_in("nora"), sign_in("nora")
    page = here.get(ACCOUNT).content.decode()
    assert "Firefox on Windows" in page
    assert page.count("This one") == 1
    assert page.count("/end/") == 2
    number = BrowserSession.objects.get(session_key=session_id(there)).number
    here.post(reverse("signin:session_end", args=[number]))
    assert (opens(here), opens(there), opens(third)) == (True, False, True)
    here.post(reverse("signin:sessions_end_others"))
    assert (opens(here), opens(third)) == (True, False)


def test_nobody_ends_or_sees_the_session_of_somebody_else(nora: User, dele: User) -> None:
    noras, deles = sign_in("nora"), sign_in("dele")
    number = BrowserSession.objects.get(session_key=session_id(noras)).number
    deles.post(reverse("signin:session_end", args=[number]))
    assert opens(noras)
    assert f"{number}" not in deles.get(ACCOUNT).content.decode()


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        (FIREFOX, "Firefox on Windows"),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15) AppleWebKit/605 Version/18 Safari/605",
            "Safari on Mac",
        ),
        ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537 Chrome/140.0 Safari/537", "Chrome on Linux"),
        ("Mozilla/5.0 (Linux; Android 15) AppleWebKit/537 Chrome/140 Mobile Safari/537", "Chrome on Android"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537 Chrome/140 Safari/537 Edg/140", "Edge on Windows"),
        ("curl/8.5", "Not known"),
        ("", "Not known"),
    ],
)
def test_a_browser_is_named_in_words(agent: str, words: str) -> None:
    assert in_words(agent) == words


# Drafts ------------------------------------------------------------------------------------------------------

FORM = "/settings/sites/new/"
TYPED = {"code": "NEW", "name": "Newtown <b>Hospital</b>", "version": "3", "password": "secret-words-typed"}


def test_each_site_says_after_how_many_minutes_and_the_strictest_counts(
    nora: User, adam: User, riverside: Site, harbour: Site
) -> None:
    with acting_as("system:command"):
        Site.objects.filter(pk=riverside.pk).update(idle_minutes=40)
    browser, administrator = sign_in("nora"), sign_in("adam")
    assert browser.get(PRESENCE).json()["seconds"] == 2400
    with clock.set_to(NOW + timedelta(minutes=30)):
        assert opens(browser)
        assert not opens(administrator), "who works across all sites has the registry's 15 minutes"
        with acting_as("system:command"):
            RoleGrant.objects.create(
                user=nora, role="monitor", site=harbour, starts_on=NOW.date().replace(year=2020)
            )
            Site.objects.filter(pk=harbour.pk).update(idle_minutes=5)
        assert browser.get(PRESENCE).json()["seconds"] == 300
    with clock.set_to(NOW + timedelta(minutes=36)):
        assert not opens(browser)


@pytest.mark.parametrize("minutes", [4, 61])
def test_no_site_can_say_less_than_5_or_more_than_60(minutes: int, riverside: Site, adam: User) -> None:
    with pytest.raises(IntegrityError, match="idle_minutes_are_5_to_60"), transaction.atomic():
        Site.objects.filter(pk=riverside.pk).update(idle_minutes=minutes)
    browser = sign_in("adam")
    facts = {
        "name": "Hill",
        "country": "GB",
        "time_zone": "Europe/London",
        "closed_weekdays": "6,7",
        "reason": "x",
    }
    page = browser.post(
        f"/settings/sites/{riverside.pk}/", facts | {"version": "1", "idle_minutes": str(minutes)}
    )
    assert "Ensure this value is" in page.content.decode()


def test_a_form_sent_too_late_is_kept_and_does_nothing_else(adam: User) -> None:
    browser = sign_in("adam")
    with clock.set_to(NOW + timedelta(minutes=20)):
        got = browser.post(FORM, TYPED, headers={"Referer": f"http://testserver{FORM}"})
        assert got.headers["Location"].startswith("/accounts/login/?ended=idle&next=")
        type_password(browser, "adam")
        page = browser.get(FORM).content.decode()
    assert "You typed something here on 14 Mar 2031, 09:50" in page
    assert "Newtown &lt;b&gt;Hospital&lt;/b&gt;" in page
    assert "secret-words-typed" not in page


def test_a_draft_is_unreadable_in_the_database_and_for_anybody_else(adam: User, signed_in) -> None:
    browser = sign_in("adam")
    send_draft(browser)
    draft = Draft.objects.get()
    assert "Newtown" not in draft.content
    assert "Newtown" in browser.get(FORM).content.decode()
    with acting_as("system:command"):
        other = User.objects.create(username="eve", full_name="Eve", date_joined=NOW)
        other.rolegrant_set.create(role="administrator", starts_on=NOW.date())
    eve = signed_in(other)
    assert "Newtown" not in eve.get(FORM).content.decode()
    eve.post(reverse("signin:draft_forget", args=[draft.pk]))
    assert Draft.objects.exists()


@pytest.mark.parametrize("page", ["/patients/\0/", "/patients/a\nb/", "x" * 100_000, "//evil.example/", ""])
def test_a_draft_of_no_page_is_not_kept(adam: User, signed_in, page: str) -> None:
    assert send_draft_of(signed_in(adam), page, page) == 204
    assert send_draft_of(signed_in(adam), FORM, page) == 204
    assert not Draft.objects.exists()


def send_draft_of(browser: Client, page: str, action: str) -> int:
    sent = {"draft_page": page, "draft_action": action, "draft_name": "name", "draft_text": "Newtown"}
    return browser.post(reverse("signin:draft_keep"), sent).status_code


def send_draft(browser: Client, page: str = FORM) -> None:
    names = list(TYPED)
    texts = [TYPED[name] for name in names]
    body = {"draft_page": page, "draft_action": page, "draft_name": names, "draft_text": texts}
    assert browser.post("/accounts/drafts/", body).status_code == 204


def test_a_draft_goes_when_it_is_thrown_away_when_the_form_is_saved_and_after_a_week(adam: User) -> None:
    browser = sign_in("adam")
    send_draft(browser)
    assert (
        browser.post(reverse("signin:draft_forget", args=[Draft.objects.get().pk])).headers["Location"]
        == FORM
    )
    assert not Draft.objects.exists()
    send_draft(browser)
    site = {
        "code": "NEW",
        "name": "Newtown",
        "country": "GB",
        "time_zone": "Europe/London",
        "idle_minutes": "15",
        "form_token": "one",
    }
    assert browser.post(FORM, site).status_code == 302
    assert not Draft.objects.exists()
    send_draft(browser)
    with clock.set_to(NOW + timedelta(days=7)):
        type_password(browser, "adam")
        assert "You typed" not in browser.get(FORM).content.decode()
        assert drafts.forget_old(clock.now()) == 1


@pytest.mark.parametrize("page", ["/accounts/login/", "/nowhere/", "//evil.example/", "/" + "x" * 400])
def test_drafts_are_kept_for_pages_of_the_registry_alone(adam: User, page: str) -> None:
    send_draft(sign_in("adam"), page)
    assert not Draft.objects.exists()


def test_a_forged_late_form_is_not_kept(adam: User) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(adam, backend="allauth.account.auth_backends.AuthenticationBackend")
    assert opens(browser)
    with clock.set_to(NOW + timedelta(minutes=20)):
        browser.post(FORM, TYPED)
    assert not Draft.objects.exists()
