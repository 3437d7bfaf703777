"""A query stands open once for one matter, is answered by the site and closed by a second role."""

import pytest
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, transaction

from registry.access.models import Site, User
from registry.audit.models import AuditEntry
from registry.patients.models import Query
from registry.patients.queries import (
    QueryFacts,
    QueryMovedOn,
    answer_query,
    close_queries,
    close_query,
    open_queries,
)
from registry.patients.signals import query_opened
from tests.cast import NOW


def facts(site: Site, record: str = "patients.enrolment:1", field: str = "") -> QueryFacts:
    return QueryFacts(
        kind="deviation", rule="consent_after_enrolment", record=record, reason="Signed late",
        site_id=site.pk, field=field,
    )  # fmt: skip


def test_the_same_matter_is_opened_once_and_again_after_it_was_closed(riverside: Site) -> None:
    heard: list[int] = []

    def hear(*, queries: list[int], **_: object) -> None:
        heard.extend(queries)

    query_opened.connect(hear)
    try:
        first = open_queries([facts(riverside), facts(riverside), facts(riverside, field="dose")], now=NOW)
        again = open_queries([facts(riverside)], now=NOW)
    finally:
        query_opened.disconnect(hear)
    assert (len(first), again) == (2, [])
    assert sorted(heard) == sorted(query.pk for query in first)
    assert close_queries(
        rule="consent_after_enrolment", records=["patients.enrolment:1"], now=NOW, because="Date corrected"
    )
    assert AuditEntry.objects.filter(table_name="patients_query", reason="Date corrected").count() == 2
    assert len(open_queries([facts(riverside)], now=NOW)) == 1


def test_the_database_keeps_one_open_query_per_rule_and_record(riverside: Site) -> None:
    open_queries([facts(riverside)], now=NOW)
    one = Query.objects.get()
    one.pk = None
    with (
        pytest.raises(DatabaseError, match=r"one_open_query_per_rule_and_record|UNIQUE"),
        transaction.atomic(),
    ):
        one.save(force_insert=True)


def test_site_answers_and_monitor_closes(riverside: Site, nora: User, mona: User) -> None:
    (query,) = open_queries([facts(riverside)], now=NOW)
    with pytest.raises(PermissionDenied):
        close_query(query=query, by=nora, now=NOW)
    answer_query(query=query, answer="Paper form was dated wrongly", by=nora, now=NOW)
    with pytest.raises(QueryMovedOn):
        answer_query(query=query, answer="Second answer", by=nora, now=NOW)
    close_query(query=query, by=mona, now=NOW)
    with pytest.raises(QueryMovedOn):
        close_query(query=query, by=mona, now=NOW)
    query.refresh_from_db()
    assert (query.status, query.answered_by, query.closed_by) == ("closed", nora, mona)


@pytest.mark.django_db
def test_a_query_is_not_opened_by_nobody() -> None:
    with pytest.raises(DatabaseError, match="nobody is acting"), transaction.atomic():
        open_queries([QueryFacts(kind="missing", rule="x", record="y:1", reason="z")], now=NOW)
