"""A registry in a folder of its own, on SQLite or on a PostgreSQL database of its own, driven by its commands."""

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import pytest

ROOT = Path(__file__).resolve().parents[1]
SERVICES = ("DATABASE_URL", "REDIS_URL", "EMAIL_URL", "SITE_URL", "SECRET_KEY", "FIELD_KEYS", "AUDIT_KEY")
# PostgreSQL too where the tests have a server: once among the tests of the services, and wholly in `make chaos`.
HAS_SERVER = bool(os.environ.get("TEST_DATABASE_URL"))
SQLITE = pytest.param("sqlite", marks=pytest.mark.embedded)
ENGINES = [SQLITE, pytest.param("postgresql", marks=[pytest.mark.services, pytest.mark.chaos])][
    : 1 + HAS_SERVER
]
ENGINES_AT_ONCE = [SQLITE, pytest.param("postgresql", marks=pytest.mark.services)][: 1 + HAS_SERVER]
ROWS = 'SELECT {} FROM "{}"'


class Place:
    def __init__(self, folder: Path, database_url: str = "", **environment: str) -> None:
        self.folder, self.database_url = folder, database_url
        folder.mkdir(parents=True, exist_ok=True)
        inherited = {name: value for name, value in os.environ.items() if name not in SERVICES}
        self.environment = {**inherited, "DATA_DIR": str(folder), "REQUIRE_MFA": "0", **environment}
        if database_url:
            self.environment["DATABASE_URL"] = database_url

    @property
    def file(self) -> Path:
        return self.folder / "registry.sqlite3"

    def run(self, *words: str, text: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *words], cwd=ROOT, env=self.environment, input=text, capture_output=True, text=True,
            check=False, timeout=600,
        )  # fmt: skip

    def manage(self, *words: str, text: str = "", exit_code: int = 0) -> str:
        done = self.run("manage.py", *words, text=text)
        assert done.returncode == exit_code, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout if exit_code == 0 else done.stdout + done.stderr

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        with (self.folder.parent / f"{self.folder.name}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, *words], cwd=ROOT, env=self.environment, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip

    def python(self, script: str) -> Any:
        """What a script prints last, as JSON, run inside this registry."""
        return json.loads(self.manage("shell", "-v", "0", "-c", script).strip().splitlines()[-1])

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        if self.database_url:
            return on_postgresql(self.database_url, query)
        with closing(sqlite3.connect(self.file, timeout=30)) as database:
            return database.execute(query).fetchall()

    def tables(self) -> list[str]:
        query = (
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1"
            if self.database_url
            else "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY 1"
        )
        return [name for (name,) in self.ask(query)]

    def columns(self, table: str) -> list[str]:
        query = (
            "SELECT column_name FROM information_schema.columns WHERE table_name = '{}' ORDER BY 1"
            if self.database_url
            else "SELECT name FROM pragma_table_info('{}') ORDER BY 1"
        )
        return [name for (name,) in self.ask(query.format(table))]

    def rows(self, table: str, columns: list[str]) -> list[tuple[Any, ...]]:
        listed = ", ".join(f'"{name}"' for name in columns)
        return self.ask(ROWS.format(listed, table))


def on_postgresql(url: str, query: str) -> list[tuple[Any, ...]]:
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(query)
        return cursor.fetchall() if cursor.description else []


def on_server(name: str) -> str:
    """The address of a database on the server of the tests."""
    return urlunsplit(urlsplit(os.environ["TEST_DATABASE_URL"])._replace(path=f"/{name}"))


@contextmanager
def place_on(engine: str, folder: Path, **environment: str) -> Iterator[Place]:
    """Its PostgreSQL database, if it has one, is dropped in the end."""
    if engine == "sqlite":
        yield Place(folder, **environment)
        return
    server = on_server("postgres")
    name = f"registry_place_{uuid4().hex[:12]}"
    on_postgresql(server, f'CREATE DATABASE "{name}"')
    on_postgresql(server, f'ALTER DATABASE "{name}" SET synchronous_commit = off')  # no test cuts the power
    try:
        yield Place(folder, on_server(name), **environment)
    finally:
        on_postgresql(server, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def pages(usernames: list[str], password: str) -> str:
    """A script that signs in as each, opens the main pages and those of the first patient, and prints what was answered."""
    return f"""
import json
from django.test import Client
from registry.patients.models import Patient

paths = ["/today/", "/patients/", "/cells/", "/safety/", "/reports/", "/data/", "/settings/", "/history/", "/reminders/"]
first = Patient.objects.order_by("pk").first()
if first:
    paths += [f"/patients/{{first.patient_id}}/" + part for part in ("", "visits/", "laboratory/", "history/")]
answers = {{}}
for name in {usernames!r}:
    browser = Client(SERVER_NAME="localhost")
    answers[name] = {{"sign-in": browser.post("/accounts/login/", {{"login": name, "password": {password!r}}}).status_code}}
    answers[name] |= {{path: browser.get(path).status_code for path in paths}}
print(json.dumps(answers))
"""
