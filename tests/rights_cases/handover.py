"""Transfers and emergency readings. Both sites of a transfer may see it while it waits, so each case names one that the
other site of the test has nothing to do with.
"""

from typing import Any

from registry.access.models import RoleGrant, Site
from registry.handover.models import RecordOpening, Transfer
from registry.patients.models import Patient
from tests.cast import NOW
from tests.rights_world import Case, World, of_patient

SENDERS = ("patients.transfer",)
RECEIVERS = ("patients.receive",)


def third_site() -> Site:
    named = {"name": "North", "country": "GB", "time_zone": "Europe/London"}
    return Site.objects.get_or_create(code="NOR", defaults=named)[0]


def of_sent(world: World) -> dict[str, Any]:
    """From Riverside, to a third site."""
    return {"pk": world.make(Transfer, from_site=world.riverside, to_site=third_site()).pk}


def of_received(world: World) -> dict[str, Any]:
    """To Riverside, from a third site."""
    third = third_site()
    patient, _ = Patient.objects.get_or_create(
        patient_id="NOR-0001-Z", defaults={"site": third, "created_at": NOW}
    )
    return {"pk": world.make(Transfer, from_site=third, to_site=world.riverside, patient=patient).pk}


def of_opening(world: World) -> dict[str, Any]:
    reader = world.other["investigator"]
    grant = RoleGrant.objects.get(user=reader)
    made = {"user": reader, "grant": grant, "at_site": world.riverside, "opened_at": NOW}
    return {"pk": world.make(RecordOpening, **made, ends_at=NOW.replace(hour=NOW.hour + 1)).pk}


CASES = {
    "handover:transfer_list": Case((*SENDERS, *RECEIVERS)),
    "handover:transfer_ask": Case(SENDERS, of_patient),
    "handover:transfer": Case((*SENDERS, *RECEIVERS), of_sent),
    "handover:transfer_accept": Case(RECEIVERS, of_received),
    "handover:transfer_decline": Case(RECEIVERS, of_received),
    "handover:transfer_withdraw": Case(SENDERS, of_sent),
    "handover:transfer_checked": Case(SENDERS, of_sent),
    "handover:record_open": Case(("records.open",)),
    "handover:record_close": Case(("records.open",)),
    "handover:opening_list": Case(("records.opened",)),
    "handover:opening_seen": Case(("records.opened",), of_opening),
}
