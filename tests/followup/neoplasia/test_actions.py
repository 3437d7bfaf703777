"""A check closes nothing it did not see; a suspicion stays on Today, and holds infusions, until an investigator closes it."""

from datetime import date

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction

from followup.neoplasia.actions import (
    add_work_up_note,
    assess_neoplasm,
    close_neoplasm,
    last_examined_on,
    record_case_event,
    record_check,
    reopen,
    report_neoplasm,
    status_known_on,
    update_workup,
)
from followup.neoplasia.models import CheckItem, NeoplasiaCheck, Neoplasm
from followup.safety.models import AdverseEvent
from followup.schedule.models import Visit, VisitAssessment, WorkItem
from registry.audit.models import AuditEntry
from registry.infusions.models import Infusion, InfusionHold
from registry.infusions.signals import infusions_recorded
from registry.patients.models import Patient, Query
from registry.saving import ChangedMeanwhile, NotAccepted
from tests.cast import NOW, TODAY

ANSWERS = {"weight_loss": "no", "skin": "normal", "abdominal_ultrasound": "normal", "cea": "normal"}
EXCLUDED = {"status": "excluded", "conclusion": "MRI without a mass"}
MALIGNANT = {
    "status": "malignant",
    "topography": "C25.0",
    "morphology": "8140/3",
    "diagnosed_on": "2031-03",
    "donor_origin": "recipient",
    "basis_of_diagnosis": "histology_primary",
    "conclusion": "Biopsy",
}


@pytest.fixture
def maria(riverside):
    return Patient.objects.create(
        patient_id="RIV-0001-A", site=riverside, created_at=NOW, birth_year=1970, sex_at_birth="female"
    )


@pytest.fixture
def visit(maria):
    visit = Visit.objects.create(
        patient=maria, site=maria.site, visit_code="M12", target_date=TODAY, window_opens=TODAY,
        window_closes=TODAY, created_on=TODAY, neoplasia_check=True,
    )  # fmt: skip
    for code in ("neoplasia_check", "physical_exam", "imaging", "glycaemia"):
        VisitAssessment.objects.create(visit=visit, code=code)
    return visit


@pytest.fixture
def check(maria, nora):
    def record(**more):
        given = {
            "on_date": TODAY, "contact_mode": "on_site", "outcome": "no_suspicion", "answers": ANSWERS, "form_token": "a",
        } | more  # fmt: skip
        return record_check(patient=maria, by=nora, now=NOW, **given)

    return record


@pytest.fixture
def suspicion(check):
    check(outcome="suspicion", finding="Mass in the pancreas")
    return Neoplasm.objects.get()


def done(visit):
    return set(visit.assessments.filter(state="done").values_list("code", flat=True))


def tasks():
    return set(WorkItem.objects.open().values_list("kind", flat=True))


def held(patient):
    return InfusionHold.objects.filter(patient=patient, released_at=None).exists()


def close(case, ines, conclusion=None, version=1):
    return close_neoplasm(case=case, conclusion=conclusion or EXCLUDED, version=version, by=ines, now=NOW)


# The check -----------------------------------------------------------------------------------------------------------


def test_a_check_on_site_answers_its_parts_of_the_visit_and_no_others(check, visit):
    stored = check(visit=visit)
    assert not stored.is_partial
    assert done(visit) == {"neoplasia_check", "physical_exam", "imaging"}
    visit.refresh_from_db()
    assert visit.state == "planned"


def test_by_phone_examination_and_imaging_stay_due(check, visit, maria):
    assert check(visit=visit, contact_mode="phone").is_partial
    assert done(visit) == {"neoplasia_check"}
    assert last_examined_on(maria) is None


def test_the_last_examination_is_the_last_in_person(check, maria):
    check(on_date=date(2030, 3, 1))
    check(form_token="b", contact_mode="phone")
    assert last_examined_on(maria) == date(2030, 3, 1)


def test_blank_answers_are_not_done(check):
    check(answers=ANSWERS | {"lump": "", "nodes": "not_applicable"}, details={"skin": "scar, old"})
    rows = {item.item: (item.status, item.result) for item in CheckItem.objects.all()}
    assert rows["lump"] == ("not_done", "")
    assert rows["nodes"] == ("not_applicable", "")
    assert rows["skin"] == ("done", "normal: scar, old")


def test_a_form_sent_twice_is_one_check(check):
    assert check().pk == check().pk
    assert NeoplasiaCheck.objects.count() == 1


def test_a_suspicion_needs_words_and_a_day_that_has_come(check):
    with pytest.raises(NotAccepted, match="in a few words"):
        check(outcome="suspicion")
    with pytest.raises(NotAccepted, match="not come yet"):
        check(on_date=date(2031, 3, 16))


def test_who_may_not_record_a_check(maria, mona):
    with pytest.raises(PermissionDenied):
        record_check(
            patient=maria, on_date=TODAY, contact_mode="phone", outcome="no_suspicion", answers={},
            by=mona, now=NOW, form_token="a",
        )  # fmt: skip


def test_the_status_is_known_up_to_the_last_day_somebody_asked(check, maria, visit):
    assert status_known_on([maria.pk]) == {}
    check(on_date=date(2030, 3, 1), contact_mode="phone")
    VisitAssessment.objects.filter(code="neoplasia_check").update(state="done", on_date=date(2030, 9, 1))
    VisitAssessment.objects.filter(code="glycaemia").update(state="done", on_date=date(2031, 1, 1))
    assert status_known_on([maria.pk]) == {maria.pk: date(2030, 9, 1)}
    assert status_known_on([maria.pk], until=date(2030, 6, 1)) == {maria.pk: date(2030, 3, 1)}


# A suspicion ---------------------------------------------------------------------------------------------------------


def test_a_suspicion_is_an_alarm_within_14_days_and_holds_infusions(suspicion, maria):
    item = WorkItem.objects.open().get(kind="suspicion")
    assert (item.level, item.due_on, item.source) == ("alarm", date(2031, 3, 28), f"neoplasm:{suspicion.pk}")
    assert suspicion.case_ref == "RIV-0001-A-N1"
    assert held(maria)


def test_only_an_investigator_closes_it(suspicion, nora, ines, maria):
    with pytest.raises(PermissionDenied):
        close(suspicion, nora)
    close(suspicion, ines)
    assert tasks() == set()
    assert not held(maria)


def test_malignant_keeps_the_hold_and_asks_for_an_adverse_event(suspicion, ines, maria):
    close(suspicion, ines, MALIGNANT)
    assert suspicion.behaviour == "3"
    assert held(maria)
    assert tasks() == {"neoplasm_event"}
    event = record_case_event(case=suspicion, by=ines, now=NOW)
    assert event.is_serious
    assert event.criteria == ("medically_important",)
    assert "neoplasm_event" not in tasks()
    assert record_case_event(case=suspicion, by=ines, now=NOW).pk == event.pk


def test_undetermined_keeps_the_hold(suspicion, ines, maria):
    close(suspicion, ines, {"status": "undetermined", "conclusion": "No biopsy possible"})
    assert held(maria)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"topography": "pancreas"}, "topography"),
        ({"morphology": "8140"}, "morphology"),
        ({"morphology": "8140/0"}, "morphology"),
        ({"diagnosed_on": ""}, "diagnosed_on"),
        ({"conclusion": " "}, "conclusion"),
        ({"status": "benign"}, "morphology"),
        ({"status": "suspected"}, "status"),
    ],
)
def test_a_conclusion_that_cannot_be_right_is_asked_again(suspicion, ines, changes, field):
    with pytest.raises(NotAccepted) as refused, transaction.atomic():
        close(suspicion, ines, MALIGNANT | changes)
    assert refused.value.field == field
    assert Neoplasm.objects.get().status == "suspected"


def test_reopened_it_is_back_on_today_and_holds_again(suspicion, ines, maria):
    close(suspicion, ines)
    reopen(case=suspicion, version=2, reason="New scan", by=ines, now=NOW)
    assert tasks() == {"suspicion"}
    assert held(maria)
    assert Neoplasm.objects.get().closed_on is None


def test_the_first_step_moves_it_to_work_up(suspicion, nora):
    for _ in range(2):
        add_work_up_note(
            case=suspicion,
            kind="imaging",
            on_date=TODAY,
            text="CT asked for",
            form_token="n",
            by=nora,
            now=NOW,
        )
    assert suspicion.status == "under_work_up"
    assert suspicion.notes.count() == 1


def test_two_people_at_once_do_not_overwrite_each_other(suspicion, nora, ines):
    update_workup(case=suspicion, details={"topography": "C25.1"}, version=1, reason="MRI", by=nora, now=NOW)
    with pytest.raises(ChangedMeanwhile):
        close(suspicion, ines, version=1)


# Reported from outside -----------------------------------------------------------------------------------------------


def report(maria, nora, **more):
    facts = {"description": "Breast cancer", "diagnosed_on": "2030", "source": "letter of the GP"} | more
    return report_neoplasm(patient=maria, by=nora, now=NOW, **facts)


def missing():
    return set(Query.objects.filter(kind="missing").exclude(status="closed").values_list("field", flat=True))


def test_a_reported_cancer_is_accepted_as_reported(maria, nora):
    case = report(maria, nora)
    assert (case.morphology, case.topography, case.behaviour, case.diagnosed_on) == (
        "8000/3",
        "C80.9",
        "3",
        "2030",
    )
    assert missing() == {"topography", "morphology", "basis_of_diagnosis"}


def test_its_questions_close_as_they_are_answered(maria, nora, ines):
    case = report(maria, nora)
    update_workup(case=case, details={"topography": "C50.4"}, version=1, reason="Letter", by=nora, now=NOW)
    assert missing() == {"morphology", "basis_of_diagnosis"}
    close(case, ines, version=2)
    assert missing() == set()
    assert (case.topography, case.behaviour) == ("", "")


def test_a_check_that_reports_a_confirmed_neoplasm_opens_it_as_reported(check):
    check(outcome="confirmed", finding="Breast cancer", diagnosed_on="2030-05")
    assert Neoplasm.objects.get().diagnosed_on == "2030-05"


def test_incident_follows_the_first_infusion_even_when_it_is_recorded_later(maria, nora):
    case = report(maria, nora, diagnosed_on="2030-05")
    assert case.is_incident is None
    Infusion.objects.create(
        patient=maria, site=maria.site, infused_on=date(2029, 1, 1), route="iv_peripheral", weight_kg=80
    )
    infusions_recorded.send(sender=Infusion, patients=[maria.pk], now=NOW)
    case.refresh_from_db()
    assert case.is_incident is True


def test_reporting_a_cancer_as_an_event_does_not_open_a_second_case(maria, nora, ines):
    case = report(maria, nora)
    close(case, ines, MALIGNANT | {"diagnosed_on": "2030"})
    record_case_event(case=case, by=ines, now=NOW)
    assert Neoplasm.objects.count() == 1
    assert AdverseEvent.objects.count() == 1


VERDICT = {"relatedness_cells": "unlikely", "relatedness_procedure": "unlikely", "expectedness": "unexpected"}


def assess(case, by, **changes):
    case.refresh_from_db()
    return assess_neoplasm(
        case=case, verdict=VERDICT | changes, version=case.version, reason="Other histology", by=by, now=NOW
    )


def test_a_safety_officer_assesses_a_case_of_any_site(suspicion, sami):
    assess(suspicion, sami)
    assess(suspicion, sami, relatedness_cells="possible")
    suspicion.refresh_from_db()
    assert suspicion.relatedness_cells == "possible", "the latest verdict is in force"
    kept = list(suspicion.assessments.values_list("relatedness_cells", "case_status"))
    assert kept == [("unlikely", "suspected"), ("possible", "suspected")]
    assert suspicion.is_open
    entry = AuditEntry.objects.filter(table_name="neoplasia_neoplasmassessment").latest("id")
    assert (entry.reason, entry.about_patient) == ("Other histology", suspicion.patient_id)


def test_nobody_else_assesses_a_neoplasm(suspicion, nora, ines, mona, cora):
    for person in (nora, ines, mona, cora):
        with pytest.raises(PermissionDenied):
            assess(suspicion, person)
    assert not suspicion.assessments.exists()


def test_the_verdict_stands_at_its_adverse_event_too(maria, nora, ines, sami):
    case = report(maria, nora)
    close(case, ines, MALIGNANT | {"diagnosed_on": "2030"})
    event = record_case_event(case=case, by=ines, now=NOW)
    assess(case, sami)
    (verdict,) = event.assessments.all()
    assert (verdict.capacity, verdict.relatedness_cells, verdict.is_serious) == ("sponsor", "unlikely", True)
    assert verdict.seriousness_criteria == "medically_important"
    event.refresh_from_db()
    assert event.is_assessed


def test_an_event_withdrawn_as_a_mistake_is_left_alone(maria, nora, ines, sami):
    case = report(maria, nora)
    close(case, ines, MALIGNANT | {"diagnosed_on": "2030"})
    event = record_case_event(case=case, by=ines, now=NOW)
    AdverseEvent.objects.update(withdrawn_at=NOW, withdrawn_because="Twice")
    assess(case, sami)
    assert not event.assessments.exists()


def test_an_assessment_of_what_was_changed_meanwhile_is_asked_again(suspicion, sami, ines):
    version = suspicion.version
    close(suspicion, ines, EXCLUDED)
    with pytest.raises(ChangedMeanwhile):
        assess_neoplasm(case=suspicion, verdict=VERDICT, version=version, reason="x", by=sami, now=NOW)
    assert not suspicion.assessments.exists()


def test_an_assessment_says_why(suspicion, sami):
    assess(suspicion, sami)
    with pytest.raises(IntegrityError, match="neoplasm_assessment_says_why"), transaction.atomic():
        suspicion.assessments.update(reason="")


@pytest.mark.parametrize(
    ("rule", "changes"),
    [("case_ref_is_unique", {"case_ref": "N1"}), ("one_neoplasm_per_form", {"form_token": "t"})],
)
def test_the_database_keeps_cases_apart(maria, rule, changes):
    row = {"patient": maria, "site": maria.site, "description": "x", "suspected_on": "2031"}
    Neoplasm.objects.create(**row | {"case_ref": "N1"} | changes)
    with pytest.raises(IntegrityError), transaction.atomic():
        Neoplasm.objects.create(**row | {"case_ref": "N2"} | changes)


def test_a_closed_case_has_its_day(suspicion):
    with pytest.raises(IntegrityError, match="closed_neoplasm_has_its_day"), transaction.atomic():
        Neoplasm.objects.update(status="excluded")
