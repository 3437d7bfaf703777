"""Visits outside their window become a deviation that somebody answers; inside again, it closes."""

from collections.abc import Iterable
from datetime import datetime

from followup.schedule.models import Visit
from registry.partial_dates import in_words
from registry.patients.models import Query
from registry.patients.queries import QueryFacts, close_queries, open_queries, record_of

OUT_OF_WINDOW = "visit_out_of_window"


def judge_window(visits: Iterable[Visit], *, now: datetime, why: str = "") -> None:
    """Opens or closes the deviation of each visit by its verdict `out_of_window`."""
    judged = list(visits)
    open_queries([_out_of_window(visit, why) for visit in judged if visit.out_of_window], now=now)
    inside = [record_of(visit) for visit in judged if not visit.out_of_window]
    if inside:
        close_queries(
            rule=OUT_OF_WINDOW, records=inside, now=now, because="The visit lies inside its window now"
        )


def _out_of_window(visit: Visit, why: str) -> QueryFacts:
    facts = f"Visit {visit.visit_code} was held on {in_words(visit.actual_date)}, outside its window"
    return visit_query(visit, rule=OUT_OF_WINDOW, reason=f"{facts}: {why}" if why else facts)


def visit_query(
    visit: Visit, *, rule: str, reason: str, kind: str = Query.Kind.DEVIATION, field: str = "actual_date"
) -> QueryFacts:
    return QueryFacts(
        kind=kind,
        rule=rule,
        record=record_of(visit),
        field=field,
        reason=reason,
        patient_id=visit.patient_id,
        site_id=visit.site_id,
    )
