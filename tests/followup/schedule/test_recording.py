"""Recording a visit: every part answered or still due, a day outside the window a deviation, nothing overwritten unseen."""

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied

from followup.schedule.actions import (
    Answer,
    add_unscheduled,
    book,
    log_contact_attempt,
    mark_missed,
    mark_not_required,
    record_visit,
    reopen,
)
from followup.schedule.models import ContactAttempt, Visit, WorkItem
from registry.audit.models import AuditEntry
from registry.infusions.models import Infusion
from registry.patients.models import Query
from registry.saving import ChangedMeanwhile, NotAccepted
from tests.cast import NOW, TODAY
from tests.followup.schedule.scene import INFUSED, planned, visit_of

pytestmark = pytest.mark.django_db

M12_OPEN = date(2031, 2, 1)  # month 12 falls on 20 Jan 2031, its window closes on 19 Feb


def record(visit: Visit, by: Any, assessments: dict[str, Answer], **facts: Any) -> Visit:
    entered: dict[str, Any] = {
        "actual_date": M12_OPEN, "contact_mode": "on_site", "note": "", "version": visit.version,
    }  # fmt: skip
    return record_visit(visit=visit, assessments=assessments, by=by, now=NOW, **entered | facts)


def every(visit: Visit, state: str = "done", reason: str = "") -> dict[str, Answer]:
    return {code: Answer(state, None, reason) for code in visit.assessments.values_list("code", flat=True)}


def test_a_visit_is_done_when_every_part_has_a_state(riverside, nora):
    visit = visit_of(planned(riverside), "M12")
    saved = record(visit, nora, every(visit) | {"clamp": Answer("not_applicable")})
    assert (saved.state, saved.actual_date, saved.out_of_window) == ("done", M12_OPEN, False)
    assert saved.assessments.get(code="imaging").on_date == M12_OPEN


def test_until_then_it_stays_planned_with_what_was_answered(riverside, nora):
    visit = visit_of(planned(riverside), "M12")
    saved = record(visit, nora, {"interview": Answer("done"), "glycaemia": Answer("awaiting_result")})
    assert (saved.state, saved.is_partial) == ("planned", True)
    assert saved.status_on(TODAY) == "late"
    states = dict(saved.assessments.values_list("code", "state"))
    assert (states["interview"], states["glycaemia"], states["imaging"]) == (
        "done",
        "awaiting_result",
        "pending",
    )


@pytest.mark.parametrize("mode", ["phone", "letter", "records", "video"])
def test_a_call_cannot_settle_an_examination(riverside, nora, mode):
    visit = visit_of(planned(riverside), "M12")
    with pytest.raises(NotAccepted, match=r"Physical examination.*needs the patient on site") as refusal:
        record(visit, nora, {"physical_exam": Answer("done")}, contact_mode=mode)
    assert refusal.value.field == "physical_exam"
    saved = record(visit, nora, {"neoplasia_check": Answer("done")}, contact_mode=mode)
    assert saved.state == "planned"
    assert saved.assessments.get(code="imaging").state == "pending"


def test_what_was_done_elsewhere_counts_after_a_call(riverside, nora):
    visit = visit_of(planned(riverside), "M12")
    elsewhere = record(visit, nora, every(visit, "done_elsewhere"), contact_mode="phone")
    assert elsewhere.state == "done"


def test_not_done_needs_a_reason(riverside, nora):
    visit = visit_of(planned(riverside), "M12")
    with pytest.raises(NotAccepted, match="say why"):
        record(visit, nora, {"imaging": Answer("not_done", None, " ")})
    saved = record(visit, nora, {"imaging": Answer("not_done", None, "Machine broken")})
    assert saved.assessments.get(code="imaging").reason == "Machine broken"


def test_a_part_that_is_not_of_this_visit_is_refused(riverside, nora):
    visit = visit_of(planned(riverside), "D1")
    with pytest.raises(NotAccepted, match="imaging is not part"):
        record(visit, nora, {"imaging": Answer("not_applicable")}, actual_date=INFUSED + timedelta(days=1))


def test_a_day_outside_the_window_is_saved_with_a_deviation_that_somebody_answers(riverside, nora):
    visit = visit_of(planned(riverside), "M12")
    record(visit, nora, every(visit), actual_date=date(2031, 3, 10), window_reason="Patient abroad")
    query = Query.objects.get()
    assert query.reason == "Visit M12 was held on 10 Mar 2031, outside its window: Patient abroad"
    item = WorkItem.objects.get()
    assert (item.kind, item.source, item.role) == ("deviation", f"query:{query.pk}", "nurse")
    visit.refresh_from_db()
    record(visit, nora, {}, actual_date=M12_OPEN, reason="Wrong day typed")
    item.refresh_from_db()
    assert item.closed_at == NOW


def test_the_future_is_not_recorded(riverside, nora):
    visit = visit_of(planned(riverside), "M12")
    with pytest.raises(NotAccepted, match="15 Mar 2031 has not come yet at Riverside"):
        record(visit, nora, {}, actual_date=TODAY + timedelta(days=1))


def test_today_is_the_day_at_the_site(harbour, hana):
    visit = visit_of(planned(harbour), "M12")
    late_evening_utc = datetime.fromisoformat("2031-03-14T20:00:00+00:00")  # the 15th in Auckland
    saved = record_visit(
        visit=visit, actual_date=date(2031, 3, 15), contact_mode="on_site", assessments={}, note="",
        by=hana, now=late_evening_utc, version=visit.version,
    )  # fmt: skip
    assert saved.actual_date == date(2031, 3, 15)


def test_the_second_of_two_savers_is_told_and_nothing_is_overwritten(riverside, nora, dele):
    visit = visit_of(planned(riverside), "M12")
    mine, hers = Visit.objects.get(pk=visit.pk), Visit.objects.get(pk=visit.pk)
    record(hers, dele, {"interview": Answer("done")}, note="first")
    with pytest.raises(ChangedMeanwhile):
        record(mine, nora, {"interview": Answer("not_applicable")}, note="second")
    visit.refresh_from_db()
    assert (visit.note, visit.assessments.get(code="interview").state) == ("first", "done")


def test_a_visit_saved_as_done_changes_with_a_reason_that_the_trail_keeps(riverside, nora):
    visit = visit_of(planned(riverside), "M12")
    record(visit, nora, every(visit))
    with pytest.raises(NotAccepted, match="Say why it is changed"):
        record(visit, nora, {}, note="Seen by Dr Osei")
    record(visit, nora, {}, note="Seen by Dr Osei", reason="Name left out")
    last = AuditEntry.objects.filter(table_name="schedule_visit", row_id=str(visit.pk)).order_by("pk").last()
    assert last.reason == "Name left out"


def test_rights(riverside, nora, mona, hana, sami):
    visit = visit_of(planned(riverside), "M12")
    for stranger in (mona, hana, sami):
        with pytest.raises(PermissionDenied):
            record(visit, stranger, {})
    with pytest.raises(PermissionDenied):
        mark_not_required(visit=visit, reason="x", by=hana, now=NOW, version=visit.version)


# Deciding ----------------------------------------------------------------------------------------------------


def test_only_a_late_visit_is_missed_and_only_with_a_reason(riverside, nora):
    patient = planned(riverside)
    ahead, late = visit_of(patient, "M24"), visit_of(patient, "M12")
    with pytest.raises(NotAccepted, match="window is open until 20 Mar 2032"):
        mark_missed(visit=ahead, reason="will not come", by=nora, now=NOW, version=ahead.version)
    with pytest.raises(NotAccepted, match="Say why"):
        mark_missed(visit=late, reason=" ", by=nora, now=NOW, version=late.version)
    mark_missed(visit=late, reason="Moved, not reached", by=nora, now=NOW, version=late.version)
    with pytest.raises(NotAccepted, match="missed already"):
        mark_not_required(visit=late, reason="x", by=nora, now=NOW, version=late.version)
    with pytest.raises(NotAccepted, match="Reopen it first"):
        record(late, nora, {})


def test_a_reopened_visit_lies_where_its_anchor_lies_now(riverside, nora):
    patient = planned(riverside)
    visit = visit_of(patient, "M12")
    mark_missed(visit=visit, reason="Not reached", by=nora, now=NOW, version=visit.version)
    Infusion.objects.update(infused_on=INFUSED + timedelta(days=10))
    reopened = reopen(visit=visit, reason="Came after all", by=nora, now=NOW, version=visit.version)
    assert (reopened.state, reopened.state_reason, reopened.target_date) == ("planned", "", date(2031, 1, 30))
    with pytest.raises(NotAccepted, match="open already"):
        reopen(visit=reopened, reason="again", by=nora, now=NOW, version=reopened.version)


def test_an_unscheduled_visit_is_not_reopened(riverside, nora):
    patient = planned(riverside)
    visit = add_unscheduled(
        patient=patient, actual_date=TODAY, contact_mode="phone", note="Rash", by=nora, now=NOW
    )
    with pytest.raises(NotAccepted, match="stays on record"):
        reopen(visit=visit, reason="x", by=nora, now=NOW, version=visit.version)


# Arranging ---------------------------------------------------------------------------------------------------


def test_a_booking_on_a_closed_day_names_the_nearest_open_one(riverside, nora):
    visit = visit_of(planned(riverside, infused_on=date(2030, 9, 15)), "M6")  # due on 15 Mar 2031, a Saturday
    with pytest.raises(
        NotAccepted, match=r"closed on Saturdays.*nearest open day in the window is 14 Mar 2031"
    ):
        book(visit=visit, on=date(2031, 3, 15), by=nora, now=NOW, version=visit.version)
    with pytest.raises(NotAccepted, match="13 Mar 2031 is past"):
        book(visit=visit, on=date(2031, 3, 13), by=nora, now=NOW, version=visit.version)
    assert book(visit=visit, on=date(2031, 3, 17), by=nora, now=NOW, version=visit.version).booked_for
    with pytest.raises(NotAccepted, match="Say why it is moved"):
        book(visit=visit, on=None, by=nora, now=NOW, version=visit.version)
    gone = book(visit=visit, on=None, by=nora, now=NOW, version=visit.version, reason="She is away")
    assert gone.booked_for is None


def test_a_form_sent_twice_is_one_unscheduled_visit_and_one_attempt(riverside, nora):
    patient = planned(riverside)
    for _ in range(2):
        add_unscheduled(
            patient=patient, actual_date=TODAY, contact_mode="phone", note="Rash", by=nora, now=NOW,
            form_token="a" * 32,
        )  # fmt: skip
        log_contact_attempt(
            patient=patient, visit=None, at=NOW, channel="phone", outcome="no_answer", next_try_on=None,
            note="", by=nora, now=NOW, form_token="b" * 32,
        )  # fmt: skip
    assert Visit.objects.filter(visit_code="").count() == 1
    assert ContactAttempt.objects.count() == 1


def test_nothing_that_is_yet_to_come_is_logged(riverside, nora):
    patient = planned(riverside)
    with pytest.raises(NotAccepted, match="has not come yet"):
        add_unscheduled(
            patient=patient,
            actual_date=TODAY + timedelta(days=1),
            contact_mode="phone",
            note="x",
            by=nora,
            now=NOW,
        )
    with pytest.raises(NotAccepted, match="cannot lie in the future"):
        log_contact_attempt(
            patient=patient, visit=None, at=NOW + timedelta(hours=1), channel="phone", outcome="reached",
            next_try_on=None, note="", by=nora, now=NOW,
        )  # fmt: skip
