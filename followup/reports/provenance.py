"""What stands on every cover, and the seal that shows which state of the data a report was made from."""

from collections.abc import Iterable
from datetime import UTC, date, datetime

from django.apps import apps
from django.conf import settings
from django.db import IntegrityError

from followup.reports.numbers import Cover
from followup.safety.ctcae import VERSION as CTCAE_VERSION
from followup.schedule.models import FollowUpPlan
from registry.access.models import Registry, Site
from registry.audit import seals
from registry.audit.models import AuditEntry, AuditSeal, SealedEntry

DATA_ROOMS = ("patients", "products", "infusions", "schedule", "labs", "treatment", "safety", "neoplasia")
NOT_DATA = {"schedule.workitem"}


def seal_data(*, now: datetime) -> None:
    """Closes a seal where the newest change of the data has none yet, so that the report can name it.

    Reading, reporting and signing in leave entries too; they do not change what a report says, and the seal named on it
    stays the same. Needs no actor: the trail is written by the database itself.
    """
    newest = _newest_change()
    if newest is None or SealedEntry.objects.filter(entry_id=newest).exists():
        return
    try:
        seals.seal(now=now)
    except IntegrityError:  # somebody sealed the same entries at this moment, which serves as well
        return


def trail_head() -> str | None:
    """Digest of the seal over the newest change of the data; None while that is not sealed."""
    found = _data_seal()
    return found.digest if found else None


def trail_seal() -> str:
    """Number and moment of that seal, by which it is found again in the anchor file."""
    found = _data_seal()
    return f"seal {found.pk} of {found.at.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if found else ""


def _data_seal() -> AuditSeal | None:
    newest = _newest_change()
    if newest is None:
        return None
    sealed = SealedEntry.objects.filter(entry_id=newest).values("seal_id")
    return AuditSeal.objects.filter(pk__in=sealed).first()


def _newest_change() -> int | None:
    tables = [
        model._meta.db_table
        for room in DATA_ROOMS
        for model in apps.get_app_config(room).get_models()
        if model._meta.label_lower not in NOT_DATA
    ]
    changes = AuditEntry.objects.filter(table_name__in=tables, action__in=("insert", "update", "delete"))
    return changes.order_by("-pk").values_list("pk", flat=True).first()


def cover(
    *,
    title: str,
    sites: Iterable[Site],
    period_from: date | None,
    cut_off: date,
    is_pseudonymised: bool = True,
) -> Cover:
    registry = Registry.current()
    return {
        "registry": registry.name,
        "report_title": title,
        "period_from": period_from.isoformat() if period_from else None,
        "period_to": cut_off.isoformat() if period_from else None,
        "cut_off": cut_off.isoformat(),
        "version": "1",
        "status": "draft",
        "is_demo": registry.kind == "demo",
        "is_pseudonymised": is_pseudonymised,
        "sites": [
            {"code": site.code, "name": site.name, "country": site.country, "time_zone": site.time_zone}
            for site in sites
        ],
        "intended_use": settings.INTENDED_USE,
        "trail_head": trail_head(),
        "trail_seal": trail_seal(),
    }


def versions() -> dict[str, str]:
    plans = FollowUpPlan.objects.order_by("code", "version").values_list("code", "version")
    return {
        "Software": settings.VERSION,
        "Grading (CTCAE)": CTCAE_VERSION,
        "Follow-up plan": ", ".join(f"{code} {version}" for code, version in plans) or "none loaded",
    }
