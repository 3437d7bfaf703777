"""What can be seen without running: unsafe calls, templates, the deployment check, and the least versions of libraries."""

import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.version import Version

from tests.test_conventions import places, product_modules, templates

ROOT = Path(__file__).resolve().parents[1]
# Below these, a known hole is open in the library.
FLOORS = {
    "django": "5.2.19",
    "weasyprint": "70.0",
    "django-import-export": "4.4.3",
    "celery": "5.7.0",
    "kombu": "5.7.0",
    "openpyxl": "3.1.5",
    "defusedxml": "0.7.1",
}
# The only modules that speak SQL: the trail, whole-table copies, "is the database there", the embedded queue's upkeep,
# and many rows in one INSERT.
SQL_ROOMS = (
    "registry/audit/", "registry/backups/", "registry/inserting.py", "config/health.py", "followup/reminders/upkeep.py",
)  # fmt: skip


def test_no_unsafe_call_is_made() -> None:
    """The rules of flake8-bandit and flake8-django, but for exceptions that stand in pyproject with their reason."""
    lint = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]
    assert {"S", "DJ"} <= set(lint["select"])
    assert {code for code in lint["ignore"] if code.startswith(("S", "DJ"))} <= {"S603", "S607", "DJ008"}
    found = subprocess.run(
        [Path(sys.executable).with_name("ruff"), "check", "--no-cache", "registry", "followup", "config"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert found.returncode == 0, found.stdout


def test_sql_is_written_in_few_places_alone() -> None:
    speaks = places(r"\.cursor\(|RawSQL|\.execute\(", product_modules())
    assert [line for line in speaks if not line.startswith(SQL_ROOMS)] == []


def test_no_template_goes_around_escaping() -> None:
    assert places(r"\|\s*safe(seq)?\b|autoescape\s+off|\|\s*json_script\s*:\s*\w+\s*\|", templates()) == []


def test_no_library_opens_the_model_to_whatever_a_form_brings() -> None:
    assert places(r"fields\s*=\s*[\"']__all__[\"']|^\s*exclude\s*=", product_modules(), re.MULTILINE) == []


@pytest.mark.parametrize(("name", "floor"), FLOORS.items())
def test_libraries_are_not_older_than_their_last_known_hole(name: str, floor: str) -> None:
    assert Version(version(name)) >= Version(floor)


def test_the_deployment_check_has_nothing_to_say(tmp_path: Path) -> None:
    environment = {
        **os.environ, "DATA_DIR": str(tmp_path), "SITE_URL": "https://registry.example.org", "REQUIRE_MFA": "1",
    }  # fmt: skip
    for name in ("DATABASE_URL", "REDIS_URL", "DEBUG"):
        environment.pop(name, None)
    done = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
