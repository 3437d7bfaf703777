"""S7: after signing out nothing of anybody is left in the browser; and what was typed is kept on the server, not here."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.desk import PASSWORD, Desk

pytestmark = pytest.mark.browser

STORED = """async () => ({
  local: Object.keys(localStorage).length,
  session: Object.keys(sessionStorage).length,
  databases: (await indexedDB.databases()).length,
  caches: window.caches ? (await caches.keys()).length : 0,
})"""
NOTHING = {"local": 0, "session": 0, "databases": 0, "caches": 0}
PATIENT = re.compile(r"RIV-\d{4}")
FORM = "/patients/enrol/"


def people(desk: Desk) -> set[str]:
    return set(PATIENT.findall(desk.text))


@pytest.fixture
def nurse(sit_down: Callable[..., Desk]) -> Desk:
    return sit_down("nurse-riv")


def test_after_signing_out_neither_back_nor_history_shows_a_patient(site: str, browser, sit_down) -> None:
    desk = Desk.open(browser, site, "nurse-har", PASSWORD, {})
    page, answers = desk.page, []
    page.on("response", lambda got: answers.append(got))
    seen = re.compile(r"HAR-\d{4}")
    desk.go("/patients/")
    assert seen.findall(desk.text)
    page.locator("table a[href*='/patients/']").first.click()
    assert seen.findall(desk.text)
    record = page.url
    desk.go("/today/")
    page.locator("details.menu summary").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    for _ in range(3):
        page.go_back()
        assert not seen.findall(desk.text), page.url
        assert "/accounts/login/" in page.url
    again = page.context.new_page()  # a closed window opened again asks for its old address
    again.goto(record)
    assert not seen.findall(again.inner_text("body"))
    assert page.evaluate(STORED) == NOTHING
    kept = [
        got.url for got in answers
        if "/static/" not in got.url and got.headers.get("cache-control") != "no-store"
    ]  # fmt: skip
    assert kept == []
    page.context.close()


def nearly_over(page: Page, seconds: int) -> None:
    """The server says that the session ends in so many seconds, and this page's clock is 13 minutes on."""
    page.route(
        "**/accounts/presence/", lambda route: route.fulfill(json={"seconds": seconds, "may_stay": True})
    )
    page.clock.fast_forward("13:30")
    page.clock.run_for(5000)


def test_a_warning_comes_in_time_what_is_typed_is_kept_and_offered_again(nurse: Desk) -> None:
    page = nurse.page
    page.clock.install()
    nurse.go(FORM)
    page.locator("main input[name=local_id]").fill("LOC-4711")
    with page.expect_response("**/accounts/drafts/") as sent:
        nearly_over(page, 90)
    assert sent.value.status == 204
    warning = page.get_by_role("alertdialog", name="Still there?")
    expect(warning).to_be_visible()
    assert page.evaluate(STORED) == NOTHING
    page.unroute("**/accounts/presence/")
    warning.get_by_role("button", name="Stay signed in").click()
    expect(warning).to_be_hidden()
    nurse.go(FORM)
    expect(page.locator("main input[name=local_id]")).to_have_value("")
    page.get_by_role("button", name="Use it").click()
    expect(page.locator("main input[name=local_id]")).to_have_value("LOC-4711")
    page.get_by_role("button", name="Throw it away").click()
    expect(page.get_by_role("button", name="Use it")).to_have_count(0)
    nurse.go(FORM)
    expect(page.get_by_role("button", name="Use it")).to_have_count(0)
