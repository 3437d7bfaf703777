"""The copy stands by itself: a script without our code says whether it is whole, down to the last byte."""

from __future__ import annotations

import io
import json
import random
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import pytest
from django.core.management import CommandError, call_command

from followup.copies import archive
from registry.access.models import Site, User
from registry.patients.identity import IdentityFacts, save_identity
from registry.patients.models import Patient
from tests.cast import NOW
from tests.sizes import size

FLIPS = size(short=400, full=5000)


@pytest.fixture
def copy(riverside: Site, ines: User) -> bytes:
    anna = Patient.objects.create(patient_id="RIV-0001-X", site=riverside, created_at=NOW)
    save_identity(patient=anna, facts=IdentityFacts("Änna", "Berg", birth_date="1960-02-03"), by=ines)
    return archive.make_archive(patient=anna, now=NOW, pdf=b"%PDF-1.7 drawn elsewhere").data


@pytest.fixture
def check() -> ModuleType:
    return archive.verifier()


def repacked(copy: bytes, check: ModuleType, name: str, change: bytes | None) -> bytes:
    """Packed again as the registry packs, with one file changed, or left out."""
    files = [(one, change if one == name else data) for one, data in check.read(copy)[0]]
    return bytes(check.packed([(one, data) for one, data in files if data is not None]))


def content(copy: bytes, check: ModuleType, name: str) -> bytes:
    return bytes(dict(check.read(copy)[0])[name])


def outside(folder: Path, data: bytes) -> subprocess.CompletedProcess[str]:
    """The script out of the archive itself, in a folder and a Python that know nothing of us."""
    path = folder / "copy.zip"
    path.write_bytes(data)
    with zipfile.ZipFile(path) as packed:
        (folder / "verify_copy.py").write_bytes(packed.read("verify_copy.py"))
    return subprocess.run(
        [sys.executable, "-I", "-S", "verify_copy.py", "copy.zip"], cwd=folder, env={}, capture_output=True,
        text=True, check=False,
    )  # fmt: skip


def test_a_copy_is_whole_for_a_python_without_our_code(copy: bytes, tmp_path: Path) -> None:
    said = outside(tmp_path, copy)
    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout.startswith("whole: 5 files")


def test_the_script_needs_the_standard_library_alone() -> None:
    lines = archive.VERIFIER.read_text().splitlines()
    imported = {line.split()[1].split(".")[0] for line in lines if line.startswith(("import ", "from "))}
    assert imported <= set(sys.stdlib_module_names)


@pytest.mark.parametrize("name", ["README.txt", "person.json", "record.pdf", "trail.json", "verify_copy.py"])
def test_a_file_changed_and_packed_again_is_named(
    copy: bytes, check: ModuleType, tmp_path: Path, name: str
) -> None:
    data = bytearray(content(copy, check, name))
    data[len(data) // 2] ^= 1
    altered = repacked(copy, check, name, bytes(data))
    assert any(trouble.startswith(name) for trouble in check.check(altered))
    if name == "person.json":
        said = outside(tmp_path, altered)
        assert (said.returncode, "person.json: its content was altered" in said.stdout) == (1, True)


@pytest.mark.figures
def test_no_byte_can_be_flipped_unseen(copy: bytes, check: ModuleType) -> None:
    chance = random.Random(1)
    places = [*chance.sample(range(len(copy)), min(FLIPS, len(copy))), 0, len(copy) - 1]
    names = [*dict(check.read(copy)[0]), "the archive itself", "the list of files"]
    for place in places:
        flipped = bytearray(copy)
        flipped[place] ^= 1 << chance.randrange(8)
        troubles = check.check(bytes(flipped))
        assert troubles, f"byte {place} was flipped and nobody saw it"
        assert any(trouble.startswith(name) for trouble in troubles for name in names)


def test_a_copy_cut_off_or_with_something_behind_it_is_not_whole(copy: bytes, check: ModuleType) -> None:
    assert check.check(copy[:-1])
    assert check.check(copy + b"\0")
    assert check.check(b"")


def test_missing_and_strange_files_are_named(copy: bytes, check: ModuleType) -> None:
    assert "record.pdf: it is missing" in check.check(repacked(copy, check, "record.pdf", None))
    more = check.packed([*check.read(copy)[0], ("more.txt", b"x")])
    assert "more.txt: it does not belong to this copy" in check.check(more)


def forged(copy: bytes, check: ModuleType, name: str, data: bytes) -> bytes:
    """By somebody who also mends the digests in the manifest."""
    manifest = json.loads(content(copy, check, "manifest.json"))
    manifest["files"][name] = check.digest(data)
    own = {key: value for key, value in manifest.items() if key not in ("manifest_sha256", "attestation")}
    manifest["manifest_sha256"] = check.digest(check.canonical(own).encode())
    with_file = repacked(copy, check, name, data)
    return repacked(
        with_file, check, "manifest.json", json.dumps(manifest, indent=1, ensure_ascii=False).encode()
    )


@pytest.mark.parametrize("how", ["edit", "drop", "swap", "cut"])
def test_entries_of_the_trail_follow_each_other(copy: bytes, check: ModuleType, how: str) -> None:
    trail = json.loads(content(copy, check, "trail.json"))
    entries = trail["entries"]
    if how == "edit":
        entries[1]["who"] = "somebody"
    elif how == "drop":
        del entries[1]
    elif how == "swap":
        entries[1], entries[2] = entries[2], entries[1]
    else:
        del entries[-1]
    altered = forged(copy, check, "trail.json", json.dumps(trail).encode())
    assert any(trouble.startswith("trail.json") for trouble in check.check(altered))


def test_a_row_left_out_or_slipped_in_is_seen(copy: bytes, check: ModuleType) -> None:
    person = json.loads(content(copy, check, "person.json"))
    table = next(one for one in person["tables"] if one["table"] == "patients_searchword")
    left_out = table["rows"].pop()
    troubles = check.check(forged(copy, check, "person.json", json.dumps(person).encode()))
    assert any("patients_searchword holds" in trouble for trouble in troubles)
    table["rows"].append(left_out | {"id": "99999"})
    troubles = check.check(forged(copy, check, "person.json", json.dumps(person).encode()))
    assert any("nothing says how patients_searchword 99999 came to be" in trouble for trouble in troubles)


def test_the_registry_knows_its_own_copies(
    copy: bytes, check: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "copy.zip"
    path.write_bytes(copy)
    call_command("verify_copy", path)
    assert "made by this registry" in capsys.readouterr().out
    readme = content(copy, check, "README.txt")
    path.write_bytes(forged(copy, check, "README.txt", readme + b"more"))
    assert check.check(path.read_bytes()) == []  # whole in itself, and yet nobody's
    with pytest.raises(CommandError) as refusal:
        call_command("verify_copy", path)
    assert refusal.value.returncode == 1
    assert "not made by this registry" in capsys.readouterr().out
    with pytest.raises(CommandError) as usage:
        call_command("verify_copy", tmp_path / "none.zip")
    assert usage.value.returncode == 2


def test_the_same_content_gives_the_same_bytes(copy: bytes, check: ModuleType) -> None:
    assert check.packed(check.read(copy)[0]) == copy
    with zipfile.ZipFile(io.BytesIO(copy)) as packed:
        assert packed.read("verify_copy.py") == archive.VERIFIER.read_bytes()


def test_an_archive_unpacked_and_zipped_otherwise_is_not_the_copy(
    copy: bytes, check: ModuleType, tmp_path: Path
) -> None:
    with zipfile.ZipFile(io.BytesIO(copy)) as packed:
        packed.extractall(tmp_path / "files")
    other = shutil.make_archive(str(tmp_path / "other"), "zip", tmp_path / "files")
    assert check.check(Path(other).read_bytes())
