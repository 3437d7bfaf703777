"""Lines on Today that ask for nothing but to be seen: names went out, a copy was made. And what an erasure asks for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.urls import reverse

from followup.schedule.actions.work_items import close_work_items, raise_work_item
from followup.schedule.models import WorkItem
from registry.access.models import Site, User
from registry.clock import local_date
from registry.exchange.models import ExportRun
from registry.exchange.signals import identified_export_made
from registry.patients.erasing import is_erased
from registry.patients.erasures import ErasureRequest
from registry.patients.models import Patient, Scope
from registry.patients.signals import erasure_changed, status_changed
from registry.patients.standing import standings

PERSON_COPY, NAMES_OUT = "person_copy", "names_exported"
NOTICES = (PERSON_COPY, NAMES_OUT)
WISH, REQUEST = "erasure_wish", "erasure_request"
DAYS_TO_ASK, DAYS_TO_DECIDE = 7, 14
COORDINATOR, INVESTIGATOR = "coordinator", "investigator"


def raise_notice(
    *, kind: str, source: str, patient: Patient | None, site: Site, title: str, now: datetime
) -> WorkItem:
    """For the coordinator, who says that it was seen."""
    item = raise_work_item(
        kind=kind, source=source, patient=patient, site=site, title=title, url="/", level=WorkItem.Level.DUE,
        role=COORDINATOR, due_on=local_date(now, site.time_zone), now=now,
    )  # fmt: skip
    item.url = reverse("schedule:notice", args=[item.pk])
    item.save(update_fields=["url"])
    return item


def mark_seen(*, item: WorkItem, by: User, now: datetime) -> None:
    close_work_items(kind=item.kind, sources=[item.source], because="Seen", by=by, now=now)


def hear_of_rights() -> None:
    identified_export_made.connect(names_went_out, dispatch_uid="schedule-tells-of-names")
    status_changed.connect(ask_for_erasures, dispatch_uid="schedule-asks-for-erasures")
    erasure_changed.connect(ask_for_erasures, dispatch_uid="schedule-follows-erasures")


def names_went_out(run: ExportRun, rows: int, now: datetime, **_: Any) -> None:
    if run.site is None:
        return
    raise_notice(
        kind=NAMES_OUT, source=f"exchange.exportrun:{run.pk}", patient=None, site=run.site,
        title=f"{run.requested_by} exported the names of {rows} people of {run.site}: {run.reason}", now=now,
    )  # fmt: skip


# Erasures ----------------------------------------------------------------------------------------------------


def ask_for_erasures(patients: Sequence[int], now: datetime, **_: Any) -> None:
    """A recorded wish is the site's to ask for; what was asked for is the coordinator's to carry out or refuse."""
    standing = standings(patients)
    waiting = {
        one.patient_id: one
        for one in ErasureRequest.objects.filter(patient__in=list(patients), state=ErasureRequest.State.ASKED)
    }
    _close_settled(patients, waiting, now)
    for patient in Patient.objects.filter(pk__in=list(patients)).select_related("site").order_by("pk"):
        if patient.pk in waiting:
            _raise(patient, REQUEST, waiting[patient.pk].pk, now)
        elif Scope.ERASE in standing[patient.pk].scopes and not is_erased(patient) and not _decided(patient):
            _raise(patient, WISH, patient.pk, now)


def _decided(patient: Patient) -> bool:
    """Refused: the wish was answered."""
    return ErasureRequest.objects.filter(patient=patient, state=ErasureRequest.State.REFUSED).exists()


def _raise(patient: Patient, kind: str, key: int, now: datetime) -> None:
    is_wish = kind == WISH
    url = (
        reverse("patients:erase", args=[patient.patient_id])
        if is_wish
        else reverse("patients:erasure", args=[key])
    )
    days = DAYS_TO_ASK if is_wish else DAYS_TO_DECIDE
    words = "wishes that the identifiers are erased" if is_wish else "erasure waits for a second person"
    raise_work_item(
        kind=kind, source=f"{kind}:{key}", patient=patient, site=patient.site, title=f"{patient}: {words}", url=url,
        level=WorkItem.Level.DUE, role=INVESTIGATOR if is_wish else COORDINATOR,
        due_on=local_date(now, patient.site.time_zone) + timedelta(days=days), now=now,
    )  # fmt: skip


def _close_settled(patients: Sequence[int], waiting: dict[int, ErasureRequest], now: datetime) -> None:
    items = WorkItem.objects.open().filter(kind__in=(WISH, REQUEST), patient__in=list(patients))
    held = {f"{REQUEST}:{one.pk}" for one in waiting.values()}
    wished = {pk for pk, one in standings(patients).items() if Scope.ERASE in one.scopes}
    erased = {one.pk for one in Patient.objects.filter(pk__in=list(patients)) if is_erased(one)}
    for item in items.order_by("pk"):
        is_held = (
            item.source in held
            if item.kind == REQUEST
            else (
                item.patient_id in wished and item.patient_id not in waiting and item.patient_id not in erased
            )
        )
        if not is_held:
            because = "Asked for, decided, or taken back"
            close_work_items(kind=item.kind, sources=[item.source], because=because, by=None, now=now)
