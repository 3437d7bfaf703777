"""One person through the registry, as the clinic does it: nurse, investigator, safety officer, coordinator, auditor.

One test, because each step of the chain stands on the one before.
"""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.desk import Desk

pytestmark = pytest.mark.browser

SITE_ZONE = ZoneInfo("Europe/London")
SUSPICION = "Nodule in the tail of the pancreas on ultrasound"
GLUCOSE_COLUMN = [
    "6.9",
    "9.8",
    "9.1",
]  # fasting glucose mmol/L, two-hour glucose mmol/L, fasting insulin mIU/L


def days_ago(days: int) -> date:
    return datetime.now(SITE_ZONE).date() - timedelta(days=days)


def enrol(nurse: Desk, *, family_name: str) -> str:
    nurse.go("/patients/enrol/")
    nurse.fill("Given name", "Ottilie")
    nurse.fill("Family name", family_name)
    nurse.fill("Birth date", "1971-04-09")
    nurse.choose("Sex at birth", "Female")
    nurse.fill("Enrolled on", days_ago(45).isoformat())
    nurse.fill("Height", "168")
    nurse.fill("Weight", "81.5")
    nurse.fill("Insulin", "24")
    nurse.fill("Version of the form", "2.0")
    nurse.fill("Signed on", days_ago(46).isoformat())
    for tier in ("Keep my data in the registry", "Contact me for 15 years"):
        nurse.page.get_by_label(tier).check()
    nurse.choose("Cancer in the last 5 years", "No")
    nurse.choose("Baseline neoplasia check done", "Yes")
    nurse.fill("Assessed on", days_ago(46).isoformat())
    nurse.press("Enrol")
    expect(nurse.page.locator("h1")).not_to_have_text("Enrol a patient")
    return nurse.page.url.rstrip("/").split("/")[-1]


def choose_fresh_lot(lots: Locator) -> None:
    """The newest lot that is released: lots stand with the longest usable first."""
    released = lots.locator("option").filter(has_text="DEMO-").filter(has_not_text="QUARANTINE").first
    lots.select_option(label=released.inner_text())


def record_infusion(nurse: Desk, patient: str) -> None:
    nurse.go(f"/infusions/{patient}/record/")
    nurse.fill("Day of the infusion", days_ago(30).isoformat())
    nurse.fill("Weight of the day", "81")
    nurse.choose("Route", "IV, peripheral")
    choose_fresh_lot(nurse.page.locator("select[name=dose-0-lot]"))
    nurse.page.locator("input[name=dose-0-cells_total]").fill("81000000")
    nurse.page.locator("input[name=dose-0-viability_percent]").fill("94")
    nurse.choose("Reaction during or soon after", "No reaction seen")
    nurse.press("Check your answers")
    assert "76.1 × 10⁶" in nurse.text  # viable, of 81 million at 94 %
    nurse.press("Save the infusion")
    expect(nurse.page.locator("h1")).not_to_have_text("Check your answers")


def open_visit(desk: Desk, patient: str, label: str) -> None:
    desk.go(f"/visits/patients/{patient}/")
    desk.page.locator("main").get_by_role("link", name=label, exact=True).first.click()
    expect(desk.page.locator("h1")).to_have_text(label)


def record_visit(nurse: Desk, patient: str, *, label: str, on: date, how: str) -> None:
    open_visit(nurse, patient, label)
    nurse.follow("Record this visit")
    nurse.fill("Date of the visit", on.isoformat())
    nurse.choose("How", how)
    nurse.choose("What is still open below", "Set to done")
    nurse.press("Check your answers")
    nurse.press("Save the visit")
    expect(nurse.page.locator("h1")).to_have_text(label)


def enter_results(nurse: Desk, patient: str) -> None:
    open_visit(nurse, patient, "Week 4")
    nurse.follow("Enter results")
    page = nurse.page
    nurse.fill("Collected on", days_ago(2).isoformat())
    nurse.choose("Fasting for 8 hours", "Yes")
    hba1c = page.get_by_label("Haemoglobin A1c", exact=True)
    hba1c.fill("7.4")
    hba1c.press("Tab")
    glucose = page.get_by_label("Fasting plasma glucose", exact=True)
    expect(glucose).to_be_focused()
    expect(page.locator("tr", has=hba1c).locator("[data-flag]")).to_have_text("Above range")
    glucose.evaluate(
        """(box, column) => {
          const data = new DataTransfer();
          data.setData("text", column.join("\\n"));
          box.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
        }""",
        GLUCOSE_COLUMN,
    )
    expect(page.get_by_label("Fasting insulin", exact=True)).to_have_value(GLUCOSE_COLUMN[-1])
    nurse.press("Check your answers")
    assert "HOMA-IR" in nurse.text
    assert "7.4" in nurse.text
    nurse.press("Save results")
    expect(page.locator("h1")).not_to_have_text("Check your answers")


def record_insulin(nurse: Desk, patient: str) -> None:
    nurse.go(f"/treatment/patients/{patient}/add/")
    nurse.fill("Drug", "Insulin glargine")
    nurse.choose("Class", "Insulin")
    nurse.fill("Dose", "24")
    nurse.fill("Unit", "IU")
    nurse.fill("Per", "day")
    nurse.fill("Started", days_ago(60).isoformat())
    nurse.press("Save treatment")
    assert "Insulin glargine" in nurse.text


def record_fever(nurse: Desk, patient: str) -> None:
    nurse.go(f"/safety/patients/{patient}/add/")
    nurse.fill("What happened", "Fever")
    nurse.page.get_by_label("Grade 1: mild").check()
    nurse.fill("Began on", days_ago(30).isoformat())
    nurse.choose("Serious", "No")
    nurse.press("Save the event")
    expect(nurse.page.locator("h1")).to_contain_text("Fever")


def raise_suspicion(nurse: Desk, patient: str) -> None:
    nurse.go(f"/neoplasia/patients/{patient}/check/")
    nurse.fill("Checked on", days_ago(1).isoformat())
    nurse.choose("How", "On site")
    nurse.choose("Abdominal ultrasound", "Abnormal")
    nurse.page.get_by_label("Abdominal ultrasound: pancreas, liver, spleen, kidneys: in words").fill(
        SUSPICION
    )
    nurse.page.get_by_label("Suspicion: work-up needed").check()
    nurse.fill("What is suspected or was found", SUSPICION)
    nurse.press("Save the check")
    expect(nurse.page.locator("h1")).not_to_have_text("Neoplasia check")


def order_is_refused(doctor: Desk, patient: str) -> None:
    doctor.go(f"/infusions/{patient}/order/")
    doctor.fill("Planned for", days_ago(0).isoformat())
    choose_fresh_lot(doctor.page.get_by_label("Lot", exact=True))
    doctor.choose("Route", "IV, peripheral")
    doctor.fill("Weight of the day", "81")
    doctor.fill("Viable cells ordered", "76000000")
    doctor.press("Place the order")
    refusal = doctor.page.get_by_role("alert")
    expect(refusal).to_contain_text("Not ordered")
    expect(refusal).to_contain_text(SUSPICION)
    doctor.go(f"/patients/{patient}/infusions/")
    assert "Ordered" not in doctor.text


def work_up_and_exclude(doctor: Desk, patient: str) -> None:
    doctor.go("/today/")
    doctor.page.locator("#answer li", has_text=patient).get_by_role("link", name="Open").click()
    doctor.choose("Step", "Imaging")
    doctor.fill("In words", "MRI: a lobulated normal pancreas, no mass.")
    doctor.press("Save the step")
    assert "no mass" in doctor.text
    order_is_refused(doctor, patient)
    doctor.go("/today/")
    doctor.page.locator("#answer li", has_text=patient).get_by_role("link", name="Open").click()
    doctor.follow("Close")
    doctor.page.get_by_label("Excluded").check()
    doctor.fill("How the conclusion was reached", "MRI shows a normal variant.")
    doctor.press("Close the case")
    assert "Excluded" in doctor.text
    doctor.go("/today/")
    expect(doctor.page.locator("#answer li", has_text=patient)).to_have_count(0)


def test_the_chain_from_enrolment_to_a_closed_suspicion(sit_down: Callable[..., Desk]) -> None:
    nurse = sit_down("nurse-riv")
    expect(nurse.page.locator("h1")).to_have_text("Today")
    patient = enrol(nurse, family_name="Walkthrough")
    assert "Walkthrough" in nurse.text
    record_infusion(nurse, patient)
    record_visit(nurse, patient, label="Day 1 telephone call", on=days_ago(29), how="Phone")
    record_visit(nurse, patient, label="Week 4", on=days_ago(2), how="On site")
    enter_results(nurse, patient)
    record_insulin(nurse, patient)
    record_fever(nurse, patient)
    raise_suspicion(nurse, patient)
    nurse.go("/today/")
    expect(nurse.page.locator("#answer li", has_text=patient)).to_contain_text(SUSPICION)

    work_up_and_exclude(sit_down("doctor-riv"), patient)

    auditor = sit_down("auditor")
    auditor.go(f"/patients/{patient}/")
    assert "Walkthrough" not in auditor.text  # the trail is read without names
    auditor.follow("History")
    assert "Nora Nurse" in auditor.text
    assert "Entered" in auditor.text
