"""What the pages load lies in the project, is what it says it is, and refers to nothing that is missing."""

import hashlib
import re
from pathlib import Path

import pytest
from django.conf import settings

STATIC = Path(settings.BASE_DIR) / "config" / "static"
VENDOR = STATIC / "vendor"
LISTED = dict(re.findall(r"\| `([^`]+)` \| `([0-9a-f]{64})` \|", (VENDOR / "VENDORED.md").read_text()))
SHEETS_AND_SCRIPTS = sorted([*STATIC.rglob("*.css"), *STATIC.rglob("*.js")])


@pytest.mark.parametrize("name", sorted(LISTED))
def test_a_vendored_file_is_the_one_that_was_reviewed(name: str) -> None:
    assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == LISTED[name]


def test_every_vendored_file_is_listed() -> None:
    files = {
        path.relative_to(VENDOR).as_posix()
        for path in VENDOR.rglob("*")
        if path.is_file() and not path.name.startswith(("LICENSE", "VENDORED"))
    }
    assert files == set(LISTED)


@pytest.mark.parametrize("path", SHEETS_AND_SCRIPTS, ids=lambda path: path.name)
def test_a_static_file_refers_only_to_files_that_are_there(path: Path) -> None:
    text = path.read_text()
    assert "sourceMappingURL" not in text
    targets = re.findall(r"""url\(["']?((?!data:)[^"')#]+)["']?\)""", text) if path.suffix == ".css" else []
    assert [target for target in targets if not (path.parent / target).exists()] == []


def test_no_style_sheet_or_script_of_ours_asks_another_host() -> None:
    ours = [path for path in SHEETS_AND_SCRIPTS if VENDOR not in path.parents]
    assert [path.name for path in ours if re.search(r"https?://", path.read_text())] == []
