"""The cast: named people every test may ask for, two sites in different time zones, and somebody acting.

The product has no way to empty an audited table; tests that commit need one, so it stands here alone.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest
from django.core.management.commands import flush
from django.db import connections
from django.test import Client

from registry.access.models import RoleGrant, Site, User
from registry.audit import anchors, triggers
from registry.audit.acting import acting_as

NOW = datetime(2031, 3, 14, 9, 30, tzinfo=UTC)
TODAY = date(2031, 3, 14)
PASSWORD = "correct-horse-battery"  # for tests only

_flush = flush.Command.handle


def _flush_with_triggers_away(self: flush.Command, **options: Any) -> None:
    connection = connections[options["database"]]
    triggers.drop(connection)
    _flush(self, **options)
    if connection.vendor == "sqlite":  # an emptied trail begins again at 1, or its gap would be found
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM sqlite_sequence WHERE name = 'audit_entry'")
    triggers.install(connection)


flush.Command.handle = _flush_with_triggers_away


@pytest.fixture(autouse=True)
def own_anchor_file(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The trail of each test begins empty, and so does its anchor; what a test rolls back is anchored at once."""
    anchors.path().unlink(missing_ok=True)
    mark = request.node.get_closest_marker("django_db")
    if not (mark and mark.kwargs.get("transaction")):
        monkeypatch.setattr(anchors, "after_commit", anchors.catch_up)


@pytest.fixture
def acting(db: None) -> Iterator[None]:
    """For tests that write directly: the writes are the system's."""
    with acting_as("system:command"):
        yield


@pytest.fixture
def riverside(acting: None) -> Site:
    return Site.objects.create(code="RIV", name="Riverside", country="GB", time_zone="Europe/London")


@pytest.fixture
def harbour(acting: None) -> Site:
    return Site.objects.create(code="HAR", name="Harbour", country="NZ", time_zone="Pacific/Auckland")


def person(username: str, role: str, site: Site | None) -> User:
    """A member of staff with one role. Call inside `acting_as`."""
    user = User.objects.create(
        username=username, full_name=username.title(), email=f"{username}@example.org", date_joined=NOW
    )
    user.set_password(PASSWORD)
    user.save()
    RoleGrant.objects.create(user=user, role=role, site=site, starts_on=date(2020, 1, 1))
    return user


@pytest.fixture
def nora(riverside: Site) -> User:
    """Research nurse at Riverside."""
    return person("nora", "nurse", riverside)


@pytest.fixture
def dele(riverside: Site) -> User:
    """Data entry at Riverside."""
    return person("dele", "data_entry", riverside)


@pytest.fixture
def ines(riverside: Site) -> User:
    """Investigator at Riverside."""
    return person("ines", "investigator", riverside)


@pytest.fixture
def sami(acting: None) -> User:
    """Safety officer, all sites."""
    return person("sami", "safety", None)


@pytest.fixture
def cora(acting: None) -> User:
    """Registry coordinator, all sites."""
    return person("cora", "coordinator", None)


@pytest.fixture
def mona(riverside: Site) -> User:
    """Monitor at Riverside."""
    return person("mona", "monitor", riverside)


@pytest.fixture
def paul(acting: None) -> User:
    """Product staff, all sites."""
    return person("paul", "product", None)


@pytest.fixture
def adam(acting: None) -> User:
    """Administrator."""
    return person("adam", "administrator", None)


@pytest.fixture
def hana(harbour: Site) -> User:
    """Research nurse at the OTHER site: she must never see Riverside's people."""
    return person("hana", "nurse", harbour)


@pytest.fixture
def signed_in(client: Client) -> Any:
    """signed_in(nora) gives a browser in which Nora has signed in."""

    def sign_in(user: User) -> Client:
        browser = Client()
        browser.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
        return browser

    return sign_in
