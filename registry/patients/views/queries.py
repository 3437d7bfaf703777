"""Queries: what stands open, what was answered, who closes."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from registry import clock
from registry.access.conflicts import decided_first
from registry.access.guards import needs, signed_in
from registry.access.models import User
from registry.patients.forms import AnswerForm, CloseForm, QueryFilterForm, RaiseForm
from registry.patients.models import Query
from registry.patients.pages import crumbs, patient_within
from registry.patients.queries import QueryMovedOn, answer_query, close_query, raise_query
from registry.saving import NotAccepted

PAGE = 50
KINDS = {Query.State.OPEN: "late", Query.State.ANSWERED: "due", Query.State.CLOSED: "done"}


@needs("queries.view")
@require_GET
def query_list(request: HttpRequest) -> HttpResponse:
    user = signed_in(request)
    form = QueryFilterForm(request.GET or None, user=user)
    chosen = form.cleaned_data if form.is_valid() else {}
    status = chosen.get("status") or Query.State.OPEN
    everything = Query.objects.visible_to(user).select_related("patient", "site")
    if status != "all":
        everything = everything.filter(status=status)
    if chosen.get("site"):
        everything = everything.filter(site=chosen["site"])
    before = request.GET.get("before", "")
    page = everything.filter(pk__lt=int(before)) if before.isdecimal() and len(before) < 19 else everything
    found = list(page.order_by("-pk")[: PAGE + 1])
    pager: dict[str, Any] = {
        "text": f"{len(found[:PAGE])} of {everything.count()}, newest first", "cut_off": clock.now(),
    }  # fmt: skip
    if len(found) > PAGE:
        kept = {"status": status, "site": chosen["site"].pk if chosen.get("site") else ""}
        pager["next_url"] = (
            f"{reverse('patients:query_list')}?{urlencode(kept | {'before': found[PAGE - 1].pk})}"
        )
    rows = [{"query": query, "kind": KINDS[Query.State(query.status)]} for query in found[:PAGE]]
    context = {"form": form, "rows": rows, "pager": pager, "status": status}
    return render(request, "patients/query_list.html", context)


@needs("queries.view")
@require_GET
def query(request: HttpRequest, pk: int) -> HttpResponse:
    user = signed_in(request)
    return _page(request, user, _visible(user, pk), AnswerForm(), CloseForm())


@needs("queries.raise")
def query_raise(request: HttpRequest, patient_id: str) -> HttpResponse:
    user = signed_in(request)
    patient = patient_within(user, patient_id, "queries.raise")
    form = RaiseForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            raise_query(patient=patient, by=user, now=clock.now(), **form.cleaned_data)
            messages.success(request, "Asked. The question stands on Today at the site until it is answered.")
            return redirect("patients:query_list")
        except NotAccepted as refusal:
            form.add_error(refusal.field or None, refusal.message)
    context = {
        "form": form, "patient": patient, "title": "Raise a query", "conflicts": [], "breadcrumbs": crumbs(patient, "Query"),
    }  # fmt: skip
    return render(request, "patients/form_page.html", context)


@needs("queries.answer")
@require_POST
def query_answer(request: HttpRequest, pk: int) -> HttpResponse:
    user = signed_in(request)
    found, form = _visible(user, pk), AnswerForm(request.POST)
    user.require("queries.answer", found.site_id)
    if not form.is_valid():
        return _page(request, user, found, form, CloseForm())
    try:
        answer_query(query=found, answer=form.cleaned_data["answer"], by=user, now=clock.now())
        messages.success(request, "Answered. A monitor or coordinator closes the query.")
    except QueryMovedOn as news:
        typed = form.cleaned_data["answer"]
        refusal = f"{news} You had written: “{typed}”."
        return decided_first(request, found, refusal, reverse("patients:query", args=[pk]))
    return redirect("patients:query", pk)


@needs("queries.close")
@require_POST
def query_close(request: HttpRequest, pk: int) -> HttpResponse:
    user = signed_in(request)
    found, form = _visible(user, pk), CloseForm(request.POST)
    user.require("queries.close", found.site_id)
    if not form.is_valid():
        return _page(request, user, found, AnswerForm(), form)
    try:
        close_query(query=found, by=user, now=clock.now(), because=form.cleaned_data["because"])
        messages.success(request, "Query closed.")
    except QueryMovedOn as news:
        return decided_first(request, found, str(news), reverse("patients:query", args=[pk]))
    return redirect("patients:query_list")


def _visible(user: User, pk: int) -> Query:
    rows = Query.objects.visible_to(user).select_related("patient", "site", "answered_by", "closed_by")
    return get_object_or_404(rows, pk=pk)


def _page(
    request: HttpRequest, user: User, found: Query, answer_form: AnswerForm, close_form: CloseForm
) -> HttpResponse:
    standing = found.status != Query.State.CLOSED
    context = {
        "query": found, "kind": KINDS[Query.State(found.status)],
        "answer_form": answer_form, "close_form": close_form,
        "may_answer": found.status == Query.State.OPEN and user.may("queries.answer", found.site_id),
        "may_close": standing and user.may("queries.close", found.site_id),
        "may_open_patient": found.patient is not None and user.may("patients.view", found.patient.site_id),
        "facts": _facts(found),
        "breadcrumbs": [
            {"label": "Queries", "url": reverse("patients:query_list")}, {"label": f"Query {found.pk}", "url": ""},
        ],
    }  # fmt: skip
    return render(request, "patients/query.html", context)


def _facts(found: Query) -> list[dict[str, Any]]:
    """The record is linked to its history by its name and number."""
    return [
        {"label": "Kind", "value": found.get_kind_display()},
        {"label": "Record", "value": found.record.replace(":", " ").replace(".", " › ")},
        {"label": "Field", "value": found.field.replace("_", " ") or "–"},
        {"label": "Answer", "value": found.answer or "not answered yet"},
        {"label": "Answered by", "value": found.answered_by or "–"},
        {"label": "Closed by", "value": found.closed_by or "–"},
    ]
