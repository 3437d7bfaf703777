"""What staff do with a patient's pages: find, enrol, correct, withdraw, answer; and what others never see."""

from datetime import date

import pytest
from django.test import Client

from registry.access.models import Site, User
from registry.audit.models import AuditEntry
from registry.patients.actions import ConsentFacts, EnrolmentFacts, NewPatient, enrol_patients
from registry.patients.identity import IdentityFacts, identity_of
from registry.patients.models import Consent, ContactPoint, Enrolment, Patient, PatientKey, Query, StatusEvent
from registry.patients.queries import QueryFacts, open_queries
from tests.cast import NOW, TODAY, person

TOKEN = "a" * 32


@pytest.fixture
def anna(riverside: Site, harbour: Site) -> Patient:
    people = [
        NewPatient(
            site=site, patient_id=number, enrolment=EnrolmentFacts(date(2026, 3, 1)),
            identity=IdentityFacts("Anna", name, birth_date="1970-05-06", local_id="0815"),
            consent=ConsentFacts(date(2026, 2, 27), "2.0"),
        )
        for site, number, name in ((riverside, "RIV-1", "Berg"), (harbour, "HAR-1", "Fjord"))
    ]  # fmt: skip
    return enrol_patients(entries=people, now=NOW)[0]


def text(browser: Client, url: str, **post: str) -> str:
    got = browser.post(url, post) if post else browser.get(url)
    return got.content.decode()


def filled(site: Site, **changes: str) -> dict[str, str]:
    answers = {
        "site": str(site.pk), "form_token": TOKEN, "given_name": "Ida", "family_name": "Holt",
        "birth_date": "1960-02-03", "sex_at_birth": "female", "enrolled_on": "2026-03-02",
        "consent-signed_on": "2026-03-01", "consent-version": "2.0", "consent-tier_registry": "on",
        "eligibility-hiv": "false", "weight_kg": "80.5",
    }  # fmt: skip
    return answers | changes


def test_the_list_shows_names_only_to_those_who_may_read_them(anna, nora, mona, sami, signed_in) -> None:
    for user, seen, names in (
        (nora, ["RIV-1"], True),
        (mona, ["RIV-1"], False),
        (sami, ["RIV-1", "HAR-1"], False),
    ):
        page = text(signed_in(user), "/patients/")
        assert all(number in page for number in seen)
        assert ("Anna Berg" in page) is names
        assert "Fjord" not in page
    read = AuditEntry.objects.filter(action="identifiers read")
    assert [(entry.actor, entry.new) for entry in read] == [("nora", "RIV-1")]


def test_the_list_is_filtered_and_paged_by_key(riverside: Site, nora: User, signed_in) -> None:
    Patient.objects.bulk_create(
        Patient(
            patient_id=f"RIV-{n:03}", site=riverside, status="lost" if n == 7 else "enrolled", created_at=NOW
        )
        for n in range(120)
    )
    browser = signed_in(nora)
    first = text(browser, "/patients/")
    assert "50 of 120 patients" in first
    assert "RIV-049" in first
    assert "RIV-050" not in first
    second = text(browser, "/patients/?after=RIV-049")
    assert "RIV-050" in second
    assert "before=RIV-050" in second
    assert "RIV-049" in text(browser, "/patients/?before=RIV-050")
    lost = text(browser, "/patients/?status=lost")
    assert "RIV-007" in lost
    assert "RIV-008" not in lost


def test_names_are_searched_by_post_and_an_exact_id_opens_the_record(anna, nora, hana, signed_in) -> None:
    assert "RIV-1" in text(signed_in(nora), "/patients/search/", q="berg")
    assert "RIV-1" not in text(signed_in(hana), "/patients/search/", q="berg")
    assert signed_in(nora).get("/patients/search/?q=berg").status_code == 405
    assert signed_in(nora).post("/patients/search/", {"q": "riv-1"}).headers["Location"] == "/patients/RIV-1/"


def test_enrolling_shows_the_id_once_even_when_sent_twice(riverside: Site, nora: User, signed_in) -> None:
    browser = signed_in(nora)
    got = browser.post("/patients/enrol/", filled(riverside))
    patient = Patient.objects.get()
    assert got.headers["Location"] == f"/patients/{patient.patient_id}/"
    assert identity_of(patient).full_name == "Ida Holt"
    assert (patient.eligibility.hiv, patient.eligibility.pregnant) == (False, None)
    assert browser.post("/patients/enrol/", filled(riverside)).headers["Location"] == got.headers["Location"]
    assert Patient.objects.count() == 1


def test_a_possible_twin_is_shown_before_saving(
    anna: Patient, riverside: Site, nora: User, signed_in
) -> None:
    answers = filled(riverside, family_name="BERG", birth_date="1970-05-06")
    browser = signed_in(nora)
    page = text(browser, "/patients/enrol/", **answers)
    assert "may be enrolled already" in page
    assert "RIV-1" in page
    assert "HAR-1" not in page
    assert Patient.objects.count() == 2
    browser.post("/patients/enrol/", answers | {"different_person": "yes"})
    assert Patient.objects.count() == 3


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"enrolled_on": "2999-01-01"}, "lies in the future"),
        ({"birth_date": "1970-02-30"}, "not a date"),
        ({"local_id": "08-15", "different_person": "yes"}, "belongs to another patient"),
        ({"weight_kg": "8"}, "greater than or equal to 20"),
    ],
)
def test_what_cannot_be_is_said_and_nothing_is_stored(
    anna, riverside, nora, signed_in, changes, words
) -> None:
    assert words in text(signed_in(nora), "/patients/enrol/", **filled(riverside, **changes))
    assert Patient.objects.count() == 2


def test_a_nurse_cannot_enrol_at_another_site(riverside, harbour, nora, signed_in) -> None:
    assert "Select a valid choice" in text(signed_in(nora), "/patients/enrol/", **filled(harbour))


def test_two_people_correcting_one_enrolment_see_each_other(
    anna: Patient, nora: User, ines: User, signed_in
) -> None:
    url = "/patients/RIV-1/enrolment/edit/"
    answers = {"enrolled_on": "2026-03-01", "sex_at_birth": "female", "version": "1", "reason": "Scale"}
    signed_in(nora).post(url, answers | {"weight_kg": "80"})
    signed_in(nora).get(
        "/patients/RIV-1/"
    )  # reading stands in the trail of the record, and is no change of it
    page = text(signed_in(ines), url, **answers, weight_kg="82")
    assert "Somebody else saved" in page
    assert "80" in page
    assert Enrolment.objects.get(patient=anna).weight_kg == 80
    signed_in(ines).post(url, answers | {"weight_kg": "82", "version": "2"})
    assert Enrolment.objects.get(patient=anna).weight_kg == 82
    assert AuditEntry.objects.filter(table_name="patients_enrolment", actor="ines", reason="Scale").exists()


def test_identity_is_corrected_with_a_reason(anna: Patient, nora: User, signed_in) -> None:
    url = "/patients/RIV-1/identity/edit/"
    answers = {"given_name": "Anne", "family_name": "Berg", "birth_date": "1970-05-06", "version": "1"}
    assert "required" in text(signed_in(nora), url, **answers)
    signed_in(nora).post(url, answers | {"reason": "Passport"})
    assert identity_of(anna).given_name == "Anne"


@pytest.mark.parametrize("text", ["\0", "Ann\0a", "x" * 100_000, "\u202e\u200b", "%_\\"])
def test_any_text_may_be_searched_for(anna: Patient, nora: User, signed_in, text: str) -> None:
    assert signed_in(nora).post("/patients/search/", {"q": text}).status_code == 200


@pytest.mark.parametrize(
    "more", [{"version": "1000"}, {"version": "-1"}, {"version": "0", "keep.hiv": "theirs"}]
)
def test_a_version_of_answers_nobody_gave_yet_is_shown_again(
    anna: Patient, nora: User, signed_in, more: dict[str, str]
) -> None:
    got = signed_in(nora).post(
        "/patients/RIV-1/eligibility/edit/", {"hiv": "true", "reason": "Typed twice"} | more
    )
    is_first = more["version"] == "0"
    assert got.status_code == (302 if is_first else 409)
    assert Query.objects.filter(field="hiv").exists() == is_first


def test_eligibility_consent_and_contacts_are_kept(anna: Patient, nora: User, signed_in) -> None:
    browser = signed_in(nora)
    browser.post("/patients/RIV-1/eligibility/edit/", {"hiv": "true", "version": "0"})
    assert Query.objects.filter(rule="eligibility", field="hiv", status="open").exists()
    browser.post(
        "/patients/RIV-1/consent/new/",
        {"signed_on": "2026-04-01", "version": "3", "language": "English", "form_token": "c"},
    )
    assert Consent.objects.filter(patient=anna).count() == 2
    facts = {
        "person": "gp",
        "kind": "phone",
        "value": "030 1234567",
        "valid_from": "2026-01-01",
        "may_use": "on",
        "form_token": "p",
    }
    browser.post("/patients/RIV-1/contacts/", facts)
    point = ContactPoint.objects.get()
    browser.post(f"/patients/RIV-1/contacts/{point.pk}/verify/")
    browser.post(f"/patients/RIV-1/contacts/{point.pk}/end/")
    assert ContactPoint.objects.get().valid_to is not None
    assert "030 1234567" in text(browser, "/patients/RIV-1/contacts/")


def test_a_withdrawal_says_its_scope_and_erases_nothing_by_itself(
    anna: Patient, nora: User, ines: User, signed_in
) -> None:
    browser, url = signed_in(nora), "/patients/RIV-1/status/new/"
    assert "withdraws from" in text(browser, url, status="withdrawn", on_date="2026-04-01")
    assert "lies in the future" in text(
        browser, url, status="lost", on_date="2999-01-01", reason="Calls", form_token="s"
    )
    answers = {"status": "withdrawn", "on_date": "2026-04-01", "scope": "erase", "form_token": "n"}
    assert browser.post(url, answers).headers["Location"] == "/patients/RIV-1/consent/"
    assert (
        signed_in(ines).post(url, answers | {"form_token": "i", "reason": "Letter"}).headers["Location"]
        == "/patients/RIV-1/erase/"
    )
    assert StatusEvent.objects.filter(patient=anna, scope="erase").count() == 1
    assert PatientKey.objects.filter(patient=anna).exists()


def test_queries_are_answered_by_the_site_and_closed_by_the_monitor(
    anna, nora, mona, hana, signed_in
) -> None:
    query = Query.objects.filter(site=anna.site).first()
    url = f"/patients/queries/{query.pk}/"
    assert query.reason in text(signed_in(nora), "/patients/queries/").replace("&quot;", '"')
    assert query.reason not in text(signed_in(hana), "/patients/queries/")
    assert signed_in(hana).get(url).status_code == 404
    signed_in(nora).post(f"{url}answer/", {"answer": "The form is in the binder"})
    assert "in the binder" in text(signed_in(mona), url)
    assert signed_in(nora).post(f"{url}close/").status_code == 403
    signed_in(mona).post(f"{url}close/", {"because": "Seen"})
    query.refresh_from_db()
    assert (query.status, query.closed_by) == ("closed", mona)


def test_a_query_links_to_the_record_for_those_who_may_open_it(anna, riverside, nora, signed_in) -> None:
    asked = QueryFacts(
        kind="deviation", rule="late", record=f"patients.patient:{anna.pk}", reason="Late",
        site_id=riverside.pk, patient_id=anna.pk,
    )  # fmt: skip
    [query] = open_queries([asked], now=NOW)
    url, link = f"/patients/queries/{query.pk}/", 'href="/patients/RIV-1/"'
    assert link in text(signed_in(nora), url)
    seen_by_laboratory = text(signed_in(person("lena", "laboratory", riverside)), url)
    assert "RIV-1" in seen_by_laboratory
    assert link not in seen_by_laboratory


def test_a_record_tells_its_history_in_words_without_identifiers(anna, nora, hana, adam, signed_in) -> None:
    answers = {"enrolled_on": TODAY.replace(year=2026).isoformat(), "sex_at_birth": "male", "version": "1"}
    signed_in(nora).post("/patients/RIV-1/enrolment/edit/", answers | {"reason": "Wrong day"})
    url = f"/history/patients.patient/{anna.pk}/"
    page = text(signed_in(nora), url)
    assert "Wrong day" in page
    assert "Sex at birth: Unknown" in page
    assert "(encrypted)" in page
    assert "Berg" not in page
    assert "research nurse, RIV" in page or "nurse, RIV" in page
    assert signed_in(hana).get(url).status_code == 404
    assert signed_in(adam).get(url).status_code == 403
    for other in ("audit.auditentry", "nothing.here", "access.user"):
        assert signed_in(nora).get(f"/history/{other}/1/").status_code == 404
