"""A registry served as people run it - web, worker and beat - with a browser that has no JavaScript."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, Request, build_opener
from uuid import uuid4

from tests.cast import PASSWORD

ROOT = Path(__file__).resolve().parents[2]
TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')
FORM_TOKEN = re.compile(r'name="form_token" value="([^"]+)"')


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Served:
    """Everything every process prints goes to one log, the access log of the web server included."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder, self.port, self.log = folder, free_port(), folder.parent / f"{folder.name}.log"
        folder.mkdir()
        self.environment = {
            **os.environ, "DATA_DIR": str(folder), "PORT": str(self.port), "REQUIRE_MFA": "0",
            "SITE_URL": f"http://127.0.0.1:{self.port}", "GUNICORN_CMD_ARGS": "--access-logfile -",
        } | environment  # fmt: skip
        for name in {"DATABASE_URL", "REDIS_URL", "EMAIL_URL"} - environment.keys():
            self.environment.pop(name, None)
        self.process: subprocess.Popen[bytes] | None = None

    def manage(self, *words: str, code: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "manage.py", *words], cwd=ROOT, env=self.environment, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "config.serve"], cwd=ROOT, env=self.environment, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        wait_until(self._answers, 90)

    def _answers(self) -> bool:
        try:
            return bool(Browser(self).get("/healthz"))
        except URLError:
            return False

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()


class Browser:
    def __init__(self, served: Served) -> None:
        self.at = f"http://127.0.0.1:{served.port}"
        self.opener = build_opener(HTTPCookieProcessor(CookieJar()))
        self.status = 0

    def get(self, path: str) -> str:
        return self._ask(Request(self.at + path))

    def post(self, path: str, fields: dict[str, str], form_at: str = "") -> str:
        """The page with the form is opened first, and its hidden tokens are sent with it."""
        page = self.get(form_at or path)
        hidden = {"csrfmiddlewaretoken": TOKEN.search(page), "form_token": FORM_TOKEN.search(page)}
        found = {name: match[1] for name, match in hidden.items() if match}
        body = urlencode(found | fields).encode()
        return self._ask(Request(self.at + path, data=body, headers={"Referer": self.at + path}))

    def upload(self, path: str, fields: dict[str, str], name: str, content: bytes) -> str:
        page, edge = self.get(path), uuid4().hex
        token, form = TOKEN.search(page), FORM_TOKEN.search(page)
        hidden = {"csrfmiddlewaretoken": token[1] if token else "", "form_token": form[1] if form else ""}
        parts = [
            f'--{edge}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
            for key, value in (hidden | fields).items()
        ]
        heading = f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
        body = b"".join([*parts, heading.encode(), content, f"\r\n--{edge}--\r\n".encode()])
        kind = f"multipart/form-data; boundary={edge}"
        return self._ask(
            Request(self.at + path, data=body, headers={"Content-Type": kind, "Referer": self.at + path})
        )

    def sign_in(self, username: str) -> None:
        self.post("/accounts/login/", {"login": username, "password": PASSWORD})
        assert "/accounts/login/" not in self.address, f"{username} could not sign in"

    def _ask(self, request: Request) -> str:
        try:
            with self.opener.open(request, timeout=60) as answer:
                self.status, self.address = answer.status, answer.url
                return str(answer.read().decode("utf-8", "replace"))
        except HTTPError as refusal:
            self.status, self.address = refusal.code, request.full_url
            return refusal.read().decode("utf-8", "replace")


def wait_until(what: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.2)
