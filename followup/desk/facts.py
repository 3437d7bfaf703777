"""What stands about one person, read once for the strip and the record, as far as the reader may see it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.models import Exists, F, OuterRef, QuerySet, Subquery

from followup.desk.waiting import WHO_MAY_ANSWER
from followup.neoplasia.models import NeoplasiaCheck, Neoplasm
from followup.safety.models import AdverseEvent
from followup.schedule.models import ContactAttempt, ContactMode, Visit, VisitQuerySet, WorkItem
from registry.access.models import User
from registry.clock import local_date
from registry.infusions.models import Infusion, InfusionHold
from registry.patients.models import Consent, Patient, Scope, Status, StatusEvent

NEXT_VISITS = 3


@dataclass(frozen=True)
class PatientFacts:
    patient: Patient
    day: date
    infusions: list[Infusion]
    events: list[AdverseEvent]
    suspicions: list[Neoplasm]
    next_visits: list[Visit]
    work: list[WorkItem]
    contact_on: date | None
    contact_how: str
    consent_version: str
    consent_signed_on: date | None
    withdrawal: str
    has_unconfirmed_death: bool
    hold_reason: str
    sees_consent: bool
    sees_infusions: bool
    sees_visits: bool

    @property
    def open_serious_events(self) -> list[AdverseEvent]:
        return [event for event in self.events if event.counts_as_serious and not event.is_settled]


def facts_of(patient: Patient, user: User, day: date) -> PatientFacts:
    """Six queries. What this person may not read is empty."""
    site = patient.site_id
    last = _last_of(patient)
    contact_on, contact_how = _last_contact(last, patient)
    sees_consent, sees_visits = user.may("consent.view", site), user.may("visits.view", site)
    sees_infusions = user.may("infusions.view", site)
    suspicions = Neoplasm.objects.visible_to(user).filter(patient=patient, status__in=Neoplasm.OPEN)
    events = AdverseEvent.objects.visible_to(user).filter(patient=patient, withdrawn_at=None)
    return PatientFacts(
        patient=patient,
        day=day,
        infusions=list(Infusion.objects.visible_to(user).filter(patient=patient)),
        events=list(events.order_by("onset_date", "pk")),
        suspicions=list(suspicions.order_by("suspected_on", "pk")),
        next_visits=list(planned_visits(user, patient)[:NEXT_VISITS]),
        work=list(_work_of(patient, user)),
        contact_on=contact_on if sees_visits else None,
        contact_how=contact_how if sees_visits else "",
        consent_version=(last["consent_version"] or "") if sees_consent else "",
        consent_signed_on=last["consent_signed_on"] if sees_consent else None,
        withdrawal=_withdrawal(last) if sees_consent else "",
        has_unconfirmed_death=last["is_reported"] and not last["is_confirmed"],
        hold_reason=_hold_words(last["hold_reason"], user, site) if sees_infusions else "",
        sees_consent=sees_consent,
        sees_infusions=sees_infusions,
        sees_visits=sees_visits,
    )


def _work_of(patient: Patient, user: User) -> QuerySet[WorkItem]:
    """A title may speak of health: those who may not read it see what is meant for their role."""
    items = WorkItem.objects.visible_to(user).open().filter(patient=patient)
    items = items.exclude(kind__in=[kind for kind, act in WHO_MAY_ANSWER.items() if not user.may(act)])
    if user.may("events.view", patient.site_id):
        return items
    return items.filter(role__in=[grant.role for grant in user.grants])


def _hold_words(reason: str | None, user: User, site: int) -> str:
    if not reason or user.may("neoplasia.view", site):
        return reason or ""
    return "on hold, ask the investigator"


def planned_visits(user: User, patient: Patient) -> VisitQuerySet:
    """What has not been done, the longest overdue first."""
    visits = Visit.objects.visible_to(user).not_finished().filter(patient=patient)
    ordered = visits.order_by(F("target_date").asc(nulls_first=True), "pk")
    return ordered.select_related("timepoint")


def _last_of(patient: Patient) -> dict[str, Any]:
    of_patient = {"patient": OuterRef("pk")}
    calls = ContactAttempt.objects.filter(**of_patient, outcome=ContactAttempt.Outcome.REACHED)
    visits = Visit.objects.filter(**of_patient, actual_date__isnull=False)
    visits = visits.exclude(contact_mode=ContactMode.RECORDS)
    checks = NeoplasiaCheck.objects.filter(**of_patient).exclude(contact_mode=ContactMode.RECORDS)
    consents = Consent.objects.filter(**of_patient).order_by("-signed_on", "-pk")
    withdrawals = StatusEvent.objects.filter(**of_patient, status=Status.WITHDRAWN).order_by(
        "-on_date", "-pk"
    )
    deaths = StatusEvent.objects.filter(**of_patient, status=Status.DECEASED)
    holds = InfusionHold.objects.filter(**of_patient, released_at=None).order_by("-opened_at", "-pk")
    calls, visits = calls.order_by("-at", "-pk"), visits.order_by("-actual_date", "-pk")
    checks = checks.order_by("-on_date", "-pk")
    return dict(
        Patient.objects.filter(pk=patient.pk)
        .values(
            called_at=Subquery(calls.values("at")[:1]),
            called_by=Subquery(calls.values("channel")[:1]),
            seen_on=Subquery(visits.values("actual_date")[:1]),
            seen_how=Subquery(visits.values("contact_mode")[:1]),
            checked_on=Subquery(checks.values("on_date")[:1]),
            checked_how=Subquery(checks.values("contact_mode")[:1]),
            consent_version=Subquery(consents.values("document__version")[:1]),
            consent_signed_on=Subquery(consents.values("signed_on")[:1]),
            withdrawal_scope=Subquery(withdrawals.values("scope")[:1]),
            is_reported=Exists(deaths.filter(death_confirmed=False)),
            is_confirmed=Exists(deaths.filter(death_confirmed=True)),
            hold_reason=Subquery(holds.values("reason")[:1]),
        )
        .get()
    )


def _last_contact(last: dict[str, Any], patient: Patient) -> tuple[date | None, str]:
    """The last time somebody reached, saw or examined the person; from records alone is no contact."""
    modes, channels = dict(ContactMode.choices), dict(ContactAttempt._meta.get_field("channel").flatchoices)
    known: list[tuple[date, str]] = []
    if last["called_at"]:
        known.append((local_date(last["called_at"], patient.site.time_zone), channels[last["called_by"]]))
    for day, how in ((last["seen_on"], last["seen_how"]), (last["checked_on"], last["checked_how"])):
        if day:
            known.append((day, modes.get(how, "")))
    day, how = max(known, default=(None, ""))
    return day, how.lower()


def _withdrawal(last: dict[str, Any]) -> str:
    """What a withdrawal took back, in words; empty where nobody withdrew."""
    scope = last["withdrawal_scope"]
    if scope is None:
        return ""
    return dict(Scope.choices).get(scope, "scope not known").lower()
