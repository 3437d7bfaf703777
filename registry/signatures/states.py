"""Whether a signature is still valid, and if not, what changed, when and by whom: worked out from the content and the trail."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import models
from django.db.models import Q

from registry.access.models import User
from registry.audit.models import AuditEntry
from registry.signatures.models import LateReview, Signature
from registry.signatures.sealing import is_whole
from registry.signatures.signable import (
    Content,
    Part,
    Signable,
    Values,
    content_from,
    content_of,
    signable_for,
)
from registry.signatures.wording import field_words, title_of, value_words


@dataclass(frozen=True)
class Change:
    """One field of the signed content: as signed, and as it became. Who and when where the trail knows."""

    part: str
    field: str
    before: str
    after: str
    at: datetime | None = None
    who: str = ""
    why: str = ""


@dataclass(frozen=True)
class Late:
    """What came in since signing, and who has looked at it as it stands."""

    key: str
    sha256: str
    title: str
    words: list[tuple[str, str]]
    reviews: list[LateReview]


@dataclass(frozen=True)
class SignatureState:
    signature: Signature
    is_whole: bool
    changes: list[Change]
    late: list[Late]
    replaced: bool = False

    @property
    def is_valid(self) -> bool:
        return self.is_whole and not self.changes

    @property
    def word(self) -> str:
        if not self.is_whole:
            return "broken"
        if self.changes:
            return "void"
        return "valid"

    @property
    def edits(self) -> list[tuple[Change, list[Change]]]:
        """Fields that were changed together, in one row by one person with one reason, beside each other."""
        found: dict[tuple[object, ...], list[Change]] = {}
        for change in self.changes:
            found.setdefault((change.part, change.at, change.who, change.why), []).append(change)
        return [(some[0], some) for some in found.values()]

    @property
    def voided_at(self) -> datetime | None:
        return min((change.at for change in self.changes if change.at), default=None)


@dataclass(frozen=True)
class Standing:
    """The signatures under one record, oldest first."""

    states: list[SignatureState]

    @property
    def valid(self) -> list[SignatureState]:
        return [state for state in self.states if state.is_valid]

    @property
    def to_sign_again(self) -> list[SignatureState]:
        return [state for state in self.states if not state.is_valid and not state.replaced]

    @property
    def late(self) -> list[Late]:
        """Since the newest valid signature."""
        return self.valid[-1].late if self.valid else []

    @property
    def unreviewed(self) -> list[Late]:
        return [late for late in self.late if not late.reviews]

    @property
    def word(self) -> str:
        if self.to_sign_again:
            return "void"
        return "signed" if self.valid else "unsigned"


def standing_of(row: models.Model) -> Standing:
    label = row._meta.label_lower
    found = list(Signature.objects.under(label, row.pk))
    if not found:
        return Standing([])
    content, signable = content_of(row), signable_for(row)
    reviews = list(LateReview.objects.filter(record=label, row_pk=row.pk).select_related("reviewed_by"))
    states = [_state(one, content, signable, reviews) for one in found]
    return Standing([_with_successor(state, states) for state in states])


def is_valid(signature: Signature, content: Content, signable: Signable) -> bool:
    return _state(signature, content, signable, []).is_valid


def _with_successor(state: SignatureState, states: list[SignatureState]) -> SignatureState:
    mine = state.signature
    later = any(
        other.is_valid
        and other.signature.pk > mine.pk
        and (other.signature.signer_id, other.signature.meaning) == (mine.signer_id, mine.meaning)
        for other in states
    )
    return SignatureState(mine, state.is_whole, state.changes, state.late, later)


def _state(
    signature: Signature, now: Content, signable: Signable, reviews: list[LateReview]
) -> SignatureState:
    if not is_whole(signature) or f"{signature.record}:{signature.row_pk}" != now.record:
        return SignatureState(signature, is_whole=False, changes=[], late=[])
    signed = content_from(signature.content)
    late = [
        part for key, part in now.parts.items() if key not in signed.parts and _may_be_late(part, signable)
    ]
    trail = _entries(signature, signable, signed, now, late)
    changes = [
        *_differences(signed, now, late, signable, trail),
        *_changed_and_back(signed, now, late, signable, trail),
    ]
    return SignatureState(signature, True, changes, [_late(part, signable, reviews) for part in late])


def _may_be_late(part: Part, signable: Signable) -> bool:
    kind = signable.kind(part.label)
    return bool(kind and kind.late)


def _late(part: Part, signable: Signable, reviews: list[LateReview]) -> Late:
    words = [
        (field_words(signable, part.label, column), value_words(signable, part.label, column, value))
        for column, value in part.values.items()
        if value not in (None, "")
    ]
    sha256 = part.sha256
    mine = [one for one in reviews if (one.part, one.part_sha256) == (part.key, sha256)]
    return Late(part.key, sha256, title_of(signable, part), words, mine)


# What differs ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Entry:
    key: str
    old: Values
    new: Values
    at: datetime
    who: str
    why: str

    def touches(self, column: str) -> bool:
        return self.old.get(column) != self.new.get(column)


def _differences(
    signed: Content, now: Content, late: list[Part], signable: Signable, trail: list[Entry]
) -> Iterator[Change]:
    late_keys = {part.key for part in late}
    for key in [*signed.parts, *(key for key in now.parts if key not in signed.parts)]:
        if key in late_keys:
            continue
        before, after = signed.parts.get(key), now.parts.get(key)
        if before is None or after is None:
            words = ("not there", "added") if before is None else ("there", "no longer there")
            yield _came_or_went(before or now.parts[key], words, signable, trail)
        elif not _follows(before, after, late, signable):
            for column in _changed_columns(before, after):
                yield _change(before, column, after.values[column], signable, trail)


def _changed_columns(before: Part, after: Part) -> list[str]:
    """Columns that a later version of the registry added or dropped are no change of what was signed."""
    known = [column for column in after.values if column in before.values]
    return [column for column in known if before.values[column] != after.values[column]]


def _came_or_went(part: Part, words: tuple[str, str], signable: Signable, trail: list[Entry]) -> Change:
    entry = next((one for one in reversed(trail) if one.key == part.key), None)
    return Change(title_of(signable, part), "", *words, **_who(entry))


def _change(before: Part, column: str, value: Any, signable: Signable, trail: list[Entry]) -> Change:
    entry = next((one for one in reversed(trail) if one.key == before.key and one.touches(column)), None)
    return _told(before, column, (before.values.get(column), value), signable, entry)


def _told(part: Part, column: str, raw: tuple[Any, Any], signable: Signable, entry: Entry | None) -> Change:
    """Two rows that read the same, such as two infusions of one day, are told apart by their numbers."""
    words = [value_words(signable, part.label, column, one) for one in raw]
    if words[0] == words[1]:
        words = [f"{word} (number {one})" for word, one in zip(words, raw, strict=True)]
    field = field_words(signable, part.label, column)
    return Change(title_of(signable, part), field, words[0], words[1], **_who(entry))


def _changed_and_back(
    signed: Content, now: Content, late: list[Part], signable: Signable, trail: list[Entry]
) -> Iterator[Change]:
    """A value that was changed after signing and changed back is as signed again, and was another in between."""
    for entry in trail:
        before, after = signed.parts.get(entry.key), now.parts.get(entry.key)
        if before is None or after is None or not entry.old or _follows(before, after, late, signable):
            continue
        for column in sorted(before.values):
            if entry.touches(column) and before.values[column] == after.values.get(column):
                yield _told(before, column, (entry.old.get(column), entry.new.get(column)), signable, entry)


def _follows(before: Part, after: Part, late: list[Part], signable: Signable) -> bool:
    return any(follows(before, after, late) for follows in signable.follows)


# Who and when ------------------------------------------------------------------------------------------------


def _who(entry: Entry | None) -> dict[str, Any]:
    return {"at": entry.at, "who": entry.who, "why": entry.why} if entry else {}


def _entries(
    signature: Signature, signable: Signable, signed: Content, now: Content, late: list[Part]
) -> list[Entry]:
    """What the trail says of these rows since the signature."""
    keys = (signed.parts.keys() | now.parts.keys()) - {part.key for part in late}
    tables: dict[str, str] = {}
    about = Q(pk__in=[])
    for kind in signable.kinds:
        table = kind.model._meta.db_table
        tables[table] = kind.label
        ids = [key.partition(":")[2] for key in keys if key.startswith(f"{kind.label}:")]
        about |= Q(table_name=table, row_id__in=ids)
    rows = AuditEntry.objects.filter(
        about, pk__gt=signature.after_entry, action__in=("insert", "update", "delete")
    )
    found = list(rows.order_by("pk"))
    names = dict(
        User.objects.filter(pk__in={one.user_id for one in found if one.user_id}).values_list(
            "pk", "full_name"
        )
    )
    return [
        Entry(
            f"{tables[one.table_name]}:{one.row_id}",
            json.loads(one.old) if one.old else {},
            json.loads(one.new) if one.new else {},
            one.at,
            names.get(one.user_id or 0, one.actor),
            one.reason,
        )
        for one in found
    ]
