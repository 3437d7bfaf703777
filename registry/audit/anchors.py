"""The anchor file: one line for each seal, kept outside the database, each line keyed over the line before it.

Whoever cuts the end of the trail together with its seals leaves the anchor behind; whoever cuts or edits the anchor breaks
its own chain or leaves seals without a line. A copy kept on another machine (`ANCHOR_FILE`) closes the last gap.
"""

import fcntl
import json
import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from io import BufferedRandom
from pathlib import Path

from django.conf import settings
from django.db import transaction

from registry.audit.macs import keyed
from registry.audit.models import AuditEntry, AuditSeal
from registry.audit.problems import Problem

log = logging.getLogger(__name__)
TAIL = 4096
BEGUN, LOST = "begun", "begun after the file was lost"
WAY_OUT = "if this registry was restored or moved, say so: manage.py seal --new-anchor --reason …"


@dataclass(frozen=True)
class Line:
    seal: int
    at: str
    entries: int
    last_entry: int
    digest: str
    note: str
    mac: str

    def expected(self, before: str) -> str:
        body = [self.seal, self.at, self.entries, self.last_entry, self.digest, self.note]
        return keyed(f"anchor {before} {json.dumps(body)}")


def path() -> Path:
    return Path(settings.ANCHOR_FILE)


def after_commit() -> None:
    """Only what was committed is anchored. A file that cannot be written must not undo a seal: the next one tries again."""
    transaction.on_commit(catch_up, robust=True)


def catch_up() -> int:
    """Writes a line for every seal that has none yet; returns how many. Two sweeps at once take turns."""
    with _opened() as file:
        last = _last_line(file)
        waiting = AuditSeal.objects.filter(pk__gt=last.seal if last else 0).order_by("pk")
        note = ""
        if last is None:
            note = LOST if AuditSeal.objects.filter(last_entry__gte=_first_keyed()).count() > 1 else BEGUN
        return _append(file, waiting, last.mac if last else "", note)


def begin_anew(*, reason: str, now: datetime) -> Path | None:
    """For a registry restored or moved: puts the old file aside and writes every seal the database knows."""
    aside = None
    if path().exists():
        aside = path().with_name(f"{path().name}.until-{now:%Y%m%dT%H%M%S}")
        path().rename(aside)
    with _opened() as file:
        _append(file, AuditSeal.objects.order_by("pk"), "", f"{BEGUN} anew: {reason}")
    return aside


def problems() -> Iterator[Problem]:
    """What the file and the database do not agree on."""
    seals = {one.pk: one for one in AuditSeal.objects.order_by("pk").iterator()}
    if not path().exists():
        if any(one.last_entry >= _first_keyed() for one in seals.values()):
            yield Problem("anchor", str(path()), f"the anchor file is missing: put it back, or {WAY_OUT}")
        return
    anchored = set()
    reached = 0
    found: list[Problem] = []
    for line in _read(found):
        anchored.add(line.seal)
        yield from _beside(line, seals.get(line.seal), reached)
        reached = line.last_entry
    yield from found
    for pk in sorted(seals.keys() - anchored):
        why = "it has no line in the anchor file: the file was cut, or a seal was closed a moment ago (manage.py seal adds it)"
        yield Problem("anchor", f"seal {pk}", why)


def _read(wrong: list[Problem]) -> Iterator[Line]:
    before = ""
    with path().open(encoding="utf-8") as file:
        for number, text in enumerate(file, start=1):
            line = _parse(text)
            if line is None or line.mac != line.expected(before):
                why = "it does not follow from the line before it: the anchor file was cut or edited here"
                wrong.append(Problem("anchor", f"line {number} of {path().name}", why))
            elif line.note == LOST:
                why = f"the anchor file was missing and begun again at {line.at}: {WAY_OUT}"
                wrong.append(Problem("anchor", f"line {number} of {path().name}", why))
            if line is not None:
                before = line.mac
                yield line


def _beside(line: Line, one: AuditSeal | None, reached: int) -> Iterator[Problem]:
    if one is None:
        why = (
            f"the anchor file knows it, with entries {reached + 1} to {line.last_entry}, but the database does not: they "
            f"were cut; or an older backup was restored: {WAY_OUT}"
        )
        yield Problem("seal", f"seal {line.seal}", why)
        return
    stored = (one.at.isoformat(), one.entries, one.last_entry, one.digest)
    if stored != (line.at, line.entries, line.last_entry, line.digest):
        yield Problem("seal", f"seal {line.seal}", "it differs from its line in the anchor file")


def _first_keyed() -> int:
    """The first entry written by software that anchors; a huge number before there is one."""
    first = AuditEntry.objects.exclude(nonce="").order_by("pk").values_list("pk", flat=True).first()
    return first if first is not None else 2**62


@contextmanager
def _opened() -> Iterator[BufferedRandom]:
    path().parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path(), os.O_RDWR | os.O_CREAT, 0o600)
    with os.fdopen(handle, "r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file


def _last_line(file: BufferedRandom) -> Line | None:
    """A last line half written by a crash is taken back first: its seal gets a whole one."""
    end = file.seek(0, os.SEEK_END)
    file.seek(max(0, end - TAIL))
    tail = file.read()
    if tail and not tail.endswith(b"\n"):
        whole = tail.rfind(b"\n") + 1
        file.truncate(end - len(tail) + whole)
        tail = tail[:whole]
    lines = tail.splitlines()
    return _parse(lines[-1].decode()) if lines else None


def _append(file: BufferedRandom, seals: Iterable[AuditSeal], before: str, note: str) -> int:
    file.seek(0, os.SEEK_END)
    written = 0
    for one in seals:
        bare = Line(one.pk, one.at.isoformat(), one.entries, one.last_entry, one.digest, note, "")
        before, note = bare.expected(before), ""
        file.write((json.dumps({**vars(bare), "mac": before}) + "\n").encode())
        written += 1
    file.flush()
    os.fsync(file.fileno())
    return written


def _parse(text: str) -> Line | None:
    try:
        return Line(**json.loads(text))
    except (ValueError, TypeError):
        return None
