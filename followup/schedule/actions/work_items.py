"""Work items: a matter that stays on Today until somebody closes it. Any room may raise one; raised twice it is one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime, timedelta

from django.db.models import QuerySet
from django.urls import reverse

from followup.schedule.models import WorkItem
from registry.access import masking
from registry.access.blinding import PRODUCT_ROLE, asks_about_product
from registry.access.models import Registry, Site, User
from registry.audit.acting import because as with_reason
from registry.batches import batches
from registry.clock import local_date
from registry.patients.models import Patient, Query

ROWS_AT_A_TIME = 500
DAYS_TO_ANSWER_A_QUERY = 7
QUERY_KINDS = {
    Query.Kind.DEVIATION: ("deviation", "Deviation to explain"),
    Query.Kind.CONTRADICTION: ("contradiction", "Facts that contradict each other"),
}
# Who answers: what stands against giving cells is the investigator's, the rest is the nurse's.
INVESTIGATOR_TABLES = ("infusions.", "products.", "safety.", "neoplasia.")


def raise_work_item(
    *,
    kind: str,
    source: str,
    patient: Patient | None,
    site: Site,
    title: str,
    url: str,
    level: str,
    role: str,
    due_on: date,
    now: datetime,
) -> WorkItem:
    """Opens the matter, or returns the one that stands open for this kind and source already."""
    item = WorkItem(
        kind=kind, source=source, patient=patient, site=site, title=title[:200], url=url, level=level,
        role=role, due_on=due_on, opened_at=now,
    )  # fmt: skip
    raise_work_items([item])
    return WorkItem.objects.open().get(kind=kind, source=source)


def raise_work_items(items: Iterable[WorkItem]) -> int:
    """Many at once, in few statements; returns how many were new."""
    wanted = {(item.kind, item.source): item for item in items}
    standing = _standing({source for _, source in wanted})
    new = [item for key, item in wanted.items() if key not in standing]
    # Two at once may find the same matter: the unique constraint keeps one of the two.
    WorkItem.objects.bulk_create(new, batch_size=ROWS_AT_A_TIME, ignore_conflicts=True)
    return len(new)


def _standing(sources: set[str]) -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    ordered = sorted(sources)
    for batch in batches(ordered):
        rows = WorkItem.objects.open().filter(source__in=batch)
        found.update(rows.order_by("pk").values_list("kind", "source"))
    return found


def close_work_item(*, kind: str, source: str, because: str, by: User | None, now: datetime) -> int:
    """Closes the open matter of this kind and source; 0 when none was open. `by` is None for the system."""
    return close_work_items(kind=kind, sources=[source], because=because, by=by, now=now)


def close_work_items(
    *, kind: str, sources: Iterable[str], because: str, by: User | None, now: datetime
) -> int:
    with with_reason(because):
        return (
            WorkItem.objects.open()
            .filter(kind=kind, source__in=list(sources))
            .update(closed_at=now, closed_by=by, closed_because=because[:300])
        )


# Queries -----------------------------------------------------------------------------------------------------


def source_of(query_id: int | str) -> str:
    return f"query:{query_id}"


def raise_items_for_queries(query_ids: Iterable[int], *, now: datetime) -> int:
    """One matter for each open deviation or contradiction at a site."""
    ids = list(query_ids)
    raised = 0
    for batch in batches(ids):
        queries = _open_queries().filter(pk__in=batch)
        raised += raise_work_items([_item(query, query.site, now) for query in queries if query.site])
    return raised


def raise_missing_items(*, now: datetime) -> int:
    """Repairs lost news: open queries that never became a matter."""
    sources = set(
        WorkItem.objects.filter(kind__in=[kind for kind, _ in QUERY_KINDS.values()])
        .order_by("pk")
        .values_list("source", flat=True)
    )
    open_ids = _open_queries().values_list("pk", flat=True)
    return raise_items_for_queries([pk for pk in open_ids if source_of(pk) not in sources], now=now)


def close_items_of_closed_queries(query_ids: Iterable[int] | None = None, *, now: datetime) -> int:
    """A closed query asks nothing any more: its matter closes with it, in the name of who closed it. Without
    ids: all that stand open, for the sweep.
    """
    kinds = [kind for kind, _ in QUERY_KINDS.values()]
    items = WorkItem.objects.open().filter(kind__in=kinds, source__startswith=source_of(""))
    if query_ids is not None:
        items = items.filter(source__in=[source_of(pk) for pk in query_ids])
    by_query = {int(item.source.partition(":")[2]): item for item in items}
    by_person: defaultdict[int | None, list[int]] = defaultdict(list)
    closed = Query.objects.filter(pk__in=list(by_query), status=Query.State.CLOSED).order_by("pk")
    for query_id, closed_by in closed.values_list("pk", "closed_by_id"):
        by_person[closed_by].append(by_query[query_id].pk)
    for person_id, item_ids in by_person.items():
        WorkItem.objects.open().filter(pk__in=item_ids).update(
            closed_at=now, closed_by_id=person_id, closed_because="The query was closed"
        )
    return sum(len(item_ids) for item_ids in by_person.values())


def _open_queries() -> QuerySet[Query]:
    return (
        Query.objects.filter(status=Query.State.OPEN, kind__in=list(QUERY_KINDS), site__isnull=False)
        .select_related("site", "patient")
        .order_by("pk")
    )


def _item(query: Query, site: Site, now: datetime) -> WorkItem:
    kind, words = QUERY_KINDS[Query.Kind(query.kind)]
    is_hidden = asks_about_product(query.record, query.rule) and Registry.current().blinded
    title = "A question about the product" if is_hidden else f"{words}: {query.reason}"
    role = "investigator" if query.record.startswith(INVESTIGATOR_TABLES) else "nurse"
    if query.rule.startswith(masking.RULE):
        title, role = "A question about a masked result", masking.ROLE
    return WorkItem(
        kind=kind,
        source=source_of(query.pk),
        patient=query.patient,
        site=site,
        title=title[:200],
        url=reverse("patients:query", args=[query.pk]),
        level=WorkItem.Level.DUE,
        role=PRODUCT_ROLE if is_hidden else role,
        due_on=local_date(now, site.time_zone) + timedelta(days=DAYS_TO_ANSWER_A_QUERY),
        opened_at=now,
    )
