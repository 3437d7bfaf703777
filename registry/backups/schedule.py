"""Backups made by the worker, where BACKUP_DIR names a folder for them: at most one an interval, the newest few kept."""

import logging
import re
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.core.management.base import CommandError

from registry.backups.backing_up import CannotBackUp, Clock, Request, back_up, record_failure
from registry.backups.models import BackupRun
from registry.backups.passphrases import passphrase_in

log = logging.getLogger(__name__)
OURS = re.compile(r"registry-\d{8}T\d{6}Z\.backup")
AFTER_A_FAILURE = timedelta(hours=1)
BY = "system:worker"


def back_up_when_due(*, clock: Clock) -> bool:
    """Whether one was made."""
    if not settings.BACKUP_DIR or not is_due(clock()):
        return False
    now = clock()
    folder = Path(settings.BACKUP_DIR)
    request = Request(folder / f"registry-{now:%Y%m%dT%H%M%S}Z.backup", scheduled=True)
    try:
        secret = Path(settings.BACKUP_PASSPHRASE_FILE) if settings.BACKUP_PASSPHRASE_FILE else None
        request = Request(request.path, passphrase_in(secret), scheduled=True)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (CommandError, OSError) as error:
        record_failure(request, f"{error}", started=now, now=now, by=BY)
        log.error("no backup was made: %s", error)
        return False
    try:
        back_up(request, clock=clock, by=BY)
    except CannotBackUp as refusal:
        log.error("%s", refusal)
        return False
    forget_old(folder)
    return True


def is_due(now: datetime) -> bool:
    tried = BackupRun.objects.filter(kind="backup", scheduled=True).order_by("-finished_at", "-pk").first()
    if tried is None:
        return True
    if not tried.succeeded:
        return now - tried.finished_at >= AFTER_A_FAILURE
    return now - tried.started_at >= timedelta(hours=settings.BACKUP_HOURS)


def forget_old(folder: Path) -> int:
    """Only files the schedule made, by their names; the newest BACKUP_KEEP stay. Returns how many went."""
    made = sorted(path for path in folder.iterdir() if OURS.fullmatch(path.name))
    old = made[: max(0, len(made) - max(1, settings.BACKUP_KEEP))]
    for path in old:
        path.unlink(missing_ok=True)
    return len(old)
