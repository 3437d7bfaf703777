"""Patients and their status as files: the same file twice changes nothing, and one bad row refuses the whole."""

from pathlib import Path

import pytest

from registry.access.models import Site, User
from registry.exchange.actions import Report, import_file
from registry.exchange.resources import Context
from registry.patients.erasing import destroy_key
from registry.patients.identity import IdentityFacts, identity_of
from registry.patients.models import Consent, Enrolment, Identity, Patient, Query, StatusEvent
from tests.cast import NOW

HEAD = "site,patient_id,local_id,given_name,family_name,birth_date,sex,enrolment_date,consent_version,consent_date,weight_kg"
ROW = "RIV,RIV-17,0815,Anna,Berg,1970-05-06,female,2031-03-01,2.0,2031-02-27,75"
STATUS = "patient_id,status,on_date,scope,reason"


@pytest.fixture
def bring(tmp_path: Path, riverside: Site):
    def go(
        *lines: str, kind: str = "patients", by: User | None = None, reason: str = "", head: str = ""
    ) -> Report:
        head = head or {"patients": HEAD, "status": STATUS}[kind]
        file = tmp_path / f"{kind}.csv"
        file.write_text("\n".join([head, *lines]), encoding="utf-8")
        context = Context(now=NOW, by=by, reason=reason)
        return import_file(kind=kind, path=file, context=context, commit=True)

    return go


def test_a_new_patient_is_created_once(bring) -> None:
    first, second = bring(ROW), bring(ROW)
    assert (first.created, first.flagged, first.committed) == (1, 1, True)  # the consent version was unknown
    assert (second.created, second.unchanged, second.flagged) == (0, 1, 0)
    patient = Patient.objects.get(patient_id="RIV-17")
    assert (patient.birth_year, patient.status) == (1970, "enrolled")
    assert identity_of(patient) == IdentityFacts(
        given_name="Anna", family_name="Berg", birth_date="1970-05-06", local_id="0815"
    )


def test_a_new_consent_version_is_reported_once_a_file(bring) -> None:
    report = bring(ROW, ROW.replace("RIV-17", "RIV-18").replace("0815", "0816").replace("Berg", "Tal"))
    assert (report.created, report.flagged) == (2, 1)


def test_what_the_export_wrote_comes_in(bring) -> None:
    head = f"{HEAD},status,gender,organs_absent"
    assert bring(f"{ROW},withdrawn,woman,uterus;ovaries", head=head).created == 1
    patient = Patient.objects.get()
    assert (patient.gender, patient.organs_absent) == ("woman", "uterus;ovaries")
    assert patient.status == "enrolled"  # the status file says what became of them
    assert bring(f"{ROW},withdrawn,woman,uterus;ovaries", head=head).unchanged == 1


def test_a_blank_id_is_allocated_and_found_again_by_record_number(bring) -> None:
    row = ROW.replace("RIV-17", "")
    assert bring(row).created == 1
    assert bring(row).unchanged == 1
    assert Patient.objects.get().patient_id.startswith("RIV-0001-")


def test_a_changed_row_needs_a_reason_and_then_changes_only_what_differs(bring) -> None:
    bring(ROW)
    changed = ROW.replace("Berg", "Berger").replace(",75", ",78").replace("1970-05-06", "1971-05-06")
    refused = bring(changed)
    assert (refused.refused, refused.errors[0].code) == (1, "reason_required")
    assert bring(changed, reason="Passport seen").updated == 1
    patient = Patient.objects.get()
    assert (identity_of(patient).family_name, patient.birth_year) == ("Berger", 1971)
    assert Enrolment.objects.get().weight_kg == 78
    assert bring(changed).unchanged == 1


def test_a_blank_cell_says_nothing_and_a_new_consent_is_added(bring) -> None:
    bring(ROW)
    row = ROW.replace("Anna", "").replace("2.0,2031-02-27", "3.0,2031-03-02").replace(",75", ",")
    assert bring(row, reason="Signed the new version").updated == 1
    assert identity_of(Patient.objects.get()).given_name == "Anna"
    assert Enrolment.objects.get().weight_kg == 75
    assert Consent.objects.count() == 2


def test_a_moved_enrolment_date_moves_its_step(bring) -> None:
    bring(ROW)
    bring(ROW.replace("2031-03-01", "2031-03-05"), reason="Typing error")
    assert StatusEvent.objects.get().on_date == "2031-03-05"


@pytest.mark.parametrize(
    ("row", "column", "code"),
    [
        (ROW.replace("RIV,", "NOWHERE,", 1), "site", "unknown_site"),
        (ROW.replace("2031-03-01", "2031-03-20"), "enrolment_date", "impossible_date"),
        (ROW.replace("2031-02-27", "1960-01-01"), "consent_date", "impossible_date"),
        (ROW.replace("1970-05-06", "2040"), "birth_date", "impossible_date"),
        (ROW.replace("1970-05-06", "1970-02-30"), "birth_date", "not_a_date"),
        (ROW.replace("RIV-17,0815", ","), "patient_id", "no_key"),
        (ROW.replace("RIV-17", "a/b"), "patient_id", "not_a_patient_id"),
        (ROW.replace("RIV-17", "enrol"), "patient_id", "not_a_patient_id"),
        (ROW.replace("female", "f"), "sex", "not_allowed"),
        (ROW.replace(",75", ",7.5"), "weight_kg", "out_of_range"),
    ],
)
def test_the_impossible_is_refused_by_name_and_nothing_is_stored(
    bring, row: str, column: str, code: str
) -> None:
    good = ROW.replace("RIV-17", "RIV-18").replace("0815", "0816")
    report = bring(good, row)
    error = report.errors[0]
    assert (report.committed, error.row, error.column, error.code) == (False, 3, column, code)
    assert not Patient.objects.exists()


def test_deviations_are_accepted_flagged_and_queried(bring) -> None:
    report = bring(ROW.replace("2031-02-27", "2031-03-04"))
    assert (report.created, report.flagged) == (1, 1)
    assert Query.objects.filter(rule="enrolled_before_consent", kind="deviation").count() == 1


def test_one_person_twice_in_a_file_and_a_used_record_number_are_refused(bring) -> None:
    assert bring(ROW, ROW).errors[0].code == "twice_in_file"
    bring(ROW)
    other = ROW.replace("RIV-17", "RIV-18").replace("0815", "08-15")
    assert bring(other).errors[0].code == "already_used"


def test_another_sites_patient_and_site_are_out_of_reach(
    bring, harbour: Site, hana: User, dele: User
) -> None:
    bring(ROW)
    assert bring(ROW, by=hana).errors[0].code == "unknown_site"
    report = bring(ROW.replace("RIV,", "HAR,", 1), by=hana)
    assert report.errors[0].code == "not_at_site"
    assert "Riverside" not in report.errors[0].message
    absent, unreachable = (
        bring(f"{patient},lost,2031-03-05,,", kind="status", by=hana).errors[0].message
        for patient in ("RIV-99", "RIV-17")
    )
    assert absent.replace("RIV-99", "X") == unreachable.replace("RIV-17", "X")


STATES_ELSEWHERE = ["as enrolled", "withdrawn", "deceased", "erased", "never named", "moved there"]


def _become(state: str, patient: Patient, harbour: Site) -> None:
    if state in ("withdrawn", "deceased"):
        Patient.objects.update(status=state)
    elif state == "erased":
        destroy_key(patient=patient, now=NOW)
    elif state == "never named":
        Identity.objects.all().delete()
    Patient.objects.update(site=harbour)
    Identity.objects.update(site=harbour)


@pytest.mark.parametrize("state", STATES_ELSEWHERE)
def test_an_id_of_another_site_is_taken_and_nothing_more_is_said(
    bring, dele: User, harbour: Site, state: str
) -> None:
    """Not where the person is, nor what became of them, nor whether the name in the file is theirs."""
    bring(ROW)
    _become(state, Patient.objects.get(), harbour)
    for line in (ROW, "RIV,RIV-17,77,Bruno,Tal,1950-01-01,male,2030-03-01,1.0,2030-02-27,90"):
        report = bring(line, by=dele, reason="Checked")
        said = [(one.row, one.column, one.value, one.code, one.message) for one in report.errors]
        assert said == [(2, "patient_id", "RIV-17", "not_at_site", "cannot be used at site RIV")]
        assert (report.refused, report.flagged, report.flags) == (1, 0, [])
        assert not any(word in str(report.as_dict()) for word in ("HAR", "Harbour", state))


def test_an_erased_person_is_not_named_again(bring) -> None:
    bring(ROW)
    bring("RIV-17,withdrawn,2031-03-05,erase,Asked by letter", kind="status")
    patient = Patient.objects.get()
    destroy_key(patient=patient, now=NOW)
    assert bring(ROW, reason="again").errors[0].code == "erased"
    assert Identity.objects.count() == 1


def test_people_without_names_are_fine(bring) -> None:
    bare = "RIV,01-701-1015,1015,,,1950-12-26,female,2013-12-26,1.0,2013-12-26,75"
    assert bring(bare).created == 1
    assert bring(bare).unchanged == 1


def test_status_history_comes_in_once_and_keeps_the_patient_in_step(bring) -> None:
    bring(ROW)
    lines = ["RIV-17,in_follow_up,2031-03-02,,", "RIV-17,withdrawn,2031-03-05,no_visits,Moved away"]
    assert bring(*lines, kind="status").created == 2
    assert Patient.objects.get().status == "withdrawn"
    assert bring(*lines, kind="status").unchanged == 2
    changed = lines[1].replace("no_visits", "no_contact")
    assert bring(changed, kind="status").errors[0].code == "reason_required"
    assert bring(changed, kind="status", reason="Letter read again").updated == 1
    assert StatusEvent.objects.filter(status="withdrawn").values_list("scope", flat=True)[0] == "no_contact"


DEATH = "patient_id,status,on_date,death_confirmed,cause_of_death,autopsy"


def test_a_confirmed_death_comes_in_as_the_export_writes_it(bring) -> None:
    bring(ROW)
    reported, confirmed = "RIV-17,deceased,2031-03-05,no,,", "RIV-17,deceased,2031-03-05,yes,Stroke,done"
    assert bring(reported, kind="status", head=DEATH).created == 1
    assert bring(confirmed, kind="status", head=DEATH).errors[0].code == "reason_required"
    assert bring(confirmed, kind="status", head=DEATH, reason="Certificate came").updated == 1
    event = StatusEvent.objects.get(status="deceased")
    assert (event.death_confirmed, event.cause_of_death, event.autopsy) == (True, "Stroke", "done")
    assert bring(confirmed, kind="status", head=DEATH).unchanged == 1
    assert bring("RIV-17,deceased,2031-03-05,,", kind="status").unchanged == 1


def test_what_belongs_to_a_death_is_refused_elsewhere(bring) -> None:
    bring(ROW)
    error = bring("RIV-17,lost,2031-03-05,,Stroke,", kind="status", head=DEATH).errors[0]
    assert (error.column, error.code) == ("cause_of_death", "impossible")


def test_a_withdrawal_without_scope_and_an_erasure_are_flagged(bring) -> None:
    bring(ROW)
    report = bring("RIV-17,withdrawn,2031-03,,", "RIV-17,withdrawn,2031-03-05,erase,", kind="status")
    assert (report.created, report.flagged) == (2, 2)
    assert identity_of(Patient.objects.get()).given_name == "Anna"
    rules = set(Query.objects.values_list("rule", flat=True))
    assert {"withdrawal_scope_missing", "erasure_waits"} <= rules


@pytest.mark.parametrize("line", ["RIV-17,lost,2031-04-01,,", "RIV-17,lost,2031-03-01,no_cells,"])
def test_an_impossible_status_is_refused(bring, line: str) -> None:
    bring(ROW)
    assert bring(line, kind="status").errors[0].code == "impossible"
