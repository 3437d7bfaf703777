"""Identifiers are unreadable without the person's key, and found only by those who may read them."""

import pytest
from django.db import DatabaseError, transaction

from registry.access.models import Site, User
from registry.audit.models import AuditEntry
from registry.patients.identity import (
    IdentityErased,
    IdentityFacts,
    find_patients,
    identities_of,
    identity_of,
    save_identities,
    save_identity,
)
from registry.patients.models import Identity, Patient, PatientKey, SearchWord
from tests.cast import NOW

ELODIE = IdentityFacts(
    given_name="Élodie",
    family_name="Delgado-Ruiz",
    previous_names="Martin",
    birth_date="1973-02-03",
    local_id="00-4711",
    phone="+44 (0)20 7946 0958",
    email="Elodie@Example.org",
)


def a_patient(site: Site, patient_id: str = "RIV-0001-X") -> Patient:
    return Patient.objects.create(patient_id=patient_id, site=site, birth_year=1973, created_at=NOW)


@pytest.fixture
def elodie(riverside: Site) -> Patient:
    patient = a_patient(riverside)
    save_identity(patient=patient, facts=ELODIE, by=None)
    return patient


def test_what_was_saved_is_read_back_and_nothing_is_stored_in_clear(elodie: Patient) -> None:
    assert identity_of(elodie) == ELODIE
    row = Identity.objects.get()
    stored = " ".join(str(getattr(row, field.attname)) for field in Identity._meta.fields)
    trail = " ".join(entry.new for entry in AuditEntry.objects.all())
    for text in (ELODIE.given_name, "Delgado", "1973-02-03", "4711", "7946", "Elodie@"):
        assert text not in stored
        assert text not in trail
    assert SearchWord.objects.first().digest not in trail


def test_destroying_the_key_erases_the_person_and_keeps_them_erased(elodie: Patient) -> None:
    PatientKey.objects.get().delete()
    assert not identity_of(elodie)
    with pytest.raises(IdentityErased):
        save_identity(patient=elodie, facts=ELODIE, by=None)


def test_only_a_changed_identifier_is_encrypted_anew(elodie: Patient) -> None:
    before = Identity.objects.get()
    save_identity(patient=elodie, facts=ELODIE, by=None)
    assert Identity.objects.get().version == before.version
    save_identity(patient=elodie, facts=IdentityFacts(**vars(ELODIE) | {"family_name": "Ruiz"}), by=None)
    after = Identity.objects.get()
    assert (after.given_name, after.version) == (before.given_name, before.version + 1)
    assert after.family_name != before.family_name
    assert identity_of(elodie).family_name == "Ruiz"


@pytest.mark.parametrize(
    "text",
    [
        "elodie", "DELGADO", "ruiz élodie", "martin", "4711", "00 4711", "020 7946 0958", "+442079460958",
        "elodie@example.ORG", "riv-0001", "0001",
    ],
)  # fmt: skip
def test_who_may_read_identifiers_finds_by_any_of_them(elodie: Patient, nora: User, text: str) -> None:
    assert list(find_patients(nora, text)) == [elodie]


@pytest.mark.parametrize("text", ["elodie smith", "delg", "", "  ", "4712", "@"])
def test_what_does_not_match_finds_nobody(elodie: Patient, nora: User, text: str) -> None:
    assert list(find_patients(nora, text)) == []


def test_names_find_nobody_for_the_pseudonymous_and_the_other_site(
    elodie: Patient, mona: User, sami: User, hana: User
) -> None:
    for user in (mona, sami):
        assert list(find_patients(user, "elodie")) == []
        assert list(find_patients(user, "RIV-0001")) == [elodie]
    for text in ("elodie", "RIV-0001"):
        assert list(find_patients(hana, text)) == []


def test_a_corrected_name_is_found_and_the_old_one_no_longer(elodie: Patient, nora: User) -> None:
    save_identity(patient=elodie, facts=IdentityFacts(family_name="Okafor"), by=nora)
    assert list(find_patients(nora, "okafor")) == [elodie]
    assert list(find_patients(nora, "delgado")) == []


def test_a_record_number_is_used_once_at_a_site(elodie: Patient, riverside: Site, harbour: Site) -> None:
    save_identity(patient=a_patient(harbour, "HAR-0001-X"), facts=IdentityFacts(local_id="004711"), by=None)
    twin = a_patient(riverside, "RIV-0002-X")
    with pytest.raises(DatabaseError, match=r"unique|UNIQUE"), transaction.atomic():
        save_identity(patient=twin, facts=IdentityFacts(local_id="00 4711"), by=None)


def test_many_are_saved_and_read_in_few_queries(riverside: Site, django_assert_max_num_queries) -> None:
    people = [a_patient(riverside, f"RIV-{n:04}-X") for n in range(1, 31)]
    entries = [(p, IdentityFacts(given_name=f"Name{n}", family_name="Test")) for n, p in enumerate(people)]
    with django_assert_max_num_queries(12):
        save_identities(entries=entries)
    with django_assert_max_num_queries(2):
        found = identities_of(people)
    assert [found[p.pk].given_name for p in people] == [f"Name{n}" for n in range(30)]
