"""Transfers: asked by one site, answered by the other."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db import IntegrityError, transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from registry import clock
from registry.access.guards import needs, signed_in
from registry.access.models import User
from registry.handover import moving
from registry.handover.forms import AcceptForm, AskForm, DecideForm
from registry.handover.models import ASK, RECEIVE, Transfer
from registry.patients.pages import crumbs, patient_within
from registry.saving import ChangedMeanwhile, NotAccepted

SHOWN = 100
State = Transfer.State
KINDS = {State.ASKED: "due", State.ACCEPTED: "done", State.DECLINED: "late", State.WITHDRAWN: "quiet"}
TAKEN = "This record number is another patient's at your site. Give this person another one."


@needs(ASK, RECEIVE)
@require_GET
def transfer_list(request: HttpRequest) -> HttpResponse:
    """What waits for an answer of one's own sites, and what they asked or took over."""
    user = signed_in(request)
    rows = Transfer.objects.select_related("patient__site", "from_site", "to_site", "asked_by", "decided_by")
    visible = rows.visible_to(user).order_by("-asked_at", "-pk")
    receive = user.scope(RECEIVE)
    waiting = [_line(one) for one in visible.asked() if receive.covers(one.to_site_id)]
    answered = [one["transfer"].pk for one in waiting]
    others = [_line(one) for one in visible.exclude(pk__in=answered)[:SHOWN]]
    given = (
        rows.accepted().filter(from_site__in=user.scope(ASK).site_ids).exclude(pk__in=visible.values("pk"))
    )
    context = {
        "waiting": waiting, "others": others, "may_receive": bool(receive),
        "given": [_line(one) for one in given.order_by("-asked_at", "-pk")[:SHOWN]],
    }  # fmt: skip
    return render(request, "handover/transfer_list.html", context)


def _line(one: Transfer) -> dict[str, Any]:
    return {"transfer": one, "kind": KINDS[State(one.state)]}


@needs(ASK)
def transfer_ask(request: HttpRequest, patient_id: str) -> HttpResponse:
    user, now = signed_in(request), clock.now()
    patient = patient_within(user, patient_id, ASK)
    form = AskForm(request.POST or None, patient=patient, today=patient.site.today())
    if request.method == "POST" and form.is_valid():
        try:
            facts = moving.TransferFacts(**form.cleaned_data)
            asked = moving.ask_transfer(patient=patient, facts=facts, by=user, now=now)
        except NotAccepted as refusal:
            form.add_error(refusal.field or None, refusal.message)
        else:
            messages.success(request, f"{asked.to_site} was asked. Nothing changes until it accepts.")
            return redirect("handover:transfer", pk=asked.pk)
    standing = Transfer.objects.asked().filter(patient=patient).select_related("to_site").first()
    context = {
        "patient": patient, "now": now, "form": form, "standing": standing,
        "breadcrumbs": crumbs(patient, "Transfer to another site"),
    }  # fmt: skip
    return render(request, "handover/transfer_ask.html", context)


@needs(ASK, RECEIVE)
@require_GET
def transfer(request: HttpRequest, pk: int) -> HttpResponse:
    return _page(request, _visible(signed_in(request), pk))


@needs(RECEIVE)
@require_POST
def transfer_accept(request: HttpRequest, pk: int) -> HttpResponse:
    user = signed_in(request)
    found, form = _to_answer(user, pk), AcceptForm(request.POST)
    if not form.is_valid():
        return _page(request, found, accept_form=form)
    try:
        with transaction.atomic():
            moving.accept_transfer(
                transfer=found, local_id=form.cleaned_data["local_id"], by=user, now=clock.now()
            )
    except NotAccepted as refusal:
        form.add_error(refusal.field or None, refusal.message)
        return _page(request, _visible(user, pk), accept_form=form)
    except IntegrityError:
        form.add_error("local_id", TAKEN)
        return _page(request, _visible(user, pk), accept_form=form)
    except ChangedMeanwhile as news:
        messages.warning(request, str(news))
        return redirect("handover:transfer_list")
    messages.success(request, f"{found.patient} is a patient of {found.to_site} now, with the whole history.")
    return redirect("handover:transfer", pk=pk)


@needs(RECEIVE)
@require_POST
def transfer_decline(request: HttpRequest, pk: int) -> HttpResponse:
    user = signed_in(request)
    found, form = _to_answer(user, pk), DecideForm(request.POST)
    if not form.is_valid():
        return _page(request, found, decide_form=form)
    try:
        moving.decline_transfer(transfer=found, reason=form.cleaned_data["reason"], by=user, now=clock.now())
        messages.success(request, f"{found.from_site} is told that you declined.")
    except ChangedMeanwhile as news:
        messages.warning(request, str(news))
    return redirect("handover:transfer_list")


@needs(ASK)
@require_POST
def transfer_withdraw(request: HttpRequest, pk: int) -> HttpResponse:
    user = signed_in(request)
    found = _sent(user, pk)
    form = DecideForm(request.POST)
    if not form.is_valid():
        return _page(request, found, decide_form=form)
    try:
        moving.withdraw_transfer(transfer=found, reason=form.cleaned_data["reason"], by=user, now=clock.now())
        messages.success(request, "The request is withdrawn. The patient stays at your site.")
    except ChangedMeanwhile as news:
        messages.warning(request, str(news))
    return redirect("handover:transfer_list")


@needs(ASK)
@require_POST
def transfer_checked(request: HttpRequest, pk: int) -> HttpResponse:
    user = signed_in(request)
    found = _sent(user, pk)
    try:
        moving.confirm_arrival(transfer=found, by=user, now=clock.now())
        messages.success(request, "Noted: contacts and bookings are checked.")
    except ChangedMeanwhile as news:
        messages.warning(request, str(news))
    return redirect("handover:transfer", pk=pk)


def _visible(user: User, pk: int) -> Transfer:
    people = ("asked_by", "decided_by", "checked_by")
    rows = Transfer.objects.visible_to(user).select_related("patient__site", "from_site", "to_site", *people)
    return get_object_or_404(rows, pk=pk)


def _to_answer(user: User, pk: int) -> Transfer:
    """404 unless it was sent to a site this person answers for."""
    found = _visible(user, pk)
    if not user.may(RECEIVE, found.to_site_id):
        raise Http404("There is no such transfer to your sites.")
    return found


def _sent(user: User, pk: int) -> Transfer:
    """404 unless its patient is at a site of this person now."""
    found = _visible(user, pk)
    if not user.may(ASK, found.patient.site_id):
        raise Http404("There is no such transfer of your sites.")
    return found


def _page(
    request: HttpRequest, found: Transfer, *, accept_form: AcceptForm | None = None,
    decide_form: DecideForm | None = None,
) -> HttpResponse:  # fmt: skip
    """The receiving site reads no more than it was asked, until it has accepted."""
    user = signed_in(request)
    is_own = user.may("patients.view", found.patient.site_id)
    waits = found.state == State.ASKED
    arrived = found.state == State.ACCEPTED and found.patient.site_id == found.to_site_id
    context = {
        "transfer": found, "kind": KINDS[State(found.state)], "facts": _facts(found, is_own),
        "patient": found.patient, "now": clock.now(), "is_own": is_own,
        "may_answer": waits and user.may(RECEIVE, found.to_site_id),
        "may_withdraw": waits and user.may(ASK, found.from_site_id),
        "may_check": arrived and found.checked_at is None and user.may(ASK, found.to_site_id),
        "number_is_taken": waits and moving.record_number_is_taken(found.patient, "", found.to_site),
        "accept_form": accept_form or AcceptForm(), "decide_form": decide_form or DecideForm(),
        "breadcrumbs": [
            {"label": "Transfers", "url": reverse("handover:transfer_list")},
            {"label": found.patient.patient_id, "url": ""},
        ],
    }  # fmt: skip
    return render(request, "handover/transfer.html", context)


def _facts(found: Transfer, is_own: bool) -> list[dict[str, Any]]:
    shown: list[dict[str, Any]] = [
        {"label": "Patient", "value": found.patient.patient_id},
        {"label": "From", "value": found.from_site.name},
        {"label": "To", "value": found.to_site.name},
        {"label": "Moves on", "day": found.moves_on, "value": ""},
        {"label": "Reason", "value": found.reason},
    ]
    if is_own:
        shown += [
            {"label": "Note", "value": found.note or "none"},
            {"label": "Asked by", "value": found.asked_by, "at": found.asked_at},
        ]
    if is_own and found.decided_by:
        shown.append(
            {"label": f"{found.get_state_display()} by", "value": found.decided_by, "at": found.decided_at}
        )
        if found.decision_reason:
            shown.append({"label": "Because", "value": found.decision_reason})
    if is_own and found.checked_by:
        label = "Contacts and bookings checked by"
        shown.append({"label": label, "value": found.checked_by, "at": found.checked_at})
    return shown
