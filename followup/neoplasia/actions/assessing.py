"""The safety officer judges a neoplasm, at any site and at any stage of its work-up; needs `acting_as()`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from followup.neoplasia.models import Neoplasm, NeoplasmAssessment
from followup.safety.actions import assess_event
from followup.safety.models import AdverseEvent
from registry.access.models import User
from registry.audit.acting import because, past_locks
from registry.saving import claim_version

VERDICT = ("relatedness_cells", "relatedness_procedure", "expectedness")


def assess_neoplasm(
    *, case: Neoplasm, verdict: Mapping[str, str], version: int, reason: str, by: User, now: datetime
) -> NeoplasmAssessment:
    """`verdict`: the columns in VERDICT. One person's one judgement stands at both places: it is also the safety
    officer's assessment of the adverse event the neoplasm was reported as. Raises ChangedMeanwhile.
    """
    by.require("neoplasia.assess", case.site_id)
    if set(verdict) != set(VERDICT):
        raise TypeError(f"a verdict is made of {', '.join(VERDICT)}")
    with because(reason), past_locks():  # a site's lock does not stop the safety officer's own verdict
        claim_version(case, version)
        assessment = NeoplasmAssessment(
            neoplasm=case, case_status=case.status, reason=reason, assessed_by=by, assessed_at=now, **verdict
        )
        assessment.full_clean()
        assessment.save()
        for name, value in verdict.items():
            setattr(case, name, value)
        case.full_clean()
        case.save()
        if case.adverse_event and case.adverse_event.withdrawn_at is None:
            _assess_its_event(case.adverse_event, verdict, reason=reason, by=by, now=now)
    return assessment


def _assess_its_event(
    event: AdverseEvent, verdict: Mapping[str, str], *, reason: str, by: User, now: datetime
) -> None:
    """Seriousness stays as the event says: it is judged there."""
    seriousness = {
        "is_serious": event.counts_as_serious,
        "seriousness_criteria": event.seriousness_criteria,
    }
    assess_event(
        event=event, verdict=dict(verdict) | seriousness, version=event.version, reason=reason, by=by, now=now
    )
