"""A backup made while people work is put back whole, is refused when one byte is wrong, and makes nothing be sent twice."""

import json
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from registry.backups import archive, sealed_file
from tests import registered
from tests.places import ENGINES, Place, place_on
from tests.sizes import size

PASSPHRASE = "three plain words"
BACKUPS_UNDER_LOAD = size(short=1, full=20)
KILLS = size(short=3, full=20)
FLIPS = size(short=20, full=200)


@pytest.fixture(scope="module", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def origin(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A registry with people, staff, a report, and reminders that the next sweep would send."""
    with place_on(engine, tmp_path_factory.mktemp("origin") / "data") as place:
        place.migrate()
        place.manage("mark_test")
        place.manage("shell", "-v", "0", "-c", registered.FILL)
        place.manage("shell", "-v", "0", "-c", registered.MAKE_REPORT)
        place.manage("seal")
        yield place


@pytest.fixture(scope="module")
def saved(origin: Place, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup of it, before anything was sent."""
    path = tmp_path_factory.mktemp("saved") / "registry.backup"
    origin.manage("backup", str(path))
    return path


@pytest.fixture
def empty(engine: str, tmp_path: Path) -> Iterator[Place]:
    with place_on(engine, tmp_path / "restored") as place:
        yield place


def restore(place: Place, path: Path, *words: str) -> dict[str, object]:
    answer: dict[str, object] = json.loads(
        place.manage("restore", str(path), *words).strip().splitlines()[-1]
    )
    assert answer["whole"] is True, answer["checks"]
    return answer


def sent(place: Place) -> int:
    return len(list((place.folder / "mail").glob("*.eml")))


@pytest.mark.slow
def test_a_restored_registry_is_whole_and_can_be_worked_with(
    saved: Path, empty: Place, origin: Place
) -> None:
    facts = restore(empty, saved)
    assert facts["checks"] == {"audit_verify": [], "reconcile": []}
    assert json.loads(empty.manage("audit_verify", "--json"))["whole"] is True
    assert "Whole." in empty.manage("reconcile")
    assert empty.python(registered.NAMES) == origin.python(registered.NAMES)
    assert empty.python(registered.OPEN_REPORT) == [302, 200, "%PDF-"]
    assert json.loads(empty.manage("sweep"))["add_up"] is True
    events = empty.ask("SELECT action, actor FROM audit_entry WHERE action = 'restore'")
    assert events == [("restore", "system:command")]
    assert {oct(path.stat().st_mode & 0o777) for path in empty.folder.glob("*_key*")} == {"0o600"}


@pytest.mark.slow
def test_nothing_is_sent_a_second_time_and_what_comes_later_goes_out(
    engine: str, tmp_path: Path, empty: Place
) -> None:
    with place_on(engine, tmp_path / "lost") as lost:
        lost.migrate()
        lost.manage("mark_test")
        lost.manage("shell", "-v", "0", "-c", registered.FILL)
        lost.manage("backup", str(tmp_path / "file"))
        assert json.loads(lost.manage("sweep"))["messages_sent_now"] == registered.NURSES
    facts = restore(empty, tmp_path / "file")
    assert facts["reminders"] == {"messages_held": registered.NURSES, "notices_held": 0}
    for _ in range(2):
        totals = json.loads(empty.manage("sweep"))
        assert (totals["messages_sent_now"], totals["uncertain"], sent(empty)) == (0, registered.VISITS, 0)
    empty.manage("shell", "-v", "0", "-c", registered.DUE_LATER)
    later = empty.python("import json; from datetime import timedelta; from registry import clock\n"
                         "print(json.dumps((clock.now() + timedelta(days=60)).isoformat()))")  # fmt: skip
    assert json.loads(empty.manage("sweep", "--now", later))["messages_sent_now"] == registered.NURSES
    assert sent(empty) == registered.NURSES


@pytest.mark.slow
@pytest.mark.figures
def test_a_backup_under_writing_holds_all_that_was_stored_before_it(
    origin: Place, engine: str, tmp_path: Path
) -> None:
    for turn in range(BACKUPS_UNDER_LOAD):
        log = tmp_path / f"stored-{turn}"
        script = registered.WRITE_ON.format(prefix=f"L{turn}", log=log)
        writer = origin.start("manage.py", "shell", "-v", "0", "-c", script)
        try:
            wait_for(lambda log=log: log.exists() and len(log.read_text().splitlines()) > 5)
            before = log.read_text().splitlines()
            origin.manage("backup", str(tmp_path / "file"))
            assert len(log.read_text().splitlines()) > len(before)  # it wrote on meanwhile
        finally:
            os.killpg(writer.pid, signal.SIGKILL)
            writer.wait()
        with place_on(engine, tmp_path / f"restored-{turn}") as place:
            restore(place, tmp_path / "file")
            stored = {name for (name,) in place.ask("SELECT patient_id FROM patients_patient")}
        assert set(before) <= stored


@pytest.mark.slow
@pytest.mark.figures
def test_a_killed_backup_leaves_the_one_before_it(origin: Place, saved: Path, tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_bytes(saved.read_bytes())
    chance = random.Random(7)
    partial = tmp_path / ".file.partial"
    for _ in range(KILLS):
        partial.unlink(
            missing_ok=True
        )  # of the one killed before, or this one would be killed before it begins
        made = origin.start("manage.py", "backup", str(target))
        wait_for(lambda made=made: partial.exists() or made.poll() is not None)
        time.sleep(chance.uniform(0, 0.4))
        os.killpg(made.pid, signal.SIGKILL)
        made.wait()
        with archive.opened(target) as found:
            assert found.manifest["trail"]["entries"] > 0
    origin.manage("backup", str(target))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert list((origin.folder / "tmp").glob("backup-*")) == []


@pytest.mark.figures
@pytest.mark.parametrize("passphrase", ["", PASSPHRASE])
def test_one_wrong_byte_anywhere_is_found_and_named(origin: Place, tmp_path: Path, passphrase: str) -> None:
    path, secret = tmp_path / "file", tmp_path / "passphrase"
    secret.write_text(f"{PASSPHRASE}\n")
    origin.manage("backup", str(path), *(["--passphrase-file", str(secret)] if passphrase else []))
    content, chance = path.read_bytes(), random.Random(3)
    for _ in range(FLIPS):
        place = chance.randrange(len(content))
        damaged = bytearray(content)
        damaged[place] ^= 1 << chance.randrange(8)
        path.write_bytes(damaged)
        with (
            pytest.raises((archive.Damaged, sealed_file.WrongPassphrase)) as refusal,
            archive.opened(path, passphrase),
        ):
            pass
        assert str(refusal.value)
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(archive.Damaged), archive.opened(path, passphrase):
        pass


@pytest.mark.slow
def test_a_damaged_file_is_refused_before_anything_is_written(
    saved: Path, empty: Place, tmp_path: Path
) -> None:
    with archive.opened(saved) as found:
        info = found._zip.getinfo(found.names("files/reports/")[0])
    middle, whole = info.header_offset + 100 + info.compress_size // 2, saved.read_bytes()
    for place in range(middle, middle + 200, 9):
        content = bytearray(whole)
        content[place] ^= 1
        (tmp_path / "damaged").write_bytes(content)
        with pytest.raises(archive.Damaged) as refused, archive.opened(tmp_path / "damaged"):
            pass
        assert refused.value.member == info.filename
    said = empty.manage("restore", str(tmp_path / "damaged"), exit_code=1)
    assert info.filename in said
    assert "nothing was written" in said
    assert empty.tables() == [] if empty.database_url or empty.file.exists() else True
    assert {path.name for path in empty.folder.iterdir()} <= {"secret_key", "field_keys", "audit_key"}


@pytest.mark.slow
def test_a_registry_in_use_is_never_restored_into(saved: Path, origin: Place) -> None:
    entries = origin.ask("SELECT count(*) FROM audit_entry")
    said = origin.manage("restore", str(saved), exit_code=1)
    assert "This registry holds users already. Nothing was written." in said
    assert origin.ask("SELECT count(*) FROM audit_entry") == entries


@pytest.mark.slow
def test_an_interrupted_restore_sends_nothing_and_is_finished_by_running_it_again(
    saved: Path, empty: Place
) -> None:
    chance = random.Random(5)
    for _ in range(size(short=1, full=5)):
        begun = empty.start("manage.py", "restore", str(saved))
        wait_for(
            lambda begun=begun: (empty.folder / "restore-unfinished").exists() or begun.poll() is not None
        )
        time.sleep(chance.uniform(0.0, 0.5))
        os.killpg(begun.pid, signal.SIGKILL)
        begun.wait()
        if (empty.folder / "restore-unfinished").exists():
            empty.run("manage.py", "migrate", "-v", "0")
            refused = empty.run("manage.py", "sweep")
            assert refused.returncode != 0
            assert "did not end" in refused.stderr + refused.stdout
            assert sent(empty) == 0
        else:
            return
    restore(empty, saved)
    assert json.loads(empty.manage("sweep"))["messages_sent_now"] == 0


@pytest.mark.slow
def test_an_encrypted_backup_without_keys_needs_both_to_be_read(
    origin: Place, empty: Place, tmp_path: Path
) -> None:
    path, secret, wrong = tmp_path / "file", tmp_path / "passphrase", tmp_path / "wrong"
    secret.write_text(f"{PASSPHRASE}\n")
    wrong.write_text("three other words\n")
    said = origin.manage("backup", str(path), "--passphrase-file", str(secret), "--without-keys")
    assert "holds no keys" in said
    assert b"registry.sqlite3" not in path.read_bytes()
    assert b"patients_patient" not in path.read_bytes()
    assert "encrypted" in empty.manage("restore", str(path), exit_code=1)
    assert "does not open" in empty.manage("restore", str(path), "--passphrase-file", str(wrong), exit_code=1)
    said = empty.manage("restore", str(path), "--passphrase-file", str(secret), exit_code=1)
    assert "holds no FIELD_KEYS" in said
    for name in ("FIELD_KEYS", "AUDIT_KEY"):
        empty.environment[name] = (origin.folder / name.lower()).read_text()
    restore(empty, path, "--passphrase-file", str(secret))
    assert empty.python(registered.NAMES) == origin.python(registered.NAMES)


@pytest.mark.slow
def test_a_key_of_the_environment_never_enters_a_backup(origin: Place, tmp_path: Path) -> None:
    place = Place(origin.folder, origin.database_url, AUDIT_KEY=(origin.folder / "audit_key").read_text())
    facts = json.loads(place.manage("backup", str(tmp_path / "file"), "--json"))
    assert facts["keys"] == ["SECRET_KEY", "FIELD_KEYS"]
    with archive.opened(tmp_path / "file") as found:
        assert found.names("keys/") == ["keys/field_keys", "keys/secret_key"]


@pytest.mark.slow
def test_who_was_erased_after_the_backup_is_erased_again(engine: str, empty: Place, tmp_path: Path) -> None:
    with place_on(engine, tmp_path / "lost") as lost:
        lost.migrate()
        lost.manage("mark_test")
        lost.manage("shell", "-v", "0", "-c", registered.FILL)
        lost.manage("backup", str(tmp_path / "file"))
        lost.manage("shell", "-v", "0", "-c", ERASE_THE_FIRST)
        ledger = lost.folder / "anchors" / "erasures.jsonl"
        assert "Canary" not in ledger.read_text()
        facts = restore(empty, tmp_path / "file", "--erasures", str(ledger))
    assert facts["erasures"] == {"erased_again": 1}
    assert empty.python(registered.NAMES) == ["", *(f"Canary{n}" for n in range(1, registered.VISITS))]
    assert json.loads(empty.manage("audit_verify", "--json"))["whole"] is True


@pytest.mark.slow
def test_without_a_ledger_somebody_is_told_that_names_may_be_back(saved: Path, empty: Place) -> None:
    done = empty.run("manage.py", "restore", str(saved))
    assert done.returncode == 0
    assert "If somebody was erased after this backup was made, their names are back" in done.stderr


@pytest.mark.slow
def test_a_drill_tries_the_backup_out_and_leaves_nothing_behind(saved: Path, origin: Place) -> None:
    before = origin.tables()
    facts = json.loads(origin.manage("restore", "--drill", str(saved)).strip().splitlines()[-1])
    assert (facts["whole"], facts["drill"]) == (True, True)
    query = "SELECT kind, succeeded FROM backups_backuprun WHERE kind = 'drill'"
    assert [(kind, bool(good)) for kind, good in origin.ask(query)] == [("drill", True)]
    assert list((origin.folder / "tmp").glob("drill-*")) == []
    assert origin.tables() == before
    origin.manage("audit_verify")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"engine": "oracle"}, "The backup is of a registry on oracle"),
        ({"software": "99.0.0"}, "made by version 99.0.0, which is newer than this one"),
        ({"format": 2}, "format 2; this version reads up to 1"),
        ({"migrations": [["access", "0999_later"]]}, "newer than this one"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(
    saved: Path, empty: Place, tmp_path: Path, changed: dict[str, object], words: str
) -> None:
    path = tmp_path / "file"
    with archive.opened(saved) as found, path.open("wb") as file:
        manifest = {**found.manifest, **changed}
        writer = archive.Writer(file)
        for name in found.names(""):
            with found.open(name) as source:
                writer.add_stream(name, source)
        del manifest["members"]
        writer.close(manifest | changed)
    said = empty.manage("restore", str(path), exit_code=1)
    assert words in said


ERASE_THE_FIRST = """
from registry import clock
from registry.audit.acting import acting_as
from registry.patients.erasing import destroy_key
from registry.patients.models import Patient
with acting_as("system:command"):
    destroy_key(patient=Patient.objects.order_by("pk").first(), now=clock.now())
"""


def wait_for(what: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
