"""Signing is one address for every kind of record, and each kind narrows it further to its own act."""

from typing import Any

from followup.safety.models import AdverseEvent
from registry.audit.acting import acting_as
from registry.signatures.actions import sign
from registry.signatures.signable import content_of
from tests.cast import NOW
from tests.rights_world import Case, World

SIGNERS = ("records.sign", "neoplasia.close", "reports.sign")
READERS = ("events.view", "neoplasia.view", "reports.view")


def of_event(world: World) -> dict[str, Any]:
    return {"label": "safety.adverseevent", "pk": world.make(AdverseEvent).pk}


def of_signature(world: World) -> dict[str, Any]:
    event, doctor = world.make(AdverseEvent), world.own["investigator"]
    with acting_as(doctor):
        made = sign(
            row=event,
            meaning="review",
            digest=content_of(event).sha256,
            form_token="rights",
            by=doctor,
            now=NOW,
        )
    return {"pk": made.pk}


CASES = {
    "signatures:sign_record": Case(SIGNERS, of_event, may_hide=True),
    "signatures:late_reviewed": Case(SIGNERS, of_event, may_hide=True),
    "signatures:signature": Case(READERS, of_signature),
}
