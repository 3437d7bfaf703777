"""In a blinded protocol one person records the infusion and another, of the product staff, its lot and dose."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db.models import Q, QuerySet
from django.urls import reverse

from followup.schedule.actions.work_items import close_work_items, raise_work_items
from followup.schedule.models import WorkItem
from registry.access.blinding import PRODUCT_ROLE
from registry.access.models import Registry
from registry.clock import local_date
from registry.infusions.models import Infusion
from registry.partial_dates import in_words

KIND = "dose"
DAYS_TO_ENTER = 3
DONE = "Lot and dose were entered"


def ask_for_doses(*, now: datetime, patients: Sequence[int] | None = None) -> None:
    """One matter for each infusion given here that has no dose yet; it ends when the dose is there. Without patients: of
    everybody, for the sweep. Asking again changes nothing.
    """
    if not Registry.current().blinded:
        return
    about = Q() if patients is None else Q(patient__in=list(patients))
    waiting = _without_dose(about)
    raise_work_items([_item(one, now) for one in waiting.select_related("site", "patient")])
    sources = {_source(pk) for pk in waiting.values_list("pk", flat=True)}
    standing = WorkItem.objects.open().filter(about, kind=KIND).values_list("source", flat=True)
    if settled := sorted(set(standing) - sources):
        close_work_items(kind=KIND, sources=settled, because=DONE, by=None, now=now)


def _without_dose(about: Q) -> QuerySet[Infusion]:
    return Infusion.objects.filter(about, doses=None, origin=Infusion.Origin.HERE).order_by("pk")


def _source(infusion: int) -> str:
    return f"infusion:{infusion}"


def _item(infusion: Infusion, now: datetime) -> WorkItem:
    return WorkItem(
        kind=KIND,
        source=_source(infusion.pk),
        patient=infusion.patient,
        site=infusion.site,
        title=f"Enter lot and dose of the infusion on {in_words(infusion.infused_on)}",
        url=reverse("infusions:correct", args=[infusion.pk]),
        level=WorkItem.Level.DUE,
        role=PRODUCT_ROLE,
        due_on=local_date(now, infusion.site.time_zone) + timedelta(days=DAYS_TO_ENTER),
        opened_at=now,
    )
