"""A locked record keeps what was signed of it, whatever way a change would come; what is a fact comes in all the same."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction

from followup.labs.actions import Collection, Entry, correct_result, record_results
from followup.labs.models import LabResult
from followup.labs.resources import LabResource
from followup.neoplasia.actions import add_work_up_note
from followup.neoplasia.actions.assessing import assess_neoplasm
from followup.neoplasia.actions.cases import record_case_event, reopen
from followup.neoplasia.models import Neoplasm
from followup.safety.actions import correct_event
from followup.safety.models import AdverseEvent, EventAssessment
from followup.schedule.models import Visit, VisitAssessment
from registry.access.models import Site, SiteScope, User
from registry.audit.acting import acting_as
from registry.audit.locks import refused_row
from registry.audit.models import AuditEntry
from registry.exchange.exporting import Scope
from registry.exchange.reading import TableFile
from registry.exchange.resources import CREATE, UPDATE, Context
from registry.exchange.signed import COLUMNS, SIGNATURES
from registry.infusions.actions import announce
from registry.patients.erasing import destroy_key
from registry.patients.models import Status
from registry.patients.status import StatusFacts, record_statuses
from registry.saving import ChangedMeanwhile, NotAccepted
from registry.signatures import locking
from registry.signatures.locks import RecordLocked
from registry.signatures.models import RecordLock
from registry.signatures.signable import Kind, Signable, content_of, signables
from registry.signatures.states import standing_of
from tests.cast import NOW, person
from tests.followup.schedule.scene import infuse
from tests.registry.handover.scene import accept, ask
from tests.registry.signatures.lock_scene import locked, unlock
from tests.registry.signatures.records import HELD, MAKERS, a_result, changed, signed, some_others
from tests.registry.signatures.test_edits import FITTING

KINDS = [
    pytest.param(signable, kind, id=f"{signable.label}-{kind.label}")
    for signable in signables()
    if signable.may_be_locked
    for kind in signable.kinds
]


# What the database itself refuses ----------------------------------------------------------------------------


@pytest.mark.parametrize(("signable", "kind"), KINDS)
def test_the_database_refuses_every_signed_field_and_names_the_row(
    signable: Signable, kind: Kind, riverside: Site, ines: User, mia: User
) -> None:
    row = MAKERS[signable.label](riverside, ines)
    some_others(riverside, ines)
    signed(row, ines)
    locked(row, mia)
    part = kind.rows(row.pk).order_by("pk").first()
    outcomes = {}
    for field in kind.fields:
        values = FITTING.get((kind.label, field.name)) or {field.attname: changed(part, field)}
        outcomes[field.name] = _refused(kind, part.pk, values)
    assert outcomes == {field.name: (kind.label, part.pk) for field in kind.fields}
    with pytest.raises(IntegrityError, match="locked"), transaction.atomic():
        kind.model._base_manager.filter(pk=part.pk)._raw_delete("default")
    assert standing_of(row).word == "signed"


def _refused(kind: Kind, pk: int, values: dict[str, Any]) -> tuple[str, int] | None:
    try:
        with transaction.atomic():
            kind.model._base_manager.filter(pk=pk).update(**values)
    except IntegrityError as refusal:
        return refused_row(refusal)
    return None


def test_the_database_refuses_a_row_added_to_what_is_locked(riverside: Site, ines: User, mia: User) -> None:
    event = MAKERS["safety.adverseevent"](riverside, ines)
    signed(event, ines)
    locked(event, mia)
    with pytest.raises(IntegrityError, match="locked"), transaction.atomic():
        EventAssessment.objects.create(
            event=event, capacity="sponsor", reason="Second look", is_serious=True, assessed_by=ines, assessed_at=NOW
        )  # fmt: skip


def test_what_is_not_signed_stays_free(visit: Visit) -> None:
    """Counting saves is no change; a row of another record is not held."""
    Visit.objects.filter(pk=visit.pk).update(version=visit.version + 1)
    other = Visit.objects.filter(patient=visit.patient, state="planned").order_by("-pk")[0]
    Visit.objects.filter(pk=other.pk).update(note="Call before noon")
    assert standing_of(visit).word == "signed"


# What people see ---------------------------------------------------------------------------------------------


def test_a_form_says_who_locked_it_when_and_how_it_is_unlocked(
    visit: Visit, nora: User, signed_in: Any
) -> None:
    result = LabResult.objects.get(visit=visit)
    with acting_as(nora), pytest.raises(RecordLocked) as refusal:
        correct_result(
            result=result, entry=Entry("weight", "82", "kg"), reason="x", version=1, by=nora, now=NOW
        )
    assert "locked by Mia since 14 Mar 2031, 09:30 UTC" in str(refusal.value)
    assert "registry coordinator can unlock it" in str(refusal.value)
    page = signed_in(nora).get(f"/visits/{visit.pk}/").content.decode()
    assert "locked by Mia since 14 Mar 2031" in page


def test_a_page_whose_change_is_refused_answers_with_the_words_of_the_lock(
    riverside: Site, ines: User, mia: User, nora: User, signed_in: Any
) -> None:
    event = MAKERS["safety.adverseevent"](riverside, ines)
    signed(event, ines)
    locked(event, mia)
    answer = signed_in(nora).post(
        f"/safety/events/{event.pk}/withdraw/", {"reason": "Wrong record", "version": str(event.version)}
    )
    event.refresh_from_db()
    assert event.withdrawn_at is None
    assert "This adverse event is locked by Mia" in answer.content.decode()
    assert answer.status_code in (200, 409)


def test_what_only_the_database_refuses_is_answered_in_the_same_words(
    riverside: Site, ines: User, mia: User, nora: User, signed_in: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer that forgot to ask."""
    event = MAKERS["safety.adverseevent"](riverside, ines)
    signed(event, ines)
    locked(event, mia)
    monkeypatch.setattr("registry.saving.before_change", [])
    answer = signed_in(nora).post(
        f"/safety/events/{event.pk}/withdraw/", {"reason": "Wrong record", "version": str(event.version)}
    )
    assert answer.status_code == 409
    assert "This adverse event is locked by Mia" in answer.content.decode()
    assert "Nothing of yours is stored" in answer.content.decode()


def test_a_step_added_to_a_locked_case_is_refused(riverside: Site, ines: User, mia: User, nora: User) -> None:
    case = MAKERS["neoplasia.neoplasm"](riverside, ines)
    signed(case, ines)
    locked(case, mia)
    with acting_as(nora), pytest.raises(RecordLocked):
        add_work_up_note(
            case=case, kind="imaging", on_date=date(2030, 6, 6), text="MRI", form_token="n", by=nora, now=NOW
        )


def test_a_file_that_would_change_it_is_refused_and_says_why(visit: Visit, ines: User, cora: User) -> None:
    """What the file only adds comes in, and is kept once it is signed and locked with the rest."""
    bring_in(visit, "82")
    late = LabResult.objects.get(visit=visit, source="import")
    assert standing_of(visit).unreviewed
    bring_in(visit, "83")
    take_off(RecordLock.objects.get(), cora)
    signed(visit, ines, form="again")
    locked(visit, User.objects.get(username="mia"), "again")
    refused = bring_in(visit, "84")
    assert "This visit is locked by Mia" in refused
    late.refresh_from_db()
    assert late.value_received == "83"
    assert bring_in(visit, "83") == "", "the same again changes nothing"


def bring_in(visit: Visit, weight: str) -> str:
    """What was said against the row."""
    resource = LabResource(Context(now=NOW, reason="Read again"))
    cells = [visit.patient.patient_id, str(HELD), "weight", weight, "kg", "Central", "A-7"]
    headings = ["patient_id", "collected_at", "analyte", "value", "unit", "laboratory", "accession"]
    [row] = resource.examine(TableFile("labs.csv", "", headings, [cells]))
    if row.outcome in (CREATE, UPDATE):
        resource.write([row])
    return "; ".join(error.message for error in row.errors)


def take_off(lock: RecordLock, cora: User) -> None:
    asked = unlock(lock, cora)
    second = person("second", "coordinator", None)
    with acting_as(second):
        locking.approve_unlock(request=asked, reason="", by=second, now=NOW)


# What a lock never stops -------------------------------------------------------------------------------------


def test_a_late_result_comes_in_and_answers_the_part_that_waited(visit: Visit, nora: User) -> None:
    with acting_as(nora):
        record_results(
            patient=visit.patient, visit=visit, collection=Collection(on=HELD),
            entries=[Entry("hba1c", "7.2", "%")], by=nora, now=NOW,
        )  # fmt: skip
    assert VisitAssessment.objects.get(visit=visit, code="glycaemia").state == "done"
    standing = standing_of(visit)
    assert (standing.word, len(standing.unreviewed)) == ("signed", 1)
    late = LabResult.objects.get(analyte="hba1c")
    with acting_as(nora):  # it is not part of what is locked
        correct_result(
            result=late, entry=Entry("hba1c", "7.6", "%"), reason="Typed", version=1, by=nora, now=NOW
        )


def test_another_infusion_is_recorded_though_it_moves_what_is_locked(visit: Visit) -> None:
    """An earlier infusion, heard of later, becomes the first: the window of the locked visit is judged anew."""
    earlier = infuse(visit.patient, date(2029, 6, 1))
    announce({visit.patient_id: earlier.infused_on}, now=NOW)
    visit.refresh_from_db()
    assert visit.out_of_window is True
    assert standing_of(visit).word == "void", "it says so, and is to be signed again"
    assert RecordLock.objects.filter(unlocked_at=None).exists(), "the lock stays on"


def test_a_death_and_its_taking_back_are_not_stopped(riverside: Site, ines: User, mia: User) -> None:
    visit = MAKERS["schedule.visit"](riverside, ines)
    patient = visit.patient
    with acting_as(ines):
        record_statuses(
            entries=[(patient, StatusFacts(Status.DECEASED, "2031-03-01", death_confirmed=True))], now=NOW
        )
    closed = Visit.objects.filter(patient=patient, state="not_required").order_by("pk")[0]
    signed(closed, ines, form="closed")
    locked(closed, mia)
    with acting_as(ines):
        record_statuses(entries=[(patient, StatusFacts(Status.IN_FOLLOW_UP, "2031-03-02"))], now=NOW)
    closed.refresh_from_db()
    assert closed.state == "planned"


def test_a_death_by_the_locked_event_is_recorded(riverside: Site, ines: User, mia: User, nora: User) -> None:
    event = MAKERS["safety.adverseevent"](riverside, ines)
    signed(event, ines)
    locked(event, mia)
    given = {
        "facts": {"outcome": "fatal"},
        "version": event.version,
        "reason": "Died",
        "by": nora,
        "now": NOW,
    }
    with acting_as(nora):
        correct_event(event=event, **given)
    assert AdverseEvent.objects.get().outcome == "fatal"
    with acting_as(nora), pytest.raises(RecordLocked):
        correct_event(event=event, **given | {"facts": {"term": "Chills"}, "version": event.version})


def test_a_death_does_not_carry_other_changes_past_the_lock(
    riverside: Site, ines: User, mia: User, nora: User
) -> None:
    event = MAKERS["safety.adverseevent"](riverside, ines)
    signed(event, ines)
    locked(event, mia)
    with acting_as(nora), pytest.raises(RecordLocked):
        correct_event(
            event=event, facts={"outcome": "fatal", "term": "Chills"}, version=event.version, reason="Died", by=nora, now=NOW
        )  # fmt: skip


def test_a_locked_neoplasm_is_reported_assessed_and_reopened_all_the_same(
    riverside: Site, ines: User, mia: User, sami: User
) -> None:
    case = MAKERS["neoplasia.neoplasm"](riverside, ines)
    signed(case, ines)
    locked(case, mia)
    with acting_as(ines):
        assert record_case_event(case=case, by=ines, now=NOW).is_serious
    case.refresh_from_db()
    verdict = {
        "relatedness_cells": "possible",
        "relatedness_procedure": "unlikely",
        "expectedness": "unexpected",
    }
    with acting_as(sami):
        assess_neoplasm(case=case, verdict=verdict, version=case.version, reason="Board", by=sami, now=NOW)
    case.refresh_from_db()
    with acting_as(ines):
        reopen(case=case, version=case.version, reason="New pathology", by=ines, now=NOW)
    assert Neoplasm.objects.get(pk=case.pk).is_open


def test_withdrawal_and_erasure_are_not_stopped(visit: Visit, ines: User, cora: User) -> None:
    facts = StatusFacts(Status.WITHDRAWN, "2031-03-01", scope="erase")
    with acting_as(ines):
        record_statuses(entries=[(visit.patient, facts)], now=NOW)
    with acting_as(cora):
        destroy_key(patient=visit.patient, now=NOW)
    visit.patient.refresh_from_db()
    assert visit.patient.status == "withdrawn"
    assert standing_of(visit).word == "signed"


def test_a_transfer_takes_locked_records_along(
    visit: Visit, harbour: Site, ines: User, signed_in: Any, mia: User
) -> None:
    doctor, manager = person("ivo", "investigator", harbour), person("max", "site_manager", harbour)
    accept(ask(visit.patient, harbour, ines), doctor)
    visit.refresh_from_db()
    assert visit.site == harbour
    assert standing_of(visit).word == "signed"
    assert "Source checked" in signed_in(manager).get("/signatures/locks/").content.decode()
    assert "Source checked" not in signed_in(mia).get("/signatures/locks/").content.decode()


# Locking -----------------------------------------------------------------------------------------------------


def test_only_what_is_signed_and_unchanged_is_locked(riverside: Site, ines: User, mia: User) -> None:
    event = MAKERS["safety.adverseevent"](riverside, ines)
    with pytest.raises(NotAccepted, match="have it signed first"):
        locked(event, mia)
    signed(event, ines)
    AdverseEvent.objects.update(term="Chills")
    with pytest.raises(NotAccepted, match="signed again"):
        locked(event, mia)
    signed(event, ines, form="again")
    with acting_as(mia), pytest.raises(ChangedMeanwhile):
        locking.lock_record(row=event, digest="0" * 64, reason="x", form_token="t", by=mia, now=NOW)


def test_the_page_locks_once_and_shows_it(
    riverside: Site, ines: User, mia: User, signed_in: Any, mona: User
) -> None:
    event = MAKERS["safety.adverseevent"](riverside, ines)
    signed(event, ines)
    browser, url = signed_in(mia), f"/signatures/safety.adverseevent/{event.pk}/lock/"
    assert url in browser.get(f"/safety/events/{event.pk}/").content.decode()
    given = {"reason": "Source checked", "digest": content_of(event).sha256, "form_token": "one"}
    assert browser.post(url, given | {"reason": ""}).status_code == 200
    for _ in range(2):
        assert browser.post(url, given).status_code == 302
    assert RecordLock.objects.count() == 1
    page = browser.get(f"/safety/events/{event.pk}/").content.decode()
    assert "Source checked" in page
    assert url not in page, "it is locked already"
    assert "Source checked" in browser.get("/signatures/locks/").content.decode()
    assert signed_in(mona).post(url, given).status_code == 403
    entries = AuditEntry.objects.filter(action="locked")
    assert [(one.actor, one.reason) for one in entries] == [("mia", "Source checked")]


def test_another_sites_manager_locks_nothing(
    riverside: Site, harbour: Site, ines: User, signed_in: Any
) -> None:
    event = MAKERS["safety.adverseevent"](riverside, ines)
    signed(event, ines)
    stranger = person("max", "site_manager", harbour)
    url = f"/signatures/safety.adverseevent/{event.pk}/lock/"
    assert signed_in(stranger).get(url).status_code == 404
    with pytest.raises(PermissionDenied):
        locked(event, stranger)


def test_an_export_says_what_is_locked(visit: Visit) -> None:
    [row] = SIGNATURES.rows(Scope(SiteScope(everywhere=True), NOW))
    told = dict(zip(COLUMNS, row, strict=True))
    assert (told["locked_by"], told["locked_at"], told["state"]) == ("mia", NOW, "valid")


def test_a_result_of_another_visit_is_not_held(visit: Visit) -> None:
    other = Visit.objects.filter(patient=visit.patient, state="planned").order_by("pk")[0]
    free = a_result(other, "weight", "80", "kg", import_key="other")
    LabResult.objects.filter(pk=free.pk).update(comment="Without shoes")
