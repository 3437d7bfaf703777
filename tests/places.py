"""A registry in a folder of its own, on SQLite or on a PostgreSQL database of its own, driven by its commands."""

import atexit
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
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

    def migrate(self) -> None:
        """The layout `migrate` makes, copied from one that it made: most tests only need it to be there."""
        lay_out(self.folder, self.database_url)

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


def lay_out(folder: Path, database_url: str = "") -> None:
    """A migrated registry, empty, under the keys of the one it is copied from."""
    made = _template("postgresql" if database_url else "sqlite")
    shutil.copytree(made.folder, folder, dirs_exist_ok=True)
    if database_url:
        copy_database(made.database_url, database_url)


@cache
def _template(engine: str) -> Place:
    """Made once in each process of the tests, in the folder that goes away with it."""
    folder, url = Path(os.environ["DATA_DIR"]) / "templates" / engine, ""
    if engine == "postgresql":
        name = f"registry_template_{os.getpid()}"
        url = on_server(name)
        on_postgresql(on_server("postgres"), f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        on_postgresql(on_server("postgres"), f'CREATE DATABASE "{name}"')
        atexit.register(
            on_postgresql, on_server("postgres"), f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'
        )
    made = Place(folder, url)
    made.manage("migrate", "-v", "0")
    return made


def copy_database(source: str, target: str) -> None:
    names = [urlsplit(url).path.strip("/") for url in (source, target)]
    server = on_server("postgres")
    on_postgresql(server, f'DROP DATABASE IF EXISTS "{names[1]}" WITH (FORCE)')
    on_postgresql(server, f'CREATE DATABASE "{names[1]}" TEMPLATE "{names[0]}"')
    _without_waiting(names[1])


def _without_waiting(name: str) -> None:
    on_postgresql(
        on_server("postgres"), f'ALTER DATABASE "{name}" SET synchronous_commit = off'
    )  # no test cuts the power


@contextmanager
def place_on(engine: str, folder: Path, **environment: str) -> Iterator[Place]:
    """Its PostgreSQL database, if it has one, is dropped in the end."""
    if engine == "sqlite":
        yield Place(folder, **environment)
        return
    server = on_server("postgres")
    name = f"registry_place_{uuid4().hex[:12]}"
    on_postgresql(server, f'CREATE DATABASE "{name}"')
    _without_waiting(name)
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
