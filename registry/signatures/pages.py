"""What every page about a signed record needs."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db import models
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from registry.signatures.signable import Signable, site_of


def frame(signable: Signable, row: models.Model, now: datetime) -> dict[str, Any]:
    return {
        "row": row,
        "noun": signable.noun,
        "label": signable.label,
        "patient": getattr(row, "patient", None),
        "url": signable.url(row),
        "now": now,
    }


def render_at(
    request: HttpRequest, template: str, row: models.Model, context: dict[str, Any], status: int = 200
) -> HttpResponse:
    site = site_of(row)
    with timezone.override(ZoneInfo(site.time_zone if site else "UTC")):
        return render(request, template, context, status=status)
