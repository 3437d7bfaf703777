"""Lots as files: the same file twice changes nothing, and one bad row refuses the whole."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from registry.access.models import SiteScope
from registry.exchange.actions import Report, import_file
from registry.exchange.exporting import Scope, cell
from registry.exchange.resources import Context
from registry.patients.models import Query
from registry.products.models import Donor, Lot, ReleaseTest
from registry.products.resources import LOTS_TABLE
from tests.cast import NOW

pytestmark = pytest.mark.django_db

ROW = {
    "lot": "UC-1", "donor": "D-1", "donor_relation": "allogeneic_unrelated", "tissue_source": "umbilical_cord",
    "cell_type": "msc", "passage": "4", "cryopreserved": "yes", "cells_total": "60000000000",
    "viability_percent": "91", "cd73_percent": "99.1", "cd90_percent": "98.7", "cd105_percent": "97.9",
    "cd45_percent": "0.4", "cd34_percent": "0.3", "cd14_percent": "0.5", "cd19_percent": "0.2",
    "hla_dr_percent": "0.9", "sterility": "no_growth", "mycoplasma": "negative", "endotoxin_eu_ml": "<0.2",
    "karyotype": "normal", "released_on": "2030-06-01", "expires_on": "2034-06-01",
}  # fmt: skip


@pytest.fixture
def bring(tmp_path: Path, acting: None) -> Any:
    def go(*rows: dict[str, str], reason: str = "", clean_rows: bool = False) -> Report:
        file = tmp_path / "lots.csv"
        lines = [",".join(rows[0]), *(",".join(row.values()) for row in rows)]
        file.write_text("\n".join(lines), encoding="utf-8")
        context = Context(now=NOW, reason=reason)
        return import_file(kind="lots", path=file, context=context, commit=True, clean_rows=clean_rows)

    return go


def test_a_lot_comes_in_once_with_donor_and_tests(bring: Any) -> None:
    first, second = bring(ROW), bring(ROW)
    assert (first.created, first.flagged, first.errors) == (1, 0, [])
    assert (second.created, second.unchanged) == (0, 1)
    lot = Lot.objects.get()
    assert (lot.state, lot.donor.code, lot.cells_total) == ("released", "D-1", 60_000_000_000)
    assert ReleaseTest.objects.get(kind="endotoxin_eu_ml").result == "<0.2"
    assert ReleaseTest.objects.count() == 12


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({"released_on": ""}, "quarantine"),
        ({"sterility": "pending"}, "conditional"),
        ({"karyotype": ""}, "conditional"),
        ({}, "released"),
    ],
)
def test_a_release_date_decides_the_state(bring: Any, changes: dict[str, str], state: str) -> None:
    assert bring(ROW | changes).created == 1
    assert Lot.objects.get().state == state


def test_a_lot_released_in_spite_of_a_failed_test_is_taken_in_and_asked_about(bring: Any) -> None:
    report = bring(ROW | {"mycoplasma": "positive"})
    assert (report.created, report.flagged) == (1, 1)
    assert Query.objects.get().rule == "lot_released_with_failed_test"


@pytest.mark.parametrize(
    ("column", "value", "code"),
    [
        ("donor_relation", "cousin", "not_allowed"),
        ("cells_total", "75", "out_of_range"),
        ("cd73_percent", "101", "out_of_range"),
        ("endotoxin_eu_ml", "low", "not_a_number"),
        ("released_on", "2031-03-15", "in_future"),
        ("expires_on", "2031-02-30", "not_a_date"),
        ("lot", "", "required"),
    ],
)
def test_one_bad_row_refuses_the_whole_file(bring: Any, column: str, value: str, code: str) -> None:
    report = bring(ROW, ROW | {"lot": "UC-2", column: value})
    error = report.errors[0]
    assert (error.row, error.column, error.value, error.code) == (3, column, value, code)
    assert (report.committed, report.refused, Lot.objects.count()) == (False, 2, 0)


def test_clean_rows_are_stored_when_asked(bring: Any) -> None:
    report = bring(ROW, ROW | {"lot": "UC-2", "cells_total": "many"}, clean_rows=True)
    assert (report.created, report.refused, Lot.objects.get().code) == (1, 1, "UC-1")


def test_headings_are_checked_by_name(bring: Any) -> None:
    assert "“colour”" in bring(ROW | {"colour": "red"}).errors[0].message
    without = {name: value for name, value in ROW.items() if name != "donor"}
    assert bring(without).errors[0].code == "missing_heading"


def test_a_changed_row_needs_a_reason_and_a_blank_cell_changes_nothing(bring: Any) -> None:
    bring(ROW)
    changed = ROW | {"karyotype": "abnormal", "passage": ""}
    assert bring(changed).errors[0].code == "reason_required"
    assert bring(changed, reason="Laboratory corrected it").updated == 1
    lot = Lot.objects.get()
    assert (lot.passage, lot.version, ReleaseTest.objects.get(kind="karyotype").result) == (4, 2, "abnormal")
    assert bring(changed).unchanged == 1


def test_a_lot_twice_in_one_file_must_agree(bring: Any) -> None:
    assert bring(ROW, ROW).unchanged == 1
    assert bring(ROW, ROW | {"passage": "6"}).errors[0].code in {"duplicate_in_file", "reason_required"}


def test_two_hundred_lots_take_few_queries(bring: Any, django_assert_max_num_queries: Any) -> None:
    with django_assert_max_num_queries(30):
        report = bring(*(ROW | {"lot": f"UC-{n}", "donor": f"D-{n}"} for n in range(200)))
    assert (report.created, Donor.objects.count()) == (200, 200)


def test_what_goes_out_comes_in_unchanged(bring: Any) -> None:
    bring(ROW, ROW | {"lot": "UC-2", "cd45_percent": "", "passage": "", "expires_on": ""})
    scope = Scope(sites=SiteScope(everywhere=True), now=NOW)
    rows = [dict(zip(LOTS_TABLE.columns, map(cell, row), strict=True)) for row in LOTS_TABLE.rows(scope)]
    assert [row["lot"] for row in rows] == ["UC-1", "UC-2"]
    assert rows[0]["expires_on"] == date(2034, 6, 1).isoformat()
    assert bring(*rows).unchanged == 2


def test_a_site_exports_only_the_lots_it_gave(bring: Any) -> None:
    bring(ROW)
    assert list(LOTS_TABLE.rows(Scope(sites=SiteScope(site_ids=frozenset({1})), now=NOW))) == []
