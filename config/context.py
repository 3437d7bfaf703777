"""What every page needs: navigation by right, the intended use, and the banners."""

import math
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse

from config.health import sweep_trouble
from registry import clock
from registry.access.models import Registry, User
from registry.handover.middleware import opening_of
from registry.handover.models import RecordOpening
from registry.signin import drafts

NAVIGATION = [
    ("Today", "desk:today", "worklist.view", "/today/"),
    ("Patients", "patients:patient_list", "patients.view", "/patients/"),
    ("Cells", "products:lot_list", "cells.view", "/cells/"),
    ("Safety", "safety:event_list", "events.view", "/safety/"),
    ("Reports", "reports:report_list", "reports.view", "/reports/"),
    ("Data", "desk:data", "", "/data/"),
    ("Settings", "access:settings", "settings.view", "/settings/"),
]
DATA_ACTS = (
    "export.pseudonymised",
    "export.own_results",
    "import.labs",
    "import.patients",
    "import.lots",
    "import.sites",
    "audit.view",
)


def page(request: HttpRequest) -> dict[str, Any]:
    registry = Registry.current()
    context: dict[str, Any] = {
        "intended_use": settings.INTENDED_USE,
        "version": settings.VERSION,
        "registry_name": registry.name,
        "registry_is_demo": registry.kind == "demo",
        "without_second_factor": not settings.REQUIRE_MFA,
        "nav": [],
    }
    user = getattr(request, "user", None)
    if isinstance(user, User):
        context["nav"] = [
            {"label": label, "url": reverse(url), "active": request.path.startswith(prefix)}
            for label, url, act, prefix in NAVIGATION
            if _may_open(user, act)
        ]
        if user.may("patients.view"):
            context["patient_search_url"] = reverse("patients:patient_search")
        context["sweep_banner"] = sweep_trouble(now=clock.now())
        if opening := opening_of(request):
            context["opening"] = _opening_banner(opening)
        context["drafts"] = drafts.offers(request, user, clock.now())
        context["idle_minutes"] = user.idle_minutes
    return context


def _opening_banner(opening: RecordOpening) -> dict[str, Any]:
    left = opening.ends_at - clock.now()
    return {
        "patient_id": opening.patient.patient_id,
        "site": opening.at_site.name,
        "minutes": max(0, math.ceil(left.total_seconds() / 60)),
    }


def _may_open(user: User, act: str) -> bool:
    return user.may(act) if act else any(user.may(one) for one in DATA_ACTS)
