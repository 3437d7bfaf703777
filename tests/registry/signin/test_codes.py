"""S5, the second factor: who must have one, each code once, tries counted, and nothing goes around it."""

import base64
import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP
from django.core.cache import cache
from django.test import Client

from registry import clock
from registry.access import policy
from registry.access.models import Site, User
from registry.audit.acting import acting_as
from registry.audit.models import AuditEntry
from registry.signin import actions, notices, recovery, second_factor
from registry.signin.models import Notice
from tests.cast import NOW, PASSWORD, person
from tests.registry.signin.people import (
    ACCOUNT,
    CODE,
    SECRET,
    SET_UP,
    code_at,
    code_now,
    give_telephone,
    is_in,
    opens,
    type_code,
    type_password,
)  # fmt: skip


@pytest.fixture(autouse=True)
def codes_are_asked(settings, db: None) -> Iterator[None]:
    settings.REQUIRE_MFA = True
    cache.clear()
    with clock.set_to(NOW):
        yield


def roles_with_names() -> set[str]:
    return {role for role in policy.ROLES if policy.scope_of(role, "identifiers.view") != "none"}


@pytest.mark.parametrize("role", sorted(policy.ROLES))
def test_exactly_the_roles_that_see_names_must_set_one_up_before_any_other_page(
    role: str, riverside: Site
) -> None:
    across = role in ("safety", "coordinator", "auditor", "administrator", "product")
    user = person("somebody", role, None if across else riverside)
    browser = Client()
    assert type_password(browser, user.username).status_code == 302
    for path in ("/settings/", ACCOUNT, "/patients/", "/"):
        got = browser.get(path)
        assert (got.status_code == 302 and got.headers["Location"] == SET_UP) == (
            role in roles_with_names()
        ), path


def test_setting_up_shows_the_key_takes_a_code_and_shows_recovery_codes_once(
    nora: User, client: Client
) -> None:
    type_password(client, "nora")
    page = client.get(SET_UP).content.decode()
    key = re.search(r"secret-key\" translate=\"no\">([A-Z2-7 ]+)<", page)[1].replace(" ", "")
    picture = re.search(r"data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)", page)[1]
    assert base64.b64decode(picture).startswith(b"<?xml")
    wrong = client.post(SET_UP, {"password": PASSWORD, "code": "000000"})
    assert "not the code of this key" in wrong.content.decode()
    before = client.session.session_key
    right = {"password": PASSWORD, "code": code_at(clock.now(), key)}
    assert client.post(SET_UP, right).headers["Location"] == "/accounts/recovery-codes/"
    assert client.session.session_key != before
    shown = re.findall(r"<li><code>([\d ]+)</code>", client.get("/accounts/recovery-codes/").content.decode())
    assert len(set(shown)) == 10
    assert shown[0] in client.get("/accounts/recovery-codes/file/").content.decode()
    client.post("/accounts/recovery-codes/")
    assert shown[0] not in client.get("/accounts/recovery-codes/").content.decode()
    assert client.get("/accounts/recovery-codes/file/").status_code == 404
    assert opens(client)
    assert AuditEntry.objects.filter(action="second factor set up", user_id=nora.pk).exists()


def test_a_secret_stands_nowhere_in_the_clear(nora: User) -> None:
    codes = give_telephone(nora)
    stored = [str(row.data) for row in nora.authenticator_set.order_by("pk")]
    trail = "".join(entry.new + entry.old for entry in AuditEntry.objects.order_by("pk"))
    for secret in (SECRET, *codes):
        assert not any(secret in text for text in [*stored, trail])


def test_after_the_password_comes_the_code_and_before_it_nothing_opens(nora: User, client: Client) -> None:
    give_telephone(nora)
    assert type_password(client, "nora").headers["Location"] == CODE
    assert not is_in(client)
    assert client.get("/patients/").headers["Location"].startswith("/accounts/login/")
    assert "code is wrong" in type_code(client, "123456").content.decode()
    assert not is_in(client)
    assert type_code(client, code_now()).status_code == 302
    assert is_in(client)
    assert opens(client)


def test_a_code_lets_in_once_whoever_tries_it_again(nora: User) -> None:
    give_telephone(nora)
    got_in = []
    for _ in range(3):
        browser = Client()
        type_password(browser, "nora")
        type_code(browser, code_now())
        got_in.append(is_in(browser))
    assert got_in == [True, False, False]


def test_a_recovery_code_lets_in_once(nora: User) -> None:
    first = give_telephone(nora)[0]
    got_in = []
    for _ in range(2):
        browser = Client()
        type_password(browser, "nora")
        type_code(browser, first)
        got_in.append(is_in(browser))
    assert got_in == [True, False]


def test_recovery_codes_are_stored_as_digests_that_no_key_opens(nora: User) -> None:
    codes = give_telephone(nora)
    held = nora.authenticator_set.get(type="recovery_codes")
    assert set(held.data) == {"salt", "digests"}
    assert len(set(held.data["digests"])) == len(set(codes)) == 10
    assert all(len(code) == 12 and code.isdigit() for code in codes)


def test_of_two_who_type_a_recovery_code_one_gets_in_and_the_others_stay_good(nora: User) -> None:
    codes = give_telephone(nora)
    with acting_as("system:command"):
        assert [recovery.use(nora, codes[3]), recovery.use(nora, codes[3])] == [True, False]
        assert not recovery.use(nora, "000000000000")
        assert recovery.left(nora) == 9
        assert all(recovery.use(nora, code) for code in codes if code != codes[3])
    assert recovery.left(nora) == 0


@pytest.mark.parametrize("by", ["the worker", "the first use"])
def test_codes_made_by_an_earlier_version_stay_good_and_become_digests(nora: User, by: str) -> None:
    with acting_as("system:command"):
        TOTP.activate(nora, SECRET)
        codes = RecoveryCodes.activate(nora).generate_codes()
        RecoveryCodes(nora.authenticator_set.get(type="recovery_codes")).validate_code(codes[0])
        assert recovery.left(nora) == 9
    if by == "the worker":
        assert recovery.digest_those_kept_otherwise() == 1
        assert recovery.digest_those_kept_otherwise() == 0
    with acting_as("system:command"):
        assert [recovery.use(nora, codes[1]), recovery.use(nora, codes[0])] == [True, False]
    assert set(nora.authenticator_set.get(type="recovery_codes").data) == {"salt", "digests"}
    assert recovery.left(nora) == 8


def test_codes_not_yet_confirmed_as_kept_stand_nowhere_in_the_clear(nora: User, client: Client) -> None:
    type_password(client, "nora")
    page = client.get(SET_UP).content.decode()
    key = re.search(r"secret-key\" translate=\"no\">([A-Z2-7 ]+)<", page)[1].replace(" ", "")
    client.post(SET_UP, {"password": PASSWORD, "code": code_at(clock.now(), key)})
    shown = re.findall(r"<li><code>([\d ]+)</code>", client.get("/accounts/recovery-codes/").content.decode())
    kept = str(dict(client.session.items()))
    assert not any(code.replace(" ", "") in kept for code in shown)
    client.post("/accounts/recovery-codes/")
    assert "recovery_codes_shown" not in client.session


def test_at_most_ten_codes_a_minute_are_looked_at(nora: User, monkeypatch) -> None:
    give_telephone(nora)
    looked_at = []
    whole = second_factor._is_fresh_totp
    monkeypatch.setattr(second_factor, "_is_fresh_totp", lambda *a: looked_at.append(1) or whole(*a))
    browser = Client()
    type_password(browser, "nora")
    for number in range(200):
        type_code(browser, f"{number:06}")
    assert 0 < len(looked_at) <= 10
    assert "Too many codes" in type_code(browser, code_now()).content.decode()
    assert not is_in(browser)


def test_a_new_password_does_not_go_around_the_second_factor(nora: User, adam: User, client: Client) -> None:
    give_telephone(nora)
    with acting_as(adam):
        actions.send_password_link(user=nora, reason="Forgotten", by=adam, now=NOW)
        user = User.objects.get(pk=nora.pk)
        actions.set_new_password(user=user, password="another-long-passphrase", now=NOW)
    assert type_password(client, "nora", "another-long-passphrase").headers["Location"] == CODE
    assert not is_in(client)


def test_the_link_for_a_new_password_works_once_and_leads_to_the_site_itself(
    nora: User, adam: User, mailoutbox, client: Client, settings
) -> None:
    with acting_as(adam):
        actions.send_password_link(user=nora, reason="Forgotten", by=adam, now=NOW)
    notices.send(now=NOW)
    (mail,) = mailoutbox
    assert mail.to == ["nora@example.org"]
    link = re.search(r"\S+/accounts/new-password/\S+", mail.body)[0]
    assert link.startswith(f"{settings.SITE_URL}/")
    path = link.removeprefix(settings.SITE_URL)
    clean = client.get(path).headers["Location"]
    assert "key" not in clean
    two = {"new_password": "another-long-passphrase", "again": "another-long-passphrase"}
    assert client.post(clean, two).headers["Location"] == "/accounts/login/"
    client.get(path)
    assert "no longer works" in client.get(clean).content.decode()


def test_an_administrator_resets_somebody_elses_second_factor_and_it_is_told(
    nora: User, cora: User, adam: User, signed_in, mailoutbox
) -> None:
    give_telephone(nora)
    there = Client()
    type_password(there, "nora")
    type_code(there, code_now())
    assert opens(there)
    browser = signed_in(adam)
    reset = f"/settings/accounts/{nora.pk}/sign-in/reset/"
    browser.post(reset, {"reason": ""})
    assert second_factor.is_set_up(nora)
    browser.post(reset, {"reason": "Telephone lost, seen in person"})
    assert not second_factor.is_set_up(nora)
    assert not opens(there)
    entry = AuditEntry.objects.get(action="second factor reset")
    assert (entry.user_id, entry.row_id, entry.reason) == (
        adam.pk,
        str(nora.pk),
        "Telephone lost, seen in person",
    )
    notices.send(now=clock.now())
    told = {one.to[0]: one.subject for one in mailoutbox}
    assert set(told) == {"nora@example.org", "cora@example.org"}
    assert type_password(Client(), "nora").status_code == 302


def test_nobody_resets_their_own(adam: User, signed_in) -> None:
    give_telephone(adam)
    browser = Client()
    type_password(browser, "adam")
    type_code(browser, code_now())
    got = browser.post(f"/settings/accounts/{adam.pk}/sign-in/reset/", {"reason": "mine"}, follow=True)
    assert "another administrator" in got.content.decode()
    assert second_factor.is_set_up(adam)


def test_where_codes_are_off_nobody_is_asked_and_every_page_says_so(
    nora: User, client: Client, settings
) -> None:
    give_telephone(nora)
    assert "No second factor is asked" not in client.get("/accounts/login/").content.decode()
    settings.REQUIRE_MFA = False
    type_password(client, "nora")
    assert is_in(client)
    for path in ("/settings/", ACCOUNT, "/patients/"):
        assert "No second factor is asked here" in client.get(path).content.decode()
    assert "No second factor is asked here" in Client().get("/accounts/login/").content.decode()


def test_a_role_that_sees_names_asks_for_the_second_factor_in_the_session_it_finds(
    cora: User, riverside: Site, adam: User, signed_in
) -> None:
    browser = signed_in(cora)
    assert opens(browser)
    with acting_as("system:command"):
        cora.rolegrant_set.create(role="nurse", site=riverside, starts_on=NOW.date())
    assert browser.get("/settings/").headers["Location"] == SET_UP


def test_repeated_failures_are_told_to_the_person_and_those_who_watch_once(
    nora: User, cora: User, adam: User, mailoutbox
) -> None:
    for _ in range(9):
        type_password(Client(), "nora", "wrong")
    assert Notice.objects.count() == 3
    notices.send(now=clock.now())
    notices.send(now=clock.now())
    assert sorted(mail.to[0] for mail in mailoutbox) == [
        "adam@example.org",
        "cora@example.org",
        "nora@example.org",
    ]
    assert all(len(mail.to) == 1 and not mail.cc and not mail.bcc for mail in mailoutbox)


def test_an_old_pending_sign_in_ends_with_the_account(nora: User, client: Client) -> None:
    give_telephone(nora)
    type_password(client, "nora")
    with acting_as("system:command"):
        User.objects.filter(pk=nora.pk).update(is_active=False)
    assert type_code(client, code_now()).headers["Location"] == "/accounts/login/"
    assert not is_in(client)


def test_the_next_code_works_after_one_was_used(nora: User) -> None:
    give_telephone(nora)
    for minutes in (0, 1):
        with clock.set_to(NOW + timedelta(minutes=minutes)):
            browser = Client()
            type_password(browser, "nora")
            type_code(browser, code_now())
            assert is_in(browser)
