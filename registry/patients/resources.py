"""Patients and their status, brought in as files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from typing import Any, ClassVar

from django.db.models import F

from registry import clock, partial_dates
from registry.access.models import Site
from registry.batches import batches
from registry.exchange.cells import CellError, Column, day, number, one_of, partial_day, text, yes_no
from registry.exchange.resources import CREATE, UNCHANGED, UPDATE, Row, StagedResource
from registry.patients.actions import (
    ConsentFacts,
    EnrolmentFacts,
    NewPatient,
    PersonFacts,
    date_troubles,
    enrol_patients,
    record_consents,
)
from registry.patients.identity import (
    IdentityFacts,
    identities_of,
    local_id_index,
    save_identities,
)
from registry.patients.models import (
    Consent,
    ConsentDocument,
    Enrolment,
    Identity,
    Patient,
    PatientKey,
    Sex,
    Status,
    StatusEvent,
)
from registry.patients.review import SOFT_LIMITS, review_patients, review_twins
from registry.patients.signals import patient_enrolled
from registry.patients.status import StatusFacts, record_statuses, status_trouble

IDENTITY = ("given_name", "family_name", "birth_date", "local_id", "phone", "email")
ENROLMENT = ("diabetes_diagnosis_date", "height_cm", "weight_kg", "insulin_iu_per_day")


def _patient_id(cell: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,40}", cell) or not re.search(r"\d", cell):
        raise CellError(
            "not_a_patient_id", "must be letters, digits, dots, dashes or underscores with at least one digit"
        )
    return cell


class PatientResource(StagedResource):
    """Key: patient_id, else site and local_id. A blank cell says nothing: what is stored stays."""

    kind: ClassVar[str] = "patients"
    title: ClassVar[str] = "Patients"
    act: ClassVar[str] = "import.patients"
    columns: ClassVar[Sequence[Column]] = (
        Column("site", text(20), required=True),
        Column("patient_id", _patient_id),
        Column("local_id", text(60)),
        Column("given_name", text(120)),
        Column("family_name", text(120)),
        Column("birth_date", partial_day, required=True),
        Column("sex", one_of(Sex.values), required=True),
        Column("phone", text(60)),
        Column("email", text(120)),
        Column("diabetes_diagnosis_date", partial_day),
        Column("enrolment_date", day, required=True),
        Column("consent_version", text(20)),
        Column("consent_date", day, required=True),
        Column("height_cm", number(low="50", high="250", decimals=1, unit="cm")),
        Column("weight_kg", number(low="20", high="400", decimals=1, unit="kg")),
        Column("insulin_iu_per_day", number(low="0", high="1000", decimals=1, unit="IU/day")),
        # As the export writes them. The status has a file of its own and is not taken from here.
        Column("status", one_of(Status.values)),
        Column("gender", text(40)),
        Column("organs_absent", text(60)),
    )

    # What is there already ---------------------------------------------------------------------------------------

    def load(self, rows: list[Row]) -> None:
        self.sites = {site.code: site for site in Site.objects.filter(code__in={row["site"] for row in rows})}
        self.by_number = self._by_number(rows)
        patients = list(_in_batches(Patient.objects.all(), "patient_id__in", [r["patient_id"] for r in rows]))
        patients += _in_batches(Patient.objects.all(), "pk__in", self.by_number.values())
        self.by_id = {patient.patient_id: patient for patient in patients}
        self.by_pk = {patient.pk: patient for patient in patients}
        # An id that is taken elsewhere is refused; the name behind it is nobody's here to open.
        self.identities = identities_of([p.pk for p in patients if self.scope.covers(p.site_id)])
        self.erased = self.by_pk.keys() - set(
            _in_batches(PatientKey.objects.values_list("patient_id", flat=True), "patient_id__in", self.by_pk)
        ) - self._never_named()  # fmt: skip
        enrolments = _in_batches(Enrolment.objects.all(), "patient_id__in", self.by_pk)
        self.enrolments = {enrolment.patient_id: enrolment for enrolment in enrolments}
        consents = Consent.objects.values_list("patient_id", "document__version", "signed_on")
        self.consents = set(_in_batches(consents, "patient_id__in", self.by_pk))
        self.versions = set(ConsentDocument.objects.values_list("version", flat=True))
        self.seen: dict[object, int] = {}

    def _by_number(self, rows: list[Row]) -> dict[tuple[str, str], int]:
        digests = {local_id_index(row["local_id"]) for row in rows if row["local_id"]} - {""}
        known = Identity.objects.values_list("site__code", "local_id_index", "patient_id")
        return {(site, digest): pk for site, digest, pk in _in_batches(known, "local_id_index__in", digests)}

    def _never_named(self) -> set[int]:
        named = _in_batches(
            Identity.objects.values_list("patient_id", flat=True), "patient_id__in", self.by_pk
        )
        return self.by_pk.keys() - set(named)

    # Judging -----------------------------------------------------------------------------------------------------

    def judge(self, row: Row) -> None:
        site = self.site_in_reach(row["site"], self.sites)
        if site is None:
            row.refuse("site", "unknown_site", f"there is no site {row['site']} among your sites")
            return
        new = _new_patient(row, site)
        for column, why in date_troubles(
            new, today=clock.local_date(self.context.now, site.time_zone)
        ).items():
            row.refuse(column, "impossible_date", why)
        if not row.errors and self._key_is_free(row, site):
            self._compare(row)

    def _key_is_free(self, row: Row, site: Site) -> bool:
        patient_id, local_id = row["patient_id"], row["local_id"]
        if not patient_id and not local_id:
            row.refuse(
                "patient_id", "no_key", "give a patient_id or a local_id, so that the row is known again"
            )
            return False
        digest = local_id_index(local_id or "")
        numbered = self.by_number.get((site.code, digest))
        row.target = self.by_id.get(patient_id) if patient_id else self.by_pk.get(numbered or 0)
        for column, key in (("patient_id", patient_id), ("local_id", digest and (site.code, digest))):
            if key and self.seen.setdefault((column, key), row.number) != row.number:
                why = f"stands in row {self.seen[(column, key)]} already"
                row.refuse(column, "twice_in_file", why)
        if row.target and row.target.site_id != site.pk:
            row.refuse("patient_id", "not_at_site", f"cannot be used at site {site.code}")
        elif numbered and (row.target is None or row.target.pk != numbered):
            row.refuse("local_id", "already_used", f"belongs to another patient of site {site.code}")
        return not row.errors

    def _compare(self, row: Row) -> None:
        if row.target is None:
            row.outcome = CREATE
            self._flag(row)
            return
        row.changes = self._changes(row, row.target)
        row.outcome = UPDATE if row.changes else UNCHANGED
        if row.target.pk in self.erased and row.changes.keys() & set(IDENTITY):
            row.refuse("patient_id", "erased", "this patient's identifiers were erased; leave them blank")
        elif row.changes:
            self._flag(row)

    def _changes(self, row: Row, patient: Patient) -> dict[str, tuple[str, str]]:
        enrolment, identity = self.enrolments.get(patient.pk), self.identities[patient.pk]
        pairs: dict[str, tuple[Any, Any]] = {"sex": (patient.sex_at_birth, row["sex"])}
        pairs |= {name: (getattr(identity, name), row[name]) for name in IDENTITY}
        pairs |= {name: (getattr(enrolment, name, None), row[name]) for name in ENROLMENT}
        pairs["enrolment_date"] = (getattr(enrolment, "enrolled_on", None), row["enrolment_date"])
        consent = _consent(row)
        if (patient.pk, consent.version_named, consent.signed_on) not in self.consents:
            pairs["consent_date"] = ("", consent.signed_on)
        return {
            name: ("" if before is None else str(before), str(after))
            for name, (before, after) in pairs.items()
            if after is not None and before != after
        }

    def _flag(self, row: Row) -> None:
        consent, enrolled_on = _consent(row), row["enrolment_date"]
        if consent.version_named not in self.versions:
            row.flag(f"consent version “{consent.version_named}” is not known yet and is created")
            self.versions.add(consent.version_named)  # said once a file
        if consent.signed_on > enrolled_on:
            row.flag(f"enrolled on {enrolled_on}, before consent on {consent.signed_on}")
        diagnosed = row["diabetes_diagnosis_date"]
        if diagnosed and partial_dates.certainly_before(enrolled_on.isoformat(), diagnosed):
            row.flag(f"diabetes diagnosed {diagnosed}, after enrolment")
        for name, (low, high, unit) in SOFT_LIMITS.items():
            if row[name] is not None and not low <= row[name] <= high:
                row.flag(f"{name} {row[name]} is unusual (expected {low} to {high} {unit})")

    # Writing -----------------------------------------------------------------------------------------------------

    def write(self, rows: list[Row]) -> None:
        sites = self.sites
        created = [_new_patient(row, sites[row["site"]]) for row in rows if row.outcome == CREATE]
        if created:
            enrol_patients(entries=created, now=self.context.now)
        changed = [row for row in rows if row.outcome == UPDATE]
        if changed:
            self._write_changes(changed)

    def _write_changes(self, rows: list[Row]) -> None:
        now, ids = self.context.now, [row.target.pk for row in rows]
        named = [row for row in rows if row.changes.keys() & set(IDENTITY)]
        save_identities(entries=[(row.target, self._identity(row)) for row in named])
        for row in rows:
            self._write_columns(row)
        consents = [(row.target, _consent(row)) for row in rows if "consent_date" in row.changes]
        record_consents(entries=consents, now=now)
        review_patients(ids, now=now)
        review_twins([row.target.pk for row in named], now=now)
        moved = [row.target.pk for row in rows if "enrolment_date" in row.changes]
        if moved:
            patient_enrolled.send(sender=Patient, patients=moved, now=now)

    def _identity(self, row: Row) -> IdentityFacts:
        stated = {name: row[name] for name in IDENTITY if row[name] is not None}
        return replace(self.identities[row.target.pk], **stated)

    def _write_columns(self, row: Row) -> None:
        person = {}
        if row.changes.keys() & {"sex", "birth_date"}:
            person = {"sex_at_birth": row["sex"], "birth_year": int(row["birth_date"][:4])}
        # Whatever form stands open over this person sees what the file brought before it saves.
        Patient.objects.filter(pk=row.target.pk).update(**person, version=F("version") + 1)
        stated = {name: row[name] for name in ENROLMENT if name in row.changes}
        if "enrolment_date" in row.changes:
            stated["enrolled_on"] = row["enrolment_date"]
            _move_enrolled_step(self.enrolments.get(row.target.pk), row["enrolment_date"])
        mine = Enrolment.objects.filter(patient=row.target)
        if not mine.update(**stated, version=F("version") + 1) and stated:
            Enrolment.objects.create(patient=row.target, **{"enrolled_on": row["enrolment_date"]} | stated)


def _move_enrolled_step(enrolment: Enrolment | None, to: date) -> None:
    if enrolment is not None:
        StatusEvent.objects.filter(
            patient_id=enrolment.patient_id, status=Status.ENROLLED, on_date=enrolment.enrolled_on.isoformat()
        ).update(on_date=to.isoformat())


def _new_patient(row: Row, site: Site) -> NewPatient:
    identity = {name: row[name] or "" for name in IDENTITY}
    return NewPatient(
        site=site,
        patient_id=row["patient_id"] or "",
        person=PersonFacts(row["sex"], gender=row["gender"] or "", organs_absent=row["organs_absent"] or ""),
        identity=IdentityFacts(**identity),
        consent=_consent(row),
        enrolment=EnrolmentFacts(
            enrolled_on=row["enrolment_date"],
            diabetes_diagnosis_date=row["diabetes_diagnosis_date"] or "",
            **{name: row[name] for name in ENROLMENT[1:]},
        ),
    )


def _consent(row: Row) -> ConsentFacts:
    return ConsentFacts(signed_on=row["consent_date"], version=row["consent_version"] or "")


def _in_batches(queryset: Any, lookup: str, values: Iterable[Any]) -> Iterable[Any]:
    wanted = sorted({value for value in values if value})
    for batch in batches(wanted):
        yield from queryset.filter(**{lookup: batch})


OF_A_DEATH = ("death_confirmed", "cause_of_death", "autopsy")


class StatusResource(StagedResource):
    """Key: patient_id, status, on_date. `erase` is noted and waits for confirmation on the patient's page."""

    kind: ClassVar[str] = "status"
    title: ClassVar[str] = "Status"
    act: ClassVar[str] = "import.status"
    columns: ClassVar[Sequence[Column]] = (
        Column("patient_id", text(40), required=True),
        Column("status", one_of(Status.values), required=True),
        Column("on_date", partial_day, required=True),
        Column("scope", one_of(["no_cells", "no_visits", "no_contact", "no_new_data", "erase"])),
        Column("reason", text(500)),
        # As the export writes them; without them a confirmed death would come back as reported.
        Column("death_confirmed", yes_no),
        Column("cause_of_death", text(200)),
        Column("autopsy", one_of(["done", "not_done", "unknown"])),
    )

    def load(self, rows: list[Row]) -> None:
        found = _in_batches(
            Patient.objects.select_related("site"), "patient_id__in", [row["patient_id"] for row in rows]
        )
        self.patients = {p.patient_id: p for p in found if self.scope.covers(p.site_id)}
        events = _in_batches(
            StatusEvent.objects.all(), "patient_id__in", [p.pk for p in self.patients.values()]
        )
        self.stored: dict[tuple[int, str, str], list[StatusEvent]] = {}
        for event in events:
            self.stored.setdefault((event.patient_id, event.status, event.on_date), []).append(event)
        self.seen: dict[object, int] = {}

    def judge(self, row: Row) -> None:
        patient = self.patients.get(row["patient_id"])
        if patient is None:
            row.refuse(
                "patient_id", "unknown_patient", f"there is no patient {row['patient_id']} in your sites"
            )
            return
        facts = _status_facts(row)
        if trouble := status_trouble(facts, today=clock.local_date(self.context.now, patient.site.time_zone)):
            column = "scope" if "scope" in trouble else "on_date"
            row.refuse(column, "impossible", trouble)
            return
        if row["status"] != Status.DECEASED and any(row[name] for name in OF_A_DEATH):
            name = next(name for name in OF_A_DEATH if row[name])
            row.refuse(name, "impossible", "belongs to a death: leave it blank, or write deceased")
            return
        key = (patient.pk, facts.status, facts.on_date)
        if self.seen.setdefault((*key, facts.scope), row.number) != row.number:
            row.refuse(
                "patient_id", "twice_in_file", f"stands in row {self.seen[(*key, facts.scope)]} already"
            )
            return
        row.target = patient, _nearest(self.stored.get(key, []), facts.scope)
        self._settle(row, facts)

    def _settle(self, row: Row, facts: StatusFacts) -> None:
        _, event = row.target
        if event is None:
            row.outcome = CREATE
        else:
            names = ("scope", "reason", "cause_of_death", "autopsy")
            pairs = {name: (getattr(event, name), row[name]) for name in names}
            row.changes = {
                name: pair for name, pair in pairs.items() if pair[1] is not None and pair[0] != pair[1]
            }
            if row["death_confirmed"] and not event.death_confirmed:  # a confirmation is not taken back here
                row.changes["death_confirmed"] = "no", "yes"
            row.outcome = UPDATE if row.changes else UNCHANGED
        if row.outcome != UNCHANGED and facts.status == Status.WITHDRAWN:
            if not facts.scope:
                row.flag("withdrawn without a scope: nobody is contacted until somebody says what was meant")
            elif facts.scope == "erase":
                row.flag("erasure waits for confirmation on the patient's page")

    def write(self, rows: list[Row]) -> None:
        for row in rows:
            if row.outcome == UPDATE and "scope" in row.changes:
                event = row.target[1]
                event.scope = row["scope"]
                event.save()
        record_statuses(entries=[(row.target[0], _status_facts(row)) for row in rows], now=self.context.now)


def _nearest(events: Sequence[StatusEvent], scope: str) -> StatusEvent | None:
    """Several withdrawals of one day differ by scope; one alone is the row meant."""
    same = [event for event in events if event.scope == scope]
    meant = same or (events if len(events) == 1 else [])
    return meant[0] if meant else None


def _status_facts(row: Row) -> StatusFacts:
    return StatusFacts(
        status=row["status"], on_date=row["on_date"], scope=row["scope"] or "", reason=row["reason"] or "",
        death_confirmed=row["death_confirmed"], cause_of_death=row["cause_of_death"] or "",
        autopsy=row["autopsy"] or "",
    )  # fmt: skip
