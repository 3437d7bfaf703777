"""S8: every answer carries its headers, errors included; odd hosts, methods, redirects and forged forms are refused."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings as configured
from django.core.cache import cache
from django.core.signals import request_started
from django.db import close_old_connections
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.urls import URLPattern, get_resolver, reverse
from django.urls.converters import UUIDConverter

from config.wsgi import application
from registry.access.models import User
from tests.cast import PASSWORD
from tests.rights_world import World, make_world
from tests.test_rights import BACKEND, addresses

HOSTS = [
    "evil.example", "127.0.0.1.evil.example", "evil.example:8000", "localhost.evil.example", "testserver.evil.example",
    "evil.example#@testserver", "testserver@evil.example", "testserver/evil", "testserver, evil.example", "10.0.0.1",
    "[::1]", "evil.example\\@testserver",
]  # fmt: skip
NEXT = [
    "//evil.example", "///evil.example", "////evil.example", "https://evil.example", "http://evil.example",
    "HTTPS://EVIL.EXAMPLE", "https:evil.example", "https:/evil.example", "https:///evil.example", "/\\evil.example",
    "\\\\evil.example", "\\/evil.example", "/\\/evil.example", "//evil.example/%2e%2e", "javascript:alert(1)",
    "JaVaScRiPt:alert(1)", "data:text/html,x", "vbscript:x", "ftp://evil.example", "mailto:a@evil.example",
    "http://testserver@evil.example", "http://testserver.evil.example", "//testserver@evil.example", "/\t/evil.example",
    "\t//evil.example", "/\n/evil.example", " //evil.example", "evil.example", "http:\\\\evil.example", "/\x00/evil.example",
]  # fmt: skip


@pytest.fixture(autouse=True)
def forget_throttles(db: None) -> None:
    cache.clear()


def lacking(got: HttpResponse, *, keeps: bool = False) -> list[str]:
    """What an answer does not carry although it should."""
    wanted = {
        "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
    }  # fmt: skip
    missing = [name for name, value in wanted.items() if got.headers.get(name) != value]
    policy = got.headers.get("Content-Security-Policy", "")
    for part in ("default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"):
        missing += [] if part in policy else [part]
    missing += ["unsafe in the policy"] if "unsafe" in policy else []
    missing += [] if "camera=()" in got.headers.get("Permissions-Policy", "") else ["Permissions-Policy"]
    if not keeps and got.headers.get("Cache-Control") != "no-store":
        missing.append(f"no-store, but {got.headers.get('Cache-Control')}")
    return missing


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    def fall_over(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("for the test")

    monkeypatch.setattr("registry.signin.views.account.second_factor.is_set_up", fall_over)


def test_errors_refusals_redirects_and_missing_files_carry_them_too(
    nora: User, signed_in, broken: None
) -> None:
    browser, stranger = signed_in(nora), Client(enforce_csrf_checks=True)
    browser.raise_request_exception = False
    answers = {
        400: stranger.get("/", headers={"Host": "evil.example"}),
        403: stranger.post("/accounts/login/", {"login": "nora"}),
        404: browser.get("/nowhere/"),
        405: browser.get("/accounts/drafts/"),
        500: browser.get("/settings/account/"),
        302: stranger.get("/patients/"),
    }
    assert {code: got.status_code for code, got in answers.items()} == {code: code for code in answers}
    more = [
        browser.get("/static/nowhere.css"), browser.get("/static/../settings.py"), stranger.get("/healthz"),
        stranger.get("/readyz"), browser.get("/patients/NOBODY-0001/"), browser.trace("/settings/"),
        browser.get("/"), stranger.get("/accounts/login/"), browser.post("/accounts/logout/"),
    ]  # fmt: skip
    assert {
        got.request["PATH_INFO"]: lacking(got) for got in [*answers.values(), *more] if lacking(got)
    } == {}


def test_a_static_file_may_be_kept_and_carries_the_rest(client: Client) -> None:
    got = client.get("/static/js/session.js")
    got.close()
    assert got.status_code == 200
    assert lacking(got, keeps=True) == []
    assert "no-store" not in got.headers["Cache-Control"]
    got.close()  # its file


@pytest.fixture
def world(acting: None) -> World:
    return make_world()


def any_url(name: str) -> str:
    """An address with keys of the right kind, whether or not such a row exists."""
    converters = addresses()[name].pattern.converters
    keys = {key: str(uuid4()) if isinstance(one, UUIDConverter) else "1" for key, one in converters.items()}
    return reverse(name, kwargs=keys)


def test_every_address_answers_with_all_headers(world: World) -> None:
    """As a nurse, who may do much, as an administrator, and as nobody."""
    browsers = {role: Client() for role in ("nurse", "administrator", "nobody")}
    for role, browser in browsers.items():
        if role in world.own:
            browser.force_login(world.own[role], backend=BACKEND)
    poor = {}
    for name in addresses():
        for role, browser in browsers.items():
            if name != "account_logout" and (missing := lacking(browser.get(any_url(name)))):
                poor[f"{name} as {role}"] = missing
    assert poor == {}


# Requests that are refused -----------------------------------------------------------------------------------


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("path", ["/accounts/login/", "/static/js/session.js", "/healthz"])
def test_a_host_that_is_not_ours_is_refused(client: Client, host: str, path: str) -> None:
    got = client.get(path, HTTP_HOST=host)
    assert got.status_code == 400
    assert "evil" not in got.content.decode()


def test_a_forwarded_host_changes_nothing(client: Client) -> None:
    got = client.get(
        "/patients/", headers={"X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"}
    )
    assert got.headers["Location"] == "/accounts/login/?next=/patients/"


@pytest.mark.parametrize("method", ["TRACE", "OPTIONS", "PUT", "DELETE", "PATCH", "CONNECT"])
@pytest.mark.parametrize("path", ["/", "/settings/", "/accounts/login/", "/static/js/session.js"])
def test_other_methods_are_refused(nora: User, signed_in, method: str, path: str) -> None:
    assert signed_in(nora).generic(method, path).status_code == 405


@pytest.fixture
def kept_connection(db: None) -> Iterator[None]:
    """A served request begins by closing connections that are too old, and the one of a test counts as such."""
    request_started.disconnect(close_old_connections)
    yield
    request_started.connect(close_old_connections)


@pytest.mark.usefixtures("kept_connection")
@pytest.mark.parametrize(
    "charset", ["base64", "idna", "unicode_escape", "utf-7", "utf-16", "latin-1", "none", "\xff"]
)
@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=b"])
def test_a_charset_other_than_our_own_is_refused(kind: str, charset: str) -> None:
    """One makes a lone surrogate, which no database takes; another is no charset of texts at all. Asked as a server asks."""
    body = b'--b\r\nContent-Disposition: form-data; name="login"\r\n\r\n\\ud800\r\n--b--\r\n'
    for method in ("GET", "POST"):
        assert served(method, "/accounts/login/", body, f"{kind}; charset={charset}") == 400


@pytest.mark.usefixtures("kept_connection")
def test_our_own_charset_may_be_named() -> None:
    for charset in ("utf-8", "UTF8", '"utf-8"'):
        assert served("GET", "/accounts/login/", b"", f"text/plain; charset={charset}") == 200


def served(method: str, path: str, body: bytes, content_type: str) -> int:
    statuses = []
    environ = RequestFactory().generic(method, path, body, "text/plain").environ
    environ |= {"CONTENT_TYPE": content_type, "QUERY_STRING": "next=%5Cud800"}
    application(environ, lambda status, headers, failed=None: statuses.append(status))
    return int(statuses[0][:3])


@pytest.mark.parametrize("address", ["/patients/RIV%00/", "/patients/?after=%00", "/no%00where/"])
def test_a_nul_in_an_address_is_refused(nora: User, signed_in, address: str) -> None:
    assert signed_in(nora).get(address).status_code == 400


@pytest.mark.parametrize("where", NEXT)
def test_sign_in_leads_nowhere_else(nora: User, where: str) -> None:
    for address in (f"/accounts/login/?next={where}", "/accounts/login/"):
        browser = Client()
        got = browser.post(address, {"login": "nora", "password": PASSWORD, "next": where})
        assert got.headers["Location"] == "/"


@pytest.mark.parametrize("where", ["/patients/", "/settings/account/?a=1&b=2", "/today/#late"])
def test_sign_in_leads_back_to_our_own_pages(nora: User, client: Client, where: str) -> None:
    got = client.post("/accounts/login/", {"login": "nora", "password": PASSWORD, "next": where})
    assert got.headers["Location"] == where


# Forms -------------------------------------------------------------------------------------------------------


def post_only() -> Iterator[str]:
    for name, pattern in addresses().items():
        if methods_of(pattern) == ["POST"]:
            yield name


def methods_of(pattern: URLPattern) -> list[str] | None:
    """What `require_POST` and its kind were told, found under the guards around it."""
    view: Any = pattern.callback
    while view is not None:
        for cell in getattr(view, "__closure__", None) or ():
            if isinstance(cell.cell_contents, list) and set(cell.cell_contents) <= {"GET", "HEAD", "POST"}:
                return sorted(cell.cell_contents)
        view = getattr(view, "__wrapped__", None)
    return None


def test_there_are_addresses_for_posting_alone() -> None:
    assert {"signin:session_end", "access:user_active"} <= set(post_only())


def test_a_link_changes_nothing(world: World) -> None:
    """GET on an address for posting alone: 405, or a refusal; whoever asks."""
    answered, allowed = {}, set()
    for role, user in world.own.items():
        browser = Client()
        browser.force_login(user, backend=BACKEND)
        for name in post_only():
            status = browser.get(any_url(name)).status_code
            if status == 405:
                allowed.add(name)
            elif status != 403:
                answered[f"{name} as {role}"] = status
    assert answered == {}
    assert allowed == set(post_only()), "somebody may post to each"


def test_a_form_from_elsewhere_is_refused_everywhere(world: World) -> None:
    accepted = {}
    for role in ("nurse", "administrator"):
        browser = Client(enforce_csrf_checks=True)
        browser.force_login(world.own[role], backend=BACKEND)
        for name in addresses():
            for extra in ({}, {"Origin": "https://evil.example"}):
                status = browser.post(any_url(name), {"reason": "forged"}, headers=extra).status_code
                if status not in {403, 405}:
                    accepted[f"{name} as {role}"] = status
    assert accepted == {}


def test_no_address_goes_without_the_check_of_forms() -> None:
    assert [name for name, one in addresses().items() if getattr(one.callback, "csrf_exempt", False)] == []
    assert get_resolver().url_patterns


# Cookies -----------------------------------------------------------------------------------------------------


def test_cookies_are_for_this_site_and_end_with_the_browser(nora: User, client: Client) -> None:
    client.get("/accounts/login/")
    got = client.post("/accounts/login/", {"login": "nora", "password": PASSWORD})
    for name in ("session", "csrftoken"):
        cookie = got.cookies[name]
        assert cookie["httponly"]
        assert cookie["samesite"] == "Lax"
        assert cookie["max-age"] == "", name
    assert configured.USE_X_FORWARDED_HOST is False
