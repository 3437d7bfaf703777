"""What a transfer or an emergency reading asks of the people at a site: matters on Today, closed by the answer."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.urls import reverse

from followup.schedule.actions.work_items import close_work_item, raise_work_item
from followup.schedule.models import WorkItem
from registry.access.models import User
from registry.clock import local_date
from registry.handover.models import RecordOpening, Transfer
from registry.handover.signals import (
    opening_seen,
    record_opened,
    transfer_asked,
    transfer_checked,
    transfer_decided,
)

ASKED, ARRIVED, OPENED = "transfer_request", "transfer_arrived", "record_opened"
# Matters that are nobody's who could not open them.
WHO_MAY_ANSWER = {ASKED: "patients.receive", OPENED: "records.opened"}
MANAGER, NURSE = "site_manager", "nurse"


def hear_of_handovers() -> None:
    transfer_asked.connect(ask, dispatch_uid="schedule-asks-for-transfers")
    transfer_decided.connect(decided, dispatch_uid="schedule-settles-transfers")
    transfer_checked.connect(checked, dispatch_uid="schedule-closes-arrivals")
    record_opened.connect(opened, dispatch_uid="schedule-tells-of-openings")
    opening_seen.connect(seen, dispatch_uid="schedule-closes-openings")


def ask(transfer: Transfer, now: datetime, **_: Any) -> None:
    """Without the patient as its subject: until the site accepts, nothing of the person is its to read."""
    title = f"{transfer.from_site} asks you to take over {transfer.patient}"
    url = reverse("handover:transfer", args=[transfer.pk])
    raise_work_item(
        kind=ASKED, source=_source(transfer), patient=None, site=transfer.to_site, title=title, url=url,
        level=WorkItem.Level.DUE, role=MANAGER, due_on=local_date(now, transfer.to_site.time_zone), now=now,
    )  # fmt: skip


def decided(transfer: Transfer, by: User, now: datetime, **_: Any) -> None:
    because = f"The transfer was {transfer.get_state_display().lower()}"
    close_work_item(kind=ASKED, source=_source(transfer), because=because, by=by, now=now)
    # Whoever moves on before anybody looked leaves nothing to look at.
    earlier = Transfer.objects.accepted().filter(patient=transfer.patient_id).exclude(pk=transfer.pk)
    if transfer.state != Transfer.State.ACCEPTED:
        return
    for one in earlier:
        close_work_item(kind=ARRIVED, source=_source(one), because="The patient moved on", by=by, now=now)
    title = f"{transfer.patient} came from {transfer.from_site}: check contacts and bookings"
    url = reverse("handover:transfer", args=[transfer.pk])
    raise_work_item(
        kind=ARRIVED, source=_source(transfer), patient=transfer.patient, site=transfer.to_site, title=title, url=url,
        level=WorkItem.Level.DUE, role=NURSE, due_on=local_date(now, transfer.to_site.time_zone), now=now,
    )  # fmt: skip


def checked(transfer: Transfer, by: User, now: datetime, **_: Any) -> None:
    because = "Contacts and bookings are checked"
    close_work_item(kind=ARRIVED, source=_source(transfer), because=because, by=by, now=now)


def opened(opening: RecordOpening, now: datetime, **_: Any) -> None:
    """The line names who, and leads to the rest: it says nothing of the person."""
    title = f"A record of your site was opened in an emergency by {opening.user}"
    raise_work_item(
        kind=OPENED, source=f"opening:{opening.pk}", patient=None, site=opening.at_site, title=title,
        url=reverse("handover:opening_list"), level=WorkItem.Level.ALARM, role=MANAGER,
        due_on=local_date(now, opening.at_site.time_zone), now=now,
    )  # fmt: skip


def seen(opening: RecordOpening, by: User, now: datetime, **_: Any) -> None:
    close_work_item(kind=OPENED, source=f"opening:{opening.pk}", because="Looked at", by=by, now=now)


def _source(transfer: Transfer) -> str:
    return f"transfer:{transfer.pk}"
