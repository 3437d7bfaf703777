"""Of two clicks at one moment the second is answered once more, as the second clicker should see it; nothing else is."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.mail import send_mail
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.test import Client
from django.urls import path

from followup.labs.models import Laboratory
from followup.neoplasia.models import Neoplasm
from registry.access.models import Site, User
from registry.audit.acting import note_gone
from registry.audit.middleware import is_taken
from tests.forms.browser import BACKEND
from tests.registry.signatures.records import a_person

View = Callable[[HttpRequest], HttpResponse]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "registry.audit.middleware.Acting",
]


class Page:
    """A page whose view is given by each test; it counts how often it was asked."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        self.calls = 0
        self.view: View = lambda request: HttpResponse("")

    def __call__(self, request: HttpRequest) -> HttpResponse:
        self.calls += 1
        return self.view(request)


PAGE = Page()
urlpatterns = [path("page/", lambda request: PAGE(request))]
handler500 = "config.errors.server_error"


@pytest.fixture
def page(settings: Any) -> Page:
    settings.ROOT_URLCONF, settings.MIDDLEWARE = sys.modules[__name__], MIDDLEWARE
    PAGE.begin()
    return PAGE


@pytest.fixture
def browser(nora: User) -> Client:
    browser = Client(raise_request_exception=False)
    browser.force_login(nora, backend=BACKEND)
    return browser


def named(name: str = "Central") -> Laboratory:
    return Laboratory.objects.create(name=name)


def blind_once(page: Page, make: View) -> View:
    """As the second of two clicks: it does not see the row yet that the first one is making, but loses against it."""

    def view(request: HttpRequest) -> HttpResponse:
        found = Laboratory.objects.filter(name="Central").first() if page.calls > 1 else None
        return redirect(f"/made/{found.pk}/") if found else make(request)

    return view


def test_the_second_of_two_clicks_sees_what_the_first_made(page: Page, browser: Client) -> None:
    first = named()

    def make(request: HttpRequest) -> HttpResponse:
        named("Written before the row was lost")
        named()
        return redirect("/never/")

    page.view = blind_once(page, make)
    answer = browser.post("/page/")
    assert (answer.status_code, answer.headers["Location"]) == (302, f"/made/{first.pk}/")
    assert page.calls == 2
    assert list(Laboratory.objects.values_list("name", flat=True)) == ["Central"], "nothing by halves"


def test_what_the_form_finds_taken_a_moment_before_counts_too(page: Page, browser: Client) -> None:
    named()

    def make(request: HttpRequest) -> HttpResponse:
        Laboratory(name="Central").full_clean()
        return redirect("/never/")

    page.view = blind_once(page, make)
    assert browser.post("/page/").status_code == 302
    assert page.calls == 2


def test_a_mistake_of_the_program_is_shown_once_and_stores_nothing(page: Page, browser: Client) -> None:
    def view(request: HttpRequest) -> HttpResponse:
        named("A")
        named("A")
        return HttpResponse("")

    page.view = view
    assert browser.post("/page/").status_code == 500
    assert page.calls == 2, "once more, never a third time"
    assert not Laboratory.objects.exists()


def _out_of_range(request: HttpRequest) -> HttpResponse:
    Laboratory.objects.create(name="A", insulin_pmol_per_mu=99)
    return HttpResponse("")


def _not_clean(request: HttpRequest) -> HttpResponse:
    Laboratory.objects.create(name="B")
    Laboratory(name="").full_clean()
    return HttpResponse("")


def _both(request: HttpRequest) -> HttpResponse:
    Laboratory.objects.create(name="A")
    Laboratory(name="A", insulin_pmol_per_mu=99).full_clean()
    return HttpResponse("")


def _broken(request: HttpRequest) -> HttpResponse:
    raise KeyError("a bug")


@pytest.mark.parametrize("view", [_out_of_range, _not_clean, _both, _broken])
def test_any_other_mistake_is_not_tried_again(view: View, page: Page, browser: Client) -> None:
    page.view = view
    assert browser.post("/page/").status_code == 500
    assert page.calls == 1
    assert not Laboratory.objects.exists()


def test_where_a_message_has_gone_out_nothing_is_done_again(
    page: Page, browser: Client, mailoutbox: list[Any]
) -> None:
    named()

    def make(request: HttpRequest) -> HttpResponse:
        note_gone("a message")
        send_mail("Once", "", "a@example.org", ["b@example.org"])
        named()
        return redirect("/never/")

    page.view = blind_once(page, make)
    assert browser.post("/page/").status_code == 500
    assert (page.calls, len(mailoutbox)) == (1, 1)


def test_a_new_session_is_not_begun_twice(page: Page, browser: Client) -> None:
    named()

    def make(request: HttpRequest) -> HttpResponse:
        request.session.cycle_key()
        named()
        return redirect("/never/")

    page.view = blind_once(page, make)
    assert browser.post("/page/").status_code == 500
    assert page.calls == 1


def test_the_second_answer_begins_with_the_request_as_it_came(page: Page, browser: Client) -> None:
    """The whole file, the session and no message of the first answer."""
    named()
    session = browser.session
    session["opened"] = "kept"
    session.save()
    seen = []

    def view(request: HttpRequest) -> HttpResponse:
        seen.append((request.FILES["file"].read(), request.session.pop("opened", "")))
        messages.success(request, f"Said {page.calls}")
        if page.calls == 1:
            named()
        return HttpResponse(" ".join(str(one) for one in messages.get_messages(request)))

    page.view = view
    answer = browser.post("/page/", {"file": SimpleUploadedFile("a.csv", b"whole")})
    assert seen == [(b"whole", "kept"), (b"whole", "kept")]
    assert answer.content == b"Said 2"


def test_reading_is_never_done_twice(page: Page, browser: Client) -> None:
    page.view = lambda request: HttpResponse(is_taken(KeyError()))
    browser.get("/page/")
    assert page.calls == 1


def test_a_form_token_is_told_from_other_rules(riverside: Site) -> None:
    """A unique rule with a condition names itself alone; so does a rule that has nothing to do with being there once."""
    patient = a_person(riverside)
    row = {"patient": patient, "site": riverside, "description": "A lump", "suspected_on": "2026"}
    Neoplasm.objects.create(**row, case_ref="N1", form_token="t" * 32)
    with pytest.raises(ValidationError) as taken:
        Neoplasm(**row, case_ref="N2", form_token="t" * 32).full_clean()
    assert is_taken(taken.value)
    with pytest.raises(ValidationError) as wrong:
        Neoplasm(**row, case_ref="N2", status="malignant").full_clean()
    assert not is_taken(wrong.value)
