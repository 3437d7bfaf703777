"""Reading forms off a page as a browser does: which fields there are, what stands in them, where they are sent."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

PLAUSIBLE = {
    "date": "2026-03-01", "datetime-local": "2026-03-01T09:30", "time": "09:30", "number": "1", "email": "a@example.org",
    "password": "correct-horse-battery",
}  # fmt: skip


@dataclass
class Field:
    name: str
    kind: str
    value: str = ""
    options: list[str] = field(default_factory=list)

    def filled(self) -> str:
        """What stands there, else something plausible."""
        if self.value or self.kind == "hidden":
            return self.value
        chosen = [option for option in self.options if option]
        if self.options:
            return chosen[0] if chosen else ""
        if any(word in self.name for word in ("date", "_on", "from", "until")):
            return "2026-03-01"
        return PLAUSIBLE.get(self.kind, "7")


@dataclass
class Form:
    method: str
    action: str
    fields: dict[str, Field] = field(default_factory=dict)

    def filled(self) -> dict[str, str]:
        return {name: one.filled() for name, one in self.fields.items() if one.kind != "file"}


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.select: Field | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(given.get("method", "get").lower(), given.get("action", "")))
        elif tag == "option" and self.select:
            self.select.options.append(given.get("value", ""))
            if "selected" in given:
                self.select.value = given.get("value", "")
        elif tag in ("input", "select", "textarea", "button") and given.get("name") and self.forms:
            self._add(tag, given)

    def _add(self, tag: str, given: dict[str, str]) -> None:
        kind = given.get("type", "text") if tag == "input" else tag
        one = self.forms[-1].fields.setdefault(given["name"], Field(given["name"], kind))
        if tag == "select":
            self.select = one
        elif kind in ("radio", "checkbox"):
            one.options.append(given.get("value", "on"))
        elif tag in ("input", "button"):
            one.value = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self.select = None


def forms_of(html: str, method: str = "post") -> list[Form]:
    """The forms that are sent by POST, or those that only ask."""
    reader = _Reader()
    reader.feed(html)
    return [form for form in reader.forms if form.method == method]
