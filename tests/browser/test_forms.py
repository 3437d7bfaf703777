"""What goes wrong at a busy desk: two clicks, two people at one form, somebody at the keyboard after sign-out."""

from collections.abc import Callable
from datetime import date

import pytest
from playwright.sync_api import expect

from tests.browser.desk import NARROW, Desk

pytestmark = pytest.mark.browser


def first_record(desk: Desk) -> str:
    desk.go("/patients/")
    return desk.page.locator("main").get_by_role("link", name="RIV-").first.inner_text().strip()


def test_two_clicks_on_save_enrol_one_person(sit_down: Callable[..., Desk]) -> None:
    clerk = sit_down("data-riv", viewport=NARROW)
    clerk.go("/patients/enrol/")
    clerk.fill("Given name", "Twice")
    clerk.fill("Family name", "Doubleclick")
    clerk.fill("Birth date", "1969-12-01")
    clerk.fill("Enrolled on", date.today().isoformat())
    # The same form sent twice at once, as when the button is not disabled in time.
    clerk.page.locator("main form").evaluate(
        """async (form) => {
          const send = () => fetch(form.action, { method: "POST", body: new FormData(form) });
          await Promise.all([send(), send()]);
        }"""
    )
    clerk.page.get_by_role("button", name="Enrol").dblclick()
    expect(clerk.page.locator("h1")).not_to_have_text("Enrol a patient")
    clerk.page.get_by_label("Search patients").fill("Doubleclick")
    clerk.page.get_by_label("Search patients").press("Enter")
    expect(clerk.page.locator("main")).to_contain_text("Doubleclick")
    expect(clerk.page.locator("main tbody tr")).to_have_count(1)


def test_a_stale_form_shows_what_both_people_typed(sit_down: Callable[..., Desk]) -> None:
    nurse, doctor = sit_down("nurse-riv"), sit_down("doctor-riv")
    address = f"/patients/{first_record(nurse)}/enrolment/edit/"
    for desk, weight in ((nurse, "77.7"), (doctor, "88.8")):
        desk.go(address)
        desk.fill("Weight", weight)
        desk.fill("Reason for the change", "Scales read again")
    nurse.press("Save")
    expect(nurse.page.locator("h1")).not_to_contain_text("Correct enrolment")
    doctor.press("Save")
    expect(doctor.page.locator("main")).to_contain_text("77.7")
    expect(doctor.page.locator("main")).to_contain_text("88.8")


def test_after_sign_out_the_back_button_shows_nobody(
    sit_down: Callable[..., Desk], sessions: dict[str, object]
) -> None:
    sessions.pop("monitor-har", None)
    monitor = sit_down("monitor-har")
    sessions.pop("monitor-har")  # signed out below, so nobody may use these cookies again
    monitor.go("/patients/")
    patient = monitor.page.locator("main").get_by_role("link", name="HAR-").first.inner_text().strip()
    answer = monitor.page.goto(f"/patients/{patient}/")
    assert answer is not None
    assert "no-store" in (answer.header_value("cache-control") or "")
    monitor.page.locator("summary", has_text="Monty").click()
    monitor.page.get_by_role("button", name="Sign out").click()
    expect(monitor.page.get_by_role("button", name="Sign in")).to_be_visible()
    monitor.page.go_back()
    expect(monitor.page.get_by_role("button", name="Sign in")).to_be_visible()
    assert patient not in monitor.page.locator("main").inner_text()
    kept = monitor.page.evaluate("JSON.stringify({ ...localStorage, ...sessionStorage })")
    assert kept == "{}"


def test_a_page_that_is_not_there_says_where_to_go(sit_down: Callable[..., Desk]) -> None:
    nurse = sit_down("nurse-riv")
    nurse.go("/patients/HAR-0001-Y/")
    expect(nurse.page.locator("h1")).to_have_text("Nothing here under this address")
    nurse.page.get_by_role("link", name="Go to Today").click()
    expect(nurse.page.locator("h1")).to_have_text("Today")
