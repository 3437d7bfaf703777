"""Each fault of docs/validation/faults.toml, put into a copy of the project, makes the test fail that is named beside it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.test_validation import ROOT, entries

NOT_COPIED = shutil.ignore_patterns(
    ".git", ".venv", "var", ".mypy_cache", ".ruff_cache", "__pycache__", ".hypothesis"
)
TESTS_FAILED = 1  # of pytest; 2 and more would mean that it could not run


@pytest.fixture(scope="session")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("faults") / "project"
    shutil.copytree(ROOT, folder, ignore=NOT_COPIED)
    return folder


def run(test: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    for name in ("PYTEST_XDIST_WORKER", "PYTEST_CURRENT_TEST", "DATA_DIR", "FULL_FIGURES"):
        environment.pop(name, None)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", test],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.chaos
@pytest.mark.parametrize("fault", entries("faults"), ids=lambda fault: fault["id"])
def test_the_fault_is_caught(fault: dict[str, Any], copy: Path) -> None:
    path = copy / fault["file"]
    whole = path.read_text(encoding="utf-8")
    path.write_text(whole.replace(fault["find"], fault["put"]), encoding="utf-8")
    try:
        done = run(fault["caught_by"], copy)
    finally:
        path.write_text(whole, encoding="utf-8")
    assert done.returncode == TESTS_FAILED, (
        f"{fault['title']} was not caught:\n{done.stdout[-2000:]}{done.stderr[-500:]}"
    )
