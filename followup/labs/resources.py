"""Bringing results in from files."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from followup.labs.actions import MASKED, ONLY_THE_LABORATORY, doubts_about, factor_of
from followup.labs.assessments import settle_visits
from followup.labs.catalogue import analyte_for
from followup.labs.models import Laboratory, LabResult
from followup.labs.receiving import Received, fasting_doubt, import_key, read_result
from followup.labs.recomputing import recompute
from followup.labs.units import UnitError
from registry.access.masking import hidden_from
from registry.batches import batches
from registry.clock import local_date
from registry.exchange import cells
from registry.exchange.cells import Column
from registry.exchange.resources import CREATE, UNCHANGED, UPDATE, Row, StagedResource
from registry.patients.models import Patient
from registry.patients.queries import open_queries
from registry.patients.reach import no_such_patient, patients_in_reach

BATCH = 2000
UNIT_PROBLEMS = ("unit_missing", "unit_not_accepted", "unit_slip", "unit_contradicts_value")
# Written by the export for readers; what they say is worked out again from the received value.
EXPORTED_BESIDE = ("result_id", "comparator", "canonical_value", "canonical_unit", "flag")
COMPARED = {
    "value": "value_received",
    "unit": "unit_received",
    "fasting": "fasting",
    "test": "test",
    "minutes": "minutes",
    "specimen": "specimen",
    "method": "method",
    "comment": "comment",
}
CONVERTED = ("loinc", "comparator", "value", "canonical_value", "canonical_unit", "conversion", "flag")


@dataclass(frozen=True)
class Reading:
    """A row as far as it could be read without knowing what is stored."""

    patient: Patient
    received: Received
    day: date
    at: datetime | None
    key: str


class LabResource(StagedResource):
    kind = "labs"
    title = "Laboratory results"
    act = "import.labs"
    holds_masked = True
    columns = (
        Column("patient_id", cells.text(40), required=True),
        Column("collected_at", cells.moment, required=True),
        Column("analyte", cells.text(60), required=True),
        Column("value", cells.text(40), required=True),
        Column("unit", cells.text(40)),
        Column("fasting", cells.yes_no),
        Column("laboratory", cells.text(120)),
        Column("accession", cells.text(80)),
        Column("test", cells.text(60)),
        Column("minutes", cells.whole(low=-60, high=1440)),
        Column("specimen", cells.text(60)),
        Column("method", cells.text(120)),
        Column("comment", cells.text(500)),
        *(Column(name, cells.text(60)) for name in EXPORTED_BESIDE),
    )

    def load(self, rows: list[Row]) -> None:
        self.patients = patients_in_reach((row["patient_id"] for row in rows), self.scope)
        self.laboratories = {one.name.casefold(): one for one in Laboratory.objects.order_by("pk")}
        self.new_laboratories: set[str] = set()
        self.hidden: dict[int, frozenset[str]] = {}
        self.nth: Counter[tuple[Any, ...]] = Counter()
        self.readings = {row.number: reading for row in rows if (reading := self._read(row))}
        self.stored = _stored(reading.key for reading in self.readings.values())
        self.seen: dict[str, int] = {}

    def _read(self, row: Row) -> Reading | None:
        """Refuses what cannot be read; None then."""
        patient = self.patients.get(row["patient_id"])
        if patient is None:
            row.refuse("patient_id", "unknown_patient", no_such_patient(row["patient_id"]))
        when: cells.LocalMoment = row["collected_at"]
        zone = patient.site.time_zone if patient else "UTC"
        day, at = when.local_day(zone), when.utc(zone)
        self._check_day(row, day, patient, zone)
        received = self._convert(row, patient)
        self._check_masked(row, patient)
        if patient is None or received is None or row.errors:
            return None
        return Reading(patient, received, day, at, self._key(row, patient, received, at or day))

    def _check_day(self, row: Row, day: date, patient: Patient | None, zone: str) -> None:
        if day > local_date(self.context.now, zone):
            row.refuse("collected_at", "in_future", "lies in the future")
        elif patient and patient.birth_year and day.year < patient.birth_year:
            row.refuse("collected_at", "before_birth", "lies before the patient's birth")

    def _check_masked(self, row: Row, patient: Patient | None) -> None:
        """Whoever does not read a masked result brings none in: what was stored before would answer them."""
        analyte = analyte_for(row["analyte"])
        if patient and analyte and analyte.code in self._hidden_at(patient.site_id):
            row.errors.clear()
            row.refuse("analyte", MASKED, ONLY_THE_LABORATORY)

    def _hidden_at(self, site: int) -> frozenset[str]:
        if self.context.by is None:
            return frozenset()  # the server's own command
        if site not in self.hidden:
            self.hidden[site] = hidden_from(self.context.by, LabResult, site)
        return self.hidden[site]

    def _convert(self, row: Row, patient: Patient | None) -> Received | None:
        laboratory = self.laboratories.get((row["laboratory"] or "").casefold())
        try:
            return read_result(
                analyte=row["analyte"],
                value=row["value"],
                unit=row["unit"] or "",
                sex=patient.sex_at_birth if patient else "unknown",
                insulin_pmol_per_miu=factor_of(laboratory),
            )
        except UnitError as error:
            row.refuse(_column_of(error), error.code, error.message)
            return None

    def _key(self, row: Row, patient: Patient, received: Received, collected: date | datetime) -> str:
        analyte, minutes = received.analyte.code, row["minutes"]
        same = (patient.pk, collected.isoformat(), analyte, minutes)
        if not (row["laboratory"] and row["accession"]):
            self.nth[same] += 1
        return import_key(
            laboratory=row["laboratory"] or "",
            accession=row["accession"] or "",
            patient_id=patient.patient_id,
            collected=collected,
            analyte=analyte,
            minutes=minutes,
            nth=self.nth[same],
        )

    def judge(self, row: Row) -> None:
        reading = self.readings.get(row.number)
        if reading is None:
            return
        if first := self.seen.get(reading.key):
            row.refuse(
                "accession", "duplicate", f"the same laboratory, accession and analyte stand in row {first}"
            )
            return
        self.seen[reading.key] = row.number
        stored = self.stored.get(reading.key)
        if stored is None:
            row.outcome = CREATE
            row.target = self._new(row, reading)
        else:
            self._compare(row, reading, stored)
        self._note_doubts(row, reading)

    def _new(self, row: Row, reading: Reading) -> LabResult:
        return LabResult(
            patient=reading.patient,
            site_id=reading.patient.site_id,
            collected_on=reading.day,
            collected_at=reading.at,
            accession=row["accession"] or "",
            source=LabResult.Source.IMPORT,
            import_key=reading.key,
            **reading.received.columns()
            | {field: row[column] for column, field in COMPARED.items() if column in ("fasting", "minutes")}
            | {name: row[name] or "" for name in ("test", "specimen", "method", "comment")},
        )

    def _compare(self, row: Row, reading: Reading, stored: LabResult) -> None:
        row.target = stored
        if stored.patient_id != reading.patient.pk:
            row.refuse(
                "accession", "other_patient", "this laboratory and accession stand with another patient"
            )
            return
        wanted: dict[str, Any] = {
            field: row[column] if column in ("fasting", "minutes") else row[column] or ""
            for column, field in COMPARED.items()
        } | {"collected_on": reading.day, "collected_at": reading.at}
        for name, value in wanted.items():
            if getattr(stored, name) != value:
                column = "collected_at" if name.startswith("collected") else _cell_name(name)
                row.changes[column] = (str(getattr(stored, name) or ""), str(value or ""))
        if row.changes and stored.withdrawn_at:
            row.refuse(
                next(iter(row.changes)), "withdrawn", "this result was withdrawn; it is not brought back"
            )
            return
        if row.changes:
            for name, value in (wanted | reading.received.columns()).items():
                setattr(stored, name, value)
        row.outcome = UPDATE if row.changes else UNCHANGED

    def _note_doubts(self, row: Row, reading: Reading) -> None:
        if row.errors or row.outcome == UNCHANGED:
            return
        received = reading.received
        if received.is_unusual:
            row.flag(
                f"{received.analyte.label} {row['value']} {row['unit'] or ''} is unusual; a query asks for it"
            )
        if why := fasting_doubt(received.analyte, received.loinc, row["fasting"]):
            row.flag(f"{why}; a query asks for it")
        name = row["laboratory"]
        if name and name.casefold() not in self.laboratories and name.casefold() not in self.new_laboratories:
            self.new_laboratories.add(name.casefold())
            row.flag(f"the laboratory “{name}” is new; it is added with the insulin factor 6.00 pmol per mIU")

    def write(self, rows: list[Row]) -> None:
        self._add_laboratories(rows)
        results = [row.target for row in rows]
        for row in rows:
            if row["laboratory"]:
                row.target.laboratory = self.laboratories[row["laboratory"].casefold()]
        LabResult.objects.bulk_create([row.target for row in rows if row.outcome == CREATE])
        changed = [row.target for row in rows if row.outcome == UPDATE]
        for result in changed:
            result.version += 1
        fields = [*COMPARED.values(), *CONVERTED, "collected_on", "collected_at", "version"]
        LabResult.objects.bulk_update(changed, fields, batch_size=200)
        open_queries(doubts_about(results), now=self.context.now)
        patients = {result.patient_id for result in results}
        settle_visits(patients)
        recompute(patients, now=self.context.now)

    def _add_laboratories(self, rows: list[Row]) -> None:
        names: dict[str, str] = {}
        for row in rows:
            if row["laboratory"] and row["laboratory"].casefold() not in self.laboratories:
                names.setdefault(row["laboratory"].casefold(), row["laboratory"])
        for one in Laboratory.objects.bulk_create([Laboratory(name=name) for name in names.values()]):
            self.laboratories[one.name.casefold()] = one


def _stored(keys: Iterable[str]) -> dict[str, LabResult]:
    wanted = sorted(set(keys))
    found: dict[str, LabResult] = {}
    for batch in batches(wanted, BATCH):
        some = LabResult.objects.filter(import_key__in=batch)
        found.update((result.import_key, result) for result in some)
    return found


def _column_of(error: UnitError) -> str:
    if error.code == "unknown_analyte":
        return "analyte"
    return "unit" if error.code in UNIT_PROBLEMS else "value"


def _cell_name(field: str) -> str:
    return next(column for column, name in COMPARED.items() if name == field)
