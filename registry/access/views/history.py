"""The history of one record, for those who may read histories and see the record."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.apps import apps
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET

from registry.access import masking
from registry.access.blinding import sees_history_of
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
    asked = request.GET.get("page", "")
    page = max(1, int(asked)) if asked.isdecimal() and len(asked) < 7 else 1
    names = partial(sees_history_of, user)
    without = masking.entries_hidden_from(user)
    steps, more = history_of(row, page=page, below=_shown_below(user, row), names=names, without=without)
    site = site_of(row)
    zone = site.time_zone if site else "UTC"
    context = {
        "title": f"History of {row}",
        "lines": [{"step": step, "local": step.at.astimezone(ZoneInfo(zone))} for step in steps],
        "zone": zone,
        "newer_url": f"?{urlencode({'page': page - 1})}" if page > 1 else "",
        "older_url": f"?{urlencode({'page': page + 1})}" if more else "",
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
    if not sees_history_of(user, model):
        raise Http404("The protocol is blinded: this history would tell what was given.")
    row = get_object_or_404(model._default_manager, pk=pk)
    scope, site = user.scope("audit.view"), site_of(row)
    if masking.is_masked(row) and not user.may(masking.ACT, site):
        raise Http404("The protocol masks this result.")
    if scope.everywhere or (scope.covers(site.pk) if site else _is_shared(model)):
        return row
    raise Http404("There is no such record at your sites.")


def _is_shared(model: type[models.Model]) -> bool:
    """Lots, plans and laboratories belong to every site. What belongs to a person - an account, a message, a file
    brought in - is for those who see all sites.
    """
    names = {field.name for field in model._meta.concrete_fields}
    return model._meta.app_label != "access" and "patient" not in names and not _hangs_on(model, (Site, User))


def _hangs_on(
    model: type[models.Model], owners: tuple[type[models.Model], ...] = (Site,), hops: int = HOPS
) -> bool:
    """Whether every row of this kind is owned by one of `owners`, by its own column or by the record it hangs on."""
    parents = [field for field in model._meta.concrete_fields if isinstance(field, models.ForeignKey)]
    if any(field.related_model in owners for field in parents):
        return True
    above = [
        field.related_model for field in parents if not field.null and isinstance(field.related_model, type)
    ]
    return hops > 0 and any(_hangs_on(one, owners, hops - 1) for one in above)


def _shown_below(user: User, row: models.Model) -> Callable[[type[models.Model]], bool]:
    """Below a record that sites share, the rows of the sites are not for those who see some of them only."""
    sees_all = user.scope("audit.view").everywhere or isinstance(row, Site) or _hangs_on(type(row))
    return lambda model: (sees_all or not _hangs_on(model)) and sees_history_of(user, model)
