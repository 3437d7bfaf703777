"""Sessions in the database, each row saying whose it is, since when, and from which browser."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore as RowStore
from django.http import HttpRequest

from registry.access.models import User
from registry.signin.models import BrowserSession

NUMBER, SINCE, LAST_SEEN, BROWSER, RIGHTS = "number", "signed_in_at", "last_seen", "browser", "rights"
BROWSERS = (
    ("Edg", "Edge"), ("OPR", "Opera"), ("Firefox", "Firefox"), ("Chrome", "Chrome"), ("Safari", "Safari"),
)  # fmt: skip
SYSTEMS = (
    ("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Windows", "Windows"), ("Mac OS X", "Mac"),
    ("CrOS", "Chromebook"), ("Linux", "Linux"),
)  # fmt: skip


class SessionStore(RowStore):
    @classmethod
    def get_model_class(cls) -> type[Any]:
        return BrowserSession

    def create_model_instance(self, data: dict[str, Any]) -> Any:
        row: Any = super().create_model_instance(data)
        account = data.get(SESSION_KEY)
        row.account_id = int(account) if account else None
        row.number = UUID(data[NUMBER]) if NUMBER in data else uuid4()
        row.since, row.last_seen = _moment(data.get(SINCE)), _moment(data.get(LAST_SEEN))
        row.browser = data.get(BROWSER, "")
        return row


def begin(request: HttpRequest, user: User) -> None:
    """Its time runs from the first page on."""
    request.session[NUMBER] = uuid4().hex
    request.session[BROWSER] = in_words(request.META.get("HTTP_USER_AGENT", ""))
    request.session[RIGHTS] = rights_of(user)


def rights_of(user: User) -> str:
    """What this person may do now, short enough to compare on each request."""
    return " ".join(f"{grant.role}@{grant.site_id or 'all'}" for grant in user.grants)


def in_words(agent: str) -> str:
    browser = next((word for sign, word in BROWSERS if re.search(rf"{sign}\w*/", agent)), "")
    system = next((word for sign, word in SYSTEMS if sign in agent), "")
    return f"{browser or 'A browser'} on {system}" if system else (browser or "Not known")


def end_all(user: User, *, but: str | None = None) -> int:
    """How many ended. `but` is the key of a session that stays."""
    rows = BrowserSession.objects.filter(account_id=user.pk)
    deleted, _ = (rows.exclude(session_key=but) if but else rows).delete()
    return deleted


def _moment(seconds: float | None) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if seconds else None


def forget_over(now: datetime) -> None:
    BrowserSession.objects.filter(expire_date__lt=now).delete()
