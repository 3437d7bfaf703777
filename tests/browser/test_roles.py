"""What each of the other roles comes for, done in the browser."""

import io
import zipfile
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.desk import Desk

pytestmark = pytest.mark.browser

WORKED_WITHIN_MS = 60_000
LABS = "patient_id,collected_at,analyte,value,unit\n"


def first_patient(desk: Desk, site: str = "RIV") -> str:
    desk.go("/patients/")
    link = desk.page.locator("main").get_by_role("link", name=f"{site}-").first
    return link.inner_text().strip()


def test_the_coordinator_makes_a_safety_report_and_downloads_it(sit_down: Callable[..., Desk]) -> None:
    coordinator = sit_down("coordinator")
    coordinator.go("/reports/")
    coordinator.press("Make the report")
    download = coordinator.page.locator("main").get_by_role("link", name="Download")
    expect(coordinator.page.locator("main progress").or_(download.first)).to_be_visible()
    expect(download.first).to_be_visible(timeout=WORKED_WITHIN_MS)
    with coordinator.page.expect_download() as waiting:
        download.first.click()
    pdf = Path(waiting.value.path()).read_bytes()
    assert pdf.startswith(b"%PDF-")
    assert len(pdf) > 20_000


def upload(desk: Desk, folder: Path, text: str) -> None:
    file = folder / "labs.csv"
    file.write_text(text)
    desk.go("/data/imports/new/")
    desk.choose("What the file holds", "Laboratory results")
    desk.page.get_by_label("File", exact=True).set_input_files(file)
    desk.press("Check the file")
    expect(desk.page.locator("main progress")).to_have_count(0, timeout=WORKED_WITHIN_MS)


def test_the_coordinator_corrects_a_bad_cell_and_stores_the_file(
    sit_down: Callable[..., Desk], tmp_path: Path
) -> None:
    coordinator = sit_down("coordinator")
    good = f"{first_patient(coordinator)},{date.today().year - 1}-02-03,hba1c"
    upload(coordinator, tmp_path, f"{LABS}{good},seven,%\n")
    assert "Nothing was stored" in coordinator.text
    assert "seven" in coordinator.text
    upload(coordinator, tmp_path, f"{LABS}{good},7.1,%\n")
    expect(coordinator.page.locator("main")).to_contain_text("What storing this file would do")
    coordinator.press("Store 1 new and 0 changed rows")
    expect(coordinator.page.locator("main")).to_contain_text(
        "What became of its rows", timeout=WORKED_WITHIN_MS
    )
    coordinator.follow("All files")
    expect(coordinator.page.locator("main tbody tr").filter(has_text="labs.csv")).to_have_count(2)


def test_the_coordinator_takes_the_data_out(sit_down: Callable[..., Desk]) -> None:
    coordinator = sit_down("coordinator")
    coordinator.go("/data/exports/")
    coordinator.press("Make the export")
    download = coordinator.page.locator("main").get_by_role("link", name="Download").first
    expect(download).to_be_visible(timeout=WORKED_WITHIN_MS)
    with coordinator.page.expect_download() as waiting:
        download.click()
    names = zipfile.ZipFile(io.BytesIO(Path(waiting.value.path()).read_bytes())).namelist()
    assert {"patients.csv", "visits.csv", "lab_results.csv"} <= {Path(name).name for name in names}


def test_the_safety_officer_assesses_a_serious_event(sit_down: Callable[..., Desk]) -> None:
    safety = sit_down("safety")
    safety.go("/safety/?which=serious")
    safety.page.locator("main tbody").get_by_role("link").first.click()
    safety.follow("Assess")
    safety.choose("Related to the cells", "Possible")
    safety.choose("Related to the procedure", "Unlikely")
    safety.choose("Expected", "Unexpected")
    safety.fill("Why you judge it so", "Onset within a day of the infusion; no other cause found.")
    safety.press("Save the assessment")
    assert "Possible" in safety.text
    assert "no other cause found" in safety.text


def test_product_staff_add_a_lot_and_release_it(sit_down: Callable[..., Desk]) -> None:
    product = sit_down("product")
    product.go("/cells/lots/new/")
    product.fill("Lot", "UC-BROWSER-1")
    product.page.get_by_label("Donor", exact=True).select_option(index=1)
    product.choose("Donor relation", "Allogeneic, unrelated")
    product.choose("Tissue source", "Umbilical cord")
    product.choose("Cell type", "Mesenchymal stromal cells")
    product.fill("Cells in the lot", "6000000000")
    product.fill("Viability at release", "94")
    product.fill("Last usable day", f"{date.today().year + 2}-01-31")
    product.press("Save lot")
    product.follow("Enter tests")
    tests = {
        "CD73": "98", "CD90": "97", "CD105": "96", "CD45": "0.5", "CD34": "0.4", "CD14": "0.3", "CD19": "0.2",
        "HLA-DR": "0.6", "Endotoxin": "0.1",
    }  # fmt: skip
    for test, value in tests.items():
        product.fill(test, value)
    for test, word in {"Sterility": "no growth", "Mycoplasma": "negative", "Karyotype": "normal"}.items():
        product.choose(test, word)
    product.press("Save results")
    product.follow("Change state")
    product.page.get_by_label("Released", exact=True).check()
    product.press("Change the state")
    expect(product.page.locator("h1")).to_contain_text("UC-BROWSER-1")
    expect(product.page.locator(".page-head")).to_contain_text("Released")


def test_the_monitor_reads_and_closes_a_query(sit_down: Callable[..., Desk]) -> None:
    nurse = sit_down("nurse-riv")
    nurse.go("/patients/enrol/")
    nurse.fill("Family name", "Unsigned")
    nurse.fill("Birth date", "1966-05-17")
    nurse.fill("Enrolled on", date.today().isoformat())
    nurse.press("Enrol")
    expect(nurse.page.locator("h1")).not_to_have_text("Enrol a patient")
    patient = nurse.page.url.rstrip("/").split("/")[-1]
    monitor = sit_down("monitor-riv")
    monitor.go("/patients/queries/")
    monitor.page.locator("main li, main tr").filter(has_text=patient).get_by_role("link").last.click()
    monitor.fill("Remark", "Seen with the site on the telephone.")
    monitor.press("Close the query")
    assert "Closed" in monitor.text
    assert "Unsigned" not in monitor.text


def test_the_site_manager_sees_who_is_late_and_opens_one(sit_down: Callable[..., Desk]) -> None:
    manager = sit_down("manager-riv")
    manager.go("/today/")
    late = manager.page.locator("#late li")
    expect(late.first).to_contain_text("late")
    late.first.get_by_role("link", name="Open").click()
    expect(manager.page.locator("main")).to_contain_text("Late")


def test_the_laboratory_enters_results_by_the_number_of_the_patient(sit_down: Callable[..., Desk]) -> None:
    patient = first_patient(sit_down("nurse-riv"))
    laboratory = sit_down("lab-riv")
    laboratory.go("/laboratory/enter/")
    laboratory.fill("Patient", patient)
    laboratory.press("Open the grid")
    laboratory.page.get_by_label("Creatinine", exact=True).fill("84")  # a usual test: its row is there
    laboratory.choose("Another test", "Interleukin 6")
    laboratory.press("Add its row")
    laboratory.page.get_by_label("Interleukin 6", exact=True).fill("3.1")
    assert laboratory.page.get_by_label("Creatinine", exact=True).input_value() == "84"
    laboratory.press("Check your answers")
    laboratory.press("Save results")
    expect(laboratory.page.locator("h1")).not_to_have_text("Check your answers")
    assert "84" in laboratory.text


def test_the_administrator_adds_a_site_and_sees_no_patients(sit_down: Callable[..., Desk]) -> None:
    admin = sit_down("admin")
    admin.go("/settings/sites/new/")
    admin.fill("Code", "LAK")
    admin.fill("Name", "Lakeview")
    admin.fill("Country", "US")
    admin.fill("Time zone", "America/New_York")
    admin.press("Save")
    assert "Lakeview" in admin.text
    admin.go("/patients/")
    expect(admin.page.locator("h1")).to_have_text("You may not do this")
    expect(admin.page.get_by_role("link", name="Go to", exact=False)).to_be_visible()


def test_an_account_is_asked_for_by_an_administrator_and_opened_by_who_may_approve_its_role(
    sit_down: Callable[..., Desk],
) -> None:
    admin = sit_down("admin")
    admin.go("/settings/requests/new/")
    admin.fill("User name", "nurse-new")
    admin.fill("Full name", "Noor Nurse")
    admin.choose("Role", "Research nurse")
    admin.choose("Site", "Riverside")
    admin.fill("First password", "a-long-first-password")
    admin.page.locator("main form").get_by_role("button").first.click()
    row = admin.page.locator("tr", has_text="nurse-new")
    expect(row).to_contain_text("a coordinator who did not ask decides")  # a clinical role
    # The second administrator's own account was asked for by a command on the server.
    admin.page.locator("tr", has_text="second-admin").get_by_role("button", name="Open").click()
    expect(admin.page.locator("tr", has_text="second-admin")).to_contain_text("by Adam Administrator")
    coordinator = sit_down("coordinator")
    coordinator.go("/settings/requests/")
    coordinator.page.locator("tr", has_text="nurse-new").get_by_role("button", name="Open").click()
    expect(coordinator.page.locator("tr", has_text="nurse-new")).not_to_contain_text("Refuse")
    nurse = sit_down("nurse-new", password="a-long-first-password")
    expect(nurse.page.locator("h1")).to_have_text("Today")
