"""The database restarts, without warning, while people save: nothing is half written, whoever was refused is told to send it
again, and what is sent again is stored once. On a PostgreSQL cluster of the test's own.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, HTTPRedirectHandler, OpenerDirector, build_opener

import pytest

from tests import registered
from tests.places import Place
from tests.sizes import size

RESTARTS = size(short=2, full=10)
POSTERS, EACH_S = 4, 0.2  # together twenty posts a second
HEALED_WITHIN_S = 10
FORM = "/visits/patients/RIV-0/contact/"


def program(name: str) -> str:
    known = [
        shutil.which(name) or "",
        *map(str, sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)),
    ]
    found = next((path for path in known if path), "")
    assert found, f"{name} is not installed: on Debian, apt-get install postgresql"
    return str(Path(found).resolve())


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Cluster:
    """PostgreSQL refuses to run as root, so there it runs as the account `postgres`."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.url = f"postgres://postgres@127.0.0.1:{self.port}/postgres"
        self.account = "postgres" if os.geteuid() == 0 else None
        if self.account:
            shutil.chown(folder, self.account, self.account)
        self.run("initdb", "--auth=trust", "--username=postgres", "--no-sync", f"--pgdata={folder / 'data'}")
        # A restart that is not a power cut needs no fsync.
        options = (
            f"-p {self.port} -c fsync=off -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder}"
        )
        self.control("start", "-o", options)

    def run(self, name: str, *words: str) -> None:
        done = subprocess.run(
            [program(name), *words], user=self.account, cwd=self.folder, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, f"{name} {words}: {done.stderr}"

    def control(self, *words: str) -> None:
        data, log = self.folder / "data", self.folder / "log"
        self.run("pg_ctl", *words, "--wait", f"--pgdata={data}", f"--log={log}")


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with tempfile.TemporaryDirectory(prefix="registry-cluster-") as folder:
        made = Cluster(Path(folder))
        try:
            yield made
        finally:
            made.control("stop", "-m", "immediate")


@pytest.fixture
def served(cluster: Cluster, tmp_path: Path) -> Iterator[str]:
    """The registry on that cluster, behind the web server it is run with."""
    place = Place(tmp_path / "data", cluster.url)
    place.manage("migrate", "-v", "0")
    place.manage("mark_test")
    place.manage("shell", "-v", "0", "-c", registered.FILL)
    port = free_port()
    place.environment["SITE_URL"] = f"http://127.0.0.1:{port}"
    server = place.start(
        "-m", "gunicorn", "config.wsgi:application", "--bind", f"127.0.0.1:{port}", "--worker-class", "gthread",
        "--workers", "2", "--threads", "4", "--no-control-socket", "--log-level", "warning",
    )  # fmt: skip
    try:
        wait_until_served(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def wait_until_served(port: int) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert time.monotonic() < deadline, "the server did not start"
            time.sleep(0.1)
        else:
            return


class NoRedirects(HTTPRedirectHandler):
    def redirect_request(self, *args: object) -> None:
        return None


@dataclass
class Browser:
    """One person saving forms one after the other; what is refused for the moment is sent again, the same form."""

    base: str
    name: str
    answers: Counter[int] = field(default_factory=Counter)
    refused: list[str] = field(default_factory=list)
    saved: list[str] = field(default_factory=list)
    stop: bool = False

    def __post_init__(self) -> None:
        self.opener: OpenerDirector = build_opener(HTTPCookieProcessor(CookieJar()), NoRedirects())
        self.csrf = ""

    def ask(self, path: str, fields: dict[str, str] | None = None) -> tuple[int, str]:
        data = urlencode({**fields, "csrfmiddlewaretoken": self.csrf}).encode() if fields else None
        try:
            with self.opener.open(f"{self.base}{path}", data, timeout=20) as answer:
                status, page = answer.status, answer.read().decode()
        except HTTPError as answer:
            status, page = answer.code, answer.read().decode()
        if found := re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page):
            self.csrf = found[1]
        return status, page

    def sign_in(self) -> None:
        self.ask("/accounts/login/")
        status, _ = self.ask("/accounts/login/", {"login": "nurse0", "password": registered.PASSWORD})
        assert status == 302

    def work(self) -> None:
        number = 0
        while not self.stop:
            self.save(f"{self.name}-{number}")
            number += 1

    def save(self, note: str) -> None:
        fields = self.form(note)
        for _ in range(200):
            began = time.monotonic()
            status, page = self.ask(FORM, fields)
            self.answers[status] += 1
            if status == 302:
                self.saved.append(note)
                time.sleep(max(0.0, EACH_S - (time.monotonic() - began)))
                return
            self.refused.append(page)
            time.sleep(0.2)
        raise AssertionError(f"{note} could never be saved: {status} {page}")

    def form(self, note: str) -> dict[str, str]:
        status, page = self.ask(FORM)
        while status != 200:
            self.answers[status] += 1
            time.sleep(0.2)
            status, page = self.ask(FORM)
        token = re.search(r'name="form_token"[^>]* value="([^"]+)"', page)
        moment = re.search(r'name="at"[^>]* value="([^"]+)"|value="([^"]+)"[^>]* name="at"', page)
        assert token, page
        assert moment, page
        return {
            "at": moment[1] or moment[2], "channel": "phone", "outcome": "no_answer", "note": note, "form_token": token[1],
        }  # fmt: skip


def healed_after(browser: Browser) -> float:
    began = time.monotonic()
    while True:
        try:
            if browser.ask("/patients/")[0] == 200:
                return time.monotonic() - began
        except (URLError, OSError):
            time.sleep(0.05)
        assert time.monotonic() - began < 60, "it never came back"


@pytest.mark.services
@pytest.mark.slow
@pytest.mark.figures
def test_a_restart_of_the_database_loses_nothing_and_doubles_nothing(
    cluster: Cluster, served: str, tmp_path: Path
) -> None:
    posters = [Browser(served, f"p{number}") for number in range(POSTERS)]
    looker = Browser(served, "looker")
    for one in (*posters, looker):
        one.sign_in()
    threads = [threading.Thread(target=one.work, daemon=True) for one in posters]
    for thread in threads:
        thread.start()
    healed = []
    for _ in range(RESTARTS):
        time.sleep(2)
        cluster.control("restart", "-m", "immediate")
        healed.append(healed_after(looker))
    for one in posters:
        one.stop = True
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)

    answers = sum((one.answers for one in posters), Counter())
    print(
        f"{RESTARTS} restarts: answers {dict(answers)}, back after {max(healed):.1f} s at most",
        file=sys.stderr,
    )
    assert set(answers) <= {302, 503}
    assert max(healed) <= HEALED_WITHIN_S
    assert all("send it again" in page for one in posters for page in one.refused)
    place = Place(tmp_path / "data", cluster.url)
    stored = Counter(note for (note,) in place.ask("SELECT note FROM schedule_contactattempt"))
    assert stored == Counter(note for one in posters for note in one.saved)  # each once, none missing
    query = (
        "SELECT count(*) FROM audit_entry WHERE table_name = 'schedule_contactattempt' AND action = 'insert'"
    )
    assert place.ask(query) == [(len(stored),)]
    place.manage("audit_verify")
