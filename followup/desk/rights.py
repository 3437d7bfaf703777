"""What a person's withdrawals leave, how long their cells must be traceable, and where staff answer to their rights."""

from __future__ import annotations

from typing import Any

from dateutil.relativedelta import relativedelta
from django.conf import settings
from django.urls import reverse

from registry.access.models import User
from registry.infusions.models import Infusion
from registry.patients.erasing import is_erased
from registry.patients.models import Patient, Scope
from registry.patients.rules import ScopeEffect
from registry.patients.standing import standings

LEFT = (
    ("may_infuse", "Cells may be given"),
    ("may_visit_on_site", "Visits at the site"),
    ("may_contact", "Calls, letters and messages"),
    ("may_use_records", "Records and linkage"),
    ("keeps_identifiers", "Names may be kept"),
)
WAYS = (
    ("Copy of everything", "people.export", "copies:copy_make"),
    ("Erase identifiers", "erasure.ask", "patients:erase"),
)


def rights_of(patient: Patient, user: User) -> dict[str, Any]:
    """For the consent tab."""
    standing = standings([patient.pk])[patient.pk]
    return {
        "withdrawn_from": [
            {"words": Scope(scope).label, "since": since} for scope, since in standing.scopes.items()
        ],
        "left": _left(standing.effect) if standing.scopes else [],
        "is_erased": is_erased(patient),
        "ways": [
            {"label": label, "url": reverse(name, args=[patient.patient_id])}
            for label, act, name in WAYS
            if user.may(act, patient.site_id)
        ],
        "retention": _retention(patient) if user.may("infusions.view", patient.site_id) else None,
    }


def _left(effect: ScopeEffect) -> list[dict[str, Any]]:
    return [{"label": label, "kept": getattr(effect, name)} for name, label in LEFT]


def _retention(patient: Patient) -> dict[str, Any] | None:
    """Which cells went to whom must stay known for years after the last infusion; None where none was given."""
    last = Infusion.objects.filter(patient=patient).order_by("-infused_on", "-pk").first()
    if last is None:
        return None
    years = settings.TRACEABILITY_YEARS
    return {"last": last.infused_on, "years": years, "until": last.infused_on + relativedelta(years=years)}
