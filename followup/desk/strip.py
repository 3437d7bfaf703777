"""Who a page is about: the strip on top of every page of one person, and the tabs below it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

from django.urls import reverse

from followup.desk.facts import PatientFacts, facts_of
from followup.desk.wording import days_late_words
from registry.access.models import User
from registry.partial_dates import in_words
from registry.patients.identity import IdentityFacts
from registry.patients.models import Patient, Sex, Status

STATUS_KINDS = {
    Status.SCREENING: "due",
    Status.ENROLLED: "due",
    Status.IN_FOLLOW_UP: "done",
    Status.COMPLETED: "quiet",
    Status.WITHDRAWN: "quiet",
    Status.LOST: "late",
    Status.DECEASED: "quiet",
}
TABS = (
    ("overview", "Overview", "patients.view", "desk:patient_record"),
    ("visits", "Visits", "visits.view", "schedule:patient_schedule"),
    ("laboratory", "Laboratory", "labs.view", "labs:patient_results"),
    ("events", "Events", "events.view", "desk:patient_events"),
    ("neoplasia", "Neoplasia", "neoplasia.view", "desk:patient_neoplasia"),
    ("infusions", "Infusions", "infusions.view", "desk:patient_infusions"),
    ("treatment", "Treatment", "treatment.view", "treatment:treatment_list"),
    ("consent", "Consent and status", "consent.view", "desk:patient_consent"),
)
ACTIONS = (
    ("Record visit", "visits.record", "schedule:unscheduled_add"),
    ("Log a call", "visits.record", "schedule:contact_add"),
    ("Add event", "events.record", "safety:event_add"),
    ("Order infusion", "infusions.order", "infusions:order"),
    ("Record infusion", "infusions.record", "infusions:record"),
    ("Ask for another infusion day", "infusions.request_date", "infusions:date_request"),
    ("Raise a query", "queries.raise", "patients:query_raise"),
    ("Report PDF", "reports.make_patient", "reports:patient_report_make"),
)


def strip_for(
    patient: Patient,
    user: User,
    today: date,
    *,
    identity: IdentityFacts | None = None,
    facts: PatientFacts | None = None,
) -> dict[str, Any]:
    """The context of `components/patient_strip.html`.

    `identity` comes from `read_identifiers`, which knows who may read it and notes the reading in the trail.
    """
    facts = facts or facts_of(patient, user, today)
    opens_record = user.may("patients.view", patient.site_id)
    return {
        "patient_id": patient.patient_id,
        "url": reverse("desk:patient_record", args=[patient.patient_id]) if opens_record else "",
        "demographics": demographics(patient, today),
        "identity": name_words(identity) if identity else "",
        "status_kind": STATUS_KINDS[Status(patient.status)],
        "status_word": patient.get_status_display(),
        "alarm": bool(facts.suspicions or facts.open_serious_events),
        "matters": list(_matters(facts)),
        "facts": list(_facts(facts)),
        "actions": [],
    }


def demographics(patient: Patient, today: date) -> str:
    sex = "" if patient.sex_at_birth == Sex.UNKNOWN else patient.get_sex_at_birth_display().lower()
    age = patient.age_on(today)
    return ", ".join(part for part in (sex or "sex not known", f"{age}" if age else "age not known") if part)


def name_words(identity: IdentityFacts) -> str:
    born = f"b. {in_words(identity.birth_date)}" if identity.birth_date else ""
    return f"{identity.full_name} ({born})" if identity.full_name and born else identity.full_name or born


def tabs_for(patient: Patient, user: User, active: str) -> list[dict[str, Any]]:
    tabs = [
        {"label": label, "url": reverse(name, args=[patient.patient_id]), "active": key == active}
        for key, label, act, name in TABS
        if user.may(act, patient.site_id)
    ]
    if user.may("audit.view", patient.site_id):
        history = reverse("audit:history", args=["patients.patient", patient.pk])
        tabs.append({"label": "History", "url": history, "active": active == "history"})
    return tabs


def actions_for(patient: Patient, user: User) -> list[dict[str, Any]]:
    allowed = [(label, name) for label, act, name in ACTIONS if user.may(act, patient.site_id)]
    return [
        {"label": label, "url": reverse(name, args=[patient.patient_id]), "primary": place == 0}
        for place, (label, name) in enumerate(allowed)
    ]


def _matters(facts: PatientFacts) -> Iterator[dict[str, str]]:
    for suspicion in facts.suspicions:
        words = f"{suspicion.get_status_display()} neoplasm since {in_words(suspicion.suspected_on)}"
        if suspicion.status == suspicion.Status.WORK_UP:
            words = f"Work-up open since {in_words(suspicion.suspected_on)}"
        yield {"kind": "alarm", "word": words, "url": reverse("neoplasia:case", args=[suspicion.pk])}
    for event in facts.open_serious_events:
        words = f"Serious: {event.term}, since {in_words(event.onset_date)}"
        url = reverse("desk:patient_events", args=[facts.patient.patient_id])
        yield {"kind": "alarm", "word": words, "url": url}
    if facts.has_unconfirmed_death:
        yield {"kind": "alarm", "word": "Death reported, not confirmed", "url": ""}
    if facts.hold_reason and not facts.suspicions:
        yield {"kind": "late", "word": f"No further infusions: {facts.hold_reason}", "url": ""}
    for visit in facts.next_visits[:1]:
        if visit.window_closes and visit.status_on(facts.day) == "late":
            words = f"{visit.label} visit {days_late_words(visit.window_closes, facts.day)}"
            yield {"kind": "late", "word": words, "url": reverse("schedule:visit", args=[visit.pk])}


def _facts(facts: PatientFacts) -> Iterator[dict[str, Any]]:
    if facts.sees_visits:
        how = f"({facts.contact_how})" if facts.contact_how else ""
        yield _fact(
            "Last contact", "" if facts.contact_on else "none recorded", facts.contact_on, facts.day, how
        )
        visit = facts.next_visits[0] if facts.next_visits else None
        target = visit.target_date if visit else None
        yield _fact(
            "Next",
            visit.label + ("," if target else "") if visit else "nothing planned",
            target,
            facts.day,
            mode="due",
        )
    if facts.sees_infusions:
        number = len(facts.infusions)
        last = facts.infusions[-1].infused_on if number else None
        words = {0: "none yet", 1: "1, on"}.get(number, f"{number}, last")
        yield _fact("Infusions", words, last, facts.day)
    if facts.sees_consent:
        yield _fact("Consent", *_consent_words(facts), facts.day)


def _consent_words(facts: PatientFacts) -> tuple[str, date | None]:
    if not facts.consent_version:
        return "none recorded", None
    if facts.withdrawal and facts.patient.status == Status.WITHDRAWN:
        return f"version {facts.consent_version}, withdrawn: {facts.withdrawal}", None
    if facts.consent_signed_on and facts.consent_signed_on > facts.day:
        return f"version {facts.consent_version}, valid from", facts.consent_signed_on
    return f"version {facts.consent_version}, valid, signed", facts.consent_signed_on


def _fact(
    label: str, value: str, day: date | None, today: date, after: str = "", *, mode: str = ""
) -> dict[str, Any]:
    return {"label": label, "value": value, "day": day, "from_day": today, "mode": mode, "after": after}
