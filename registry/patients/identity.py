"""The only place where identifiers are encrypted, read and searched."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TypeVar

from django.db.models import Q

from registry import encryption
from registry.access.models import User
from registry.batches import batches
from registry.patients import rules
from registry.patients.models import Identity, Patient, PatientKey, PatientQuerySet, SearchWord

PHONE_DIGITS_COMPARED = 9  # the end of a number is the same with and without its country code

T = TypeVar("T")


class IdentityErased(Exception):
    """The person's key was destroyed; identifiers cannot be entered for them again."""


@dataclass(frozen=True)
class IdentityFacts:
    """Identifiers in clear; blank is unknown, or no longer readable. `birth_date` may be partial."""

    given_name: str = ""
    family_name: str = ""
    previous_names: str = ""
    birth_date: str = ""
    local_id: str = ""
    phone: str = ""
    email: str = ""

    @property
    def full_name(self) -> str:
        return f"{self.given_name} {self.family_name}".strip()

    def __bool__(self) -> bool:
        return any(asdict(self).values())


# Reading -----------------------------------------------------------------------------------------------------


def identity_of(patient: Patient) -> IdentityFacts:
    return identities_of([patient])[patient.pk]


def identities_of(patients: Iterable[Patient | int]) -> dict[int, IdentityFacts]:
    """By primary key; blank facts for a person without identifiers or without a key."""
    ids = [one if isinstance(one, int) else one.pk for one in patients]
    found = dict.fromkeys(ids, IdentityFacts())
    for some in batches(ids):
        readable = Identity.objects.filter(patient__in=some, patient__key__isnull=False)
        for row in readable.select_related("patient__key"):
            found[row.patient_id] = _opened(row, row.patient.key.unwrapped())
    return found


def facts_in(row: Identity) -> IdentityFacts:
    """What this row says; blank facts once the person's key was destroyed."""
    key = keys_of([row.patient_id]).get(row.patient_id)
    return _opened(row, key) if key else IdentityFacts()


def keys_of(patient_ids: Iterable[int]) -> dict[int, bytes]:
    """The unwrapped keys of those who still have one."""
    rows = PatientKey.objects.filter(patient_id__in=list(patient_ids))
    return {row.patient_id: row.unwrapped() for row in rows}


def seal_for(patient_id: int, key: bytes, field: str, text: str) -> str:
    return encryption.seal(key, text, purpose=f"{patient_id}:{field}")


def unseal_for(patient_id: int, key: bytes, field: str, token: str) -> str:
    return encryption.unseal(key, token, purpose=f"{patient_id}:{field}")


def _opened(row: Identity, key: bytes) -> IdentityFacts:
    return IdentityFacts(
        **{name: unseal_for(row.patient_id, key, name, getattr(row, name)) for name in Identity.FIELDS}
    )


# Writing -----------------------------------------------------------------------------------------------------


def save_identity(*, patient: Patient, facts: IdentityFacts, by: User | None) -> None:
    """Needs `acting_as()`. IdentityErased once the person's key was destroyed."""
    if by is not None:
        by.require("identifiers.edit", patient.site_id)
    save_identities(entries=[(patient, facts)])


def save_identities(*, entries: Iterable[tuple[Patient, IdentityFacts]]) -> None:
    """The set-based form for imports: rights are the caller's. Only what differs is encrypted anew."""
    for some in batches(entries):
        _save_some({patient.pk: (patient, facts) for patient, facts in some})


def _save_some(entries: Mapping[int, tuple[Patient, IdentityFacts]]) -> None:
    stored = {row.patient_id: row for row in Identity.objects.filter(patient_id__in=list(entries))}
    keys = keys_to_write(entries)
    new = []
    for pk, (patient, facts) in entries.items():
        row = stored.get(pk) or Identity(patient=patient, site_id=patient.site_id)
        changed = _write_into(row, facts, keys[pk])
        if pk not in stored:
            new.append(row)
        elif changed:
            row.version += 1
            row.save()
    Identity.objects.bulk_create(new)
    _index({pk: facts for pk, (_, facts) in entries.items()})


def keys_to_write(patient_ids: Iterable[int]) -> dict[int, bytes]:
    """The keys of these people, made where there is none yet. IdentityErased where it was destroyed."""
    ids = list(patient_ids)
    keys = keys_of(ids)
    missing = [pk for pk in ids if pk not in keys]
    if erased := Identity.objects.filter(patient_id__in=missing).first():
        raise IdentityErased(f"The identifiers of patient {erased.patient} were erased.")
    made = [PatientKey(patient_id=pk, wrapped=encryption.new_person_key()) for pk in missing]
    PatientKey.objects.bulk_create(made)
    return keys | {row.patient_id: row.unwrapped() for row in made}


def _write_into(row: Identity, facts: IdentityFacts, key: bytes) -> bool:
    """Encrypting the same text twice gives two texts, so what did not change is left as it stands."""
    before = _opened(row, key)
    for name, text in asdict(facts).items():
        if getattr(before, name) != text:
            setattr(row, name, seal_for(row.patient_id, key, name, text))
    row.local_id_index = local_id_index(facts.local_id)
    return before != facts


# Searching ---------------------------------------------------------------------------------------------------


def local_id_index(local_id: str) -> str:
    """What a record number is compared by; blank stays blank."""
    normalised = rules.normalise_record_number(local_id)
    return encryption.blind_index("local_id", normalised) if normalised else ""


def twin_index(birth_date: str, family_name: str) -> str:
    """What two people of one birth date and family name share; blank where either is unknown or inexact."""
    if len(birth_date) != 10 or not rules.name_words(family_name):
        return ""
    return encryption.blind_index("twin", f"{birth_date} {' '.join(rules.name_words(family_name))}")


def find_patients(user: User, text: str) -> PatientQuerySet:
    """By patient id for everyone who may see the patient; by names, record number, phone and e-mail only at
    sites where the person may read identifiers.
    """
    text = text.replace("\0", "").strip()  # no name holds one, and PostgreSQL takes none
    if not text:
        return Patient.objects.none()
    visible = Patient.objects.visible_to(user)
    named = Patient.objects.visible_to(user, "identifiers.view").filter(_by_identifier(text))
    by_id = Q(patient_id__icontains=text) if len(text) > 1 else Q(patient_id__iexact=text)
    return visible.filter(by_id | Q(pk__in=named.order_by().values("pk"))).order_by("patient_id", "pk")


def possible_duplicates(user: User, facts: IdentityFacts) -> PatientQuerySet:
    """Who may be this person already: same birth date and family name, or the same record number but for
    leading zeros. Only where `user` may read identifiers; a hint for a person, never a merge.
    """
    twin = twin_index(facts.birth_date, facts.family_name)
    record = rules.normalise_record_number(facts.local_id).lstrip("0")
    same = Q(pk__in=[])
    if twin:
        words = SearchWord.objects.filter(kind="twin", digest=twin)
        same |= Q(pk__in=words.values("patient_id"))
    if record:
        same |= _has("local_id", record)
    return Patient.objects.visible_to(user, "identifiers.view").filter(same).order_by("patient_id", "pk")


def _by_identifier(text: str) -> Q:
    by_names = Q()
    for word in rules.name_words(text):
        by_names &= _has("name", word)
    ways = [_has(kind, value) for kind, value in _numbers(local_id=text, phone=text, email=text)]
    found = by_names or Q(pk__in=[])
    for way in ways:
        found |= way
    return found


def _has(kind: str, normalised: str) -> Q:
    words = SearchWord.objects.filter(kind=kind, digest=encryption.blind_index(kind, normalised))
    return Q(pk__in=words.values("patient_id"))


def _numbers(*, local_id: str, phone: str, email: str) -> Iterator[tuple[str, str]]:
    if record := rules.normalise_record_number(local_id).lstrip("0"):
        yield "local_id", record
    digits = rules.normalise_phone(phone).lstrip("+")
    if len(digits) >= 6:
        yield "phone", digits[-PHONE_DIGITS_COMPARED:]
    if "@" in email:
        yield "email", email.strip().casefold()


def _digests(facts: IdentityFacts) -> set[tuple[str, str]]:
    names = f"{facts.given_name} {facts.family_name} {facts.previous_names}"
    plain = [("name", word) for word in rules.name_words(names)]
    plain += _numbers(local_id=facts.local_id, phone=facts.phone, email=facts.email)
    found = {(kind, encryption.blind_index(kind, value)) for kind, value in plain}
    twin = twin_index(facts.birth_date, facts.family_name)
    return found | ({("twin", twin)} if twin else set())


def _index(entries: Mapping[int, IdentityFacts]) -> None:
    wanted = {(pk, kind, digest) for pk, facts in entries.items() for kind, digest in _digests(facts)}
    stored = {
        (word.patient_id, word.kind, word.digest): word.pk
        for word in SearchWord.objects.filter(patient_id__in=list(entries))
    }
    SearchWord.objects.filter(pk__in=[pk for word, pk in stored.items() if word not in wanted]).delete()
    SearchWord.objects.bulk_create(
        SearchWord(patient_id=pk, kind=kind, digest=digest)
        for pk, kind, digest in sorted(wanted - stored.keys())
    )
