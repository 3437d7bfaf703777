"""Starts the registry on one machine: prepares the database, then keeps web, worker and beat running (`make demo`, `make run`)."""

import argparse
import json
import os
import socket
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

from config import env
from config.supervisor import Supervisor, read_procfile
from registry import clock

PANGO_PACKAGES = ("libpango-1.0-0", "libpangoft2-1.0-0", "libharfbuzz-subset0", "fonts-dejavu-core")
DEMO_REPORT_DAYS = 365


class CannotStart(Exception):
    """Something on this machine stands in the way; the message says what to do."""


def say(line: str) -> None:
    print(line, flush=True)


def child_environment(data_dir: Path, port: int, *, demo: bool) -> dict[str, str]:
    """What the processes inherit: this environment's programs first, and temporary and cache files inside DATA_DIR."""
    folders = {"TMPDIR": data_dir / "tmp", "XDG_CACHE_HOME": data_dir / "cache"}
    for folder in (*folders.values(), data_dir / "run"):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return {
        **os.environ,
        **{name: str(folder) for name, folder in folders.items()},
        **({"REQUIRE_MFA": os.environ.get("REQUIRE_MFA") or "0"} if demo else {}),
        "DATA_DIR": str(data_dir),
        "PORT": str(port),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "PYTHONUNBUFFERED": "1",
    }


def refuse_taken_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise CannotStart(
                f"Port {port} is in use. Choose another, for example: PORT={port + 1} make demo"
            ) from error


def manage(*arguments: str, environment: dict[str, str]) -> str:
    """Run one management command and return what it printed; its own error lines go straight to the terminal."""
    command = [sys.executable, "manage.py", *arguments]
    done = subprocess.run(
        command, cwd=env.BASE_DIR, env=environment, stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        raise CannotStart(
            f"`manage.py {' '.join(arguments)}` ended with code {done.returncode}.\n{done.stdout}".rstrip()
        )
    return done.stdout


def can_make_pdfs(environment: dict[str, str]) -> bool:
    """Import WeasyPrint elsewhere: without pango it fails, and must not take this process with it."""
    probe = [sys.executable, "-c", "import weasyprint"]
    return subprocess.run(probe, env=environment, capture_output=True, check=False).returncode == 0


def offer_pango(environment: dict[str, str]) -> bool:
    """Install what PDFs need where that may be done; else give the command. The rest of the registry works without it."""
    if can_make_pdfs(environment):
        return True
    subprocess.run([env.BASE_DIR / ".ci" / "packages", *PANGO_PACKAGES], check=False)
    if can_make_pdfs(environment):
        return True
    say(
        "PDFs cannot be made yet: a system library is missing. Everything else works. On Debian or Ubuntu run:"
    )
    say(f"  sudo apt-get install {' '.join(PANGO_PACKAGES)}")
    return False


def load_demo(data_dir: Path, environment: dict[str, str]) -> list[dict[str, Any]]:
    """Load the demonstration once; later starts read the sign-ins it printed then."""
    record = data_dir / "demo-sign-ins.json"
    if not record.exists():
        say("Loading the demonstration registry: synthetic people, nobody is real.")
        printed = manage("demo", "--json", environment=environment)
        partial = record.with_suffix(".partial")
        partial.touch(mode=0o600)
        partial.write_text(printed, encoding="utf-8")
        partial.replace(record)
    accounts: list[dict[str, Any]] = json.loads(record.read_text(encoding="utf-8"))["accounts"]
    return accounts


def issue_safety_report(data_dir: Path, environment: dict[str, str]) -> None:
    """One periodic report to look at, over the year to today, made on the first start only."""
    report = data_dir / "safety-report.pdf"
    if report.exists():
        return
    last = clock.now().date()
    first = last - timedelta(days=DEMO_REPORT_DAYS)
    manage(
        "safety_report",
        "--from",
        f"{first}",
        "--to",
        f"{last}",
        "--out",
        str(report),
        environment=environment,
    )
    say(f"Safety report: {report}")


def print_sign_ins(accounts: list[dict[str, Any]], port: int) -> None:
    """One a role: the first account of each."""
    first_of_role: dict[str, dict[str, Any]] = {}
    for account in accounts:
        first_of_role.setdefault(account["role"], account)
    say(f"\nSign in at http://127.0.0.1:{port}/ as one of:\n")
    say(f"  {'role':<15} {'user name':<24} {'site':<8} password")
    for role, account in first_of_role.items():
        say(f"  {role:<15} {account['username']:<24} {account['site'] or 'all':<8} {account['password']}")


def prepare(data_dir: Path, port: int, environment: dict[str, str], *, demo: bool) -> None:
    refuse_taken_port(port)
    say(f"Data is kept in {data_dir}")
    manage("migrate", "--no-input", "--verbosity", "0", environment=environment)
    accounts = load_demo(data_dir, environment) if demo else []
    pdfs = offer_pango(environment)
    if demo:
        manage("sweep", environment=environment)
        if pdfs:
            issue_safety_report(data_dir, environment)
        print_sign_ins(accounts, port)
    say(f"\nThe registry opens at http://127.0.0.1:{port}/ in a few seconds. Ctrl-C stops it.\n")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m config.serve", description=__doc__)
    parser.add_argument("--demo", action="store_true", help="load a demonstration registry first")
    demo = parser.parse_args(arguments).demo
    data_dir, port = env.data_dir(), env.number("PORT", 8000)
    environment = child_environment(data_dir, port, demo=demo)
    try:
        prepare(data_dir, port, environment, demo=demo)
    except CannotStart as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    os.chdir(env.BASE_DIR)
    return Supervisor(read_procfile(env.BASE_DIR / "Procfile"), environment, say=say).run()


if __name__ == "__main__":
    sys.exit(main())
