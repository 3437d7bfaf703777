"""While the database is away a form answers "not saved, send it again", and sent again it gives one row."""

import pytest
from django.db import DataError, InterfaceError, OperationalError
from django.test import Client

from config import errors
from registry.access.models import User
from registry.patients.models import Patient

LIST = "/patients/"


@pytest.fixture
def browser(signed_in, nora: User) -> Client:
    client: Client = signed_in(nora)
    client.raise_request_exception = False
    return client


def failing(error: Exception):
    def ask(*args: object, **kwargs: object) -> None:
        raise error

    return ask


@pytest.mark.parametrize(
    "error", [OperationalError("server closed the connection"), InterfaceError("closed")]
)
def test_a_page_says_that_the_database_is_away(browser: Client, monkeypatch, error: Exception) -> None:
    monkeypatch.setattr(Patient.objects, "visible_to", failing(error), raising=False)
    monkeypatch.setattr(type(Patient.objects.all()), "visible_to", failing(error))
    answer = browser.get(LIST)
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == str(errors.RETRY_AFTER_S)
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Not available for a moment" in answer.content.decode()
    assert "server closed" not in answer.content.decode()


def test_any_other_fault_stays_a_fault(browser: Client, monkeypatch) -> None:
    monkeypatch.setattr(type(Patient.objects.all()), "visible_to", failing(DataError("bad")))
    assert browser.get(LIST).status_code == 500


def test_the_page_asks_the_database_nothing(rf) -> None:
    """Without the mark that lets a test use the database, asking it would fail here."""
    request = rf.post("/x/")
    request.csp_nonce = "made by the middleware"
    answer = errors.database_away(request)
    assert "Not saved: please send it again" in answer.content.decode()
    assert "stored only once" in answer.content.decode()
