"""Who is acting. Every write needs an answer; the database triggers ask for it and refuse without one."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field, replace
from typing import Protocol

from django.conf import settings
from django.db import connection, transaction

from registry.audit import macs

SYSTEM_ACTORS = ("system:migrate", "system:sign-in", "system:worker", "system:command")


class Actor(Protocol):
    """A signed-in person; `role_label` and `site_label` are written into the trail as they were at that moment."""

    pk: int
    username: str

    @property
    def role_label(self) -> str: ...

    @property
    def site_label(self) -> str: ...


@dataclass(frozen=True)
class Acting:
    actor: str
    user_id: int | None = None
    role: str = ""
    site: str = ""
    reason: str = ""
    channel: str = ""
    request_id: str = ""
    software: str = field(default_factory=lambda: settings.VERSION)
    nonce: str = field(default_factory=macs.new_nonce)
    past_locks: bool = False


class NobodyActing(Exception):
    """A change was tried outside `acting_as()`."""


_acting: ContextVar[Acting | None] = ContextVar("acting", default=None)
_gone: ContextVar[list[str] | None] = ContextVar("gone", default=None)


def current() -> Acting | None:
    return _acting.get()


@contextmanager
def acting_as(
    actor: "Actor | str", *, reason: str = "", channel: str = "", request_id: str = ""
) -> Iterator[Acting]:
    """Opens a transaction and names who writes in it. `actor` is a person or one of SYSTEM_ACTORS."""
    outer = _acting.get()
    chosen = replace(
        _describe(actor),
        reason=reason or (outer.reason if outer else ""),
        channel=channel or (outer.channel if outer else ""),
        request_id=request_id or (outer.request_id if outer else ""),
    )
    with _using(chosen, outer):
        yield chosen


@contextmanager
def because(reason: str) -> Iterator[None]:
    """Adds the reason for change to what the current actor writes inside."""
    outer = _acting.get()
    if outer is None:
        raise NobodyActing("A reason needs somebody acting: open acting_as() first.")
    with _using(replace(outer, reason=reason), outer):
        yield


@contextmanager
def left_the_house() -> Iterator[list[str]]:
    """Gathers what could not be taken back by undoing the transaction: see `note_gone()`."""
    gone: list[str] = []
    token = _gone.set(gone)
    try:
        yield gone
    finally:
        _gone.reset(token)


def note_gone(what: str) -> None:
    """To be called before something is sent outside, such as a message: whoever asked for it must not ask twice."""
    gone = _gone.get()
    if gone is not None:
        gone.append(what)


@contextmanager
def past_locks() -> Iterator[None]:
    """For what follows by itself from a fact that was accepted: the window judged anew, what a death closes, a part that its
    late result answers. A lock stops people and files; it never stops a fact.
    """
    outer = _acting.get()
    if outer is None or outer.past_locks:
        yield
        return
    with _using(replace(outer, past_locks=True), outer):
        yield


def act_for_process(actor: str) -> None:
    """For `migrate` alone, whose schema changes cannot run inside one transaction on SQLite."""
    _acting.set(_describe(actor))


def sqlite_context(name: str) -> str | int | None:
    """What the SQLite triggers call; a console without this function cannot write at all."""
    acting = _acting.get()
    return getattr(acting, name) if acting else None


def sqlite_mac(*of_row: str | int | None) -> str | None:
    """The code of an entry the SQLite triggers write: id, moment, what changed, and whose patient and site it is."""
    acting = _acting.get()
    if acting is None:
        return None
    *what, patient, site = of_row
    who = (
        acting.actor, acting.user_id, acting.role, acting.site, acting.reason, acting.channel, acting.request_id,
        acting.software,
    )  # fmt: skip
    return macs.mac_of_values([*what, *who, patient, site, acting.nonce], acting.nonce)


@contextmanager
def _using(chosen: Acting, outer: Acting | None) -> Iterator[None]:
    with transaction.atomic():
        token = _acting.set(chosen)
        _tell_postgres(chosen)
        try:
            yield
        finally:
            _acting.reset(token)
            if outer is not None and not connection.needs_rollback:
                _tell_postgres(outer)


def _tell_postgres(acting: Acting) -> None:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            told = json.dumps(asdict(acting) | {"key": macs.key_of(acting.nonce)})
            cursor.execute("SELECT set_config('registry.acting', %s, true)", [told])


def _describe(actor: "Actor | str") -> Acting:
    if isinstance(actor, str):
        if actor not in SYSTEM_ACTORS:
            raise NobodyActing(f"{actor!r} is not a system actor; use one of {', '.join(SYSTEM_ACTORS)}.")
        return Acting(actor=actor)
    return Acting(actor=actor.username, user_id=actor.pk, role=actor.role_label, site=actor.site_label)
