"""Opening, answering and closing queries: the questions the record itself raises. Needs `acting_as()`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from datetime import datetime

from django.db import models
from django.db.models import Q, QuerySet

from registry.access.models import User
from registry.audit.acting import because as with_reason
from registry.batches import batches
from registry.patients.models import Patient, Query
from registry.patients.signals import query_closed, query_opened
from registry.saving import made_by

BATCH = 500


class QueryMovedOn(Exception):
    """Somebody else answered or closed the query first."""


@dataclass(frozen=True)
class QueryFacts:
    """What a query is about. `rule`, `record` and `field` make it the same query when it is found again."""

    kind: str
    rule: str
    record: str
    reason: str
    patient_id: int | None = None
    site_id: int | None = None
    field: str = ""
    form_token: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        return self.rule, self.record, self.field


def record_of(row: models.Model) -> str:
    """How a query names the record it is about: `patients.enrolment:12`."""
    return f"{row._meta.label_lower}:{row.pk}"


def open_queries(facts: Iterable[QueryFacts], *, now: datetime) -> list[Query]:
    """Opens those that do not stand open already, tells who listens, and returns the new ones."""
    wanted = {one.key: one for one in facts}
    standing = _standing(wanted)
    new = {key: one for key, one in wanted.items() if key not in standing}
    if not new:
        return []
    # Two sweeps may find the same thing at once: the unique constraint keeps one of the two.
    Query.objects.bulk_create(
        [Query(**_columns(one), opened_at=now) for one in new.values()],
        ignore_conflicts=True,
        batch_size=BATCH,
    )
    opened = [query for key, query in sorted(_standing(new).items())]
    query_opened.send(sender=Query, queries=[query.pk for query in opened], now=now)
    return opened


def _columns(facts: QueryFacts) -> dict[str, object]:
    return asdict(facts) | {"reason": facts.reason[:500]}


def _standing(wanted: Iterable[tuple[str, str, str]]) -> dict[tuple[str, str, str], Query]:
    keys = set(wanted)
    records = sorted({record for _, record, _ in keys})
    found = {}
    for some in batches(records):
        for query in Query.objects.filter(record__in=some).exclude(status=Query.State.CLOSED):
            found[(query.rule, query.record, query.field)] = query
    return {key: query for key, query in found.items() if key in keys}


def close_queries(
    *,
    rule: str = "",
    records: Sequence[str] = (),
    pks: Sequence[int] = (),
    now: datetime,
    because: str,
    by: User | None = None,
) -> int:
    """Closes what a correction has settled: `rule` on these records, or the queries `pks`. Returns how many."""
    closed = 0
    wanted = [(Q(rule=rule), "record__in", records), (Q(), "pk__in", pks)]
    with with_reason(because):
        for base, lookup, values in wanted:
            for batch in batches(values):
                some = Query.objects.filter(base, **{lookup: batch})
                closed += _close(some, by=by, now=now)
    return closed


def _close(queries: QuerySet[Query], *, by: User | None, now: datetime) -> int:
    """Closes those still open and tells who listens, so that the matters they raised end with them."""
    keys = list(queries.exclude(status=Query.State.CLOSED).order_by("pk").values_list("pk", flat=True))
    if not keys:
        return 0
    closing = Query.objects.filter(pk__in=keys).exclude(status=Query.State.CLOSED)
    closed = closing.update(status=Query.State.CLOSED, closed_at=now, closed_by=by)
    query_closed.send(sender=Query, queries=keys, now=now)
    return closed


def raise_query(*, patient: Patient, question: str, form_token: str, by: User, now: datetime) -> None:
    """A question somebody asks by hand; the site answers. The same form sent twice is one question."""
    by.require("queries.raise", patient.site_id)
    if made_by(Query, form_token, patient=patient):
        return
    asked = QueryFacts(
        kind=Query.Kind.CONTRADICTION, rule=f"asked {form_token}"[:60], record=record_of(patient),
        reason=f"{by} asks: {question}", patient_id=patient.pk, site_id=patient.site_id, form_token=form_token,
    )  # fmt: skip
    open_queries([asked], now=now)


def answer_query(*, query: Query, answer: str, by: User, now: datetime) -> None:
    by.require("queries.answer", query.site_id)
    changed = Query.objects.filter(pk=query.pk, status=Query.State.OPEN).update(
        status=Query.State.ANSWERED, answer=answer, answered_by=by, answered_at=now
    )
    if not changed:
        raise QueryMovedOn("This query was answered or closed in the meantime.")


def close_query(*, query: Query, by: User, now: datetime, because: str = "") -> None:
    by.require("queries.close", query.site_id)
    with with_reason(because) if because else nullcontext():
        changed = _close(Query.objects.filter(pk=query.pk), by=by, now=now)
    if not changed:
        raise QueryMovedOn("This query was closed in the meantime.")
