"""Files that cannot be read are refused as a whole, in words that say what to do."""

import zipfile
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook

from registry.exchange.reading import FileRefused, read_table

GOOD = "code,name\nRIV,Riverside\n"


def written(folder: Path, content: bytes | str, name: str = "sites.csv") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def refusal(path: Path) -> str:
    with pytest.raises(FileRefused) as caught:
        read_table(path)
    assert caught.value.message
    return caught.value.code


@pytest.mark.parametrize(
    "content",
    [
        GOOD,
        "\ufeff" + GOOD,
        GOOD.replace(",", ";"),
        GOOD.replace(",", "\t"),
        GOOD.replace("\n", "\r\n"),
        '"code","name"\n"RIV","Riverside"\n\n,\n',
        " Code , NAME \n RIV , Riverside \n",
    ],
)
def test_the_usual_kinds_of_csv_read_alike(tmp_path: Path, content: str) -> None:
    table = read_table(written(tmp_path, content))
    assert (table.headings, table.rows) == (["code", "name"], [["RIV", "Riverside"]])


@pytest.mark.parametrize(
    ("content", "name", "code"),
    [
        ("", "a.csv", "empty_file"),
        ("code,code\nA,B\n", "a.csv", "duplicate_heading"),
        ("code,,name\nA,B,C\n", "a.csv", "blank_heading"),
        ("code\nA,B\n", "a.csv", "ragged_row"),
        ('code\n"A\n', "a.csv", "broken_csv"),
        (b"code\nA\0\n", "a.csv", "wrong_encoding"),
        ("code\nCafé\n".encode("latin-1"), "a.csv", "wrong_encoding"),
        (GOOD.encode("utf-16"), "a.csv", "wrong_encoding"),
        (b"%PDF-1.7", "a.csv", "wrong_format"),
        (b"PK\x03\x04rubbish", "a.xlsx", "wrong_format"),
        (GOOD, "a.xls", "wrong_format"),
        (",".join(f"c{n}" for n in range(101)) + "\n", "a.csv", "too_many_columns"),
    ],
)
def test_unreadable_files_are_refused_as_a_whole(
    tmp_path: Path, content: bytes | str, name: str, code: str
) -> None:
    assert refusal(written(tmp_path, content, name)) == code


def test_the_row_limit_stands_before_any_row_is_judged(tmp_path: Path, settings: Any) -> None:
    settings.UPLOAD_MAX_ROWS = 3
    assert read_table(written(tmp_path, "code\n" + "A\n" * 3)).rows == [["A"]] * 3
    assert refusal(written(tmp_path, "code\n" + "A\n" * 4)) == "too_many_rows"


def test_a_file_over_the_size_limit_is_not_opened(tmp_path: Path, settings: Any) -> None:
    settings.UPLOAD_MAX_BYTES = 10
    assert refusal(written(tmp_path, GOOD)) == "too_large"


def test_a_bomb_is_refused_by_what_it_declares(tmp_path: Path) -> None:
    path = tmp_path / "bomb.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(50):
            archive.writestr(f"part{number}.xml", b"0" * 10_000_000)
    assert refusal(path) == "too_large"


def test_a_spreadsheet_gives_the_same_text_as_a_csv(tmp_path: Path) -> None:
    workbook = Workbook()
    sheet = workbook.active
    assert sheet is not None
    sheet.append(["code", "value", "day", "agreed"])
    sheet.append(["007", 7.5, date(2031, 3, 14), True])
    sheet.append(["'=1+1", 75000000, None, False])
    workbook.save(tmp_path / "a.xlsx")
    table = read_table(tmp_path / "a.xlsx")
    assert table.rows == [["007", "7.5", "2031-03-14", "yes"], ["=1+1", "75000000", "", "no"]]


def test_the_moments_of_a_spreadsheet_keep_their_seconds_and_no_fractions(tmp_path: Path) -> None:
    workbook = Workbook()
    sheet = workbook.active
    assert sheet is not None
    sheet.append(["at"])
    for moment in ((8, 15, 30), (8, 15, 0), (8, 14, 59, 999_900), (0, 0, 0)):
        sheet.append([datetime(2031, 3, 14, *moment)])
    workbook.save(tmp_path / "a.xlsx")
    read = [line[0] for line in read_table(tmp_path / "a.xlsx").rows]
    assert read == ["2031-03-14T08:15:30", "2031-03-14T08:15", "2031-03-14T08:15", "2031-03-14"]


def test_a_cell_at_the_far_corner_does_not_keep_the_reader_busy(tmp_path: Path) -> None:
    workbook = Workbook()
    sheet = workbook.active
    assert sheet is not None
    sheet["A1"] = "code"
    sheet["XFD1048576"] = "far"
    workbook.save(tmp_path / "a.xlsx")
    assert refusal(tmp_path / "a.xlsx") in ("too_large", "unreadable", "too_many_columns")
