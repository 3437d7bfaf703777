"""The reference pages say what the code does, and `make check` notices when they no longer do."""

from config import reference


def test_rights_are_printed_from_the_table_the_code_asks():
    """Open-label the investigator orders cells; in a blinded protocol product staff do, and the page says both."""
    headings, _, *rows = (
        line.strip("| ").split(" | ") for line in reference.rights().splitlines() if line.startswith("|")
    )
    ordering = next(dict(zip(headings, row, strict=True)) for row in rows if "`infusions.order`" in row[0])
    del ordering["act"]
    assert {role: scope for role, scope in ordering.items() if scope != "–"} == {
        "Investigator": "own site / blinded: –",
        "Product staff": "– / blinded: own site",
    }


def test_the_schedule_reaches_year_fifteen():
    assert "`Y15`" in reference.schedule()


def test_the_dictionary_names_every_table_of_the_two_wings():
    printed = reference.data_dictionary()
    assert "## patients_patient\n" in printed
    assert "`import_rows_add_up`" in printed


def test_a_missing_an_old_and_a_left_over_page_are_named(tmp_path):
    reference.write(tmp_path)
    assert reference.outdated(tmp_path) == []
    (tmp_path / "rights.md").write_text("old")
    (tmp_path / "schedule-of-activities.md").unlink()
    (tmp_path / "left-over.md").write_text("nobody writes this any more")
    assert reference.outdated(tmp_path) == ["left-over.md", "rights.md", "schedule-of-activities.md"]


def test_a_bar_inside_a_cell_does_not_break_the_table():
    assert reference.table(("a",), [("x|y",)]) == "| a |\n| --- |\n| x\\|y |\n"
