"""`/healthz` asks nothing but the process; `/readyz` names each reason not to rely on the registry."""

from datetime import UTC, datetime, timedelta
from unittest import mock

import pytest
from django.db import OperationalError
from django.test import RequestFactory
from django.urls import reverse

from config import health
from followup.reminders.models import SweepRun
from registry.audit.acting import acting_as

NOW = datetime(2031, 3, 30, 1, 30, tzinfo=UTC)


@pytest.fixture
def swept(db, monkeypatch):
    """Sets how long ago the last sweep finished; nothing waits in the queues."""
    monkeypatch.setattr(health, "QUEUES", {})

    def set_age(age: timedelta | None) -> None:
        if age is not None:
            with acting_as("system:worker"):
                SweepRun.objects.create(started_at=NOW - age, as_of=NOW - age, finished_at=NOW - age)

    return set_age


def test_alive_without_a_database():
    answer = health.healthz(RequestFactory().get("/healthz"))
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.django_db
def test_ready_when_everything_answers(swept):
    swept(timedelta(minutes=15))
    report = health.readiness(now=NOW)
    assert report["status"] == "ready"
    assert report["reasons"] == []
    assert report["checks"]["sweep"] == 900


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("age", "reason"),
    [
        (timedelta(minutes=16), "sweep: the last one finished 16 min ago; are worker and beat running?"),
        (None, "sweep: none has finished yet; is the worker running?"),
    ],
)
def test_not_ready_when_nobody_would_be_reminded(swept, age, reason):
    swept(age)
    report = health.readiness(now=NOW)
    assert report["status"] == "not ready"
    assert report["reasons"] == [reason]


@pytest.mark.django_db
def test_not_ready_before_migrations_are_applied(swept, monkeypatch):
    swept(timedelta(minutes=1))
    monkeypatch.setattr(
        health.MigrationExecutor, "migration_plan", lambda self, targets: [("patients.0002", False)]
    )
    assert health.readiness(now=NOW)["reasons"] == ["migrations: 1 not applied; run `manage.py migrate`"]


@pytest.mark.django_db
def test_not_ready_while_work_waits_too_long(swept, monkeypatch):
    swept(timedelta(minutes=1))
    monkeypatch.setattr(health, "QUEUES", {"imports": ("exchange.ImportRun", ("waiting",), "requested_at")})
    monkeypatch.setattr(health, "_longest_wait", lambda name, now: timedelta(minutes=20))
    assert health.readiness(now=NOW)["reasons"] == ["queue: imports have waited 20 min"]


def test_without_a_database_that_is_the_one_reason(monkeypatch):
    def refuse():
        raise OperationalError("down")

    monkeypatch.setattr(health.connection, "cursor", refuse)
    report = health.readiness(now=NOW)
    assert report["reasons"] == ["database: the database cannot be read"]
    assert "migrations" not in report["checks"]


@pytest.mark.django_db
def test_both_pages_are_open_and_readyz_is_503_with_reasons(client):
    assert client.get(reverse("healthz")).status_code == 200
    answer = client.get(reverse("readyz"))
    assert answer.status_code == 503
    assert answer.json()["reasons"]
    assert client.post(reverse("readyz")).status_code == 405


@pytest.mark.django_db
def test_an_import_left_waiting_is_counted_from_the_moment_it_was_asked_for(monkeypatch):
    model = mock.Mock()
    model.objects.filter.return_value.aggregate.return_value = {"first": NOW - timedelta(minutes=3)}
    monkeypatch.setattr(health.apps, "get_model", lambda label: model)
    assert health._queue(NOW) == {"imports": 180, "reports": 180}
