"""Enrolment keeps what was said, asks where it contradicts itself, and refuses only the impossible."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from django.core.exceptions import PermissionDenied

from registry.access.models import Site, User
from registry.audit.models import AuditEntry
from registry.patients.actions import (
    ConsentFacts,
    EnrolmentFacts,
    NewPatient,
    PersonFacts,
    allocate_patient_ids,
    correct_identity,
    enrol_patient,
    enrol_patients,
    record_consent,
    save_eligibility,
    update_enrolment,
)
from registry.patients.contacts import ContactFacts, add_contact, contacts_of, end_contact, verify_contact
from registry.patients.erasing import destroy_key
from registry.patients.identity import IdentityFacts, find_patients, identity_of
from registry.patients.models import Consent, Enrolment, Identity, Patient, PatientKey, Query, SearchWord
from registry.patients.rules import patient_id_is_wellformed
from registry.patients.signals import patient_enrolled, status_changed
from registry.patients.status import (
    CannotRecord,
    StatusFacts,
    record_status,
)
from registry.saving import ChangedMeanwhile
from tests.cast import NOW, TODAY

ANNA = IdentityFacts(given_name="Anna", family_name="Berg", birth_date="1970-05-06", local_id="0815")
IN = EnrolmentFacts(enrolled_on=date(2031, 3, 1))
SIGNED = ConsentFacts(signed_on=date(2031, 2, 27), version="2.0")


def a_new(site: Site, **changes: object) -> NewPatient:
    facts: dict[str, object] = {"site": site, "enrolment": IN, "identity": ANNA, "consent": SIGNED}
    return NewPatient(**facts | changes)


@pytest.fixture
def anna(riverside: Site) -> Patient:
    return enrol_patient(new=a_new(riverside), by=None, now=NOW)


def open_rules() -> set[str]:
    return set(Query.objects.exclude(status="closed").values_list("rule", flat=True))


def test_enrolment_allocates_an_id_keeps_the_year_in_clear_and_tells(riverside: Site, nora: User) -> None:
    heard: list[int] = []

    def hear(*, patients: list[int], **_: object) -> None:
        heard.extend(patients)

    patient_enrolled.connect(hear)
    try:
        patient = enrol_patient(new=a_new(riverside), by=nora, now=NOW)
    finally:
        patient_enrolled.disconnect(hear)
    assert heard == [patient.pk]
    assert patient_id_is_wellformed(patient.patient_id)
    assert (patient.birth_year, patient.status) == (1970, "enrolled")
    assert identity_of(patient) == ANNA
    assert open_rules() == {"consent_version_unknown"}


def test_another_site_and_a_reader_may_not_enrol(riverside: Site, hana: User, mona: User) -> None:
    for user in (hana, mona):
        with pytest.raises(PermissionDenied):
            enrol_patient(new=a_new(riverside), by=user, now=NOW)


def test_ids_are_given_once_and_step_over_those_brought_along(riverside: Site) -> None:
    first = allocate_patient_ids(site=riverside, count=40)
    Patient.objects.create(
        patient_id=allocate_patient_ids(site=riverside, count=1)[0], site=riverside, created_at=NOW
    )
    Site.objects.filter(pk=riverside.pk).update(next_serial=1)
    Patient.objects.create(patient_id=first[3], site=riverside, created_at=NOW)
    again = allocate_patient_ids(site=riverside, count=40)
    assert len(set(first)) == len(set(again)) == 40
    assert not set(again) & set(Patient.objects.values_list("patient_id", flat=True))


@pytest.mark.parametrize(
    "changes",
    [
        {"enrolment": EnrolmentFacts(enrolled_on=date(2031, 3, 20))},
        {"identity": IdentityFacts(birth_date="2031-04")},
        {"identity": IdentityFacts(birth_date="2031-03-10")},
        {"consent": ConsentFacts(signed_on=date(1960, 1, 1))},
        {"enrolment": EnrolmentFacts(enrolled_on=date(2031, 3, 1), diabetes_diagnosis_date="1969")},
    ],
)
def test_impossible_dates_are_refused(riverside: Site, changes: dict[str, object]) -> None:
    with pytest.raises(CannotRecord):
        enrol_patient(new=a_new(riverside, **changes), by=None, now=NOW)
    assert not Patient.objects.exists()


def test_broken_rules_are_recorded_and_queried_and_settled_by_correction(riverside: Site, nora: User) -> None:
    new = a_new(
        riverside,
        consent=None,
        enrolment=EnrolmentFacts(
            enrolled_on=date(2031, 3, 1), diabetes_diagnosis_date="2031-03-05", weight_kg=Decimal(30)
        ),
        eligibility={"hiv": True, "baseline_neoplasia_check": False, "pregnant": None},
    )
    patient = enrol_patient(new=new, by=None, now=NOW)
    assert open_rules() == {
        "consent_missing", "diagnosed_after_enrolment", "baseline_out_of_range", "eligibility",
    }  # fmt: skip
    assert Query.objects.filter(rule="eligibility").count() == 2
    record_consent(patient=patient, facts=ConsentFacts(signed_on=date(2031, 3, 4)), by=nora, now=NOW)
    assert "consent_missing" not in open_rules()
    assert "enrolled_before_consent" in open_rules()
    update_enrolment(
        patient=patient, facts=EnrolmentFacts(enrolled_on=date(2031, 3, 6), weight_kg=Decimal(80)),
        person=PersonFacts(sex_at_birth="female"), version=1, reason="Typing error", by=nora, now=NOW,
    )  # fmt: skip
    assert open_rules() == {"eligibility", "consent_version_unknown"}
    assert AuditEntry.objects.filter(table_name="patients_enrolment", reason="Typing error").exists()
    with pytest.raises(ChangedMeanwhile):
        update_enrolment(
            patient=patient, facts=IN, person=PersonFacts(), version=1, reason="x", by=nora, now=NOW
        )


def test_same_birth_date_and_name_warns_and_merges_nothing(
    riverside: Site, harbour: Site, anna: Patient
) -> None:
    twin = IdentityFacts(given_name="Ada", family_name="BERG", birth_date="1970-05-06")
    enrol_patients(entries=[a_new(riverside, identity=twin), a_new(harbour, identity=twin)], now=NOW)
    assert Patient.objects.count() == 3
    here = Query.objects.get(rule="possible_twin", site=riverside)
    assert anna.patient_id in here.reason
    assert "HAR" not in here.reason
    assert all(q.site is None for q in Query.objects.filter(rule="possible_twin_at_another_site"))


def test_identity_is_corrected_with_a_reason_and_only_from_the_newest_version(
    anna: Patient, nora: User
) -> None:
    better = IdentityFacts(**vars(ANNA) | {"birth_date": "1971-05-06"})
    correct_identity(patient=anna, facts=better, version=1, reason="Passport seen", by=nora, now=NOW)
    anna.refresh_from_db()
    assert (anna.birth_year, identity_of(anna).birth_date) == (1971, "1971-05-06")
    with pytest.raises(ChangedMeanwhile):
        correct_identity(patient=anna, facts=ANNA, version=1, reason="No", by=nora, now=NOW)


def test_eligibility_is_saved_from_the_newest_version_only(anna: Patient, nora: User) -> None:
    save_eligibility(patient=anna, answers={"hiv": True}, version=0, reason="", by=nora, now=NOW)
    with pytest.raises(ChangedMeanwhile):
        save_eligibility(patient=anna, answers={}, version=0, reason="", by=nora, now=NOW)
    saved = save_eligibility(
        patient=anna, answers={"hiv": False}, version=1, reason="Retested", by=nora, now=NOW
    )
    assert (saved.hiv, saved.version) == (False, 2)
    assert "eligibility" not in open_rules()


def test_status_follows_the_latest_step_and_tells(anna: Patient, nora: User) -> None:
    heard: list[int] = []

    def hear(*, patients: list[int], **_: object) -> None:
        heard.extend(patients)

    status_changed.connect(hear)
    try:
        record_status(patient=anna, facts=StatusFacts("in_follow_up", "2031-03-10"), by=nora, now=NOW)
        record_status(patient=anna, facts=StatusFacts("screening", "2031-02"), by=nora, now=NOW)
    finally:
        status_changed.disconnect(hear)
    assert anna.status == "in_follow_up"
    assert heard == [anna.pk, anna.pk]


def test_a_death_is_reported_and_then_confirmed(anna: Patient, nora: User) -> None:
    first = record_status(patient=anna, facts=StatusFacts("deceased", "2031-03-12"), by=nora, now=NOW)
    assert first.death_confirmed is False
    facts = StatusFacts(
        "deceased", "2031-03-12", death_confirmed=True, cause_of_death="Pneumonia", autopsy="not_done"
    )
    with pytest.raises(CannotRecord, match="say in the reason why"):
        record_status(patient=anna, facts=facts, by=nora, now=NOW)
    facts = replace(facts, reason="Certificate seen")
    second = record_status(patient=anna, facts=facts, by=nora, now=NOW)
    assert (second.pk, second.death_confirmed, second.cause_of_death) == (first.pk, True, "Pneumonia")


def test_the_future_and_a_scope_without_withdrawal_are_refused(anna: Patient) -> None:
    for facts in (StatusFacts("lost", "2031-03-15"), StatusFacts("lost", "2031-03-10", scope="no_cells")):
        with pytest.raises(CannotRecord):
            record_status(patient=anna, facts=facts, by=None, now=NOW)


def test_contradicting_steps_are_kept_and_queried(anna: Patient) -> None:
    record_status(patient=anna, facts=StatusFacts("deceased", "2031-03-02"), by=None, now=NOW)
    record_status(patient=anna, facts=StatusFacts("completed", "2031-03-05"), by=None, now=NOW)
    record_status(patient=anna, facts=StatusFacts("lost", "2030"), by=None, now=NOW)
    assert {"status_after_death", "completed_before_last_year", "status_before_enrolment"} <= open_rules()


def test_a_withdrawal_without_a_scope_asks_for_it(anna: Patient) -> None:
    record_status(patient=anna, facts=StatusFacts("withdrawn", "2031-03-04"), by=None, now=NOW)
    assert "withdrawal_scope_missing" in open_rules()


def test_an_erasure_leaves_the_record_and_nobody_to_find(anna: Patient, nora: User) -> None:
    add_contact(patient=anna, facts=ContactFacts("+44 20 7946 0958", valid_from=TODAY), by=nora)
    record_status(patient=anna, facts=StatusFacts("withdrawn", "2031-03-05", "erase"), by=nora, now=NOW)
    assert "erasure_waits" in open_rules()
    assert PatientKey.objects.exists()
    destroy_key(patient=anna, now=NOW)
    assert not identity_of(anna)
    assert [c.value for c in contacts_of(anna)] == [""]
    assert not SearchWord.objects.exists()
    assert Identity.objects.get().local_id_index == ""
    assert list(find_patients(nora, "berg")) == []
    assert "erasure_waits" not in open_rules()
    assert Enrolment.objects.filter(patient=anna).exists()


def test_contact_points_are_verified_and_ended_never_removed(anna: Patient, nora: User, mona: User) -> None:
    point = add_contact(patient=anna, facts=ContactFacts("a@example.org", TODAY, kind="email"), by=nora)
    assert "example" not in point.value
    with pytest.raises(PermissionDenied):
        end_contact(point=point, on=TODAY, by=mona)
    verify_contact(point=point, on=TODAY, by=nora)
    end_contact(point=point, on=TODAY, by=nora)
    (kept,) = contacts_of(anna)
    assert (kept.value, kept.point.verified_on, kept.point.valid_to) == ("a@example.org", TODAY, TODAY)


def test_the_same_consent_is_recorded_once(anna: Patient) -> None:
    record_consent(patient=anna, facts=SIGNED, by=None, now=NOW)
    assert Consent.objects.count() == 1
    with pytest.raises(CannotRecord):
        record_consent(patient=anna, facts=ConsentFacts(signed_on=date(2031, 3, 15)), by=None, now=NOW)
