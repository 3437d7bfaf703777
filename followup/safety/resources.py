"""Adverse events in and out. Contradictions in a row become queries; only what cannot be read is refused."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from followup.safety.actions import code_term
from followup.safety.follow_on import contradictions_of, death_dates, mark_special_interest, settle
from followup.safety.models import (
    MOMENTS,
    SERIOUSNESS_CRITERIA,
    AdverseEvent,
    Expectedness,
    Outcome,
    Relatedness,
)
from registry import clock
from registry.batches import batches
from registry.exchange.cells import CellError, Column, LocalMoment, moment, one_of, partial_day, text, yes_no
from registry.exchange.exporting import ExportTable, Scope
from registry.exchange.resources import CREATE, UNCHANGED, UPDATE, Context, Row, StagedResource
from registry.partial_dates import earliest
from registry.patients.models import Patient

BATCH = 500
PLAIN = (
    *("term", "onset_date", "end_date", "is_serious", "seriousness_criteria", "outcome"),
    *("relatedness_cells", "relatedness_procedure", "expectedness", "action_taken", "narrative"),
)
STORED = (*PLAIN, *MOMENTS, "severity_grade", "severity_received")
WRITTEN = (*STORED, "moments_received", "meddra_code", "soc", "is_special_interest", "version")


def criteria(cell: str) -> str:
    ticked = [part.strip().lower() for part in cell.split(";") if part.strip()]
    if unknown := [part for part in ticked if part not in SERIOUSNESS_CRITERIA]:
        allowed = ", ".join(SERIOUSNESS_CRITERIA)
        raise CellError("not_allowed", f"does not know {', '.join(unknown)}; use {allowed}, joined by ;")
    return ";".join(code for code in SERIOUSNESS_CRITERIA if code in ticked)


COLUMNS = (
    Column("patient_id", text(40), required=True),
    Column("term", text(200), required=True),
    Column("onset_date", partial_day, required=True),
    Column("end_date", partial_day),
    Column("severity_grade", text(40)),
    Column("is_serious", yes_no),
    Column("seriousness_criteria", criteria),
    Column("outcome", one_of(Outcome.values)),
    Column("relatedness_cells", one_of(Relatedness.values)),
    Column("relatedness_procedure", one_of(Relatedness.values)),
    Column("expectedness", one_of(Expectedness.values)),
    *(Column(name, moment) for name in MOMENTS),
    Column("action_taken", text(200)),
    Column("narrative", text(20_000)),
    Column("event_ref", text(60)),
)


class AdverseEventResource(StagedResource):
    kind = "adverse_events"
    title = "Adverse events"
    act = "import.adverse_events"
    columns = COLUMNS

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.patients: dict[str, Patient] = {}
        self.by_ref: dict[str, AdverseEvent] = {}
        self.by_key: dict[tuple[int, str], AdverseEvent] = {}
        self.by_facts: dict[tuple[int, str], AdverseEvent] = {}
        self.died_on: dict[int, str] = {}
        self.seen: Counter[tuple[int, str, str]] = Counter()
        self.refs_seen: set[str] = set()

    def load(self, rows: list[Row]) -> None:
        self.seen, self.refs_seen = Counter(), set()
        self.patients = {p.patient_id: p for p in self._patients({row["patient_id"] for row in rows})}
        ids = [patient.pk for patient in self.patients.values()]
        refs = sorted({row["event_ref"] for row in rows if row["event_ref"]})
        for some in batches(refs):
            stored = AdverseEvent.objects.filter(event_ref__in=some).select_related("patient", "site")
            self.by_ref |= {event.event_ref: event for event in stored}
        for some in batches(ids):
            self._index(AdverseEvent.objects.filter(patient__in=some).select_related("patient", "site"))
            self.died_on |= death_dates(some)

    def _patients(self, names: set[str]) -> Iterator[Patient]:
        for some in batches(sorted(names)):
            found = Patient.objects.filter(patient_id__in=some).select_related("site")
            yield from (patient for patient in found if self.scope.covers(patient.site_id))

    def _index(self, stored: Iterable[AdverseEvent]) -> None:
        """By the key it came with, and by what it says today: a corrected event is known in its export, too."""
        count: Counter[tuple[int, str, str]] = Counter()
        for event in sorted(stored, key=lambda one: one.pk):
            if event.import_key:
                self.by_key[event.patient_id, event.import_key] = event
            if not event.event_ref and event.withdrawn_at is None:
                same = (event.patient_id, event.term.casefold(), event.onset_date)
                count[same] += 1
                self.by_facts[event.patient_id, _key(event.term, event.onset_date, count[same])] = event

    def judge(self, row: Row) -> None:
        patient = self.patients.get(row["patient_id"])
        if patient is None:
            row.refuse("patient_id", "unknown_patient", f"no patient {row['patient_id']} in your sites")
            return
        if self._lies_ahead(row, patient):
            return
        key = self._key_of(row, patient)
        stored = self._stored(row, patient, key)
        if row.outcome:
            return
        if stored and stored.withdrawn_at is not None:
            row.outcome = UNCHANGED
            row.flag("withdrawn as entered by mistake; it is not brought back")
            return
        row.target, row.outcome = stored, UNCHANGED
        facts, received = _facts(row, patient.site.time_zone)
        if stored is None:
            row.target, row.outcome = AdverseEvent(patient=patient, site=patient.site), CREATE
            row.target.event_ref, row.target.import_key = row["event_ref"] or "", key
        else:
            row.changes = _changes(stored, facts, received)
            row.outcome = UPDATE if row.changes else UNCHANGED
        row.values["facts"], row.values["moments_received"] = facts, received
        self._flag(row, facts)

    def _lies_ahead(self, row: Row, patient: Patient) -> bool:
        """What has not happened yet is a typing error."""
        today = clock.local_date(self.context.now, patient.site.time_zone)
        for column in ("onset_date", "end_date"):
            if row[column] and earliest(row[column]) > today:
                row.refuse(column, "in_future", "lies in the future")
        return bool(row.errors)

    def _key_of(self, row: Row, patient: Patient) -> str:
        if row["event_ref"]:
            return ""
        same = (patient.pk, row["term"].casefold(), row["onset_date"])
        self.seen[same] += 1
        return _key(row["term"], row["onset_date"], self.seen[same])

    def _stored(self, row: Row, patient: Patient, key: str) -> AdverseEvent | None:
        ref = row["event_ref"]
        if not ref:
            return self.by_key.get((patient.pk, key)) or self.by_facts.get((patient.pk, key))
        if ref in self.refs_seen:
            row.refuse("event_ref", "duplicate", "stands in this file twice")
        self.refs_seen.add(ref)
        stored = self.by_ref.get(ref)
        if stored and stored.patient_id != patient.pk:
            row.refuse("event_ref", "taken", "is the reference of another event already")
        return stored

    def _flag(self, row: Row, facts: dict[str, Any]) -> None:
        """Judged on a copy: previewing must not touch what is stored."""
        target: AdverseEvent = row.target
        event = AdverseEvent(pk=target.pk, patient_id=target.patient_id, site=target.site, **facts)
        for one in contradictions_of(event, death_date=self.died_on.get(target.patient_id, "")):
            row.flag(one.reason)

    def write(self, rows: list[Row]) -> None:
        for row in rows:
            event: AdverseEvent = row.target
            for name, value in row["facts"].items():
                setattr(event, name, value)
            event.moments_received = json.dumps(row["moments_received"]) if row["moments_received"] else ""
            code_term(event)
        events = [row.target for row in rows]
        mark_special_interest(events)
        changed = [row.target for row in rows if row.outcome == UPDATE]
        for event in changed:
            event.version += 1
        new = [row.target for row in rows if row.outcome == CREATE]
        AdverseEvent.objects.bulk_create(new, batch_size=BATCH)
        AdverseEvent.objects.bulk_update(changed, WRITTEN, batch_size=BATCH)
        settle(events, now=self.context.now, by=self.context.by)


def _key(term: str, onset: str, nth: int) -> str:
    words = hashlib.sha256(" ".join(term.casefold().split()).encode()).hexdigest()[:24]
    return f"{words}|{onset}|{nth}"


def _facts(row: Row, zone: str) -> tuple[dict[str, Any], dict[str, str]]:
    """The columns to store, and the moments in the reporter's own writing."""
    facts: dict[str, Any] = {name: row[name] if name == "is_serious" else row[name] or "" for name in PLAIN}
    grade = row["severity_grade"] or ""
    readable = grade.isdecimal() and len(grade) == 1 and grade in "12345"
    facts["severity_grade"] = int(grade) if readable else None
    facts["severity_received"] = "" if readable else grade
    received = {name: row.cells[name] for name in MOMENTS if row[name]}
    return facts | {name: _instant(row[name], zone) for name in MOMENTS}, received


def _instant(given: LocalMoment | None, zone: str) -> datetime | None:
    """A bare date counts from the day's first minute, the strictest reading; the text keeps that it was a day."""
    if given is None:
        return None
    return given.utc(zone) or datetime.combine(given.day, time(), tzinfo=ZoneInfo(zone)).astimezone(UTC)


def _changes(
    stored: AdverseEvent, facts: dict[str, Any], received: dict[str, str]
) -> dict[str, tuple[str, str]]:
    changes = {
        name: (str(getattr(stored, name)), str(value))
        for name, value in facts.items()
        if getattr(stored, name) != value
    }
    for name in MOMENTS:
        before, after = stored.moment_as_known(name), received.get(name, "")
        if (len(before) == 10) != (len(after) == 10):
            changes[name] = (before, after)
    if "severity_received" in changes:
        changes["severity_grade"] = changes.pop("severity_received")
    return changes


# Out -----------------------------------------------------------------------------------------------------------------


def _rows(scope: Scope) -> Iterator[list[Any]]:
    stored = AdverseEvent.objects.standing().filter(**scope.filter()).select_related("patient")
    for event in stored.order_by("patient__patient_id", "onset_date", "pk").iterator(chunk_size=2000):
        yield [_cell(event, column.name) for column in COLUMNS]


def _cell(event: AdverseEvent, name: str) -> Any:
    if name == "patient_id":
        return event.patient.patient_id
    if name == "severity_grade":
        return event.severity_received if event.severity_grade is None else event.severity_grade
    if name in MOMENTS:
        return event.moment_as_known(name)
    return getattr(event, name)


ADVERSE_EVENTS = ExportTable("adverse_events", [column.name for column in COLUMNS], _rows)
