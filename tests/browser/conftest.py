"""A demo registry as it is really served, and a browser in front of it.

Web and worker run in processes of their own, in a folder of their own; nothing of Django's test client is between them.
"""

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.desk import CHROMIUM_SWITCHES, PASSWORD, Desk

ROOT = Path(__file__).resolve().parents[2]
SERVED_WITHIN_SECONDS = 60
STOPPED_WITHIN_SECONDS = 15
PATIENTS = 14  # the first twelve of a demo have the shapes a page must be able to show; two are ordinary


def environment_of(folder: Path, port: int) -> dict[str, str]:
    ours = {
        "DATA_DIR": str(folder), "DEMO_PASSWORD": PASSWORD, "REQUIRE_MFA": "0",
        "PORT": str(port), "SITE_URL": f"http://127.0.0.1:{port}",
    }  # fmt: skip
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name not in ("DATABASE_URL", "REDIS_URL", "EMAIL_URL")
    }
    return inherited | ours


def manage(*words: str, environment: dict[str, str], text: str = "") -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", *words], cwd=ROOT, env=environment, input=text,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def running(*words: str, environment: dict[str, str], log: Path) -> Iterator[None]:
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *words], cwd=ROOT, env=environment, stdout=output, stderr=output
        )
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(STOPPED_WITHIN_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until_served(port: int, log: Path) -> None:
    deadline = time.monotonic() + SERVED_WITHIN_SECONDS
    while time.monotonic() < deadline:
        try:
            with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as asking:
                asking.request("GET", "/healthz")
                if asking.getresponse().status == http.HTTPStatus.OK:
                    return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"the site did not answer within {SERVED_WITHIN_SECONDS} s: {log.read_text()[-2000:]}")


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a served demo registry whose worker is running."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "run").mkdir()
    port, log = free_port(), folder / "processes.log"
    environment = environment_of(folder, port)
    manage("migrate", "-v0", environment=environment)
    manage("demo", "--sites", "2", "--patients", str(PATIENTS), "--seed", "1", environment=environment)
    manage(
        "create_user", "second-admin", "--role", "administrator", "--password-stdin",
        environment=environment, text=PASSWORD,
    )  # fmt: skip
    manage("sweep", environment=environment)
    web = ["gunicorn", "config.wsgi:application", "--bind", f"127.0.0.1:{port}", "--worker-class", "gthread",
           "--threads", "4", "--no-control-socket", "--log-level", "warning"]  # fmt: skip
    worker = ["celery", "--quiet", "--app", "config", "worker", "--pool", "solo", "--loglevel", "WARNING",
              "--without-gossip", "--without-mingle"]  # fmt: skip
    with (
        running(*web, environment=environment, log=log),
        running(*worker, environment=environment, log=log),
    ):
        wait_until_served(port, log)
        yield environment["SITE_URL"]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    chromium = os.environ.get("CHROMIUM", "/usr/bin/chromium")
    if not Path(chromium).exists():
        pytest.fail(
            f"Chromium is missing at {chromium}. Install it (apt install chromium) or set CHROMIUM.",
            pytrace=False,
        )
    with sync_playwright() as play:
        chrome = play.chromium.launch(executable_path=chromium, args=CHROMIUM_SWITCHES)
        yield chrome
        chrome.close()


@pytest.fixture(scope="session")
def sessions() -> dict[str, dict[str, object]]:
    """Cookies of who signed in already, so that a role signs in once for all tests."""
    return {}


@pytest.fixture
def sit_down(
    site: str, browser: Browser, sessions: dict[str, dict[str, object]]
) -> Iterator[Callable[..., Desk]]:
    """`sit_down("nurse-riv")` opens a browser window of its own in which that person is signed in."""
    desks: list[Desk] = []

    def open_desk(username: str, password: str = PASSWORD, **window: object) -> Desk:
        desk = Desk.open(browser, site, username, password, sessions, **window)
        desks.append(desk)
        return desk

    yield open_desk
    for desk in desks:
        desk.close()
    problems = [problem for desk in desks for problem in desk.problems]
    assert not problems, problems
