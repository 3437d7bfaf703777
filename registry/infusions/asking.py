"""Two verbs that are rare and leave a trace: asking for another day of an infusion, and unblinding one patient."""

from __future__ import annotations

from datetime import date, datetime

from registry.access.models import Registry, User
from registry.audit.acting import because
from registry.audit.actions import record_event
from registry.infusions.models import Infusion, Unblinding
from registry.infusions.rules import ANOTHER_DAY
from registry.infusions.signals import patient_unblinded
from registry.patients.models import Patient, Query
from registry.patients.queries import QueryFacts, open_queries, record_of
from registry.saving import made_by


class CannotAsk(Exception):
    """What was asked cannot be done; the text says why."""


def ask_for_another_day(
    *, infusion: Infusion, day: date, reason: str, form_token: str, by: User, now: datetime
) -> None:
    """A question to the investigator, who corrects the day or answers why it stands. One stands open at a time; the
    same form sent twice is one question.
    """
    by.require("infusions.request_date", infusion.site_id)
    same = {"patient_id": infusion.patient_id, "record": record_of(infusion)}
    if made_by(Query, form_token, **same):
        return
    if day == infusion.infused_on:
        raise CannotAsk("This is the day that stands already.")
    reason = f"{by} asks for {day:%Y-%m-%d} instead of {infusion.infused_on:%Y-%m-%d} as the day of the infusion: {reason}"
    asked = QueryFacts(
        kind=Query.Kind.CONTRADICTION, rule=ANOTHER_DAY, record=record_of(infusion), reason=reason,
        patient_id=infusion.patient_id, site_id=infusion.site_id, field="infused_on",
        form_token=form_token,
    )  # fmt: skip
    open_queries([asked], now=now)
    if not made_by(Query, form_token, **same):  # another person's question stands
        raise CannotAsk("Another day was asked for already, and the investigator has not answered yet.")


def unblind(*, patient: Patient, reason: str, form_token: str, by: User, now: datetime) -> Unblinding:
    """Not undoable. The safety officers are told at once; the same form sent twice is one unblinding."""
    by.require("unblinding.emergency", patient.site_id)
    if not Registry.current().blinded:
        raise CannotAsk("The protocol is open-label: nothing is hidden.")
    if first := Unblinding.objects.filter(form_token=form_token, unblinded_by=by).first():
        return first
    with because(reason):
        made = Unblinding.objects.create(
            patient=patient,
            site=patient.site,
            reason=reason,
            unblinded_by=by,
            unblinded_at=now,
            form_token=form_token,
        )
        record_event(action="unblinded", about=patient, detail=reason, now=now)
    patient_unblinded.send(sender=Unblinding, unblinding=made, now=now)
    return made
