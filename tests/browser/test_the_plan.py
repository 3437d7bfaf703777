"""A coordinator builds a plan from an empty draft, a second one approves it and puts it in force, and each consequence is seen.

The last of the tests in the browser by name: afterwards everybody follows another plan.
"""

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.desk import Desk

pytestmark = pytest.mark.browser

IN_PERSON = ["Weight, blood pressure", "Insulin dose", "Hypoglycaemia since", "Adverse events since"]


def add_visit(
    desk: Desk, code: str, name: str, *, many: int, unit: str, anchor: str, window: int, parts: list[str],
    check: bool = False, until: int | None = None, mode: str = "On site", own_reminders: bool = False,
) -> None:  # fmt: skip
    page = desk.page
    desk.follow("Add a visit")
    desk.fill("Code", code)
    desk.fill("Name", name)
    desk.choose("Contact", mode)
    desk.fill("How many", str(many))
    desk.choose("Unit", unit)
    desk.choose("Counted from", anchor)
    desk.fill("Window before", str(window))
    desk.fill("Window after", str(window))
    if until:
        desk.choose("How often", "Yearly until a year")
        desk.fill("Last year", str(until))
    for part in parts:
        page.get_by_label(part).check()
    if check:
        page.get_by_label("Neoplasia check").first.check()
    if own_reminders:
        page.get_by_label("Reminders of the plan").uncheck()
        for step in ("Due soon: days", "Due soon, again: days", "Due: days", "Window closing: days"):
            page.get_by_label(step, exact=True).fill("")
    desk.press("Save the visit")
    expect(page.locator("main")).to_contain_text(f"{name} is saved.")


def test_a_plan_from_an_empty_draft_to_everybody_s_visits(sit_down: Callable[..., Desk]) -> None:
    writer, second = sit_down("coordinator"), sit_down("coordinator2")
    writer.go("/settings/plans/")
    assert "Nobody is writing a plan" in writer.text
    writer.follow("Begin a plan")
    writer.page.get_by_label("An empty plan").check()
    writer.fill("Title", "Yearly plan")
    writer.fill("Code", "yearly")
    writer.press("Begin the draft")
    assert "The plan has no visit yet" in writer.text
    add_visit(
        writer, "INF", "Infusion", many=0, unit="days", anchor="each infusion", window=0, parts=["Infusion record"],
        own_reminders=True,
    )  # fmt: skip
    add_visit(
        writer, "M12", "Month 12", many=12, unit="months", anchor="the first infusion", window=30, check=True,
        parts=[*IN_PERSON, "Physical examination"],
    )  # fmt: skip
    add_visit(
        writer, "Y2", "Year 2", many=2, unit="years", anchor="the first infusion", window=90, check=True, until=15,
        parts=[*IN_PERSON, "Physical examination"],
    )  # fmt: skip
    assert "Nothing stands against this plan." in writer.text

    writer.follow("Calendar")
    writer.follow("29 February")
    assert "28 Feb 2029" in writer.text, "a year after 29 February"
    writer.follow("What it changes")
    assert "Month 9" in writer.text

    writer.page.get_by_role("link", name="Plan", exact=True).click()
    address = writer.page.url
    writer.fill("What changes and why", "Fewer visits, decided by the committee")
    writer.press("Ask for approval")
    assert "waits for a second person" in writer.text

    second.go(address)
    assert "Fewer visits, decided by the committee" in second.text
    second.press("Approve")
    assert "The plan is approved" in second.text
    second.follow("What it does to patients")
    assert "Disappears" in second.text
    assert "Month 9" in second.text
    first = second.page.locator("section.panel", has_text="Disappears").first
    patient = first.locator("h3").inner_text()
    gone = first.locator("tr", has_text="Disappears").first.locator("th").inner_text()
    second.press("Put in force")
    assert "The plan is in force" in second.text

    for _ in range(90):  # seconds, for a worker that has other work before it
        second.go("/settings/plans/")
        if "by all" in second.text:
            break
        second.page.wait_for_timeout(1_000)
    assert "by all" in second.text
    assert "Yearly plan, version 1" in second.text
    second.go(f"/visits/patients/{patient}/")
    row = second.page.locator("tr", has=second.page.get_by_role("link", name=gone, exact=True)).first
    expect(row).to_contain_text("Not required")
