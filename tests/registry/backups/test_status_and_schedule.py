"""The status page says what is not well and what to do; the worker backs up when it is time and keeps the newest few."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from followup.reminders.models import MailMessage, SweepRun
from registry.access.models import User
from registry.audit.actions import record_event
from registry.backups import schedule, status, unfinished
from registry.backups.backing_up import CannotBackUp
from registry.backups.models import BackupRun
from tests.cast import NOW
from tests.places import ENGINES_AT_ONCE, place_on


@pytest.fixture(autouse=True)
def nothing_scheduled(settings: Any, tmp_path: Path) -> None:
    settings.BACKUP_DIR, settings.DATA_DIR = "", tmp_path
    settings.ANCHOR_FILE = str(tmp_path / "anchors" / "trail.jsonl")


def ran(kind: str, *, age: timedelta, **given: Any) -> BackupRun:
    at = NOW - age
    values = {"succeeded": True, "started_at": at, "finished_at": at, "data_from": at, "file_name": "file"}
    return BackupRun.objects.create(kind=kind, **values | given)


def line(name: str, now: Any = NOW) -> status.Line:
    return next(one for _, lines in status.groups(now) for one in lines if one.name == name)


def stands(name: str) -> tuple[str, str]:
    found = line(name)
    return found.kind, found.word


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        (None, ("alarm", "Never")),
        (timedelta(days=6, hours=23), ("done", "Recent")),
        (timedelta(days=7, minutes=1), ("late", "Too old")),
    ],
)
def test_a_backup_that_is_too_old_is_a_warning_and_none_an_alarm(
    acting: None, age: timedelta | None, expected: tuple[str, str]
) -> None:
    if age is not None:
        ran("backup", age=age)
    assert stands("Last backup") == expected


def test_with_a_schedule_two_intervals_are_too_long(acting: None, settings: Any) -> None:
    settings.BACKUP_DIR, settings.BACKUP_HOURS = "somewhere", 6
    ran("backup", age=timedelta(hours=12, minutes=1))
    assert stands("Last backup") == ("late", "Too old")


@pytest.mark.parametrize(
    ("age", "given", "expected"),
    [
        (None, {}, ("late", "Never")),
        (timedelta(days=30), {}, ("done", "Recent")),
        (timedelta(days=30, minutes=1), {}, ("late", "Too old")),
        (timedelta(days=1), {"succeeded": False, "message": "damaged"}, ("alarm", "Failed")),
    ],
)
def test_a_drill_is_due_every_thirty_days(
    acting: None, age: timedelta | None, given: dict[str, Any], expected: tuple[str, str]
) -> None:
    if age is not None:
        ran("drill", age=age, **given)
    assert stands("Restore drill") == expected


def test_a_failed_backup_of_the_schedule_is_an_alarm_until_one_succeeds(acting: None, settings: Any) -> None:
    settings.BACKUP_DIR = "somewhere"
    ran("backup", age=timedelta(hours=2), scheduled=True, succeeded=False, message="OSError: no space")
    assert stands("Schedule") == ("alarm", "Failed")
    assert "no space" in line("Schedule").facts
    ran("backup", age=timedelta(hours=1), scheduled=True)
    assert stands("Schedule") == ("done", "On")


def test_the_clock_is_held_against_the_database_and_the_trail(
    acting: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = status.database_now(NOW)
    assert line("Clock", now + timedelta(seconds=5)).word in (
        "Right",
        "Apart",
    )  # the tests' clock is not today's
    monkeypatch.setattr(status, "database_now", lambda now: now + timedelta(seconds=121))
    assert stands("Clock") == ("alarm", "Apart")
    monkeypatch.setattr(status, "database_now", lambda now: now)
    assert stands("Clock") == ("done", "Right")
    back = NOW.replace(year=2020)
    ran("drill", age=timedelta())  # the database writes its own time into the trail
    assert (line("Clock", back).kind, line("Clock", back).word) == ("alarm", "Stepped back")


def test_what_is_not_sent_and_an_old_sweep_are_seen(acting: None, nora: User) -> None:
    assert stands("Last sweep") == ("alarm", "Never")
    SweepRun.objects.create(
        started_at=NOW, as_of=NOW, finished_at=NOW, totals='{"due": 3, "sent": 2, "add_up": false}'
    )
    assert stands("Last sweep") == ("done", "Recent")
    assert stands("Control totals") == ("alarm", "Do not add up")
    assert stands("Messages") == ("done", "None stuck")
    MailMessage.objects.create(recipient=nora, on_date=NOW.date(), state="uncertain")
    assert stands("Messages") == ("late", "Need a decision")
    assert line("Last sweep", NOW + timedelta(minutes=16)).kind == "alarm"


def test_an_unfinished_restore_is_an_alarm(acting: None) -> None:
    unfinished.begin("digest")
    assert stands("Restore") == ("alarm", "Unfinished")
    with pytest.raises(unfinished.RestoreUnfinished):
        unfinished.refuse()
    unfinished.end()
    ran("restore", age=timedelta(hours=1))
    assert stands("Restore") == ("quiet", "Restored")


def test_entries_that_wait_long_for_a_seal_are_seen(acting: None) -> None:
    record_event(action="print", about="report", now=NOW)
    assert line("Seals", NOW + timedelta(days=3650)).word == "Behind"


def test_every_matter_that_is_not_well_says_what_to_do(acting: None) -> None:
    for _, lines in status.groups(NOW):
        assert [one.name for one in lines if one.kind in ("late", "alarm") and not one.to_do] == []


def test_the_page_shows_it_to_those_who_look_after_the_registry(
    signed_in: Any, cora: User, adam: User, nora: User
) -> None:
    for person in (cora, adam):
        page = signed_in(person).get("/settings/status/")
        assert page.status_code == 200
        assert "No backup was ever made." in page.content.decode()
        assert 'aria-current="page">Status' in page.content.decode()
    assert signed_in(nora).get("/settings/status/").status_code == 403


# The schedule ------------------------------------------------------------------------------------------------


def test_a_backup_is_due_once_an_interval_and_again_an_hour_after_a_failure(
    acting: None, settings: Any
) -> None:
    settings.BACKUP_HOURS = 24
    assert schedule.is_due(NOW)
    ran("backup", age=timedelta(), scheduled=False)
    assert schedule.is_due(NOW)  # one made by hand does not take its place
    ran("backup", age=timedelta(hours=23), scheduled=True)
    assert not schedule.is_due(NOW)
    assert schedule.is_due(NOW + timedelta(hours=1))
    ran("backup", age=timedelta(), scheduled=True, succeeded=False, message="no space")
    assert not schedule.is_due(NOW + timedelta(minutes=59))
    assert schedule.is_due(NOW + timedelta(minutes=60))


def test_only_files_of_the_schedule_are_forgotten_and_the_newest_stay(settings: Any, tmp_path: Path) -> None:
    settings.BACKUP_KEEP = 2
    names = [f"registry-2031030{day}T020000Z.backup" for day in (1, 2, 3, 4)]
    for name in [*names, "mine.backup", "registry-old.backup"]:
        (tmp_path / name).touch()
    assert schedule.forget_old(tmp_path) == 2
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {*names[2:], "mine.backup", "registry-old.backup"}


def test_without_a_folder_nothing_is_made(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "back_up", lambda *a, **k: pytest.fail("a backup was made"))
    assert schedule.back_up_when_due(clock=lambda: NOW) is False


def test_a_folder_that_cannot_be_written_is_noted(acting: None, settings: Any, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    settings.BACKUP_DIR = str(tmp_path / "file")
    assert schedule.back_up_when_due(clock=lambda: NOW) is False
    run = BackupRun.objects.get()
    assert (run.succeeded, run.scheduled, "exists" in run.message) == (False, True, True)


def test_a_refused_backup_forgets_no_older_one(
    acting: None, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.BACKUP_DIR, settings.BACKUP_KEEP = str(tmp_path), 1

    def refuse(*args: object, **kwargs: object) -> None:
        raise CannotBackUp("no space")

    monkeypatch.setattr(schedule, "back_up", refuse)
    for day in (1, 2):
        (tmp_path / f"registry-2031030{day}T020000Z.backup").touch()
    assert schedule.back_up_when_due(clock=lambda: NOW) is False
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES_AT_ONCE)
def test_the_worker_makes_an_encrypted_backup_that_can_be_restored(engine: str, tmp_path: Path) -> None:
    (tmp_path / "passphrase").write_text("three plain words\n")
    with place_on(engine, tmp_path / "data") as place:
        place.environment |= {
            "BACKUP_DIR": str(tmp_path / "backups"), "BACKUP_PASSPHRASE_FILE": str(tmp_path / "passphrase"),
        }  # fmt: skip
        place.migrate()
        place.manage("mark_test")
        ask = "import json; from registry.backups.tasks import back_up_when_due; print(json.dumps(back_up_when_due()))"
        place.python(ask)
        place.python(ask)
    made = list((tmp_path / "backups").iterdir())
    assert len(made) == 1  # the second look found it too early
    with place_on(engine, tmp_path / "restored") as place:
        place.manage("restore", str(made[0]), "--passphrase-file", str(tmp_path / "passphrase"))


def test_the_table_of_guesses_is_there_with_and_without_redis(db: None) -> None:
    """So that taking REDIS_URL away does not keep people from signing in."""
    assert "cache_entry" in connection.introspection.table_names()
