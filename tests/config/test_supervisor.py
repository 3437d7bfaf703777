"""The processes of the site start, restart and stop together, and none outlives the one that started it."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from config.supervisor import read_procfile

pytestmark = pytest.mark.embedded

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
    import os, sys
    from pathlib import Path
    from config import supervisor
    supervisor.RESTART_DELAY_S = 0.05
    supervisor.STOP_AFTER_S = float(os.environ.get("STOP_AFTER_S", 7))
    commands = dict(pair.split("=", 1) for pair in sys.argv[1:])
    sys.exit(supervisor.Supervisor(commands, os.environ, say=lambda line: print(line, flush=True)).run())
"""


def start(tmp_path: Path, *commands: str, **environment: str) -> subprocess.Popen[str]:
    (tmp_path / "pids").touch()
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(PROGRAM), *commands],
        cwd=ROOT,
        env={**os.environ, "PIDS": str(tmp_path / "pids"), **environment},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def sleeper(tmp_path: Path) -> str:
    return script(tmp_path / "sleeper.sh", 'echo $$ >> "$PIDS"\nexec sleep 60\n')


def stubborn(tmp_path: Path) -> str:
    return script(
        tmp_path / "stubborn.sh", "trap '' TERM INT\necho $$ >> \"$PIDS\"\nwhile :; do sleep 1; done\n"
    )


def script(path: Path, text: str) -> str:
    path.write_text(text)
    return f"sh {path}"


def pids(tmp_path: Path, *, at_least: int) -> list[int]:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        found = [int(line) for line in (tmp_path / "pids").read_text().split()]
        if len(found) >= at_least:
            return found
        time.sleep(0.05)
    raise AssertionError("the processes did not start")


def is_alive(pid: int) -> bool:
    """A zombie whose parent has not collected it yet counts as gone."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def wait_until_gone(numbers: list[int], *, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while any(map(is_alive, numbers)):
        assert time.monotonic() < deadline, "a process outlived its supervisor"
        time.sleep(0.05)


def test_children_end_when_the_supervisor_is_killed(tmp_path):
    supervisor = start(tmp_path, f"one={sleeper(tmp_path)}", f"two={sleeper(tmp_path)}")
    children = pids(tmp_path, at_least=2)
    supervisor.kill()
    supervisor.communicate()
    wait_until_gone(children, seconds=3)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_everything_at_once(tmp_path, number):
    supervisor = start(tmp_path, f"one={sleeper(tmp_path)}", f"two={sleeper(tmp_path)}")
    children = pids(tmp_path, at_least=2)
    supervisor.send_signal(number)
    supervisor.communicate(timeout=5)
    assert supervisor.returncode == 0
    assert not any(map(is_alive, children))


def test_a_process_that_will_not_stop_is_killed(tmp_path):
    supervisor = start(tmp_path, f"deaf={stubborn(tmp_path)}", STOP_AFTER_S="0.5")
    children = pids(tmp_path, at_least=1)
    supervisor.send_signal(signal.SIGINT)
    supervisor.communicate(timeout=5)
    assert not any(map(is_alive, children))


def test_a_crashed_process_is_started_again(tmp_path):
    supervisor = start(tmp_path, f"one={sleeper(tmp_path)}")
    first = pids(tmp_path, at_least=1)[0]
    os.kill(first, signal.SIGKILL)
    assert len(pids(tmp_path, at_least=2)) == 2
    supervisor.send_signal(signal.SIGINT)
    output, _ = supervisor.communicate(timeout=5)
    assert "one ended with code -9." in output
    assert "Starting one again." in output


def test_a_process_that_keeps_crashing_stops_the_site_with_an_error(tmp_path):
    supervisor = start(tmp_path, "broken=false", f"one={sleeper(tmp_path)}")
    output, _ = supervisor.communicate(timeout=20)
    assert supervisor.returncode == 1
    assert "broken ended 6 times within a minute: stopping." in output
    assert not any(map(is_alive, pids(tmp_path, at_least=1)))


def test_the_procfile_names_web_worker_and_beat():
    assert list(read_procfile(ROOT / "Procfile")) == ["web", "worker", "beat"]
