"""Enrolling people and correcting what is known of them. Every function needs `acting_as()`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from decimal import Decimal

from django.db.models import F

from registry import clock, partial_dates
from registry.access.models import Site, User
from registry.audit.acting import because
from registry.patients import rules
from registry.patients.eligibility import Eligibility
from registry.patients.identity import IdentityFacts, identity_of, save_identities
from registry.patients.models import (
    Consent,
    ConsentDocument,
    Enrolment,
    Patient,
    Sex,
    Status,
    StatusEvent,
)
from registry.patients.queries import QueryFacts, open_queries, record_of
from registry.patients.review import review_patients, review_twins
from registry.patients.signals import patient_enrolled
from registry.patients.status import CannotRecord
from registry.saving import ChangedMeanwhile, NotAccepted, create_once, made_by, nobody_else_has

BATCH = 500
TRIES = 20


@dataclass(frozen=True)
class PersonFacts:
    """What is in clear about a person."""

    sex_at_birth: str = Sex.UNKNOWN
    gender: str = ""
    organs_absent: str = ""
    interpreter_language: str = ""


@dataclass(frozen=True)
class EnrolmentFacts:
    enrolled_on: date
    diabetes_diagnosis_date: str = ""
    height_cm: Decimal | None = None
    weight_kg: Decimal | None = None
    insulin_iu_per_day: Decimal | None = None


@dataclass(frozen=True)
class ConsentFacts:
    """`tiers` in the words of `Consent.TIERS`; a tier left out keeps the model's default."""

    signed_on: date
    version: str = ""
    language: str = "English"
    tiers: Mapping[str, bool] = field(default_factory=dict)
    form_token: str = ""

    @property
    def version_named(self) -> str:
        return self.version or "not stated"


@dataclass(frozen=True)
class NewPatient:
    """Everything known on the day somebody is enrolled. A blank `patient_id` is allocated."""

    site: Site
    enrolment: EnrolmentFacts
    person: PersonFacts = field(default_factory=PersonFacts)
    identity: IdentityFacts = field(default_factory=IdentityFacts)
    consent: ConsentFacts | None = None
    eligibility: Mapping[str, object] = field(default_factory=dict)
    patient_id: str = ""
    form_token: str = ""


# Enrolling ---------------------------------------------------------------------------------------------------


def enrol_patient(*, new: NewPatient, by: User | None, now: datetime) -> Patient:
    """CannotRecord for impossible dates. A broken rule (no consent yet, an exclusion) is recorded and queried."""
    if by is not None:
        by.require("patients.enrol", new.site.pk)
    if troubles := date_troubles(new, today=clock.local_date(now, new.site.time_zone)):
        raise CannotRecord(" ".join(troubles.values()))
    return enrol_patients(entries=[new], now=now)[0]


def enrol_patients(*, entries: Sequence[NewPatient], now: datetime) -> list[Patient]:
    """The set-based form for imports: rights and possible dates are the caller's to check."""
    patients = _create_patients(entries, now)
    save_identities(
        entries=[(p, new.identity) for p, new in zip(patients, entries, strict=True) if new.identity]
    )
    pairs = list(zip(patients, entries, strict=True))
    Enrolment.objects.bulk_create(
        [Enrolment(patient=p, **asdict(new.enrolment)) for p, new in pairs], batch_size=BATCH
    )
    Eligibility.objects.bulk_create(
        [Eligibility(patient=p, **new.eligibility) for p, new in pairs if new.eligibility], batch_size=BATCH
    )
    StatusEvent.objects.bulk_create(
        [
            StatusEvent(
                patient=p, status=p.status, on_date=new.enrolment.enrolled_on.isoformat(), recorded_at=now
            )
            for p, new in pairs
        ],
        batch_size=BATCH,
    )
    record_consents(entries=[(p, new.consent) for p, new in pairs if new.consent], now=now)
    _tell(patients, now)
    return patients


def _create_patients(entries: Sequence[NewPatient], now: datetime) -> list[Patient]:
    waiting: dict[Site, int] = defaultdict(int)
    for new in entries:
        if not new.patient_id:
            waiting[new.site] += 1
    given = {site: iter(allocate_patient_ids(site=site, count=count)) for site, count in waiting.items()}
    return Patient.objects.bulk_create(
        [
            Patient(
                patient_id=new.patient_id or next(given[new.site]), site=new.site, status=Status.ENROLLED,
                birth_year=_year(new.identity.birth_date), created_at=now, form_token=new.form_token,
                **asdict(new.person),
            )
            for new in entries
        ],
        batch_size=BATCH,
    )  # fmt: skip


def _tell(patients: Sequence[Patient], now: datetime) -> None:
    ids = [patient.pk for patient in patients]
    review_patients(ids, now=now)
    review_twins(ids, now=now)
    patient_enrolled.send(sender=Patient, patients=ids, now=now)


def allocate_patient_ids(*, site: Site, count: int) -> list[str]:
    """The next free ids of the site, each given once whoever asks at the same time."""
    for _ in range(TRIES):
        seen = Site.objects.values_list("next_serial", flat=True).get(pk=site.pk)
        serial, found = seen - 1, list[str]()
        while len(found) < count:
            serial, patient_id = rules.next_patient_id(site.code, serial)
            found.append(patient_id)
        if not Site.objects.filter(pk=site.pk, next_serial=seen).update(next_serial=serial + 1):
            continue
        taken = set(Patient.objects.filter(patient_id__in=found).values_list("patient_id", flat=True))
        if not taken:
            return found
        # Ids brought along from elsewhere may stand in the way: those are passed over.
        free = [one for one in found if one not in taken]
        return free + allocate_patient_ids(site=site, count=count - len(free))
    raise CannotRecord("No patient id could be allocated: many enrolments at once. Try again.")


def date_troubles(new: NewPatient, *, today: date) -> dict[str, str]:
    """Impossible dates by field, in words. Unlikely ones are not refused: they become queries."""
    birth = new.identity.birth_date
    dated = {
        "birth_date": birth,
        "enrolment_date": new.enrolment.enrolled_on.isoformat(),
        "diabetes_diagnosis_date": new.enrolment.diabetes_diagnosis_date,
        "consent_date": new.consent.signed_on.isoformat() if new.consent else "",
    }
    found = {}
    for name, text in dated.items():
        if text and partial_dates.earliest(text) > today:
            found[name] = f"{text} lies in the future."
        elif text and birth and partial_dates.certainly_before(text, birth):
            found[name] = f"{text} lies before the birth date."
    return found


def _year(birth_date: str) -> int | None:
    return int(birth_date[:4]) if birth_date else None


# Consent -----------------------------------------------------------------------------------------------------


def record_consent(*, patient: Patient, facts: ConsentFacts, by: User | None, now: datetime) -> Consent:
    if by is not None:
        by.require("consent.record", patient.site_id)
    if facts.signed_on > clock.local_date(now, patient.site.time_zone):
        raise CannotRecord(f"{facts.signed_on} lies in the future: record a consent once it is signed.")
    if first := made_by(Consent, facts.form_token, patient=patient):
        return first
    same = Consent.objects.filter(
        patient=patient, document__version=facts.version_named, signed_on=facts.signed_on
    )
    if standing := same.first():
        told = {**facts.tiers, "language": facts.language}
        if all(getattr(standing, name) == value for name, value in told.items()):
            return standing
        known = f"A consent of {standing.document} signed on {facts.signed_on} is recorded already"
        raise CannotRecord(f"{known}, with other answers.")

    def make() -> Consent:
        record_consents(entries=[(patient, facts)], now=now)
        review_patients([patient.pk], now=now)
        return same.get()

    return create_once(Consent, facts.form_token, make, patient=patient)


def record_consents(*, entries: Sequence[tuple[Patient, ConsentFacts]], now: datetime) -> None:
    """A consent already recorded stays as it is. An unknown version of the form is created and queried."""
    documents = _documents(entries, now)
    stored = set(
        Consent.objects.filter(patient__in=[patient.pk for patient, _ in entries]).values_list(
            "patient_id", "document_id", "signed_on"
        )
    )
    new = {}
    for patient, facts in entries:
        document = documents[facts.version_named]
        key = (patient.pk, document.pk, facts.signed_on)
        if key not in stored:
            new[key] = Consent(
                patient=patient, document=document, signed_on=facts.signed_on,
                language=facts.language, recorded_at=now, form_token=facts.form_token, **facts.tiers,
            )  # fmt: skip
    Consent.objects.bulk_create(list(new.values()), batch_size=BATCH)


def _documents(entries: Sequence[tuple[Patient, ConsentFacts]], now: datetime) -> dict[str, ConsentDocument]:
    wanted = {facts.version_named: patient.site_id for patient, facts in reversed(entries)}
    found = {one.version: one for one in ConsentDocument.objects.filter(version__in=wanted)}
    unknown = sorted(wanted.keys() - found.keys())
    for version in unknown:
        found[version] = ConsentDocument.objects.create(version=version)
    open_queries([_unknown_version(found[version], wanted[version]) for version in unknown], now=now)
    return found


def _unknown_version(document: ConsentDocument, site_id: int) -> QueryFacts:
    reason = (
        f"Consent version “{document.version}” was not known and has been created: check its title and date."
    )
    return QueryFacts(
        kind="missing",
        rule="consent_version_unknown",
        record=record_of(document),
        site_id=site_id,
        reason=reason,
    )


# Correcting --------------------------------------------------------------------------------------------------


def update_enrolment(
    *, patient: Patient, facts: EnrolmentFacts, person: PersonFacts, version: int, reason: str,
    by: User | None, now: datetime,
) -> Enrolment:  # fmt: skip
    """A new enrolment date moves the visits planned from it. ChangedMeanwhile when `version` is not the newest."""
    if by is not None:
        by.require("patients.edit", patient.site_id)
    new = NewPatient(site=patient.site, enrolment=facts, identity=identity_of(patient))
    if troubles := date_troubles(new, today=clock.local_date(now, patient.site.time_zone)):
        raise CannotRecord(" ".join(troubles.values()))
    with because(reason):
        before = Enrolment.objects.get(patient=patient)
        mine = Enrolment.objects.filter(patient=patient, version=version)
        if not mine.update(**asdict(facts), version=F("version") + 1):
            raise ChangedMeanwhile
        _update_patient(patient, asdict(person))
        if before.enrolled_on != facts.enrolled_on:
            StatusEvent.objects.filter(
                patient=patient, status=Status.ENROLLED, on_date=before.enrolled_on.isoformat()
            ).update(on_date=facts.enrolled_on.isoformat())
            patient_enrolled.send(sender=Patient, patients=[patient.pk], now=now)
    review_patients([patient.pk], now=now)
    return Enrolment.objects.get(patient=patient)


def correct_identity(
    *, patient: Patient, facts: IdentityFacts, version: int, reason: str, by: User | None, now: datetime
) -> None:
    """Corrects identifiers and the birth year in clear. `version` is that of the patient row."""
    if by is not None:
        by.require("identifiers.edit", patient.site_id)
    if facts.birth_date and partial_dates.earliest(facts.birth_date) > clock.local_date(
        now, patient.site.time_zone
    ):
        raise CannotRecord(f"The birth date {facts.birth_date} lies in the future.")
    with because(reason):
        if not Patient.objects.filter(pk=patient.pk, version=version).update(
            version=F("version") + 1, birth_year=_year(facts.birth_date) or patient.birth_year
        ):
            raise ChangedMeanwhile
        save_identities(entries=[(patient, facts)])
    review_twins([patient.pk], now=now)


def save_eligibility(
    *,
    patient: Patient,
    answers: Mapping[str, object],
    version: int,
    reason: str,
    by: User | None,
    now: datetime,
) -> Eligibility:
    """`version` 0 where there was none yet."""
    if by is not None:
        by.require("patients.edit", patient.site_id)
    with because(reason):
        if version == 0:
            if Eligibility.objects.filter(patient=patient).exists():
                raise ChangedMeanwhile
            _first_eligibility(patient, answers)
        elif not Eligibility.objects.filter(patient=patient, version=version).update(
            **answers, version=F("version") + 1
        ):
            raise ChangedMeanwhile
    review_patients([patient.pk], now=now)
    return Eligibility.objects.get(patient=patient)


def _first_eligibility(patient: Patient, answers: Mapping[str, object]) -> None:
    try:
        with nobody_else_has():
            Eligibility.objects.create(patient=patient, **answers)
    except NotAccepted as taken:
        raise ChangedMeanwhile from taken


def _update_patient(patient: Patient, columns: Mapping[str, object]) -> None:
    current = Patient.objects.get(pk=patient.pk)
    if any(getattr(current, name) != value for name, value in columns.items()):
        Patient.objects.filter(pk=patient.pk).update(**columns, version=F("version") + 1)
