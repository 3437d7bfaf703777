"""Signing is one address for every kind of record, and each kind narrows it further to its own act."""

from typing import Any

from followup.safety.models import AdverseEvent
from registry.audit.acting import acting_as
from registry.signatures.actions import sign
from registry.signatures.locking import ask_to_unlock, lock_record
from registry.signatures.models import RecordLock, Signature
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


def of_lock(world: World) -> dict[str, Any]:
    """Signed by the investigator, locked by the site manager."""
    event, manager = AdverseEvent.objects.get(pk=of_event_signed(world)), world.own["site_manager"]
    with acting_as(manager):
        lock = lock_record(
            row=event, digest=content_of(event).sha256, reason="Checked", form_token="rights", by=manager, now=NOW
        )  # fmt: skip
    return {"pk": lock.pk}


def of_event_signed(world: World) -> int:
    return Signature.objects.get(pk=of_signature(world)["pk"]).row_pk


def of_request(world: World) -> dict[str, Any]:
    lock, asker = RecordLock.objects.get(**of_lock(world)), world.own["coordinator"]
    with acting_as(asker):
        asked = ask_to_unlock(lock=lock, reason="Wrong", form_token="rights", by=asker, now=NOW)
    return {"pk": asked.pk}


def of_signed_event(world: World) -> dict[str, Any]:
    return {"label": "safety.adverseevent", "pk": of_event_signed(world)}


CASES = {
    "signatures:lock_list": Case(("records.locked",)),
    "signatures:lock": Case(("records.lock",), of_signed_event),
    "signatures:unlock": Case(("records.unlock",), of_lock),
    "signatures:unlock_approve": Case(("records.unlock",), of_request),
    "signatures:unlock_refuse": Case(("records.unlock",), of_request),
    "signatures:unlock_take_back": Case(("records.unlock",), of_request),
    "signatures:sign_record": Case(SIGNERS, of_event, may_hide=True),
    "signatures:late_reviewed": Case(SIGNERS, of_event, may_hide=True),
    "signatures:signature": Case(READERS, of_signature),
}
