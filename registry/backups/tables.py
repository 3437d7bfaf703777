"""What both databases are asked about themselves: which tables there are, how many rows, and where the trail stands."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from django.conf import settings
from django.db import connection

# State of browsers and counters of guesses: nobody is signed in after a restore.
CACHE = "cache_entry"

Asker = Callable[[str], Any]  # runs one statement and returns a cursor


class CannotLoad(Exception):
    """The rows of a backup do not fit; the message says which."""


def quoted(name: str) -> str:
    return connection.ops.quote_name(name)


def names(ask: Asker) -> list[str]:
    if connection.vendor == "sqlite":
        query = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!' ORDER BY 1"
    else:
        query = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() ORDER BY 1"
    return [row[0] for row in ask(query).fetchall()]


def passing() -> set[str]:
    sessions = import_module(settings.SESSION_ENGINE).SessionStore.get_model_class()
    return {CACHE, "django_session", sessions._meta.db_table}


def rows(ask: Asker) -> dict[str, int]:
    kept = [name for name in names(ask) if name not in passing()]
    return {name: ask(f"SELECT count(*) FROM {quoted(name)}").fetchone()[0] for name in kept}


def migrations(ask: Asker) -> list[list[str]]:
    found = ask("SELECT app, name FROM django_migrations ORDER BY app, name").fetchall()
    return [[app, name] for app, name in found]


def trail(ask: Asker) -> dict[str, Any]:
    entries, last = ask("SELECT count(*), max(id) FROM audit_entry").fetchone()
    seals = ask("SELECT count(*) FROM audit_seal").fetchone()[0]
    head = ask("SELECT digest FROM audit_seal ORDER BY id DESC LIMIT 1").fetchone()
    return {"entries": entries, "last_entry": last, "seals": seals, "head": head[0] if head else ""}


def registry(ask: Asker) -> dict[str, str]:
    found = ask("SELECT kind, name FROM access_registry WHERE id = 1").fetchone()
    return {"kind": found[0], "name": found[1]} if found else {"kind": "live", "name": ""}
