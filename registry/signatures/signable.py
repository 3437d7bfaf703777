"""What can be signed: each room says once, in its AppConfig.ready(), which rows make up the content of its record.

Every column of those rows is signed but for `TECHNICAL` and what a kind leaves out with a reason.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

from django.db import models
from django.db.models import QuerySet

from registry.access.models import Site, User

SCHEMA = "signed_content/1"
Values = Mapping[str, Any]

TECHNICAL = {
    "id": "names the row and is the key of its part",
    "site_id": "where the record is kept; a transfer moves it and says so in the trail",
    "version": "counts saves, whatever they changed",
    "form_token": "guards against double submits",
    "import_key": "finds the row again when its file is imported again",
}


@dataclass(frozen=True)
class Kind:
    """Rows of one table within a signed content. `rows` by the record's key; `owners` finds the records a row of the
    trail belongs to, by its columns. `late`: such a row may come after signing and voids nothing by coming.
    """

    model: type[models.Model]
    rows: Callable[[int], QuerySet[Any]]
    owners: Callable[[Values], Iterable[int]]
    title: Callable[[Values], str]
    left_out: Mapping[str, str] = field(default_factory=dict)
    computed: Callable[[Any], Values] | None = None
    late: bool = False
    heading: str = ""
    short: tuple[str, ...] = ()  # the columns that tell a reader most, where there are many rows

    @property
    def label(self) -> str:
        return self.model._meta.label_lower

    @cached_property
    def fields(self) -> list[models.Field[Any, Any]]:
        left_out = TECHNICAL.keys() | self.left_out.keys()
        return [one for one in self.model._meta.concrete_fields if one.column not in left_out]

    def values(self, row: models.Model) -> dict[str, Any]:
        found = {one.column: plain(one.value_from_object(row)) for one in self.fields}
        return found | dict(self.computed(row) if self.computed else {})


# A change of a part that only follows from something late: the part before and now, and what came late.
Follows = Callable[["Part", "Part", list["Part"]], bool]


@dataclass
class Signable:
    """`problem` says in words why a record cannot be signed as it stands; empty when it can."""

    noun: str
    act: str
    view_act: str
    kinds: list[Kind]
    problem: Callable[[Any], str]
    url: Callable[[Any], str]
    patient_id: Callable[[Any], str]
    related: tuple[str, ...] = ()
    may_be_locked: bool = True
    follows: list[Follows] = field(default_factory=list)

    @property
    def model(self) -> type[models.Model]:
        return self.kinds[0].model

    @property
    def label(self) -> str:
        return self.kinds[0].label

    def kind(self, label: str) -> Kind | None:
        return next((one for one in self.kinds if one.label == label), None)

    def visible(self, user: User, act: str) -> QuerySet[Any]:
        rows: Any = self.model._default_manager
        found: QuerySet[Any] = rows.visible_to(user, act)
        return found.select_related(*self.related)


@dataclass(frozen=True)
class Part:
    """One row of the content; `key` is its kind and number, `labs.labresult:12`."""

    key: str
    values: Values

    @property
    def label(self) -> str:
        return self.key.partition(":")[0]

    @property
    def row_id(self) -> str:
        return self.key.partition(":")[2]

    @property
    def sha256(self) -> str:
        return digest(canonical({"key": self.key, "values": self.values}))


@dataclass(frozen=True)
class Content:
    record: str
    parts: Mapping[str, Part]

    @cached_property
    def text(self) -> str:
        parts = {key: part.values for key, part in self.parts.items()}
        return canonical({"schema": SCHEMA, "record": self.record, "parts": parts})

    @property
    def sha256(self) -> str:
        return digest(self.text)


_registered: dict[str, Signable] = {}


def register(signable: Signable) -> Signable:
    _registered[signable.label] = signable
    return signable


def contribute(label: str, kind: Kind, *, follows: Follows | None = None) -> None:
    """For a room above the record's own: its rows belong to that content too."""
    signable = _registered[label]
    if signable.kind(kind.label) is None:
        signable.kinds.append(kind)
        signable.follows += [follows] if follows else []


def signables() -> list[Signable]:
    return [_registered[label] for label in sorted(_registered)]


def signable_named(label: str) -> Signable | None:
    return _registered.get(label)


def signable_for(row: models.Model) -> Signable:
    return _registered[row._meta.label_lower]


def content_of(row: models.Model) -> Content:
    """As it stands stored now."""
    signable = signable_for(row)
    parts = {}
    for kind in signable.kinds:
        for one in kind.rows(row.pk).order_by("pk"):
            key = f"{kind.label}:{one.pk}"
            parts[key] = Part(key, kind.values(one))
    return Content(f"{signable.label}:{row.pk}", parts)


def content_from(text: str) -> Content:
    """What a signature kept."""
    kept = json.loads(text)
    return Content(kept["record"], {key: Part(key, values) for key, values in kept["parts"].items()})


def site_of(row: models.Model) -> Site | None:
    site = getattr(row, "site", None)
    return site if isinstance(site, Site) else None


def plain(value: Any) -> Any:
    """One spelling for one value on every database: ISO dates, moments in UTC, decimals without trailing zeros."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        text = format(value, "f")
        return text.rstrip("0").rstrip(".") if "." in text else text
    return str(value)


def canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
