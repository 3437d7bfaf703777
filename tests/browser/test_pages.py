"""Every page each role can reach by links, wide and narrow: it answers, it fits, it has one heading and a title,
the browser has nothing to complain of, and axe finds nothing serious.
"""

import hashlib
import re
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.urls import Resolver404, resolve
from playwright.sync_api import Page

from tests.browser.desk import NARROW, WIDE, Desk

pytestmark = pytest.mark.browser

VENDOR = Path(__file__).parent / "vendor"
AXE = (VENDOR / "axe.min.js").read_text()
PEOPLE = [
    "nurse-riv", "data-riv", "doctor-riv", "lab-riv", "manager-riv", "monitor-riv", "safety", "coordinator",
    "product", "auditor", "admin",
]  # fmt: skip
PAGES_AT_MOST = 150
NOT_PAGES = {
    "account_logout", "reports:report_download", "reports:numbers_download", "exchange:export_download",
    "exchange:import_format", "trail:export_csv", "trail:export_json", "copies:copy_download",
    "reports:signed_download", "signin:recovery_codes_file", "plans:draft_toml", "plans:version_toml",
}  # fmt: skip
# Only what a page shows differently to another role is worth asking again; these see the most of it.
AXE_ON_EVERY_PAGE_OF = {"nurse-riv", "coordinator", "admin"}
seen_by_axe: set[str] = set()

FACTS = """() => ({
  overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  headings: document.querySelectorAll("h1").length,
  title: document.title,
  links: Array.from(document.querySelectorAll("a[href]"), (link) => link.href.split("#")[0]),
})"""
RUN_AXE = """async () => (await axe.run(document, { resultTypes: ["violations"] })).violations
  .filter((found) => ["serious", "critical"].includes(found.impact))
  .map((found) => `${found.id}: ${found.nodes.slice(0, 3).map((node) => node.target.join(" ")).join(" | ")}`)"""


def name_of(address: str) -> str:
    """The name of the page at this address; a list's own switches (?…) make no other page."""
    try:
        return resolve(urlsplit(address).path).view_name
    except Resolver404:
        return ""


def fit(page: Page, width: dict[str, int]) -> list[str]:
    page.set_viewport_size(width)
    facts: dict[str, Any] = page.evaluate(FACTS)
    return (
        [f"scrolls sideways by {facts['overflow']} px at {width['width']} px"]
        if facts["overflow"] > 0
        else []
    )


def axe(page: Page) -> list[str]:
    page.evaluate(AXE)
    return page.evaluate(RUN_AXE)


def faults_of(desk: Desk, name: str, *, with_axe: bool) -> list[str]:
    page = desk.page
    facts = page.evaluate(FACTS)
    faults = fit(page, NARROW)
    if name not in seen_by_axe:
        faults += [f"narrow: {found}" for found in axe(page)]
    faults += fit(page, WIDE)
    if with_axe:
        faults += axe(page)
        seen_by_axe.add(name)
    if facts["headings"] != 1:
        faults.append(f"{facts['headings']} h1")
    if not facts["title"].split(" · ")[0].strip():
        faults.append("no title")
    faults += desk.problems
    desk.problems.clear()
    return faults


def walk(desk: Desk, username: str) -> dict[str, list[str]]:
    """Each page once, in the order a person meets them from the front page."""
    waiting, met, faults = deque([("/", "the front page")]), {"desk:home"}, {}
    while waiting and len(met) <= PAGES_AT_MOST:
        address, linked_from = waiting.popleft()
        answer = desk.page.goto(address)
        name = name_of(desk.page.url)
        met.add(name)
        with_axe = username in AXE_ON_EVERY_PAGE_OF or name not in seen_by_axe
        wrong = faults_of(desk, name, with_axe=with_axe)
        if answer is None or answer.status >= 400:
            wrong.append(f"answers {answer and answer.status}, linked from {linked_from}")
        if wrong:
            faults[address.replace(desk.site, "")] = wrong
        for link in desk.page.evaluate(FACTS)["links"]:
            target = name_of(link) if link.startswith(desk.site) else ""
            if target and target not in met | NOT_PAGES:
                met.add(target)
                waiting.append((link, address))
    return faults


@pytest.mark.parametrize("username", PEOPLE)
def test_every_page_a_role_can_reach_is_sound(sit_down: Callable[..., Desk], username: str) -> None:
    assert walk(sit_down(username), username) == {}


@pytest.mark.parametrize("width", [WIDE, NARROW], ids=["wide", "narrow"])
def test_the_sign_in_page_is_sound(browser: Any, site: str, width: dict[str, int]) -> None:
    context = browser.new_context(base_url=site)
    page = context.new_page()
    page.goto("/accounts/login/")
    assert fit(page, width) == []
    assert axe(page) == []
    context.close()


def test_axe_is_the_file_that_was_reviewed() -> None:
    listed = dict(re.findall(r"\| `([^`]+)` \|.*\| `([0-9a-f]{64})` \|", (VENDOR / "README.md").read_text()))
    assert listed == {"axe.min.js": hashlib.sha256((VENDOR / "axe.min.js").read_bytes()).hexdigest()}
