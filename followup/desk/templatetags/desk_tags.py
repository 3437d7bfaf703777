"""The strip and the tabs of one person, for the pages of every room: `{% load desk_tags %}{% patient_strip patient now %}`."""

from datetime import datetime
from typing import Any

from django import template

from followup.desk import strip
from registry.access.models import User
from registry.clock import local_date
from registry.patients.models import Patient
from registry.patients.pages import read_identifiers

register = template.Library()


@register.inclusion_tag("components/patient_strip.html", takes_context=True)
def patient_strip(context: template.Context, patient: Patient, now: datetime) -> dict[str, Any]:
    """`now` comes from the view. Where the reader sees a name, the trail says so."""
    user: User = context["request"].user
    identity = read_identifiers(user, [patient], now=now).get(patient.pk)
    today = local_date(now, patient.site.time_zone)
    shown = strip.strip_for(patient, user, today, identity=identity)
    return {"strip": shown | {"actions": strip.actions_for(patient, user)}}


@register.inclusion_tag("components/tabs.html", takes_context=True)
def patient_tabs(context: template.Context, patient: Patient, active: str) -> dict[str, Any]:
    """`active` is a key of the table of tabs: visits, laboratory, events, neoplasia, infusions, treatment, consent …"""
    user: User = context["request"].user
    return {"label": f"Record of {patient.patient_id}", "tabs": strip.tabs_for(patient, user, active)}
