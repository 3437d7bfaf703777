"""Signed values in plain words. The content keeps raw values alone, so that a renamed choice or person voids nothing."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import models

from registry.partial_dates import in_words
from registry.signatures.signable import Content, Part, Signable

NOTHING = "not recorded"


def field_words(signable: Signable, label: str, column: str) -> str:
    one = _field(signable, label, column)
    words = str(one.verbose_name) if one else column.replace("_", " ")
    return words[:1].upper() + words[1:]


def value_words(signable: Signable, label: str, column: str, value: Any) -> str:
    one = _field(signable, label, column)
    if value is None or value == "":
        return NOTHING
    if isinstance(one, models.BooleanField):
        return "yes" if value else "no"
    if isinstance(one, models.ForeignKey):
        model = one.related_model
        named = model._base_manager.filter(pk=value).first() if isinstance(model, type) else None
        return str(named) if named else str(value)
    if isinstance(one, models.DateTimeField):
        return _moment(str(value))
    if isinstance(one, models.DateField):
        return in_words(str(value)[:10])
    choices = one.flatchoices if one else ()
    return str(dict(choices).get(value, value))


def title_of(signable: Signable, part: Part) -> str:
    kind = signable.kind(part.label)
    return kind.title(part.values) if kind else part.key


def sections_of(signable: Signable, content: Content) -> list[dict[str, Any]]:
    """All of it for a reader, kind by kind: each row in a line, and below it every field; what is blank by its name."""
    sections = []
    for kind in signable.kinds:
        parts = [part for part in content.parts.values() if part.label == kind.label]
        if parts:
            rows = [_row(signable, part, kind.short) for part in parts]
            heading = kind.heading or rows[0]["title"]
            sections.append({"heading": heading, "rows": rows, "is_own": kind is signable.kinds[0]})
    return sections


def _row(signable: Signable, part: Part, short: tuple[str, ...]) -> dict[str, Any]:
    known = {column: value for column, value in part.values.items() if value not in (None, "")}
    words = {column: value_words(signable, part.label, column, value) for column, value in known.items()}
    return {
        "title": title_of(signable, part),
        "short": " · ".join(words[column] for column in short if column in words),
        "items": [
            {"label": field_words(signable, part.label, column), "value": value}
            for column, value in words.items()
        ],
        "blank": ", ".join(
            field_words(signable, part.label, column).lower() for column in part.values if column not in known
        ),
    }


def _field(signable: Signable, label: str, column: str) -> models.Field[Any, Any] | None:
    kind = signable.kind(label)
    return next((one for one in kind.fields if one.column == column), None) if kind else None


def _moment(text: str) -> str:
    """The content writes `2031-03-14T09:30:00+00:00`, the trail of either database its own way of it."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    return f"{in_words(moment.date())}, {moment:%H:%M} UTC"
