"""kill -9 of the worker while it sends: nothing is lost, nothing is sent twice, and what is not known is shown.

On the embedded default alone: SQLite, the SQLite broker and the file sink, in a folder of its own.
"""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from email import message_from_bytes, policy
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SITES, NURSES, VISITS = 5, 100, 4  # at each site
MESSAGES = SITES * NURSES
REMINDERS = SITES * VISITS
KILLS = 10
SWEEPS_AT_ONCE = 4
COUNT_REMINDERS = "SELECT state, count(*) FROM reminders_reminder GROUP BY state"
COUNT_MESSAGES = "SELECT state, count(*) FROM reminders_mailmessage GROUP BY state"

PEOPLE = f"""
from datetime import timedelta
from registry import clock
from registry.access.models import RoleGrant, Site, User
from registry.audit.acting import acting_as
from registry.patients.models import Patient
from followup.schedule.actions import ensure_default_plan
from followup.schedule.models import Timepoint, Visit

now = clock.now()
today = now.date()
with acting_as("system:command"):
    ensure_default_plan(now)
    timepoint = Timepoint.objects.get(code="M12")
    for number in range({SITES}):
        site = Site.objects.create(code=f"S{{number}}", name=f"Site {{number}}", country="GB", time_zone="UTC")
        for nurse in range({NURSES}):
            name = f"n{{number}}-{{nurse}}"
            user = User.objects.create(
                username=name, full_name="Nurse", email=f"{{name}}@example.org", date_joined=now)
            RoleGrant.objects.create(user=user, role="nurse", site=site, starts_on=today)
        for place in range({VISITS}):
            patient = Patient.objects.create(
                patient_id=f"S{{number}}-{{place}}", site=site, status="in_follow_up", created_at=now)
            Visit.objects.create(
                patient=patient, site=site, timepoint=timepoint, visit_code="M12", target_date=today,
                window_opens=today - timedelta(days=30), window_closes=today + timedelta(days=30),
                anchor_date=today - timedelta(days=365), created_on=today - timedelta(days=365))
"""


class Place:
    """A registry in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "run").mkdir()
        # Not a second or two: a message asking for a sweep expires after so long, unseen by a worker still starting.
        self.environment = {**os.environ, "DATA_DIR": str(folder), "SWEEP_SECONDS": "60"}
        for name in ("DATABASE_URL", "REDIS_URL", "EMAIL_URL", "SITE_URL"):
            self.environment.pop(name, None)

    def manage(self, *words: str, text: str = "") -> str:
        done = subprocess.run(
            [sys.executable, "manage.py", *words], cwd=ROOT, env=self.environment, input=text,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        with (self.folder / "processes.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, *words], cwd=ROOT, env=self.environment, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip

    def worker(self) -> subprocess.Popen[bytes]:
        return self.start(
            "-m", "celery", "--quiet", "--app", "config", "worker", "--pool", "prefork", "--concurrency", "1",
            "--loglevel", "WARNING", "--without-gossip", "--without-mingle",
        )  # fmt: skip

    def ask(self, query: str, *values: object) -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(self.folder / "registry.sqlite3", timeout=30)) as database:
            return database.execute(query, values).fetchall()

    def states(self, table: str) -> Counter[str]:
        counted = {"reminders_reminder": COUNT_REMINDERS, "reminders_mailmessage": COUNT_MESSAGES}[table]
        return Counter(dict(self.ask(counted)))

    def count_sent(self) -> int:
        return len(list((self.folder / "mail").glob("*.eml")))

    def sent(self) -> list[str]:
        """The Message-ID of every message that reached the sink, however often."""
        files = (self.folder / "mail").glob("*.eml")
        return [str(message_from_bytes(f.read_bytes(), policy=policy.default)["Message-ID"]) for f in files]


def kill_group(process: subprocess.Popen[bytes]) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def lapse(place: Place) -> None:
    """Instead of waiting for leases to run out, look at the work from an hour later."""
    place.manage(
        "shell", "-v", "0", "-c",
        "from datetime import timedelta\nfrom registry import clock\nfrom followup.reminders.actions import run_sweep\n"
        "run_sweep(now=clock.now() + timedelta(hours=1), as_of=clock.now())",
    )  # fmt: skip


@pytest.mark.chaos
def test_a_worker_killed_while_it_sends_loses_and_repeats_nothing(tmp_path):
    place = Place(tmp_path)
    place.manage("migrate", "-v", "0")
    place.manage("shell", "-v", "0", "-c", PEOPLE)
    kills = 0
    while kills < KILLS:
        worker = place.worker()
        had = place.count_sent()
        deadline = time.monotonic() + 60
        while place.count_sent() == had and time.monotonic() < deadline and worker.poll() is None:
            time.sleep(0.05)
        time.sleep(random.uniform(0, 0.4))
        kill_group(worker)
        kills += 1
        lapse_when_stuck(place)
    lapse(place)
    messages, reminders = place.states("reminders_mailmessage"), place.states("reminders_reminder")
    reached = Counter(place.sent())
    assert reminders == {"sent": REMINDERS}  # each visit once, and somebody was told of it
    assert max(reached.values()) == 1  # nothing on the wire twice
    assert messages["sent"] + messages["uncertain"] == MESSAGES
    assert messages["uncertain"] <= KILLS
    assert messages["sent"] <= len(reached) <= MESSAGES
    assert json.loads(place.manage("sweep"))["add_up"] is True
    assert place.manage("reconcile")
    assert place.manage("audit_verify")


def lapse_when_stuck(place: Place) -> None:
    """Claims of the killed worker would hold the others up for a quarter of an hour."""
    place.manage(
        "shell", "-v", "0", "-c",
        "from registry.audit.acting import acting_as\nfrom followup.reminders.models import MailMessage\n"
        "with acting_as('system:command'):\n"
        "    MailMessage.objects.filter(lease_until__isnull=False).update(lease_until='2000-01-01T00:00Z')",
    )  # fmt: skip


@pytest.mark.chaos
def test_many_sweeps_at_once_do_what_one_does(tmp_path):
    place = Place(tmp_path)
    place.manage("migrate", "-v", "0")
    place.manage("shell", "-v", "0", "-c", PEOPLE)
    sweeps = [place.start("manage.py", "sweep") for _ in range(SWEEPS_AT_ONCE)]
    assert [sweep.wait(timeout=300) for sweep in sweeps] == [0] * SWEEPS_AT_ONCE
    assert place.states("reminders_reminder") == {"sent": REMINDERS}
    assert len(place.sent()) == len(set(place.sent())) == MESSAGES
    assert place.manage("reconcile")
