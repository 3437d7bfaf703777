"""The sites side by side, in counts that add up, each in one query."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django.db.models import Count, QuerySet

from followup.desk import waiting
from followup.neoplasia.models import Neoplasm
from followup.safety.models import SERIOUS, AdverseEvent
from followup.schedule.models import Visit
from registry.access.models import Site, User
from registry.infusions.models import Infusion
from registry.patients.models import Patient, Status

SHORT = {Status.LOST: "Lost"}


@dataclass
class SiteRow:
    """One site, or all together. A number this person may not read is None, never 0."""

    name: str
    code: str = ""
    by_status: dict[str, int] = field(default_factory=dict)
    infused: int | None = None
    late: int | None = None
    suspicions: int | None = None
    serious: int | None = None
    closed_windows: int | None = None
    done: int | None = None

    @property
    def patients(self) -> int:
        return sum(self.by_status.values())

    @property
    def status_counts(self) -> list[dict[str, str | int]]:
        return [{"label": SHORT.get(s, s.label), "number": self.by_status.get(s.value, 0)} for s in Status]

    @property
    def complete_percent(self) -> int | None:
        """Done among the visits whose window has closed; rounded down, so that 100 means all."""
        if not self.closed_windows or self.done is None:
            return None
        return self.done * 100 // self.closed_windows


COUNTED = ("infused", "late", "suspicions", "serious", "closed_windows", "done")


def site_rows(user: User, sites: Sequence[Site], days: Mapping[int, date]) -> list[SiteRow]:
    rows = {site.pk: SiteRow(name=site.name, code=site.code) for site in sites}
    for site_id, status, number in _by_status(user, sites):
        rows[site_id].by_status[status] = number
    for name, act, counts in _counts(user, sites, days):
        for site_id, row in rows.items():
            if user.may(act, site_id):
                setattr(row, name, counts.get(site_id, 0))
    return list(rows.values())


def total_row(rows: Sequence[SiteRow]) -> SiteRow:
    """The rows added up, column by column; a column nobody may read stays empty."""
    total = SiteRow(name="All sites")
    for status in Status.values:
        total.by_status[status] = sum(row.by_status.get(status, 0) for row in rows)
    for name in COUNTED:
        known = [getattr(row, name) for row in rows if getattr(row, name) is not None]
        setattr(total, name, sum(known) if known else None)
    return total


def _by_status(user: User, sites: Sequence[Site]) -> list[tuple[int, str, int]]:
    patients = Patient.objects.visible_to(user).filter(site__in=sites).order_by()
    counted = patients.values("site", "status").annotate(number=Count("pk")).order_by("site", "status")
    return list(counted.values_list("site", "status", "number"))


def _counts(
    user: User, sites: Sequence[Site], days: Mapping[int, date]
) -> list[tuple[str, str, Mapping[int, int]]]:
    closed, done = _completeness(user, sites, days)
    late = waiting.waiting_for(user, sites).filter(waiting.late_on(sites, days))
    suspicions = Neoplasm.objects.visible_to(user).filter(site__in=sites, status__in=Neoplasm.OPEN)
    infusions = Infusion.objects.visible_to(user).filter(site__in=sites)
    return [
        ("infused", "infusions.view", _per_site(infusions, "patient")),
        ("late", "visits.view", _per_site(late, "pk")),
        ("suspicions", "neoplasia.view", _per_site(suspicions, "pk")),
        ("serious", "events.view", _per_site(_open_serious(user, sites), "pk")),
        ("closed_windows", "visits.view", closed),
        ("done", "visits.view", done),
    ]


def _per_site(rows: QuerySet[Any], counted: str) -> dict[int, int]:
    return dict(
        rows.order_by().values("site").annotate(n=Count(counted, distinct=True)).values_list("site", "n")
    )


def _open_serious(user: User, sites: Sequence[Site]) -> QuerySet[AdverseEvent]:
    events = AdverseEvent.objects.visible_to(user).filter(SERIOUS, site__in=sites)
    return events.standing().unsettled()


def _completeness(
    user: User, sites: Sequence[Site], days: Mapping[int, date]
) -> tuple[dict[int, int], dict[int, int]]:
    """Visits whose window has closed by the site's day and that were required, and how many of them were done."""
    closed: dict[int, int] = defaultdict(int)
    done: dict[int, int] = defaultdict(int)
    visits = Visit.objects.visible_to(user).filter(waiting.late_on(sites, days))
    required = visits.exclude(state=Visit.State.NOT_REQUIRED)
    for row in (
        required.order_by().values("site", "state").annotate(number=Count("pk")).order_by("site", "state")
    ):
        closed[row["site"]] += row["number"]
        if row["state"] == Visit.State.DONE:
            done[row["site"]] += row["number"]
    return closed, done
