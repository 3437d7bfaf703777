"""The history of one record, for those who may read histories and see the record."""

from __future__ import annotations

from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.apps import apps
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET

from registry.access.guards import needs, signed_in
from registry.access.models import Site, User
from registry.audit.coverage import audited_models
from registry.audit.history import history_of

HOPS = 3


@needs("audit.view")
@require_GET
def history(request: HttpRequest, label: str, pk: int) -> HttpResponse:
    user = signed_in(request)
    row = _visible_row(user, label, pk)
    before = request.GET.get("before", "")
    steps, more = history_of(row, before=int(before) if before.isdecimal() else None)
    site = site_of(row)
    zone = site.time_zone if site else "UTC"
    context = {
        "title": f"History of {row}",
        "lines": [{"step": step, "local": step.at.astimezone(ZoneInfo(zone))} for step in steps],
        "zone": zone,
        "older_url": f"?{urlencode({'before': more})}" if more else "",
    }
    return render(request, "audit/history.html", context)


def site_of(row: models.Model, hops: int = HOPS) -> Site | None:
    """The site a record belongs to, by its own column or by the record it hangs on."""
    if isinstance(row, Site):
        return row
    found = getattr(row, "site", None)
    if isinstance(found, Site) or hops == 0:
        return found if isinstance(found, Site) else None
    for field in row._meta.concrete_fields:
        if isinstance(field, models.ForeignKey) and field.related_model is not User:
            parent = getattr(row, field.name)
            above = site_of(parent, hops - 1) if parent is not None else None
            if above:
                return above
    return None


def _visible_row(user: User, label: str, pk: int) -> models.Model:
    try:
        model = apps.get_model(label)
    except (LookupError, ValueError) as error:
        raise Http404("There is no such kind of record.") from error
    if model not in audited_models():
        raise Http404("This kind of record has no history.")
    row = get_object_or_404(model._default_manager, pk=pk)
    scope, site = user.scope("audit.view"), site_of(row)
    if scope.everywhere or (scope.covers(site.pk) if site else _is_of_no_site(model)):
        return row
    raise Http404("There is no such record at your sites.")


def _is_of_no_site(model: type[models.Model]) -> bool:
    """Lots, donors and plans belong to every site; accounts and roles to none, and are for those who see all."""
    names = {field.name for field in model._meta.concrete_fields}
    return model._meta.app_label != "access" and not names & {"site", "patient", "user"}
