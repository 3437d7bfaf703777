"""Keeps the processes of the Procfile running together and stops them together.

Honcho reads the Procfile; it is not asked to run it, because it ends everything when one process ends, starts each behind a
go-between that survives its own death, and leaves its children running when it is killed.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from honcho.environ import parse_procfile

STOP_AFTER_S = (
    7.0  # a process that ignores SIGTERM this long is killed; the whole stop stays below ten seconds
)
POLL_S = 0.2
CRASH_WINDOW_S = 60.0
CRASHES_ALLOWED = 5  # in one window; after that it is a fault to read, not a hiccup to wait out
RESTART_DELAY_S = 1.0

PR_SET_PDEATHSIG = 1  # <sys/prctl.h>


def die_with_parent(parent_pid: int) -> None:
    """Ask Linux to kill this process when its parent ends, however the parent ends. Runs in the child, before its program."""
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent_pid:  # it ended in between
        os._exit(1)


@dataclass
class Child:
    name: str
    command: str
    environment: Mapping[str, str]
    process: subprocess.Popen[bytes] | None = None
    ended_at: list[float] = field(default_factory=list)

    def start(self) -> None:
        parent = os.getpid()
        self.process = subprocess.Popen(
            ["/bin/sh", "-c", f"exec {self.command}"],
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C reaches the supervisor alone, which then stops each in good order
            preexec_fn=lambda: die_with_parent(parent),
        )

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def send(self, number: signal.Signals) -> None:
        """To the process and to what it started, which share its session."""
        if self.process is None:
            return
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            return

    def crashes_lately(self, now: float) -> int:
        self.ended_at = [at for at in self.ended_at if now - at < CRASH_WINDOW_S]
        return len(self.ended_at)


class Supervisor:
    def __init__(
        self,
        commands: Mapping[str, str],
        environment: Mapping[str, str],
        *,
        say: Callable[[str], None] = print,
    ) -> None:
        self.children = [
            Child(name=name, command=command, environment=environment) for name, command in commands.items()
        ]
        self.say = say
        self.stopping = False
        self.exit_code = 0

    def run(self) -> int:
        """Start everything, restart what ends, and return the exit code once a signal has stopped it all."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._stop)
        for child in self.children:
            child.start()
        while not self.stopping:
            time.sleep(POLL_S)
            for child in self.children:
                self._look_after(child)
        self._stop_all()
        return self.exit_code

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.stopping = True

    def _look_after(self, child: Child) -> None:
        if self.stopping or child.is_running() or child.process is None:
            return
        child.send(signal.SIGKILL)  # anything the dead process left behind
        now = time.monotonic()
        child.ended_at.append(now)
        self.say(f"{child.name} ended with code {child.process.returncode}.")
        if child.crashes_lately(now) > CRASHES_ALLOWED:
            self.say(
                f"{child.name} ended {CRASHES_ALLOWED + 1} times within a minute: stopping. Its own lines above say why."
            )
            self.exit_code, self.stopping = 1, True
            return
        time.sleep(RESTART_DELAY_S)
        if not self.stopping:
            self.say(f"Starting {child.name} again.")
            child.start()

    def _stop_all(self) -> None:
        for child in self.children:
            if child.process is not None:
                child.process.terminate()  # it alone: each lets what it started finish first
        deadline = time.monotonic() + STOP_AFTER_S
        while any(child.is_running() for child in self.children) and time.monotonic() < deadline:
            time.sleep(0.05)
        for child in self.children:
            child.send(signal.SIGKILL)
            if child.process is not None:
                child.process.wait()


def read_procfile(path: Path) -> dict[str, str]:
    return dict(parse_procfile(path.read_text(encoding="utf-8")).processes)
