"""S5, passwords: at most 15 guesses an account are looked at in 15 minutes, the right person still gets in, and the answer
tells nothing about which names exist.
"""

import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from statistics import median

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.core.cache import cache
from django.db import connection, connections
from django.test import Client

from registry import clock
from registry.access.models import User
from registry.audit.acting import acting_as
from registry.signin import guesses, throttle
from tests.cast import NOW, PASSWORD
from tests.registry.signin.people import code_now, give_telephone, is_in, type_code, type_password
from tests.sizes import size

BACKEND = "allauth.account.auth_backends.AuthenticationBackend"
PARALLEL = 20


@pytest.fixture(autouse=True)
def forget_throttles(request) -> Iterator[None]:
    request.getfixturevalue("transactional_db" if "transactional_db" in request.fixturenames else "db")
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def looked_at(monkeypatch) -> list[str]:
    """The passwords that were really compared."""
    seen: list[str] = []
    whole = User.check_password
    monkeypatch.setattr(User, "check_password", lambda self, raw: seen.append(raw) or whole(self, raw))
    return seen


@pytest.mark.figures
def test_of_a_thousand_guesses_fifteen_at_most_are_looked_at(nora: User, looked_at: list[str]) -> None:
    for number in range(size(short=150, full=1000)):
        type_password(Client(), "nora", f"guess {number}", REMOTE_ADDR=f"10.0.{number % 200}.1")
    assert 0 < len(looked_at) <= 15


def test_guesses_from_elsewhere_do_not_lock_out_the_person_in_their_own_browser(nora: User) -> None:
    own = Client()
    type_password(own, "nora")
    own.post("/accounts/logout/")
    for number in range(30):
        type_password(Client(), "nora", "wrong", REMOTE_ADDR=f"10.0.0.{number}")
        type_password(Client(), "nora", "wrong")
    assert type_password(own, "nora").status_code == 302
    assert is_in(own)


def test_guesses_from_one_address_do_not_lock_out_another(nora: User) -> None:
    for _ in range(100):
        type_password(Client(), "nora", "wrong", REMOTE_ADDR="10.0.0.66")
    browser = Client()
    type_password(browser, "nora", REMOTE_ADDR="10.0.0.7")
    assert is_in(browser)


def test_a_stolen_list_of_known_browsers_is_not_taken_from_strangers(nora: User) -> None:
    for _ in range(10):
        type_password(Client(), "nora", "wrong")
    browser = Client()
    browser.cookies["known"] = "WyJub3JhIl0:made:up"
    type_password(browser, "nora")
    assert not is_in(browser)


def test_the_limit_ends_by_itself_after_a_quarter_of_an_hour(nora: User, monkeypatch) -> None:
    slots: dict[str, int] = {}
    add = throttle.cache.add
    monkeypatch.setattr(
        throttle.cache,
        "add",
        lambda key, one, seconds: slots.update({key: seconds}) or add(key, one, seconds),
    )
    for _ in range(8):
        type_password(Client(), "nora", "wrong")
    browser = Client()
    type_password(browser, "nora")
    assert not is_in(browser)
    counted = {key: seconds for key, seconds in slots.items() if key.startswith("throttle:")}
    assert set(counted.values()) == {15 * 60}
    cache.delete_many(counted)  # as the cache itself does then
    type_password(browser, "nora")
    assert is_in(browser)


def test_many_names_from_one_address_are_slowed_down(looked_at: list[str], nora: User) -> None:
    for number in range(guesses.AN_ADDRESS + 5):
        type_password(Client(), f"name{number}", "wrong")
    type_password(Client(), "nora", "wrong")
    assert looked_at == []


def test_right_passwords_are_not_counted(nora: User) -> None:
    for _ in range(12):
        assert type_password(Client(), "nora").status_code == 302


def words(username: str, password: str) -> str:
    page = type_password(Client(), username, password).content.decode()
    return re.sub(r'value="[^"]*"|nonce="[^"]*"', "", page)


def test_a_known_and_an_unknown_name_get_the_same_page_also_when_refused(nora: User) -> None:
    User.objects.filter(username="none").delete()
    for _ in range(7):
        assert words("nora", "wrong") == words("nobody", "wrong")


class Quicker(PBKDF2PasswordHasher):
    """The product's hasher with fewer rounds, so that a gap elsewhere weighs more."""

    iterations = 60_000


@pytest.mark.figures
def test_a_known_and_an_unknown_name_take_as_long(nora: User, settings, monkeypatch) -> None:
    settings.PASSWORD_HASHERS = [f"{__name__}.Quicker"]
    with acting_as("system:command"):
        nora.set_password(PASSWORD)
        nora.save()
    for name in ("FROM_ONE_ADDRESS", "FROM_STRANGERS", "AN_ADDRESS"):
        monkeypatch.setattr(guesses, name, 3)
    took: dict[str, list[float]] = {"nora": [], "nobody": []}
    for number in range(size(short=30, full=200)):
        for username in sorted(took, reverse=number % 2 == 0):
            cache.clear()
            started = time.perf_counter()
            type_password(Client(), username, "wrong")
            took[username].append(time.perf_counter() - started)
    known, unknown = median(took["nora"]), median(took["nobody"])
    assert abs(known - unknown) / max(known, unknown) < 0.10, f"known {known:.4f} s, unknown {unknown:.4f} s"


def test_of_twenty_posts_of_one_code_at_once_one_gets_in(transactional_db: None, settings) -> None:
    settings.REQUIRE_MFA = True
    with acting_as("system:command"):
        user = User(username="tess", full_name="Tess", date_joined=NOW)
        user.set_password(PASSWORD)
        user.save()
        user.rolegrant_set.create(role="administrator", starts_on=NOW.date())
    moment = clock.now()
    with clock.set_to(moment - timedelta(hours=1)):
        give_telephone(user)
    browsers = [Client() for _ in range(PARALLEL)]
    for browser in browsers:
        type_password(browser, "tess")

    def post(browser: Client) -> bool:
        with clock.set_to(moment):
            type_code(browser, code_now())
        return is_in(browser)

    assert sum(at_once(post, browsers)) == 1


def at_once(post: Callable[[Client], bool], browsers: list[Client]) -> list[bool]:
    if connection.vendor == "sqlite":  # the test's database lives in one connection: one after the other
        return [post(browser) for browser in browsers]

    def post_and_leave(browser: Client) -> bool:
        try:
            return post(browser)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(browsers)) as pool:
        return list(pool.map(post_and_leave, browsers))
