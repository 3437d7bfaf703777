"""The trail: searched, reviewed, printed and taken out as a file."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from registry import clock
from registry.access.guards import needs, signed_in
from registry.access.models import User
from registry.audit import seals
from registry.audit.acting import acting_as
from registry.audit.actions import record_event
from registry.audit.models import AuditEntry
from registry.trail import exporting
from registry.trail.actions import mark_reviewed
from registry.trail.forms import ReviewForm, TrailForm
from registry.trail.lines import every_line, lines_of
from registry.trail.models import ReviewMark
from registry.trail.reach import READ_ACTS, visible_entries

PAGE = 50
PRINTED = 1000
FORMATS = {
    "csv": ("text/csv; charset=utf-8", exporting.as_csv),
    "json": ("application/json", exporting.as_json),
}


@needs(*READ_ACTS)
@require_GET
def search(request: HttpRequest) -> HttpResponse:
    user, now = signed_in(request), clock.now()
    form, entries = _found(request, user)
    total = entries.count()
    page = _page(request.GET.get("page", ""), total)
    start = (page - 1) * PAGE
    shown = list(entries.order_by("-pk")[start : start + PAGE])
    marks = ReviewMark.objects.visible_to(user).select_related("reviewed_by", "site")[:5]
    context = {
        "form": form, "lines": lines_of(shown, user), "total": total, "query": _query(request),
        "pager": _pager(request, page, total, len(shown)), "review_form": ReviewForm(),
        "marks": [{"mark": mark, "days": mark.days_ago(now)} for mark in marks], "head": _head(user),
        "may_review": user.may("audit.review") and form.is_valid(), "clear_url": reverse("trail:search"),
    }  # fmt: skip
    return render(request, "trail/search.html", context)


@needs(*READ_ACTS)
@require_GET
def printed(request: HttpRequest) -> HttpResponse:
    user, now = signed_in(request), clock.now()
    form, entries = _found(request, user)
    total = entries.count()
    span = form.in_words() if form.is_valid() else ""
    with acting_as(user, channel="web"):
        record_event(
            action="print",
            about="audit_entry",
            detail=f"trail, {span}: {min(total, PRINTED)} entries",
            now=now,
        )
    context = {
        "lines": lines_of(list(entries.order_by("-pk")[:PRINTED]), user), "total": total, "limit": PRINTED, "span": span,
        "now": now, "user_name": str(user), "head": _head(user), "query": _query(request), "form": form,
    }  # fmt: skip
    return render(request, "trail/printed.html", context)


@needs(*READ_ACTS)
@require_GET
def export(request: HttpRequest, kind: str) -> HttpResponse | StreamingHttpResponse:
    user, now = signed_in(request), clock.now()
    form, entries = _found(request, user)
    if not form.is_valid():
        return redirect(f"{reverse('trail:search')}?{_query(request)}")
    upto = entries.order_by("-pk").values_list("pk", flat=True).first() or 0
    entries = entries.filter(pk__lte=upto)
    with acting_as(user, channel="web"):
        detail = f"{kind}, {form.in_words()}: {entries.count()} entries"
        record_event(action="trail exported", about="audit_entry", detail=detail, now=now)
    content_type, write = FORMATS[kind]
    answer = StreamingHttpResponse(write(every_line(entries, user)), content_type=content_type)
    answer["Content-Disposition"] = f'attachment; filename="trail-{now:%Y-%m-%d}.{kind}"'
    return answer


@needs("audit.review")
@require_POST
def review(request: HttpRequest) -> HttpResponse:
    user, now = signed_in(request), clock.now()
    form, entries = _found(request, user)
    answers = ReviewForm(request.POST)
    back = f"{reverse('trail:search')}?{_query(request)}"
    if not form.is_valid() or not answers.is_valid():
        messages.error(request, "The review was not marked: write in a sentence what it found.")
        return redirect(back)
    mark_reviewed(
        entries=entries, span=form.in_words(), note=answers.cleaned_data["note"],
        form_token=answers.cleaned_data["form_token"], by=user, now=now,
    )  # fmt: skip
    messages.success(request, "Marked as reviewed.")
    return redirect(back)


def _found(request: HttpRequest, user: User) -> tuple[TrailForm, QuerySet[AuditEntry]]:
    """An answer that does not fit finds nothing, never everything."""
    form = TrailForm({name: request.GET.get(name, "") for name in TrailForm.base_fields}, user=user)
    entries = visible_entries(user)
    return form, form.narrowed(entries) if form.is_valid() else entries.none()


def _head(user: User) -> seals.Head | None:
    """For those who see every site: when a seal was closed tells how busy the others are."""
    return seals.newest() if user.scope("audit.view").everywhere else None


def _query(request: HttpRequest, **more: Any) -> str:
    asked = {name: request.GET[name] for name in TrailForm.base_fields if request.GET.get(name)}
    return urlencode(asked | more)


def _page(asked: str, total: int) -> int:
    last = max(1, -(-total // PAGE))
    return min(max(1, int(asked)), last) if asked.isdecimal() and len(asked) < 10 else 1


def _pager(request: HttpRequest, page: int, total: int, shown: int) -> dict[str, Any]:
    first = (page - 1) * PAGE + 1
    return {
        "text": f"{first}–{first + shown - 1} of {total} entries, newest first" if shown else "No entries",
        "previous_url": f"?{_query(request, page=page - 1)}" if page > 1 else "",
        "next_url": f"?{_query(request, page=page + 1)}" if page * PAGE < total else "",
    }
