"""What every page of this room needs."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from registry.clock import local_date
from registry.patients.models import Patient


def page(
    request: HttpRequest,
    template: str,
    patient: Patient,
    *,
    now: datetime,
    status: int = 200,
    **context: Any,
) -> HttpResponse:
    """Rendered on the clock of the patient's site."""
    zone = patient.site.time_zone
    context |= {"patient": patient, "now": now, "today": local_date(now, zone)}
    with timezone.override(ZoneInfo(zone)):
        return render(request, template, context, status=status)
