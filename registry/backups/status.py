"""What the person who looks after the registry should know today. Other rooms add what they know; nothing here is clinical."""

import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection
from django.db.models import Max

from registry.access.models import Registry
from registry.audit import anchors
from registry.audit.models import AuditEntry, AuditSeal, SealedEntry
from registry.backups import unfinished
from registry.backups.models import BackupRun

DONE, LATE, ALARM, QUIET = "done", "late", "alarm", "quiet"
ORDER = ("Follow-up", "Backups", "Trail", "Machine", "Sign-in")
CLOCK_TOLERANCE = timedelta(minutes=2)
DRILL_MAX_AGE = timedelta(days=30)
UNSCHEDULED_MAX_AGE = timedelta(days=7)
SEAL_MAX_AGE = timedelta(hours=1)
DISK_LATE, DISK_ALARM = 5 * 2**30, 2**30


@dataclass(frozen=True)
class Line:
    """One matter: how it stands (`kind`, `word`), the facts, and what to do where it is not well."""

    name: str
    kind: str
    word: str
    facts: str
    to_do: str = ""


Provider = Callable[[datetime], Iterable[Line]]
_providers: list[tuple[str, Provider]] = []


def provide(group: str, provider: Provider) -> None:
    """Called by rooms above this one when they start."""
    if (group, provider) not in _providers:
        _providers.append((group, provider))


def groups(now: datetime) -> list[tuple[str, list[Line]]]:
    own: list[tuple[str, Provider]] = [
        ("Backups", backup_lines), ("Trail", trail_lines), ("Machine", machine_lines), ("Sign-in", sign_in_lines),
    ]  # fmt: skip
    found: dict[str, list[Line]] = {name: [] for name in ORDER}
    for group, provider in [*_providers, *own]:
        found.setdefault(group, []).extend(provider(now))
    return [(name, lines) for name, lines in found.items() if lines]


def age_words(age: timedelta) -> str:
    minutes = int(age.total_seconds() // 60)
    if minutes < 120:
        return f"{minutes} min ago"
    return f"{minutes // 60} h ago" if minutes < 48 * 60 else f"{minutes // 1440} days ago"


def moment_words(moment: datetime, now: datetime) -> str:
    return f"{moment:%d %b %Y %H:%M} UTC, {age_words(now - moment)}"


# Backups -----------------------------------------------------------------------------------------------------


def backup_lines(now: datetime) -> Iterable[Line]:
    yield _last_backup(now)
    yield _schedule(now)
    yield _last_drill(now)
    if unfinished.digest():
        yield Line(
            "Restore", ALARM, "Unfinished", "A restore into this DATA_DIR did not end. Nothing is sent until it has.",
            "Run manage.py restore with the same file again.",
        )  # fmt: skip
    elif restored := BackupRun.last("restore"):
        what = f"restored {moment_words(restored.finished_at, now)}"
        if restored.data_from:
            what += f"; data from {restored.data_from:%d %b %Y %H:%M} UTC"
        yield Line("Restore", QUIET, "Restored", what)


def max_backup_age() -> timedelta:
    """Two intervals of the schedule; without one, a week."""
    return timedelta(hours=2 * settings.BACKUP_HOURS) if settings.BACKUP_DIR else UNSCHEDULED_MAX_AGE


def _last_backup(now: datetime) -> Line:
    last = BackupRun.last("backup")
    to_do = "Run manage.py backup FILE, and keep the file on another machine."
    if last is None:
        return Line("Last backup", ALARM, "Never", "No backup was ever made.", to_do)
    facts = (
        f"{moment_words(last.finished_at, now)}; {last.bytes / 2**20:.1f} MB, {last.rows:,} rows, "
        f"{'encrypted' if last.encrypted else 'not encrypted'}, {'with' if last.with_keys else 'without'} keys"
    )
    if now - last.finished_at > max_backup_age():
        return Line("Last backup", LATE, "Too old", facts, to_do)
    return Line("Last backup", DONE, "Recent", facts)


def _schedule(now: datetime) -> Line:
    if not settings.BACKUP_DIR:
        what = "No folder is set, so backups are made by hand only."
        return Line("Schedule", QUIET, "Off", what, "Set BACKUP_DIR and BACKUP_HOURS to have them made.")
    what = f"every {settings.BACKUP_HOURS} h; the newest {settings.BACKUP_KEEP} are kept"
    newest = BackupRun.objects.filter(kind="backup", scheduled=True).order_by("-finished_at", "-pk").first()
    if newest and not newest.succeeded:
        return Line(
            "Schedule", ALARM, "Failed", f"{moment_words(newest.finished_at, now)}: {newest.message}",
            "See that BACKUP_DIR can be written and has space; it is tried again within the hour.",
        )  # fmt: skip
    return Line("Schedule", DONE, "On", what)


def _last_drill(now: datetime) -> Line:
    newest = BackupRun.objects.filter(kind="drill").order_by("-finished_at", "-pk").first()
    to_do = "Run manage.py restore --drill FILE with the newest backup."
    if newest is None:
        return Line(
            "Restore drill", LATE, "Never", "Whether a backup can be restored was never tried.", to_do
        )
    when = moment_words(newest.finished_at, now)
    if not newest.succeeded:
        return Line(
            "Restore drill", ALARM, "Failed", f"{when}: {newest.message}", "Make a new backup and try that."
        )
    if now - newest.finished_at > DRILL_MAX_AGE:
        return Line("Restore drill", LATE, "Too old", f"{when}; due every {DRILL_MAX_AGE.days} days", to_do)
    return Line("Restore drill", DONE, "Recent", when)


# Trail -------------------------------------------------------------------------------------------------------


def trail_lines(now: datetime) -> Iterable[Line]:
    newest = AuditSeal.objects.order_by("-pk").first()
    open_entries = AuditEntry.objects.exclude(pk__in=SealedEntry.objects.values("entry_id"))
    oldest, waiting = open_entries.order_by("pk").first(), open_entries.count()
    facts = f"{waiting:,} entries wait for the next seal"
    if newest:
        facts = f"seal {newest.pk}, {moment_words(newest.at, now)}; " + facts
    if oldest and now - oldest.at > SEAL_MAX_AGE:
        yield Line(
            "Seals",
            LATE,
            "Behind",
            facts,
            "Each sweep seals; see that the worker runs, or run manage.py seal.",
        )
    else:
        yield Line("Seals", DONE if newest else QUIET, "Sealed" if newest else "None yet", facts)
    yield _anchor(newest)


def _anchor(newest: AuditSeal | None) -> Line:
    path = anchors.path()
    if not path.exists():
        kind, word = (ALARM, "Missing") if newest else (QUIET, "None yet")
        return Line(
            "Anchor file", kind, word, "No anchor file is there.", "Run manage.py audit_verify: it says why."
        )
    inside = path.is_relative_to(settings.DATA_DIR)
    where = "kept beside the database" if inside else "kept outside DATA_DIR"
    to_do = "Set ANCHOR_FILE to a place that the database's administrator cannot write." if inside else ""
    return Line(
        "Anchor file", QUIET if inside else DONE, "Present", f"{path.stat().st_size:,} bytes, {where}", to_do
    )


# Machine -----------------------------------------------------------------------------------------------------


def machine_lines(now: datetime) -> Iterable[Line]:
    yield _clock(now)
    registry = Registry.current()
    kinds = {
        "live": "holds real people",
        "demo": "a demonstration: nobody in it is real",
        "test": "a test registry",
    }
    yield Line("Registry", QUIET, registry.get_kind_display(), kinds[registry.kind])
    yield Line("Software", QUIET, f"Version {settings.VERSION}", f"database: {_engine_words()}")
    yield _disk()


def database_now(now: datetime) -> datetime:
    """SQLite runs on this machine's own clock."""
    if connection.vendor != "postgresql":
        return now
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        found: datetime = cursor.fetchone()[0]
        return found


def _clock(now: datetime) -> Line:
    to_do = "Set the clock right (NTP) before anybody enters anything: due dates and the trail follow it."
    apart = abs(database_now(now) - now)
    if apart > CLOCK_TOLERANCE:
        what = f"this machine and the database differ by {int(apart.total_seconds())} s"
        return Line("Clock", ALARM, "Apart", what, to_do)
    written = AuditEntry.objects.filter(action__in=("insert", "update", "delete"))
    newest = written.aggregate(last=Max("at"))["last"]
    if newest and newest - now > CLOCK_TOLERANCE:
        what = f"the newest entry of the trail is of {newest:%d %b %Y %H:%M} UTC, the clock says {now:%d %b %Y %H:%M} UTC"
        return Line("Clock", ALARM, "Stepped back", what, to_do)
    return Line(
        "Clock", DONE, "Right", f"{now:%d %b %Y %H:%M} UTC; machine, database and trail agree within 2 min"
    )


def _engine_words() -> str:
    name, query = ("SQLite", "SELECT sqlite_version()")
    if connection.vendor == "postgresql":
        name, query = ("PostgreSQL", "SHOW server_version")
    with connection.cursor() as cursor:
        cursor.execute(query)
        return f"{name} {str(cursor.fetchone()[0]).split(' ')[0]}"


def _disk() -> Line:
    usage = shutil.disk_usage(settings.DATA_DIR)
    facts = f"{usage.free / 2**30:.1f} GB free of {usage.total / 2**30:.1f} GB where DATA_DIR is"
    to_do = "Make room: when the disk is full nothing can be saved."
    if usage.free < DISK_ALARM:
        return Line("Disk", ALARM, "Nearly full", facts, to_do)
    return (
        Line("Disk", LATE, "Filling up", facts, to_do)
        if usage.free < DISK_LATE
        else Line("Disk", DONE, "Enough", facts)
    )


# Sign-in -----------------------------------------------------------------------------------------------------


def sign_in_lines(now: datetime) -> Iterable[Line]:
    if getattr(settings, "REQUIRE_MFA", False):
        yield Line("Second factor", DONE, "Required", "for everybody who may see names")
        return
    kind = QUIET if Registry.current().kind != "live" else ALARM
    yield Line(
        "Second factor",
        kind,
        "Not required",
        "REQUIRE_MFA is off",
        "Unset REQUIRE_MFA where real people are entered.",
    )
