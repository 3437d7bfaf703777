"""Visits as files: laid against the plan whatever the order of the lines, the same file twice changes nothing."""

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from followup.schedule.actions import add_unscheduled, load_plan, plan_visits, repair_plans
from followup.schedule.exports import COLUMNS, VISITS
from followup.schedule.models import Visit, VisitAssessment, WorkItem
from followup.schedule.plan_file import DEFAULT_PLAN_PATH
from registry.access.models import SiteScope, User
from registry.exchange.actions import Report, import_file
from registry.exchange.exporting import Scope
from registry.exchange.resources import Context
from registry.patients.models import Patient, Query
from tests.cast import NOW
from tests.followup.schedule.scene import ENROLLED, INFUSED, infuse, planned, say, visit_of

pytestmark = pytest.mark.django_db

Bring = Callable[..., Report]
M3 = "2030-04-20"


@pytest.fixture
def bring(tmp_path: Path, acting: None) -> Bring:
    def go(*lines: str, reason: str = "", by: User | None = None, commit: bool = True) -> Report:
        file = tmp_path / "visits.csv"
        file.write_text(
            "\n".join(["patient_id,visit_code,actual_date,contact_mode", *lines]), encoding="utf-8"
        )
        context = Context(now=NOW, reason=reason, by=by)
        return import_file(kind="visits", path=file, context=context, commit=commit)

    return go


def counts(report: Report) -> tuple[int, int, int, int, int]:
    return report.created, report.updated, report.unchanged, report.refused, report.flagged


def held(patient: Patient) -> dict[str, date]:
    rows = Visit.objects.filter(patient=patient, state="done").order_by("actual_date", "pk")
    return {f"{visit.visit_code or 'unscheduled'}{visit.sequence}": visit.actual_date for visit in rows}


def test_a_blank_code_fills_the_nearest_waiting_visit_else_is_unscheduled(riverside, bring):
    patient = planned(riverside)
    report = bring(
        "RIV-0001,,2030-01-20,on_site",  # the infusion day, although baseline and others are near
        "RIV-0001,,2030-04-16,on_site",  # in the windows of week 12 (14 Apr) and month 3 (20 Apr)
        "RIV-0001,,2030-04-17,phone",
        "RIV-0001,,2030-03-10,on_site",  # in no window
    )
    assert counts(report) == (4, 0, 0, 0, 0)
    assert held(patient) == {
        "INF1": date(2030, 1, 20), "unscheduled1": date(2030, 3, 10), "W12L1": date(2030, 4, 16),
        "M31": date(2030, 4, 17),
    }  # fmt: skip


def test_a_visit_that_a_new_version_added_too_late_is_filled_where_a_file_says_it_was_held(riverside, bring):
    patient = planned(riverside)
    text = DEFAULT_PLAN_PATH.read_text(encoding="utf-8").replace("version = 1", "version = 2", 1)
    load_plan(text.replace('code = "M3"', 'code = "M3B"'), now=NOW)
    repair_plans(NOW)
    assert visit_of(patient, "M3B").state == "not_required"
    assert counts(bring(f"RIV-0001,M3B,{M3},on_site")) == (1, 0, 0, 0, 0)
    assert held(patient) == {"M3B1": date(2030, 4, 20)}


def test_the_order_of_the_lines_decides_nothing(riverside, bring):
    days = [INFUSED + timedelta(days=step) for step in range(0, 400, 6)]
    lines = [f"{{}},,{day},on_site" for day in days] + [f"{{}},M6,{INFUSED + timedelta(days=200)},phone"]
    one, other = planned(riverside, 1), planned(riverside, 2)
    bring(*[line.format(one.patient_id) for line in lines])
    shuffled = [line.format(other.patient_id) for line in lines]
    Random(7).shuffle(shuffled)
    bring(*shuffled)
    codes = [
        set(
            Visit.objects.filter(patient=p).exclude(actual_date=None).values_list("visit_code", "actual_date")
        )
        for p in (one, other)
    ]
    assert codes[0] == codes[1]


def test_the_same_file_again_changes_nothing_and_equal_lines_are_two_visits(riverside, bring):
    patient = planned(riverside)
    lines = [f"RIV-0001,,{M3},on_site", f"RIV-0001,,{M3},on_site", f"RIV-0001,M6,{M3},phone"]
    assert counts(bring(*lines)) == (3, 0, 0, 0, 1)
    before = list(Visit.objects.order_by("pk").values())
    assert counts(bring(*lines)) == (0, 0, 3, 0, 0)
    assert list(Visit.objects.order_by("pk").values()) == before
    assert Visit.objects.filter(patient=patient).exclude(actual_date=None).count() == 3


def test_a_dry_run_writes_nothing(riverside, bring):
    planned(riverside)
    assert counts(bring(f"RIV-0001,,{M3},on_site", commit=False)) == (1, 0, 0, 0, 0)
    assert not Visit.objects.exclude(actual_date=None).exists()


def test_a_changed_line_needs_a_reason(riverside, bring):
    planned(riverside)
    bring(f"RIV-0001,,{M3},on_site")
    refused = bring(f"RIV-0001,,{M3},phone")
    assert refused.errors[0].code == "reason_required"
    assert counts(bring(f"RIV-0001,,{M3},phone", reason="It was a call"))[1] == 1
    assert Visit.objects.get(actual_date=M3).contact_mode == "phone"
    assert counts(bring(f"RIV-0001,,{M3},")) == (0, 0, 1, 0, 0)


def test_before_enrolment_is_accepted_and_flagged(riverside, bring):
    planned(riverside)
    report = bring(f"RIV-0001,,{ENROLLED - timedelta(days=2)},on_site")
    assert counts(report) == (1, 0, 0, 0, 1)
    query = Query.objects.get()
    assert (query.kind, query.rule) == ("deviation", "visit_before_enrolment")
    assert WorkItem.objects.get().source == f"query:{query.pk}"


def test_a_code_outside_its_window_is_a_deviation_and_of_several_the_fitting_one_is_filled(riverside, bring):
    patient = planned(riverside)
    infuse(patient, INFUSED + timedelta(days=90))
    plan_visits([patient.pk], now=NOW)
    report = bring(f"RIV-0001,D7,{INFUSED + timedelta(days=98)},on_site", "RIV-0001,M6,2030-12-01,on_site")
    assert counts(report) == (2, 0, 0, 0, 1)
    assert visit_of(patient, "D7", 2).state == "done"
    assert visit_of(patient, "M6").out_of_window is True
    assert Query.objects.get().rule == "visit_out_of_window"


def test_a_code_that_nothing_waits_for_becomes_unscheduled_and_is_questioned(riverside, bring):
    planned(riverside)
    report = bring(f"RIV-0001,M3,{M3},on_site", "RIV-0001,M3,2030-04-21,on_site")
    assert counts(report) == (2, 0, 0, 0, 1)
    assert Query.objects.get().kind == "contradiction"
    assert Visit.objects.get(actual_date="2030-04-21").visit_code == ""


@pytest.mark.parametrize(
    ("line", "column", "code"),
    [
        ("RIV-0001,M4,2030-04-20,on_site", "visit_code", "unknown_visit_code"),
        ("RIV-0001,,2031-03-15,on_site", "actual_date", "in_future"),
        ("RIV-0001,,2030-02-30,on_site", "actual_date", "not_a_date"),
        ("RIV-0001,,2030-04-20,pigeon", "contact_mode", "not_allowed"),
        ("RIV-0009,,2030-04-20,on_site", "patient_id", "unknown_patient"),
    ],
)
def test_one_bad_line_refuses_the_file_and_says_where(riverside, bring, line, column, code):
    planned(riverside)
    report = bring(f"RIV-0001,,{M3},on_site", line)
    assert counts(report) == (0, 0, 0, 2, 0)
    error = report.errors[0]
    assert (error.row, error.column, error.code) == (3, column, code)
    assert not Visit.objects.exclude(actual_date=None).exists()


def test_a_patient_at_another_site_is_as_unknown_as_one_that_is_not_there(riverside, harbour, nora, bring):
    planned(harbour)
    errors = [bring(f"{pid},,{M3},on_site", by=nora).errors[0] for pid in ("HAR-0001", "HAR-0002")]
    assert [e.message.replace("HAR-0002", "HAR-0001") for e in errors] == [errors[0].message] * 2


def test_the_parts_of_an_imported_visit_are_not_made_up(riverside, bring):
    patient = planned(riverside)
    bring("RIV-0001,,2030-07-20,on_site", "RIV-0001,,2030-01-20,on_site")
    parts = {row.code: row for row in visit_of(patient, "M6").assessments.all()}
    assert parts["glycaemia"].state == "awaiting_result"
    assert (parts["neoplasia_check"].state, parts["neoplasia_check"].reason) == (
        "not_done", "Not in the imported file",
    )  # fmt: skip
    given = VisitAssessment.objects.get(visit__visit_code="INF", code="infusion")
    assert (given.state, given.on_date) == ("done", INFUSED)
    assert not VisitAssessment.objects.filter(visit__state="done", state="pending").exists()


def test_a_visit_entered_by_hand_is_not_brought_in_twice(riverside, nora, bring):
    patient = planned(riverside)
    add_unscheduled(
        patient=patient, actual_date=date(2030, 3, 10), contact_mode="phone", note="Rash", by=nora, now=NOW
    )
    assert counts(bring("RIV-0001,,2030-03-10,phone")) == (0, 0, 1, 0, 0)


def test_what_happened_before_a_death_still_fills_its_visit(riverside, bring):
    patient = planned(riverside)
    say(patient, "deceased", date(2030, 12, 1), death_confirmed=True)
    repair_plans(NOW)
    bring(f"RIV-0001,,{M3},on_site")
    assert visit_of(patient, "M3").state == "done"


def test_the_export_has_one_row_a_visit_with_its_status_on_the_site_s_day(riverside, harbour, bring):
    planned(riverside)
    planned(harbour)
    bring("RIV-0001,,2030-03-10,phone", f"RIV-0001,,{M3},")
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in export(SiteScope(everywhere=True))]
    assert len(rows) == Visit.objects.count()
    assert sum(row["actual_date"] is not None for row in rows) == 2
    unscheduled = next(row for row in rows if not row["visit_code"])
    assert (unscheduled["sequence"], unscheduled["status"], unscheduled["anchor"]) == (None, "done", "")
    status = {row["visit_code"]: row["status"] for row in rows if row["patient_id"] == "RIV-0001"}
    assert (status["M3"], status["M6"], status["Y15"]) == ("done", "late", "planned")
    own = list(export(SiteScope(site_ids=frozenset({harbour.pk}))))
    assert {row[0] for row in own} == {"HAR-0001"}


def export(sites: SiteScope) -> Any:
    return VISITS.rows(Scope(sites, NOW))


def test_visits_without_a_code_come_back_with_the_one_they_were_given(riverside, bring):
    """As an export writes them: each row is the contact it came from, also of two on one day."""
    planned(riverside)
    bring(
        f"RIV-0001,,{M3},on_site", f"RIV-0001,,{M3},on_site", f"RIV-0001,,{M3},phone", f"RIV-0001,,{INFUSED},"
    )
    rows = Visit.objects.exclude(actual_date=None).order_by("visit_code", "pk")
    back = [f"RIV-0001,{v.visit_code},{v.actual_date},{v.contact_mode}" for v in rows]
    assert {line.split(",")[1] for line in back} == {"", "INF", "M3", "W12L"}
    assert counts(bring(*back)) == (0, 0, 4, 0, 0)
    assert counts(bring(*reversed(back))) == (0, 0, 4, 0, 0)


def test_unscheduled_visits_leave_last_on_either_database(riverside, bring):
    planned(riverside)
    bring("RIV-0001,,2030-03-10,on_site", f"RIV-0001,,{INFUSED},on_site")
    rows = list(VISITS.rows(Scope(SiteScope(everywhere=True), NOW)))
    targets = [row[COLUMNS.index("target_date")] for row in rows]
    assert targets[-1] is None
    assert targets[:-1] == sorted(targets[:-1])
