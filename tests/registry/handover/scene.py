"""A patient of Riverside who is to move to Harbour, and those who ask and answer."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.test import Client

from registry import clock
from registry.access.models import Site, User
from registry.audit.acting import acting_as
from registry.handover.models import Transfer
from registry.handover.moving import TransferFacts, accept_transfer, ask_transfer
from registry.patients.identity import IdentityFacts
from registry.patients.models import Patient
from tests.cast import NOW, TODAY

FACTS = IdentityFacts("Anna", "Berg", birth_date="1970-05-06", local_id="0815", phone="+44 1632 960001")
LATER = NOW + timedelta(days=2)


def ask(patient: Patient, to_site: Site, by: User, **more: Any) -> Transfer:
    facts = TransferFacts(to_site=to_site, moves_on=TODAY, reason="Moved to the coast", **more)
    with acting_as(by):
        return ask_transfer(patient=patient, facts=facts, by=by, now=NOW)


def accept(transfer: Transfer, by: User, local_id: str = "", now: datetime = LATER) -> None:
    with acting_as(by):
        accept_transfer(transfer=transfer, local_id=local_id, by=by, now=now)


def read(browser: Client, url: str, **post: str) -> tuple[int, str]:
    with clock.set_to(LATER):
        got = browser.post(url, post) if post else browser.get(url)
    return got.status_code, got.content.decode()
