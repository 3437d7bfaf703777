"""Whole processes on PostgreSQL and Redis: a message is enough for a worker to sweep, two workers do what one does,
and an import killed in the middle leaves nothing. On databases of its own, beside those of the other tests.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.conf import settings

from tests.cast import PASSWORD
from tests.places import lay_out, on_server

ROOT = Path(__file__).resolve().parents[2]
NURSES, VISITS = 20, 60
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
REDIS_DATABASE = 15 - WORKER  # those of the tests beside this one count up from the first
PATIENTS = 40

PEOPLE = f"""
from datetime import timedelta
from registry import clock
from registry.access.models import RoleGrant, Site, User
from registry.audit.acting import acting_as
from registry.patients.models import Patient
from followup.schedule.models import Timepoint, Visit

now = clock.now()
today = now.date()
with acting_as("system:command"):
    timepoint = Timepoint.objects.get(code="M12")
    site = Site.objects.create(code="RIV", name="Riverside", country="GB", time_zone="UTC")
    for number in range({NURSES}):
        user = User.objects.create(
            username=f"n{{number}}", full_name="Nurse", email=f"n{{number}}@example.org", date_joined=now)
        RoleGrant.objects.create(user=user, role="nurse", site=site, starts_on=today)
    for number in range({VISITS}):
        patient = Patient.objects.create(
            patient_id=f"RIV-{{number}}", site=site, status="in_follow_up", created_at=now)
        Visit.objects.create(
            patient=patient, site=site, timepoint=timepoint, visit_code="M12", target_date=today,
            window_opens=today - timedelta(days=30), window_closes=today + timedelta(days=30),
            anchor_date=today - timedelta(days=365), created_on=today - timedelta(days=365))
"""

ASK_TO_SWEEP = """
from config.celery import app
for _ in range(4):
    app.send_task("followup.reminders.tasks.sweep")
"""

ACCOUNT = f"""
from registry import clock
from registry.access.models import RoleGrant, User
from registry.audit.acting import acting_as

with acting_as("system:command"):
    nora = User.objects.create(username="nora", full_name="Nora", email="n@example.org", date_joined=clock.now())
    nora.set_password("{PASSWORD}")
    nora.save()
    RoleGrant.objects.create(user=nora, role="coordinator", starts_on=clock.now().date())
"""

SIGN_IN = """
from django.test import Client

browser = Client(SERVER_NAME="localhost")
for password in {passwords}:
    browser.post("/accounts/login/", {{"login": "nora", "password": password}})
print("in" if "_auth_user_id" in browser.session else "out")
"""


class Place:
    """A registry on a fresh PostgreSQL database and a Redis database that only this test uses."""

    def __init__(self, folder: Path, database_url: str, redis_url: str) -> None:
        self.folder, self.database_url = folder, database_url
        self.environment = {
            **os.environ, "DATA_DIR": str(folder), "DATABASE_URL": database_url, "REDIS_URL": redis_url,
        }  # fmt: skip
        self.started: list[subprocess.Popen[bytes]] = []

    def manage(self, *words: str) -> str:
        done = subprocess.run(
            [sys.executable, "manage.py", *words], cwd=ROOT, env=self.environment, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        with (self.folder / "processes.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, *words], cwd=ROOT, env=self.environment, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        self.started.append(process)
        return process

    def worker(self, name: str) -> subprocess.Popen[bytes]:
        return self.start(
            "-m", "celery", "--quiet", "--app", "config", "worker", "--concurrency", "1", "--loglevel", "WARNING",
            "--without-gossip", "--without-mingle", "--hostname", f"{name}@test",
        )  # fmt: skip

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        return on_postgresql(self.database_url, query)

    def stop(self) -> None:
        for process in self.started:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def on_postgresql(url: str, query: str) -> list[tuple[Any, ...]]:
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(query)
        return cursor.fetchall() if cursor.description else []


def named(url: str, path: object) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{path}"))


def wait_until(what: Callable[[], bool], seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    import redis

    server, name = on_server("postgres"), f"registry_services_{os.getpid()}"
    redis_url = named(settings.REDIS_URL, REDIS_DATABASE)
    redis.Redis.from_url(redis_url).flushdb()
    place = Place(tmp_path, named(server, name), redis_url)
    try:
        lay_out(tmp_path, place.database_url)
        yield place
    finally:
        place.stop()
        on_postgresql(server, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@pytest.mark.services
@pytest.mark.slow
def test_two_workers_take_up_the_same_sweeps_and_nobody_is_told_twice(place):
    place.worker("first")
    place.worker("second")
    sweeps = "SELECT count(*) FROM reminders_sweeprun WHERE finished_at IS NOT NULL AND error = ''"
    # Each looks once as it starts; only the messages below can make them find what comes now.
    wait_until(lambda: place.ask(sweeps)[0][0] >= 2)
    place.manage("shell", "-v", "0", "-c", PEOPLE)
    before = place.ask(sweeps)[0][0]
    place.manage("shell", "-v", "0", "-c", ASK_TO_SWEEP)
    wait_until(lambda: place.ask(sweeps)[0][0] >= before + 4)
    assert place.ask("SELECT state, count(*) FROM reminders_reminder GROUP BY state") == [("sent", VISITS)]
    assert place.ask("SELECT state, count(*) FROM reminders_mailmessage GROUP BY state") == [("sent", NURSES)]
    assert len(list((place.folder / "mail").glob("*.eml"))) == NURSES
    assert "Whole" in place.manage("reconcile")
    place.manage("audit_verify")


def patients_file(folder: Path) -> Path:
    path = folder / "patients.csv"
    rows = [
        f"RIV,RIV-{n},{n},1960-05-05,male,2020-01-05,2.0,2020-01-05,42" for n in range(1000, 1000 + PATIENTS)
    ]
    headings = "site,patient_id,local_id,birth_date,sex,enrolment_date,consent_version,consent_date,insulin_iu_per_day"
    path.write_text("\n".join([headings, *rows]))
    return path


@pytest.mark.services
@pytest.mark.slow
def test_an_import_killed_in_the_middle_leaves_nothing_and_can_be_sent_again(place, tmp_path):
    import psycopg

    sites, patients = tmp_path / "sites.csv", patients_file(tmp_path)
    sites.write_text("code,name,country,time_zone\nRIV,Riverside,GB,Europe/London\n")
    place.manage("import_sites", str(sites), "--commit")
    entries = place.ask("SELECT count(*) FROM audit_entry")
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with psycopg.connect(place.database_url) as blocker:
        # The patients are written and their visits not yet: there the import has to wait, and there it is killed.
        blocker.execute("LOCK TABLE schedule_visit IN SHARE MODE")
        importing = place.start("manage.py", "import_patients", str(patients), "--commit")
        wait_until(lambda: place.ask(waiting)[0][0] == 1)
        os.killpg(importing.pid, signal.SIGKILL)
    wait_until(lambda: place.ask(waiting)[0][0] == 0)
    assert place.ask("SELECT count(*) FROM patients_patient") == [(0,)]
    assert place.ask("SELECT count(*) FROM audit_entry") == entries
    assert f"{PATIENTS} created" in place.manage("import_patients", str(patients), "--commit")
    place.manage("audit_verify")


@pytest.mark.services
@pytest.mark.slow
@pytest.mark.parametrize("has_redis", [True, False])
def test_guessing_in_one_process_is_slowed_down_in_the_others(place, has_redis):
    """Kept in Redis, and without it in the database: never in the memory of one process."""
    place.environment["REDIS_URL"] *= has_redis
    place.manage("migrate", "-v", "0")  # as every start does: makes the cache's table where it is needed
    place.manage("shell", "-v", "0", "-c", ACCOUNT)
    assert "in" in place.manage("shell", "-v", "0", "-c", SIGN_IN.format(passwords=[PASSWORD])).split()
    for _ in range(2):
        place.manage("shell", "-v", "0", "-c", SIGN_IN.format(passwords=["wrong"] * 5))
    assert "out" in place.manage("shell", "-v", "0", "-c", SIGN_IN.format(passwords=[PASSWORD])).split()
