"""Settings › Status."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from registry import clock
from registry.access.guards import needs, signed_in
from registry.access.views.settings import TABS
from registry.backups.status import ALARM, DONE, LATE, Line, groups


@require_safe
@needs("status.view")
def status(request: HttpRequest) -> HttpResponse:
    user, now = signed_in(request), clock.now()
    found = groups(now)
    tabs = [
        {"label": label, "url": reverse(name), "active": name == "backups:status"}
        for label, name, act in TABS
        if user.may(act)
    ]
    context = {"tabs": tabs, "groups": found, "now": now, "tallies": _tallies(found)}
    return render(request, "backups/status.html", context)


def _tallies(found: list[tuple[str, list[Line]]]) -> list[dict[str, str]]:
    kinds = [line.kind for _, lines in found for line in lines]
    alarms, late = kinds.count(ALARM), kinds.count(LATE)
    tallies = [
        {"kind": ALARM, "word": f"{alarms} alarm{'s' * (alarms != 1)}"} if alarms else {},
        {"kind": LATE, "word": f"{late} warning{'s' * (late != 1)}"} if late else {},
    ]
    return [one for one in tallies if one] or [{"kind": DONE, "word": "All is well"}]
