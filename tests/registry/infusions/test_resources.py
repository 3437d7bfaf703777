"""Infusions as files: facts are taken in with their deviations, slips refuse the whole file."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from registry.access.models import Site, SiteScope, User
from registry.exchange.actions import Report, import_file
from registry.exchange.exporting import Scope, cell
from registry.exchange.resources import Context
from registry.infusions.exports import INFUSIONS_TABLE
from registry.infusions.models import Infusion, InfusionDose
from registry.patients.models import Patient, Query, Status
from registry.products.models import Lot
from tests.cast import NOW, TODAY
from tests.registry.infusions.test_actions import a_lot, enrolled

pytestmark = pytest.mark.django_db

ROW = {
    "patient_id": "RIV-0001-X", "infused_at": "2031-03-01", "lot": "UC-1", "tissue_source": "umbilical_cord",
    "donor_relation": "allogeneic_unrelated", "cell_type": "msc", "route": "iv_peripheral",
    "cells_total": "75000000", "viability_percent": "91", "weight_kg": "75",
}  # fmt: skip


@pytest.fixture
def rosa(riverside: Site) -> Patient:
    return enrolled("RIV-0001-X", riverside)


@pytest.fixture
def lot(acting: None) -> Lot:
    return a_lot("UC-1")


@pytest.fixture
def bring(tmp_path: Path, rosa: Patient, lot: Lot) -> Any:
    def go(
        *rows: dict[str, str], reason: str = "", clean_rows: bool = False, by: User | None = None
    ) -> Report:
        file = tmp_path / "infusions.csv"
        lines = [",".join(rows[0]), *(",".join(row.values()) for row in rows)]
        file.write_text("\n".join(lines), encoding="utf-8")
        context = Context(now=NOW, by=by, reason=reason)
        return import_file(kind="infusions", path=file, context=context, commit=True, clean_rows=clean_rows)

    return go


def test_an_infusion_comes_in_once_computes_its_dose_and_starts_follow_up(bring: Any, rosa: Patient) -> None:
    first, second = bring(ROW), bring(ROW)
    assert (first.created, first.flagged, first.errors) == (1, 0, [])
    assert (second.created, second.unchanged) == (0, 1)
    dose = InfusionDose.objects.get()
    assert (dose.viable_cells, dose.viable_cells_per_kg) == (68_250_000, Decimal("910000.00"))
    assert dose.infusion.infused_at is None  # a bare date keeps the precision of a day
    rosa.refresh_from_db()
    assert rosa.status == Status.IN_FOLLOW_UP
    assert not Query.objects.exists()


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2030-07-01T09:30", datetime(2030, 7, 1, 8, 30, tzinfo=UTC)),  # summer time in London
        ("2031-03-01T09:30+02:00", datetime(2031, 3, 1, 7, 30, tzinfo=UTC)),
    ],
)
def test_a_time_without_zone_is_the_time_of_the_site(bring: Any, written: str, moment: datetime) -> None:
    bring(ROW | {"infused_at": written})
    assert Infusion.objects.get().infused_at == moment


def test_other_lots_of_the_same_moment_are_doses_of_one_infusion(bring: Any) -> None:
    a_lot("UC-2")
    assert bring(ROW, ROW | {"lot": "UC-2"}).created == 2
    assert (Infusion.objects.count(), InfusionDose.objects.count()) == (1, 2)
    a_lot("UC-3")
    assert bring(ROW | {"lot": "UC-3"}).created == 1
    assert (Infusion.objects.count(), InfusionDose.objects.count()) == (1, 3)


def test_what_the_file_leaves_out_is_that_of_the_lot_and_a_contradiction_is_asked_about(bring: Any) -> None:
    bring(ROW | {"tissue_source": "", "donor_relation": "", "cell_type": ""})
    dose = InfusionDose.objects.get()
    assert (dose.tissue_source, dose.donor_relation, dose.cell_type) == (
        "umbilical_cord", "allogeneic_unrelated", "msc",
    )  # fmt: skip
    report = bring(ROW | {"infused_at": "2031-03-08", "tissue_source": "adipose"})
    assert (report.created, report.flagged) == (1, 1)
    assert Query.objects.get().rule == "infusion_contradicts_lot"
    assert bring(ROW | {"infused_at": "2031-03-08", "tissue_source": "adipose"}).unchanged == 1


def test_a_broken_rule_is_a_deviation_not_a_refusal(bring: Any) -> None:
    a_lot("OLD", state="quarantine", released_on=None)
    report = bring(ROW | {"lot": "OLD", "infused_at": "2031-01-05"})
    assert (report.created, report.refused, report.flagged) == (1, 0, 1)
    assert set(Query.objects.values_list("rule", flat=True)) == {
        "before_enrolment", "consent_not_yet_given", "lot_not_released",
    }  # fmt: skip


def test_the_later_of_two_infusions_overdraws_the_lot_whatever_the_order_of_rows(
    bring: Any, lot: Lot
) -> None:
    Lot.objects.filter(pk=lot.pk).update(cells_total=200_000_000)
    rows = [ROW | {"infused_at": f"2031-03-0{day}"} for day in (1, 2, 3)]
    for order in list(permutations(rows))[1:4]:
        assert bring(*order).flagged in {1, 0}
    query = Query.objects.get(rule="lot_used_up")
    assert query.record == f"infusions.infusion:{Infusion.objects.get(infused_on='2031-03-03').pk}"


def test_rows_of_one_infusion_that_disagree_are_asked_about_once(bring: Any) -> None:
    a_lot("UC-2")
    rows = [ROW | {"lot": "UC-2", "weight_kg": "80"}, ROW]
    assert bring(*rows).flagged == 1
    assert Infusion.objects.get().weight_kg == 75  # of the first lot, in whatever order the rows came
    assert bring(*reversed(rows)).unchanged == 2


@pytest.mark.parametrize(
    ("column", "value", "code"),
    [
        ("patient_id", "RIV-0009-X", "unknown_patient"),
        ("lot", "UC-9", "unknown_lot"),
        ("infused_at", "2031-03-15", "not_plausible"),
        ("infused_at", "2031-03-14T23:00", "not_plausible"),
        ("infused_at", "1970-01-01", "not_plausible"),
        ("infused_at", "yesterday", "not_a_moment"),
        ("cells_total", "75", "not_plausible"),
        ("viability_percent", "101", "out_of_range"),
        ("weight_kg", "7.5", "out_of_range"),
        ("route", "by mouth", "not_allowed"),
    ],
)
def test_one_bad_row_refuses_the_whole_file(bring: Any, column: str, value: str, code: str) -> None:
    report = bring(ROW, ROW | {"infused_at": "2031-03-02", column: value})
    error = report.errors[0]
    assert (error.row, error.column, error.value, error.code) == (3, column, value, code)
    assert (report.committed, report.refused, Infusion.objects.count()) == (False, 2, 0)


def test_a_patient_of_another_site_is_like_one_that_does_not_exist(bring: Any, hana: User) -> None:
    absent = bring(ROW | {"patient_id": "RIV-0009-X"}, by=hana).errors[0].message
    assert bring(ROW, by=hana).errors[0].message == absent.replace("RIV-0009-X", "RIV-0001-X")


def test_clean_rows_are_stored_when_asked(bring: Any) -> None:
    report = bring(ROW, ROW | {"infused_at": "2031-03-02", "weight_kg": "7"}, clean_rows=True)
    assert (report.created, report.refused, Infusion.objects.count()) == (1, 1, 1)


def test_headings_are_checked_by_name(bring: Any) -> None:
    assert "“dose”" in bring(ROW | {"dose": "1"}).errors[0].message
    without = {name: value for name, value in ROW.items() if name != "weight_kg"}
    assert bring(without).errors[0].code == "missing_heading"


def test_a_changed_row_needs_a_reason_and_recomputes_every_dose(bring: Any) -> None:
    a_lot("UC-2")
    bring(ROW, ROW | {"lot": "UC-2"})
    changed = ROW | {"weight_kg": "70"}
    assert bring(changed).errors[0].code == "reason_required"
    assert bring(changed, reason="Scale was wrong").updated == 1
    assert set(InfusionDose.objects.values_list("viable_cells_per_kg", flat=True)) == {Decimal("975000.00")}
    assert bring(changed).unchanged == 1


def test_a_day_and_a_time_of_the_same_day_may_be_one_infusion(bring: Any) -> None:
    bring(ROW)
    assert bring(ROW | {"infused_at": "2031-03-01T10:00"}).flagged == 1
    assert Query.objects.get().rule == "possible_duplicate_infusion"


def test_two_hundred_infusions_are_written_together(bring: Any, riverside: Site) -> None:
    for number in range(200):
        enrolled(f"RIV-1{number:03}-X", riverside)
    rows = [ROW | {"patient_id": f"RIV-1{number:03}-X"} for number in range(200)]
    with CaptureQueriesContext(connection) as captured:
        assert bring(*rows).created == 200
    own = [
        q
        for q in captured.captured_queries
        if re.search(r'(FROM|INTO|UPDATE) "(infusions|products)_', q["sql"])
    ]
    assert len(own) < 40


def exported() -> list[dict[str, str]]:
    scope = Scope(sites=SiteScope(everywhere=True), now=NOW)
    columns = INFUSIONS_TABLE.columns
    return [dict(zip(columns, map(cell, row), strict=True)) for row in INFUSIONS_TABLE.rows(scope)]


def test_what_goes_out_is_numbered_and_comes_in_unchanged(bring: Any) -> None:
    a_lot("UC-2")
    bring(ROW, ROW | {"lot": "UC-2"}, ROW | {"infused_at": "2031-03-08T10:15"})
    rows = exported()
    assert [(row["infused_at"], row["lot"], row["sequence"]) for row in rows] == [
        ("2031-03-01", "UC-1", "1"),
        ("2031-03-01", "UC-2", "1"),
        ("2031-03-08T10:15:00+00:00", "UC-1", "2"),
    ]
    assert rows[0]["cells_per_kg"] == "910000.00"
    assert bring(*rows).unchanged == 3
    assert bring(rows[0] | {"infused_at": str(TODAY), "viable_cells": "75000000"}).flagged == 1
