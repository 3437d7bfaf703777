"""One person at one window of the registry, with the words of a person: go, fill, choose, press, read."""

from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page

PASSWORD = "made-up-people-only"
WIDE = {"width": 1440, "height": 1000}
NARROW = {"width": 390, "height": 844}
CHROMIUM_SWITCHES = [
    "--no-sandbox", "--disable-quic", "--disable-background-networking", "--no-first-run",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@dataclass
class Desk:
    """A signed-in window. What the browser's console complains of is kept in `problems`."""

    context: BrowserContext
    page: Page
    site: str
    problems: list[str] = field(default_factory=list)

    @classmethod
    def open(
        cls,
        browser: Browser,
        site: str,
        username: str,
        password: str,
        sessions: dict[str, Any],
        **window: Any,
    ) -> "Desk":
        window = {"viewport": WIDE, "base_url": site, "locale": "en-GB", **window}
        context = browser.new_context(storage_state=sessions.get(username), **window)
        context.set_default_timeout(15_000)
        desk = cls(context, context.new_page(), site)
        desk.page.on("console", desk._note)
        desk.page.on("pageerror", lambda error: desk.problems.append(f"{desk.page.url}: {error}"))
        if username not in sessions:
            desk.sign_in(username, password)
            sessions[username] = context.storage_state()
        else:
            desk.go("/")
        return desk

    def _note(self, message: ConsoleMessage) -> None:
        expected = "the server responded with a status of 40"  # pages of refusals are asked for on purpose
        if message.type == "error" and expected not in message.text:
            self.problems.append(f"{self.page.url}: {message.text}")

    def sign_in(self, username: str, password: str) -> None:
        self.go("/accounts/login/")
        self.fill("Username", username)
        self.fill("Password", password)
        self.press("Sign in")
        self.page.wait_for_url(lambda url: "/accounts/login" not in url)

    def close(self) -> None:
        self.context.close()

    def go(self, address: str) -> None:
        self.page.goto(address)

    def fill(self, label: str, value: str) -> None:
        self.page.locator("main").get_by_label(label).first.fill(value)

    def choose(self, label: str, value: str) -> None:
        self.page.locator("main").get_by_label(label).first.select_option(label=value)

    def press(self, name: str) -> None:
        self.page.locator("main").get_by_role("button", name=name).first.click()

    def follow(self, name: str) -> None:
        self.page.locator("main").get_by_role("link", name=name).first.click()

    @property
    def text(self) -> str:
        """The words of the page, as a person reads them: a space is a space."""
        return self.page.locator("main").inner_text().replace("\u00a0", " ").replace("\u202f", " ")
