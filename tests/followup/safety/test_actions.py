"""An event is kept as it happened; what does not fit becomes a query, what is serious becomes somebody's task."""

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction

from followup.safety.actions import assess_event, correct_event, record_event, withdraw_event
from followup.safety.models import AdverseEvent, EventAssessment
from followup.schedule.models import WorkItem
from registry.audit.acting import acting_as
from registry.audit.models import AuditEntry
from registry.patients.models import Patient, Query, StatusEvent
from registry.saving import ChangedMeanwhile
from tests.cast import NOW

FEVER = {"term": "Fever", "onset_date": "2031-03-10", "severity_grade": 1, "is_serious": False}
VERDICT = {
    "relatedness_cells": "unlikely",
    "relatedness_procedure": "unlikely",
    "expectedness": "expected",
    "is_serious": True,
    "seriousness_criteria": "hospitalisation",
}


@pytest.fixture
def maria(riverside):
    return Patient.objects.create(patient_id="RIV-0001-A", site=riverside, created_at=NOW, birth_year=1970)


def rules_open():
    return set(Query.objects.exclude(status="closed").values_list("rule", flat=True))


def tasks():
    return list(WorkItem.objects.open().filter(kind="serious_event"))


def serious(maria, nora, **more):
    facts = FEVER | {"is_serious": True, "seriousness_criteria": "hospitalisation"} | more
    return record_event(patient=maria, facts=facts, by=nora, now=NOW)


def test_an_event_is_coded_and_gets_a_reference_of_its_own(maria, nora):
    first = record_event(patient=maria, facts=FEVER, by=nora, now=NOW)
    second = record_event(patient=maria, facts=FEVER, by=nora, now=NOW)
    assert (first.event_ref, second.event_ref) == ("RIV-0001-A-E1", "RIV-0001-A-E2")
    assert first.meddra_code
    assert first.soc
    assert not rules_open()
    assert not tasks()


def test_a_form_sent_twice_is_one_event(maria, nora):
    for _ in range(2):
        record_event(patient=maria, facts=FEVER, by=nora, now=NOW, form_token="a" * 32)
    assert AdverseEvent.objects.count() == 1


def test_contradictions_are_saved_and_asked_about_until_corrected(maria, nora):
    facts = FEVER | {"seriousness_criteria": "hospitalisation", "end_date": "2031-03-09"}
    event = record_event(patient=maria, facts=facts, by=nora, now=NOW)
    assert rules_open() == {"criterion_without_serious", "end_before_onset"}
    correct_event(
        event=event, facts={"end_date": "2031-03-11"}, version=1, reason="Typing error", by=nora, now=NOW
    )
    assert rules_open() == {"criterion_without_serious"}


def test_a_grade_that_ctcae_does_not_have_is_kept_and_asked_about(maria, nora):
    event = record_event(
        patient=maria, facts=FEVER | {"term": "Chills", "severity_grade": 5, "outcome": "fatal",
                                      "is_serious": True, "seriousness_criteria": "death"},
        by=nora, now=NOW,
    )  # fmt: skip
    assert event.severity_grade == 5
    assert rules_open() == {"impossible_grade"}


def test_a_death_on_another_day_than_the_fatal_event_ended_is_asked_about(maria, nora):
    StatusEvent.objects.create(patient=maria, status="deceased", on_date="2031-03-12", recorded_at=NOW)
    facts = {
        "severity_grade": 5,
        "outcome": "fatal",
        "seriousness_criteria": "death",
        "end_date": "2031-03-11",
    }
    serious(maria, nora, **facts)
    assert "death_date_differs" in rules_open()


def test_a_serious_event_counts_as_related_and_unexpected_until_somebody_judges_it(maria, nora, ines):
    event = serious(maria, nora)
    assert event.counts_as_related
    assert event.counts_as_unexpected
    assert [task.role for task in tasks()] == ["investigator"]
    assess_event(event=event, verdict=VERDICT, version=1, reason="Infection proven", by=ines, now=NOW)
    event.refresh_from_db()
    assert not event.counts_as_related
    assert not event.counts_as_unexpected
    assert not tasks()


def test_the_safety_officer_may_upgrade_but_not_downgrade_the_investigator(maria, nora, ines, sami):
    event = serious(maria, nora)
    verdict = VERDICT | {"relatedness_cells": "possible"}
    assess_event(event=event, verdict=verdict, version=1, reason="Timing fits", by=ines, now=NOW)
    lower = VERDICT | {"is_serious": False, "seriousness_criteria": ""}
    assess_event(event=event, verdict=lower, version=2, reason="Not likely", by=sami, now=NOW)
    event.refresh_from_db()
    assert event.relatedness_cells == "possible"
    assert event.is_serious
    assess_event(
        event=event, verdict=VERDICT | {"relatedness_cells": "certain"}, version=3, reason="Rechallenge",
        by=sami, now=NOW,
    )  # fmt: skip
    event.refresh_from_db()
    assert event.relatedness_cells == "certain"
    assert list(event.assessments.values_list("capacity", flat=True)) == [
        "investigator",
        "sponsor",
        "sponsor",
    ]


def test_the_reason_of_a_correction_is_in_the_trail(maria, nora):
    event = record_event(patient=maria, facts=FEVER, by=nora, now=NOW)
    correct_event(
        event=event, facts={"severity_grade": 2}, version=1, reason="Read 39.4 °C", by=nora, now=NOW
    )
    assert AuditEntry.objects.filter(table_name="safety_adverseevent", reason="Read 39.4 °C").exists()


def test_the_last_to_save_does_not_win(maria, nora):
    event = record_event(patient=maria, facts=FEVER, by=nora, now=NOW)
    correct_event(
        event=event, facts={"severity_grade": 2}, version=1, reason="Read 39.4 °C", by=nora, now=NOW
    )
    with pytest.raises(ChangedMeanwhile):
        correct_event(event=event, facts={"severity_grade": 3}, version=1, reason="x", by=nora, now=NOW)


def test_a_withdrawn_event_closes_its_questions_and_stays_readable(maria, nora):
    event = serious(maria, nora, seriousness_criteria="")
    assert rules_open() == {"serious_without_criterion"}
    withdraw_event(event=event, version=1, reason="Wrong person", by=nora, now=NOW)
    assert not rules_open()
    assert not tasks()
    assert AdverseEvent.objects.count() == 1
    assert not AdverseEvent.objects.standing().exists()


def test_who_may_not_record_or_judge_is_turned_away(maria, nora, mona, hana):
    with pytest.raises(PermissionDenied):
        record_event(patient=maria, facts=FEVER, by=mona, now=NOW)
    with pytest.raises(PermissionDenied):
        record_event(patient=maria, facts=FEVER, by=hana, now=NOW)
    event = record_event(patient=maria, facts=FEVER, by=nora, now=NOW)
    with pytest.raises(PermissionDenied):
        assess_event(event=event, verdict=VERDICT, version=1, reason="x", by=nora, now=NOW)


@pytest.mark.parametrize(
    ("rule", "changes"),
    [
        ("event_ref_is_unique", {"event_ref": "E-1"}),
        ("one_event_per_form", {"form_token": "t"}),
        ("imported_event_once", {"import_key": "k"}),
    ],
)
def test_what_makes_an_event_the_same_is_kept_by_the_database(maria, rule, changes):
    row = {"patient": maria, "site": maria.site, "term": "Fever", "onset_date": "2031"} | changes
    AdverseEvent.objects.create(**row)
    with pytest.raises(IntegrityError) as refused, transaction.atomic():
        AdverseEvent.objects.create(**row)
    assert rule in str(refused.value) or "UNIQUE" in str(refused.value)


def test_withdrawing_and_assessing_need_their_reason(maria, ines):
    event = AdverseEvent.objects.create(patient=maria, site=maria.site, term="Fever", onset_date="2031")
    with pytest.raises(IntegrityError, match="withdrawn_event_says_why"), transaction.atomic():
        AdverseEvent.objects.filter(pk=event.pk).update(withdrawn_at=NOW)
    with pytest.raises(IntegrityError, match="assessment_says_why"), transaction.atomic():
        EventAssessment.objects.create(
            event=event, capacity="investigator", assessed_by=ines, assessed_at=NOW, reason="", **VERDICT
        )


def test_an_import_is_the_work_of_the_system(maria):
    with acting_as("system:command"):
        event = record_event(patient=maria, facts=FEVER, by=None, now=NOW)
    assert event.pk


@pytest.mark.parametrize(
    ("infused_on", "special"), [("2031-03-10", True), ("2031-03-08", True), ("2031-03-05", False)]
)
def test_a_respiratory_event_soon_after_an_iv_infusion_is_of_special_interest(
    maria, nora, infused_on, special
):
    from registry.infusions.models import Infusion

    Infusion.objects.create(
        patient=maria, site=maria.site, infused_on=infused_on, route="iv_peripheral", weight_kg=80
    )
    event = record_event(patient=maria, facts=FEVER | {"term": "Dyspnea"}, by=nora, now=NOW)
    assert event.is_special_interest is special
