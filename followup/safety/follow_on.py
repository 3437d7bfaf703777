"""What a stored event leads to: queries for its contradictions, a task for the investigator, news upward.

Set-based and idempotent: run it again after every change, and it opens what is missing and closes what is settled.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.urls import reverse

from followup.safety.models import AdverseEvent
from followup.safety.rules import (
    RESPIRATORY_HOURS_AFTER_IV,
    Contradiction,
    EventFacts,
    contradictions,
    special_interest_reason,
)
from followup.safety.signals import events_recorded
from followup.schedule.actions import close_work_item, raise_work_items
from followup.schedule.models import WorkItem
from registry import partial_dates
from registry.access.models import User
from registry.batches import batches
from registry.clock import local_date
from registry.infusions.models import Infusion, Route
from registry.patients.models import Query, StatusEvent
from registry.patients.queries import QueryFacts, close_queries, open_queries, record_of

ASSESSMENT = "serious_event"
DAYS_TO_ASSESS = 1
UNREADABLE_GRADE = "impossible_grade"
IV_ROUTES = (Route.IV_PERIPHERAL, Route.IV_CENTRAL, Route.COMBINED)


def settle(events: Sequence[AdverseEvent], *, now: datetime, by: User | None = None) -> None:
    """Needs `acting_as()`. `events` carry their patient and site."""
    _settle_queries(events, now=now, by=by)
    _settle_work(events, now=now, by=by)
    standing = [event.pk for event in events if event.withdrawn_at is None]
    if standing:
        events_recorded.send(sender=AdverseEvent, events=standing, now=now)


def source_of(event: AdverseEvent) -> str:
    return f"event:{event.pk}"


# Contradictions --------------------------------------------------------------------------------------------------


def contradictions_of(event: AdverseEvent, *, death_date: str = "") -> list[Contradiction]:
    """What cannot all be true in the event as it is stored now; nothing for one entered by mistake."""
    if event.withdrawn_at is not None:
        return []
    found = contradictions(
        EventFacts(
            term=event.term,
            onset_date=event.onset_date,
            end_date=event.end_date,
            severity_grade=event.severity_grade,
            is_serious=event.is_serious,
            seriousness_criteria=event.criteria,
            outcome=event.outcome,
            death_date=death_date,
            **{
                name: _local_day(event, name) for name in ("aware_at", "site_aware_at", "sponsor_received_at")
            },
        )
    )
    if event.severity_received and event.severity_grade is None:
        reason = f"“{event.severity_received}” is not a CTCAE grade: grades are 1 to 5. Kept as received."
        found.append(Contradiction("severity_grade", UNREADABLE_GRADE, reason))
    return found


def _local_day(event: AdverseEvent, name: str) -> str:
    moment: datetime | None = getattr(event, name)
    return local_date(moment, event.site.time_zone).isoformat() if moment else ""


def death_dates(patient_ids: Iterable[int]) -> dict[int, str]:
    deaths = StatusEvent.objects.filter(patient__in=sorted(set(patient_ids)), status="deceased")
    return dict(deaths.order_by("on_date", "pk").values_list("patient_id", "on_date"))


def _settle_queries(events: Sequence[AdverseEvent], *, now: datetime, by: User | None) -> None:
    died_on = death_dates(event.patient_id for event in events)
    wanted = [
        _query_facts(event, one)
        for event in events
        for one in contradictions_of(event, death_date=died_on.get(event.patient_id, ""))
    ]
    keep = {facts.key for facts in wanted}
    settled: dict[str, list[str]] = {}
    for rule, record, field in _standing_queries([record_of(event) for event in events]):
        if (rule, record, field) not in keep:
            settled.setdefault(rule, []).append(record)
    for rule, records in sorted(settled.items()):
        close_queries(rule=rule, records=records, now=now, because="The event was corrected.", by=by)
    open_queries(wanted, now=now)


def _standing_queries(records: Sequence[str]) -> Iterable[tuple[str, str, str]]:
    for batch in batches(records):
        standing = Query.objects.filter(record__in=batch)
        yield from standing.exclude(status=Query.State.CLOSED).values_list("rule", "record", "field")


def _query_facts(event: AdverseEvent, one: Contradiction) -> QueryFacts:
    kind = Query.Kind.OUT_OF_RANGE if one.kind == UNREADABLE_GRADE else Query.Kind.CONTRADICTION
    return QueryFacts(
        kind=kind,
        rule=one.kind,
        record=record_of(event),
        field=one.field,
        reason=f"{event.term}: {one.reason}",
        patient_id=event.patient_id,
        site_id=event.site_id,
    )


# The investigator's task ---------------------------------------------------------------------------------------------


def _settle_work(events: Sequence[AdverseEvent], *, now: datetime, by: User | None) -> None:
    waiting = [event for event in events if _needs_assessment(event)]
    raise_work_items([_task(event, now) for event in waiting])
    settled = {source_of(event) for event in events} - {source_of(event) for event in waiting}
    for source in _standing_tasks(sorted(settled)):
        because = "Assessed, or no longer serious"
        close_work_item(kind=ASSESSMENT, source=source, because=because, by=by, now=now)


def _needs_assessment(event: AdverseEvent) -> bool:
    return event.withdrawn_at is None and event.counts_as_serious and not event.is_assessed


def _standing_tasks(sources: Sequence[str]) -> list[str]:
    found: list[str] = []
    for batch in batches(sources):
        tasks = WorkItem.objects.open().filter(kind=ASSESSMENT, source__in=batch)
        found += tasks.order_by("pk").values_list("source", flat=True)
    return found


def _task(event: AdverseEvent, now: datetime) -> WorkItem:
    return WorkItem(
        kind=ASSESSMENT,
        source=source_of(event),
        patient=event.patient,
        site=event.site,
        title=f"Serious event to assess: {event.term}"[:200],
        url=reverse("safety:event", args=[event.pk]),
        level=WorkItem.Level.ALARM,
        role="investigator",
        due_on=local_date(now, event.site.time_zone) + timedelta(days=DAYS_TO_ASSESS),
        opened_at=now,
    )


# Special interest ----------------------------------------------------------------------------------------------------


def mark_special_interest(events: Sequence[AdverseEvent]) -> None:
    """Sets `is_special_interest` from the words, the grade and the nearness of an intravenous infusion; never unsets it."""
    infused = _iv_infusion_days(event.patient_id for event in events)
    for event in events:
        reason = special_interest_reason(
            event.term,
            grade=event.severity_grade,
            hours_after_iv_infusion=_hours_after(event.onset_date, infused.get(event.patient_id, [])),
        )
        event.is_special_interest = event.is_special_interest or bool(reason)


def _iv_infusion_days(patient_ids: Iterable[int]) -> dict[int, list[date]]:
    days: dict[int, list[date]] = {}
    given = Infusion.objects.filter(patient__in=sorted(set(patient_ids)), route__in=IV_ROUTES)
    for patient_id, day in given.order_by("infused_on", "pk").values_list("patient_id", "infused_on"):
        days.setdefault(patient_id, []).append(day)
    return days


def _hours_after(onset: str, infused: list[date]) -> Decimal | None:
    """By whole days, so an event of the second day after an infusion still counts as within 48 hours."""
    if len(onset) != 10:
        return None
    began = partial_dates.earliest(onset)
    days = [(began - day).days for day in infused if day <= began]
    hours = Decimal(24 * min(days)) if days else None
    return hours if hours is not None and hours <= RESPIRATORY_HOURS_AFTER_IV else None
