"""Files in and out through the commands, as scripts outside the registry use them: exit codes, reports, sums, names."""

import csv
import json
import random
from collections.abc import Callable, Iterator
from datetime import date
from hashlib import sha256
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

pytestmark = pytest.mark.django_db

Line = dict[str, str]
Bring = Callable[..., tuple[int, dict[str, Any]]]

INFUSION = {
    "lot": "L1", "tissue_source": "umbilical_cord", "donor_relation": "allogeneic_unrelated", "cell_type": "msc",
    "route": "iv_peripheral", "cells_total": "75000000", "viability_percent": "91", "weight_kg": "84",
}  # fmt: skip
LOT = {
    "donor_relation": "allogeneic_unrelated", "tissue_source": "umbilical_cord", "cell_type": "msc",
    "cells_total": "60000000000",
}  # fmt: skip
PATIENT = {"birth_date": "1960-05-05", "sex": "male", "consent_version": "2.0", "consent_date": "2020-01-05"}
AT = {"collected_at": "2020-01-10T08:00", "laboratory": "Central", "fasting": "yes"}

FILES: dict[str, list[Line]] = {
    "sites": [
        {"code": "LON", "name": "London", "country": "GB", "time_zone": "Europe/London"},
        {"code": "NYC", "name": "New York", "country": "US", "time_zone": "America/New_York"},
    ],
    "lots": [
        {"lot": "L1", "donor": "D1", **LOT, "sterility": "no_growth", "released_on": "2019-01-01", "expires_on": "2026-06-01"},
        {"lot": "L2", "donor": "D2", **LOT, "endotoxin_eu_ml": "<0.1", "released_on": "2018-01-01", "expires_on": "2019-01-01"},
    ],
    "patients": [
        {"site": "LON", "patient_id": "LON-1", "local_id": "HN-0101-Q", "given_name": "Zébulon", "family_name": "Quibbleworth",
         "email": "z@example.org", **PATIENT, "enrolment_date": "2020-01-05", "diabetes_diagnosis_date": "2010-03",
         "weight_kg": "84", "height_cm": "175", "insulin_iu_per_day": "42"},
        {"site": "LON", "patient_id": "LON-2", "local_id": "0102", **PATIENT, "birth_date": "1961", "sex": "female",
         "enrolment_date": "2020-01-06", "insulin_iu_per_day": "0"},
        {"site": "NYC", "patient_id": "NYC-1", "local_id": "0201", **PATIENT, "enrolment_date": "2020-02-01"},
        {"site": "NYC", "local_id": "0202", **PATIENT, "birth_date": "1958-07", "enrolment_date": "2020-02-02"},
    ],
    "infusions": [
        {"patient_id": "LON-1", "infused_at": "2020-01-15T10:30", **INFUSION},
        {"patient_id": "LON-2", "infused_at": "2020-01-16", **INFUSION},
        {"patient_id": "NYC-1", "infused_at": "2020-02-10T23:30", **INFUSION, "lot": "L2"},
    ],
    "visits": [
        {"patient_id": "LON-1", "actual_date": "2019-12-01", "contact_mode": "on_site"},
        {"patient_id": "LON-1", "actual_date": "2020-01-15", "contact_mode": "on_site"},
        {"patient_id": "LON-1", "actual_date": "2020-01-16", "contact_mode": "phone"},
        {"patient_id": "LON-1", "actual_date": "2020-04-15", "contact_mode": "on_site"},
        {"patient_id": "LON-1", "visit_code": "M3", "actual_date": "2020-04-15"},
        {"patient_id": "LON-2", "actual_date": "2020-06-05"},
        {"patient_id": "LON-2", "actual_date": "2020-06-05"},
    ],
    "labs": [
        {"patient_id": "LON-1", **AT, "analyte": "hba1c", "value": "8.1", "unit": "%"},
        {"patient_id": "LON-2", **AT, "analyte": "4548-4", "value": "53", "unit": "mmol/mol", "accession": "A1"},
        {"patient_id": "LON-2", **AT, "analyte": "crp", "value": "<0.1", "unit": "mg/L"},
        {"patient_id": "LON-2", **AT, "analyte": "glucose_random", "value": "Hi", "unit": "mmol/L"},
        {"patient_id": "LON-2", **AT, "analyte": "glucose_random", "value": "Lo", "unit": "mmol/L"},
        {"patient_id": "NYC-1", **AT, "collected_at": "2020-03-10T08:00", "analyte": "inr", "value": "1.1"},
        *({"patient_id": who, **AT, "analyte": what, "value": value, "unit": unit}
          for who in ("LON-1", "LON-2", "NYC-1")
          for what, value, unit in (("fasting_glucose", "8.0", "mmol/L"), ("fasting_insulin", "12", "uIU/mL"))),
    ],
    "adverse_events": [
        {"patient_id": "LON-1", "term": "Fever", "onset_date": "2020-01-15", "end_date": "2020-01-16",
         "severity_grade": "1", "is_serious": "no", "outcome": "recovered", "aware_at": "2020-01-15T15:00", "event_ref": "E1"},
        {"patient_id": "LON-1", "term": "Fever", "onset_date": "2020-01-15", "severity_grade": "2"},
        {"patient_id": "LON-1", "term": "Fever", "onset_date": "2020-01-15", "severity_grade": "2"},
        {"patient_id": "NYC-1", "term": "=Odd, “quoted” complaint", "onset_date": "2020", "end_date": "2019-05",
         "severity_grade": "7", "is_serious": "no", "seriousness_criteria": "death;hospitalisation", "outcome": "fatal"},
    ],
    "treatments": [
        {"patient_id": "LON-1", "drug": "Glargine", "class": "insulin", "dose": "42", "unit": "IU", "per": "day",
         "start_date": "2015", "stop_date": "2020-06", "prescribed_or_taken": "taken"},
        {"patient_id": "LON-1", "drug": "metformin", "dose": "0.5", "unit": "g", "start_date": "2012-04"},
    ],
    "status": [
        {"patient_id": "LON-2", "status": "withdrawn", "on_date": "2020-09-01", "scope": "no_contact", "reason": "Moved"},
        {"patient_id": "NYC-1", "status": "deceased", "on_date": "2021-03"},
    ],
}  # fmt: skip

BAD: dict[str, list[tuple[str, str]]] = {
    "sites": [("time_zone", "Mars/Base"), ("country", "Germany"), ("name", "N" * 3000), ("code", "")],
    "lots": [
        ("viability_percent", "9,1"), ("viability_percent", "NaN"), ("cells_total", "-1"), ("released_on", "2020-02-30"),
        ("tissue_source", "liver"), ("donor", ""), ("lot", "L" * 200),
    ],
    "patients": [
        ("site", "NOPE"), ("birth_date", "2021-02-30"), ("sex", "f"), ("consent_date", ""), ("weight_kg", "84,5"),
        ("weight_kg", "NaN"), ("height_cm", "1.75"), ("insulin_iu_per_day", "-3"), ("enrolment_date", "2099-01-01"),
    ],
    "infusions": [
        ("patient_id", "NOPE-1"), ("lot", "NOPE"), ("infused_at", "2020-02-30"), ("infused_at", "2099-01-01"),
        ("route", "oral"), ("cells_total", "7,5"), ("weight_kg", ""), ("viability_percent", "910"),
    ],
    "visits": [
        ("patient_id", "NOPE-1"), ("actual_date", "2020-06"), ("actual_date", "2099-01-01"), ("actual_date", ""),
        ("visit_code", "M99"), ("contact_mode", "telepathy"),
    ],
    "labs": [
        ("patient_id", "NOPE-1"), ("collected_at", "2020-02-30"), ("analyte", "81576-7"), ("value", "NaN"), ("value", "-8"),
        ("value", "1,234"), ("value", ""), ("unit", ""), ("unit", "mg/dL"), ("fasting", "perhaps"), ("comment", "c" * 5000),
    ],
    "adverse_events": [
        ("patient_id", "NOPE-1"), ("onset_date", "2020-02-30"), ("onset_date", "2099"), ("term", ""), ("is_serious", "1"),
        ("seriousness_criteria", "dead"), ("outcome", "ok"), ("aware_at", "2020-01"),
    ],
    "treatments": [
        ("patient_id", "NOPE-1"), ("dose", "4,2"), ("dose", "-1"), ("start_date", "2020-13"), ("drug", ""),
        ("prescribed_or_taken", "sold"),
    ],
    "status": [
        ("patient_id", "NOPE-1"), ("status", "happy"), ("on_date", "2020-02-30"), ("on_date", "2099-01-01"),
        ("scope", "no_fun"), ("reason", "r" * 5000),
    ],
}  # fmt: skip

EXPORTED = {
    "sites": "sites", "lots": "lots", "infusions": "infusions", "visits": "visits", "labs": "lab_results",
    "adverse_events": "adverse_events", "treatments": "treatments", "status": "status",
}  # fmt: skip
HEADINGS = {
    "derived_values": "patient_id,code,at,value,unit,formula_version,status,reason,inputs",
    "visits": "patient_id,visit_code,sequence,anchor,anchor_date,target_date,window_opens,window_closes,status,actual_date,"
    "contact_mode",
    "neoplasia_checks": "patient_id,visit_code,on_date,contact_mode,item,result,status",
    "neoplasms": "patient_id,case_ref,status,suspected_on,diagnosed_on,topography,morphology,behaviour,donor_origin,"
    "is_incident",
    "reminders": "patient_id,visit_code,sequence,step,recipient_kind,channel,generation,raised_on,state,sent_at",
    "queries": "patient_id,kind,record,field,opened_at,status,reason",
}


def run(*words: object) -> tuple[int, str]:
    """Exit code and output of a command."""
    out = StringIO()
    try:
        call_command(*(str(word) for word in words), stdout=out)
    except CommandError as error:
        return error.returncode, str(error)
    except SystemExit as end:
        return int(end.code or 0), out.getvalue()
    return 0, out.getvalue()


@pytest.fixture
def bring(tmp_path: Path) -> Bring:
    def go(kind: str, lines: list[Line], *options: str) -> tuple[int, dict[str, Any]]:
        file, report = tmp_path / f"{kind}.csv", tmp_path / f"{kind}.json"
        headings = list(dict.fromkeys(name for line in lines for name in line))
        with file.open("w", newline="", encoding="utf-8") as target:
            writer = csv.DictWriter(target, headings)
            writer.writeheader()
            writer.writerows(lines)
        code, _ = run(f"import_{kind}", file, "--report", report, *options)
        told = json.loads(report.read_text(encoding="utf-8"))
        assert told["rows"] == told["created"] + told["updated"] + told["unchanged"] + told["refused"]
        assert told["sha256"] == sha256(file.read_bytes()).hexdigest()
        return code, told

    return go


@pytest.fixture
def whole(bring: Bring) -> Bring:
    """Every kind of file brought in."""
    for kind, lines in FILES.items():
        code, told = bring(kind, lines, "--commit")
        assert (code, told["created"], told["errors"]) == (0, len(lines), []), kind
    return bring


def exported(folder: Path) -> dict[str, list[Line]]:
    code, out = run("export", folder)
    assert code == 0, out
    manifest = json.loads((folder / "manifest.json").read_text())["files"]
    tables: dict[str, list[Line]] = {}
    for path in folder.glob("*.csv"):
        tables[path.stem] = list(csv.DictReader(StringIO(path.read_text(encoding="utf-8"))))
        stated = manifest[path.name]
        assert stated["rows"] == len(tables[path.stem])
        assert stated["sha256"] == sha256(path.read_bytes()).hexdigest()
    return tables


def test_a_dry_run_stores_nothing(bring: Bring) -> None:
    for _ in range(2):
        code, told = bring("sites", FILES["sites"])
        assert (code, told["created"], told["committed"]) == (0, 2, False)


def test_the_same_files_again_in_any_order_change_nothing(whole: Bring) -> None:
    for kind, lines in FILES.items():
        shuffled = random.Random(3).sample(lines, len(lines))
        code, told = whole(kind, shuffled, "--commit")
        assert (code, told["created"], told["updated"], told["unchanged"]) == (0, 0, 0, len(lines)), kind


def _importable(kind: str, lines: list[Line]) -> Iterator[Line]:
    planning = ("sequence", "anchor", "anchor_date", "target_date", "window_opens", "window_closes", "status")
    for line in lines:
        if kind != "visits":
            yield line
        elif line["actual_date"]:
            yield {name: cell for name, cell in line.items() if name not in planning}


def test_what_was_exported_comes_back_unchanged(whole: Bring, tmp_path: Path) -> None:
    tables = exported(tmp_path / "out")
    for kind, name in EXPORTED.items():
        lines = list(_importable(kind, tables[name]))
        code, told = whole(kind, lines, "--commit")
        assert (code, told["created"], told["unchanged"]) == (0, 0, len(lines)), kind


def test_one_bad_cell_refuses_the_whole_file_and_is_named(whole: Bring) -> None:
    for kind, cells in BAD.items():
        for column, cell in cells:
            lines = [*FILES[kind], FILES[kind][0] | {column: cell}]
            code, told = whole(kind, lines, "--commit", "--reason", "Correction")
            row = len(lines) + 1
            named = [error for error in told["errors"] if error["row"] == row and error["column"] == column]
            assert (code, told["committed"], told["created"] + told["updated"]) == (1, False, 0), (
                kind,
                column,
            )
            assert named, (kind, column, cell, told["errors"])
            assert named[0]["value"] == cell
            assert named[0]["code"]
            assert named[0]["message"]


def test_an_hba1c_that_only_makes_sense_in_the_other_unit_is_refused(whole: Bring) -> None:
    code, told = whole(
        "labs", [{"patient_id": "LON-1", **AT, "analyte": "hba1c", "value": "48", "unit": "%"}]
    )
    assert (code, told["errors"][0]["code"]) == (1, "unit_contradicts_value")


def test_clean_rows_stores_the_rest_and_still_says_refused(whole: Bring) -> None:
    good = {"patient_id": "LON-1", **AT, "analyte": "alt", "value": "20", "unit": "U/L"}
    code, told = whole("labs", [good, good | {"patient_id": "NOPE-1"}], "--commit", "--clean-rows")
    assert (code, told["committed"], told["created"], told["refused"]) == (1, True, 1, 1)


def test_a_changed_row_needs_a_reason(whole: Bring) -> None:
    changes = {
        "visits": ("contact_mode", "video"),
        "adverse_events": ("severity_grade", "3"),
        "status": ("reason", "Left"),
    }
    for kind, (column, cell) in changes.items():
        lines = [FILES[kind][0] | {column: cell}]
        code, told = whole(kind, lines, "--commit")
        assert (code, told["errors"][0]["code"], told["errors"][0]["column"]) == (
            1,
            "reason_required",
            column,
        )
        assert whole(kind, lines, "--commit", "--reason", "Misread")[1]["updated"] == 1
        assert whole(kind, lines, "--commit")[1]["unchanged"] == 1


def test_what_happened_is_kept_and_asked_about(whole: Bring, tmp_path: Path) -> None:
    facts = [
        INFUSION | {"patient_id": "LON-1", "infused_at": "2020-09-01T10:00", "cells_total": "90000000000"},
        INFUSION | {"patient_id": "LON-2", "infused_at": "2019-12-01"},
    ]
    code, told = whole("infusions", facts, "--commit")
    assert (code, told["created"], told["flagged"]) == (0, 2, 2)
    reasons = " ".join(line["reason"] for line in exported(tmp_path / "out")["queries"])
    for what in (
        "Lot L2 expired",
        "above the limit",
        "before enrolment",
        "is not a CTCAE grade",
        "end date is before",
    ):
        assert what in reasons


def test_exports_have_the_agreed_columns_and_nobodys_name(whole: Bring, tmp_path: Path) -> None:
    tables = exported(tmp_path / "out")
    for name, headings in HEADINGS.items():
        first = (tmp_path / "out" / f"{name}.csv").read_text().splitlines()[0]
        assert first == headings
    assert len(tables["lab_results"]) == len(FILES["labs"])
    assert sum(bool(line["actual_date"]) for line in tables["visits"]) == len(FILES["visits"])
    text = " ".join(path.read_text() for path in (tmp_path / "out").iterdir())
    for secret in ("Quibbleworth", "Zébulon", "z@example.org", "1960-05-05", "HN-0101-Q"):
        assert secret not in text


def test_values_keep_what_was_received(whole: Bring, tmp_path: Path) -> None:
    tables = exported(tmp_path / "out")
    received = {(line["analyte"], line["value"]): line for line in tables["lab_results"]}
    assert {("crp", "<0.1"), ("glucose_random", "Hi"), ("glucose_random", "Lo"), ("4548-4", "53")} <= set(
        received
    )
    assert received["inr", "1.1"]["collected_at"] == "2020-03-10T12:00:00+00:00"  # after the change of clocks
    assert {line["onset_date"] for line in tables["adverse_events"]} == {"2020-01-15", "2020"}
    assert {line["start_date"] for line in tables["treatments"]} == {"2015", "2012-04"}


def test_homa_says_when_it_must_not_be_read(whole: Bring, tmp_path: Path) -> None:
    values = exported(tmp_path / "out")["derived_values"]
    homa = {line["patient_id"]: line for line in values if line["code"] == "homa_ir"}
    assert {who: line["status"] for who, line in homa.items()} == {
        "LON-1": "not_interpretable",  # on insulin
        "LON-2": "ok",  # 0 IU at baseline
        "NYC-1": "not_interpretable",  # nobody said
    }
    assert {line["value"] for line in homa.values()} == {"4.266667"}


def test_sweeping_twice_reconciles_and_the_trail_is_whole(whole: Bring, tmp_path: Path) -> None:
    assert run("sweep")[0] == 0
    first = exported(tmp_path / "one")["reminders"]
    totals = json.loads(run("sweep")[1])
    assert totals["raised_now"] == 0
    assert exported(tmp_path / "two")["reminders"] == first
    assert "LON-2" not in {line["patient_id"] for line in first}  # withdrew from contact, without linkage
    for command in ("reconcile", "audit_verify"):
        code, out = run(command)
        assert code == 0, out


def test_exit_codes_tell_refused_from_misused(whole: Bring, tmp_path: Path) -> None:
    pdf, period = tmp_path / "x.pdf", ("--from", "2022-01-01", "--to", "2020-01-01")
    assert run("patient_report", "NOPE-9", "--out", pdf)[0] == 1
    assert run("safety_report", *period, "--out", pdf)[0] == 2
    assert run("export", tmp_path / "x", "--site", "NOPE")[0] == 2
    assert run("import_labs", tmp_path / "missing.csv")[0] == 1
    assert run("import_labs", tmp_path / "labs.csv", "--by", "nobody")[0] == 2
    assert run("sweep", "--now", f"{date.today().year + 1}-03-30T01:30Z")[0] == 1  # holds real people
    assert not pdf.exists()
