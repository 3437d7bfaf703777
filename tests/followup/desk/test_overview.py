"""The sites side by side add up, and the data page offers what a person may open."""

from followup.desk.overview import site_rows, total_row
from tests.cast import TODAY
from tests.followup.desk.conftest import visit_of


def test_rows_add_up_to_the_patients_and_to_the_total(cora, riverside, harbour, enrolled):
    people = [enrolled(riverside, n) for n in range(3)]
    people += [enrolled(riverside, 10, status="lost"), enrolled(harbour, 11, status="screening")]
    visit_of(people[0], "M3", closes_in=-40, state="done", actual_date=TODAY)
    visit_of(people[0], "M6", closes_in=-4)
    visit_of(people[1], "M6", closes_in=-4, state="not_required", state_reason="moved")
    sites = [riverside, harbour]
    rows = site_rows(cora, sites, {site.pk: TODAY for site in sites})
    assert [row.patients for row in rows] == [4, 1]
    assert all(sum(int(entry["number"]) for entry in row.status_counts) == row.patients for row in rows)
    assert (rows[0].late, rows[0].done, rows[0].closed_windows, rows[0].complete_percent) == (1, 1, 2, 50)
    assert rows[1].complete_percent is None
    total = total_row(rows)
    assert (total.patients, total.late, total.closed_windows) == (5, 1, 2)


def test_a_number_one_may_not_read_is_not_shown_as_none(paul, riverside, enrolled):
    rows = site_rows(paul, [riverside], {riverside.pk: TODAY})
    assert rows[0].late is None
    assert rows[0].serious is None


def test_the_page_counts_only_own_sites(signed_in, nora, harbour, riverside, enrolled):
    enrolled(harbour, 1)
    page = signed_in(nora).get("/overview/").content.decode()
    assert "Riverside" in page
    assert "Harbour" not in page


def test_the_data_page_offers_what_the_person_may_open(signed_in, nora, cora, adam):
    assert "Bring in a file" in signed_in(nora).get("/data/").content.decode()
    assert "Take data out" not in signed_in(nora).get("/data/").content.decode()
    assert "Take data out" in signed_in(cora).get("/data/").content.decode()
    page = signed_in(adam).get("/data/").content.decode()
    assert "Bring in a file" in page
    assert "Queries" not in page
