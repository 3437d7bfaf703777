"""Where a blinded protocol masks analytes: which, in which rows they stand, and who reads them.

The laboratory enters and reads them at its own site; everybody else finds them in the closed safety report alone. A room
that keeps measured values says in its AppConfig.ready() which column names the analyte, and offers what may be masked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

from django.apps import apps
from django.db.models import CharField, Model, Q, QuerySet
from django.db.models.functions import Cast

if TYPE_CHECKING:
    from registry.access.models import Registry, SiteScopedQuerySet, User

ACT = "labs.masked"
ROLE = "laboratory"  # who answers what is asked about a masked result
RULE = "masked_"  # how the rule of a query begins that is about a masked result
Codes = frozenset[str]


@dataclass(frozen=True)
class MaskedKind:
    """A kind of record, the column that says what was measured, and which of its codes tell of masked analytes."""

    label: str
    column: str
    codes: Callable[[Codes], Codes]

    @property
    def model(self) -> type[Model]:
        return apps.get_model(self.label)


_offered: dict[str, str] = {}
_kinds: dict[str, MaskedKind] = {}


def offer(analytes: Mapping[str, str]) -> None:
    """By code, in the words of the page where the protocol is set."""
    _offered.update(analytes)


def offered() -> dict[str, str]:
    return dict(_offered)


def register(label: str, column: str, codes: Callable[[Codes], Codes] = lambda codes: codes) -> None:
    _kinds[label] = MaskedKind(label, column, codes)


def masked_analytes() -> Codes:
    """None in an open-label protocol, and none where a blinded one does not say so."""
    return cast("type[Registry]", apps.get_model("access.Registry")).current().masked


def words(codes: Codes) -> str:
    return ", ".join(label for code, label in _offered.items() if code in codes)


def codes_of(model: type[Model]) -> Codes:
    """What is masked among the rows of this kind."""
    kind = _kinds.get(model._meta.label_lower)
    analytes = masked_analytes() if kind else frozenset()
    return kind.codes(analytes) if kind and analytes else frozenset()


def is_masked(row: Model) -> bool:
    kind = _kinds.get(row._meta.label_lower)
    return kind is not None and getattr(row, kind.column) in codes_of(type(row))


def hidden_from(user: User, model: type[Model], site: int) -> Codes:
    """The codes of this kind that this person neither reads nor enters at this site."""
    if not user.protocol_is_blinded or user.may(ACT, site):
        return frozenset()
    return codes_of(model)


R = TypeVar("R", bound="SiteScopedQuerySet[Any]")
Rows = TypeVar("Rows", bound=QuerySet[Any])


def readable_by(user: User, rows: R) -> R:
    """Without masked rows of the sites where this person does not read them."""
    codes = codes_of(rows.model) if user.protocol_is_blinded else frozenset()
    if not codes:
        return rows
    own = Q(**{f"{rows.site_path}__in": user.scope(ACT).site_ids})
    return rows.exclude(_told_by(rows.model, codes) & ~own)


def unmasked(rows: Rows) -> Rows:
    """For files, pages and sums that are not made for the laboratory."""
    codes = codes_of(rows.model)
    return rows.exclude(_told_by(rows.model, codes)) if codes else rows


def _told_by(model: type[Model], codes: Codes) -> Q:
    return Q(**{f"{_kinds[model._meta.label_lower].column}__in": codes})


# Queries and the trail -------------------------------------------------------------------------------------------


def about_masked() -> Q:
    """Queries about a masked result: that there is one may tell how high the value is."""
    return Q(rule__startswith=RULE)


def masked_entries() -> Q:
    """Entries of the trail about masked rows."""
    found = Q(pk__in=[])
    for kind in _kinds.values():
        if codes := codes_of(kind.model):
            rows = kind.model._base_manager.filter(_told_by(kind.model, codes))
            keys = rows.annotate(key=Cast("pk", CharField())).order_by().values("key")
            found |= Q(table_name=kind.model._meta.db_table, row_id__in=keys)
    return found


def entries_hidden_from(user: User) -> Q:
    """Those who read masked values read of them in the trail; they see no more of it than what they did themselves."""
    if not user.protocol_is_blinded or user.may(ACT):
        return Q(pk__in=[])
    return masked_entries()
