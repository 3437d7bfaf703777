"""Every edit of what was signed, field by field over every table of the four kinds, makes the signature invalid, says so
on the page with both values, and asks for a new one on Today (C3).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, models, transaction
from django.test import Client

from followup.labs.actions import Collection, Entry, correct_result, record_results
from followup.labs.models import LabResult
from followup.reports.actions import reports_folder
from followup.safety.models import AdverseEvent
from followup.schedule.models import VisitAssessment, WorkItem
from registry.access.models import User
from registry.audit.acting import acting_as, because
from registry.patients.models import Query
from registry.signatures import actions
from registry.signatures.actions import mark_reviewed
from registry.signatures.models import LateReview
from registry.signatures.signable import (
    TECHNICAL,
    Content,
    Kind,
    Part,
    Signable,
    content_of,
    signable_for,
    signables,
)
from registry.signatures.states import standing_of
from registry.signatures.watching import judge_new
from tests.cast import NOW, person
from tests.registry.signatures.records import HELD, MAKERS, a_result, changed, signed, some_others
from tests.sizes import size

KINDS = [
    pytest.param(signable, kind, id=f"{signable.label}-{kind.label}")
    for signable in signables()
    for kind in signable.kinds
]
EVERY_PAGE = size(short=8, full=1)  # every edit is judged; of every so many the page is read too
# A second value that the constraints of the table accept.
FITTING = {
    ("schedule.visit", "state"): {"state": "not_required", "state_reason": "Moved"},
    ("schedule.visit", "actual_date"): {"actual_date": "2030-04-21"},
    ("safety.adverseevent", "moments_received"): {"moments_received": '{"aware_at": "2030-05-01"}'},
    ("safety.adverseevent", "withdrawn_at"): {"withdrawn_at": NOW, "withdrawn_because": "Twice"},
    ("patients.query", "record"): {"record": "schedule.visit:0"},
    ("patients.query", "kind"): {"kind": "contradiction"},
    ("labs.labresult", "value"): {"value": "82"},
}


def signer_of(signable: Signable, ines: User, sami: User) -> User:
    """The investigator at the site, the safety officer for reports."""
    return sami if signable.act == "reports.sign" else ines


@pytest.mark.figures
@pytest.mark.parametrize(("signable", "kind"), KINDS)
def test_a_change_of_any_field_voids_the_signature_and_says_so(
    signable: Signable, kind: Kind, riverside: Any, ines: User, sami: User, signed_in: Any
) -> None:
    signer = signer_of(signable, ines, sami)
    row = MAKERS[signable.label](riverside, ines)
    some_others(riverside, ines)
    signed(row, signer)
    browser = signed_in(signer)
    assert standing_of(row).word == "signed"
    assert len(kind.fields) > 3
    missed = []
    for number, field in enumerate(kind.fields):
        with transaction.atomic():
            unnoticed = _unnoticed(signable, kind, field, row, None if number % EVERY_PAGE else browser)
            missed += [f"{field.name}: {what}" for what in unnoticed]
            transaction.set_rollback(True)
    assert missed == []
    assert standing_of(row).word == "signed"


def _unnoticed(
    signable: Signable, kind: Kind, field: models.Field[Any, Any], row: models.Model, browser: Client | None
) -> Iterator[str]:
    part = kind.rows(row.pk).order_by("pk").first()
    with because("the source says otherwise"):
        values = FITTING.get((kind.label, field.name)) or {field.attname: changed(part, field)}
        kind.model._base_manager.filter(pk=part.pk).update(**values)
    edited = type(row)._base_manager.get(pk=row.pk)
    [state] = standing_of(edited).states
    if state.word != "void":
        yield "the signature is still valid"
    if any(change.before == change.after for change in state.changes):
        yield "the words before and after are the same"
    if ("system:command", "the source says otherwise") not in [(one.who, one.why) for one in state.changes]:
        yield "who and why are not said"
    page = browser.get(signable.url(edited)).content.decode() if browser else ""
    if browser and ("Signature no longer valid" not in page or "sign again" not in page):
        yield "the page does not say so"
    judge_new(now=NOW)
    asked = WorkItem.objects.open().filter(kind="sign_again", source=f"{signable.label}:{row.pk}").exists()
    if not asked and signable.label != "reports.reportrun":
        yield "nobody is asked to sign again"


def test_what_a_signature_leaves_out_is_known_and_has_a_reason() -> None:
    """A column that appears here is signed by nobody: think before adding one."""
    left_out = {(kind.label, name) for one in signables() for kind in one.kinds for name in kind.left_out}
    conversation = ("status", "answer", "answered_by_id", "answered_at", "closed_by_id", "closed_at")
    safety_officers = ("relatedness_cells", "relatedness_procedure", "expectedness")
    assert left_out == {("patients.query", name) for name in conversation} | {
        ("neoplasia.neoplasm", name) for name in safety_officers
    }
    assert set(TECHNICAL) == {"id", "site_id", "version", "form_token", "import_key"}
    assert all(TECHNICAL.values())


@pytest.mark.parametrize("label", sorted(MAKERS))
def test_a_value_changed_and_changed_back_was_another_in_between(
    label: str, riverside: Any, ines: User, sami: User
) -> None:
    signable = next(one for one in signables() if one.label == label)
    row = MAKERS[label](riverside, ines)
    signed(row, signer_of(signable, ines, sami))
    field = {"schedule.visit": "note", "safety.adverseevent": "narrative", "neoplasia.neoplasm": "conclusion"}
    name = field.get(label, "message")
    before = getattr(row, name)
    for value in ("something else", before):
        type(row)._base_manager.filter(pk=row.pk).update(**{name: value})
    [state] = standing_of(row).states
    assert state.word == "void"
    assert state.changes[0].after == "something else"


def test_a_row_added_to_what_was_signed_voids_it(riverside: Any, ines: User) -> None:
    visit = MAKERS["schedule.visit"](riverside, ines)
    signed(visit, ines)
    Query.objects.create(
        patient=visit.patient, site=riverside, kind="deviation", rule="other", record=f"schedule.visit:{visit.pk}",
        reason="Fasting not kept", opened_at=NOW,
    )  # fmt: skip
    [state] = standing_of(visit).states
    assert [(change.part, change.after) for change in state.changes] == [("Deviation", "added")]


def test_answering_a_deviation_goes_on_after_signing(riverside: Any, ines: User) -> None:
    visit = MAKERS["schedule.visit"](riverside, ines)
    signed(visit, ines)
    Query.objects.filter(kind="deviation").update(status="answered", answer="Flooded road", answered_by=ines)
    assert standing_of(visit).word == "signed"


def test_an_edit_by_sql_behind_the_trail_is_void_too(riverside: Any, ines: User) -> None:
    """Where the trail knows nothing, the page says that as well."""
    event = MAKERS["safety.adverseevent"](riverside, ines)
    signed(event, ines)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE safety_adverseevent SET term = 'Chills' WHERE id = %s", [event.pk])
    [state] = standing_of(event).states
    assert (state.changes[0].before, state.changes[0].after) == ("Fever", "Chills")


def test_a_report_whose_stored_file_was_exchanged_is_void(riverside: Any, sami: User) -> None:
    run = MAKERS["reports.reportrun"](riverside, sami)
    signed(run, sami)
    (reports_folder() / run.stored_as).write_bytes(b"%PDF-1.7 other pages")
    [state] = standing_of(run).states
    assert [(change.field, change.at) for change in state.changes] == [("Pdf file sha256", None)]


def test_a_column_that_a_later_version_adds_or_drops_is_no_change(
    riverside: Any, ines: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = MAKERS["safety.adverseevent"](riverside, ines)

    def as_an_earlier_version(row: models.Model) -> Content:
        whole = content_of(row)
        parts = {}
        for key, part in whole.parts.items():
            values = {column: value for column, value in part.values.items() if column != "narrative"}
            parts[key] = Part(key, values | {"since_dropped": "yes"})
        return Content(whole.record, parts)

    with acting_as(ines):
        monkeypatch.setattr(actions, "content_of", as_an_earlier_version)
        digest = as_an_earlier_version(event).sha256
        actions.sign(row=event, meaning="review", digest=digest, form_token="old", by=ines, now=NOW)
    assert standing_of(event).word == "signed"
    AdverseEvent.objects.filter(pk=event.pk).update(term="Chills")
    assert standing_of(event).word == "void"


# Late results ------------------------------------------------------------------------------------------------


def test_a_late_result_is_new_since_signing_and_voids_nothing(
    riverside: Any, ines: User, nora: User, signed_in: Any
) -> None:
    visit = MAKERS["schedule.visit"](riverside, ines)
    VisitAssessment.objects.filter(visit=visit, code="glycaemia").update(
        state="awaiting_result", on_date=None
    )
    signed(visit, ines)
    with acting_as(nora):
        record_results(
            patient=visit.patient, visit=visit, collection=Collection(on=HELD),
            entries=[Entry("hba1c", "7.2", "%")], by=nora, now=NOW,
        )  # fmt: skip
    assert VisitAssessment.objects.get(visit=visit, code="glycaemia").state == "done"
    standing = standing_of(visit)
    assert (standing.word, len(standing.unreviewed)) == ("signed", 1)
    page = signed_in(ines).get(f"/visits/{visit.pk}/").content.decode()
    assert "New since signing" in page
    assert "Signature no longer valid" not in page
    judge_new(now=NOW)
    assert not WorkItem.objects.filter(kind="sign_again").exists()


def test_an_awaited_part_said_to_be_done_without_its_result_voids(riverside: Any, ines: User) -> None:
    visit = MAKERS["schedule.visit"](riverside, ines)
    waiting = VisitAssessment.objects.filter(visit=visit, code="glycaemia")
    waiting.update(state="awaiting_result", on_date=None)
    signed(visit, ines)
    waiting.update(state="done", on_date=HELD)
    assert standing_of(visit).word == "void"


def test_a_late_result_is_reviewed_by_itself_and_again_once_corrected(
    riverside: Any, ines: User, nora: User, signed_in: Any
) -> None:
    visit = MAKERS["schedule.visit"](riverside, ines)
    signed(visit, ines)
    late = a_result(visit, "hba1c", "7.2", "%")
    [came] = standing_of(visit).late
    url = f"/signatures/schedule.visit/{visit.pk}/reviewed/"
    for _ in range(2):
        signed_in(ines).post(url, {"part": came.key, "sha256": came.sha256})
    review = LateReview.objects.get()
    assert (review.reviewed_by, review.part) == (ines, f"labs.labresult:{late.pk}")
    assert not standing_of(visit).unreviewed
    with acting_as(nora):
        correct_result(
            result=late, entry=Entry("hba1c", "7.6", "%"), reason="Typed wrongly", version=1, by=nora, now=NOW
        )
    standing = standing_of(visit)
    assert (standing.word, len(standing.unreviewed)) == ("signed", 1)
    assert signed_in(nora).post(url, {"part": came.key, "sha256": came.sha256}).status_code == 403
    assert LateReview.objects.count() == 1


def test_a_review_of_what_was_not_shown_is_refused(riverside: Any, ines: User) -> None:
    visit = MAKERS["schedule.visit"](riverside, ines)
    signed(visit, ines)
    known = LabResult.objects.get(visit=visit)
    with acting_as(ines), pytest.raises(Exception, match="did not come after"):
        mark_reviewed(row=visit, part=f"labs.labresult:{known.pk}", sha256="", by=ines, now=NOW)


def test_the_correction_of_a_signed_result_voids_and_a_new_signature_ends_it(
    riverside: Any, ines: User, nora: User, signed_in: Any
) -> None:
    visit = MAKERS["schedule.visit"](riverside, ines)
    signed(visit, ines)
    result = LabResult.objects.get(visit=visit)
    with acting_as(nora):
        correct_result(
            result=result,
            entry=Entry("weight", "82", "kg"),
            reason="Scales read again",
            version=1,
            by=nora,
            now=NOW,
        )
    page = signed_in(ines).get(f"/visits/{visit.pk}/").content.decode()
    assert "81 → <strong>82</strong>" in page
    assert "by Nora" in page
    assert "Scales read again" in page
    judge_new(now=NOW)
    assert WorkItem.objects.open().filter(kind="sign_again", role="investigator").count() == 1
    signed(visit, ines, form="again")
    judge_new(now=NOW)
    assert standing_of(visit).word == "signed"
    assert not WorkItem.objects.open().filter(kind="sign_again").exists()


def test_a_request_that_voids_a_signature_asks_for_a_new_one_at_once(
    riverside: Any, ines: User, nora: User, signed_in: Any
) -> None:
    event = MAKERS["safety.adverseevent"](riverside, ines)
    signed(event, ines)
    answer = signed_in(nora).post(
        f"/safety/events/{event.pk}/withdraw/", {"reason": "Wrong record", "version": str(event.version)}
    )
    assert answer.status_code == 302
    item = WorkItem.objects.open().get(kind="sign_again")
    assert item.url == f"/safety/events/{event.pk}/#signatures"


def test_another_person_signs_beside_the_first(riverside: Any, ines: User) -> None:
    visit = MAKERS["schedule.visit"](riverside, ines)
    second = person("ivan", "investigator", riverside)
    signed(visit, ines)
    signed(visit, second, form="two")
    assert len(standing_of(visit).valid) == 2
    assert signable_for(visit).noun == "visit"
