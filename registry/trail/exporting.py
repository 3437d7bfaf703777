"""The trail as a file: one line an entry in CSV, one object an entry in JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from typing import Any

from registry.exchange.spreadsheets import guard
from registry.trail.lines import Line

HEADINGS = (
    "at_utc", "at_site", "time_zone", "person", "role", "site", "act", "record", "patient", "changes", "reason", "channel",
    "request", "software", "entry", "code",
)  # fmt: skip


def as_csv(lines: Iterable[Line]) -> Iterator[str]:
    yield _row(HEADINGS)
    for line in lines:
        facts = _facts(line)
        facts["changes"] = "; ".join(
            f"{one['field']}: {one['before']} → {one['after']} (first {one['first']})" for one in facts["changes"]
        ) or line.step.detail  # fmt: skip
        yield _row([guard(str(facts[name])) for name in HEADINGS])


def as_json(lines: Iterable[Line]) -> Iterator[str]:
    """A list, written entry by entry."""
    opened = False
    for line in lines:
        facts = _facts(line) | {"detail": line.step.detail}
        yield (",\n" if opened else "[\n") + json.dumps(facts, ensure_ascii=False)
        opened = True
    yield "\n]\n" if opened else "[]\n"


def _facts(line: Line) -> dict[str, Any]:
    step, entry = line.step, line.entry
    return {
        "at_utc": step.at.isoformat(), "at_site": line.local.isoformat(), "time_zone": line.zone, "person": step.who,
        "role": step.role, "site": step.site, "act": step.what, "record": step.record, "patient": line.patient_id,
        "changes": [vars(change) for change in step.changes], "reason": step.reason, "channel": entry.channel,
        "request": entry.request_id, "software": entry.software, "entry": entry.pk, "code": entry.mac,
    }  # fmt: skip


def _row(cells: Iterable[str]) -> str:
    text = io.StringIO()
    csv.writer(text).writerow(cells)
    return text.getvalue()
