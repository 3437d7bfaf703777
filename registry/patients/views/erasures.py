"""Erasing identifiers: asking at the site, deciding elsewhere. Who decides sees the pseudonymous id only."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from registry import clock
from registry.access.guards import needs, signed_in
from registry.access.models import User
from registry.patients import erasing
from registry.patients.belongings import free_texts
from registry.patients.erasure_forms import AskErasureForm, CarryOutErasureForm, RefuseErasureForm
from registry.patients.erasures import ErasureRequest
from registry.patients.models import Patient
from registry.patients.pages import crumbs, patient_within
from registry.patients.status import CannotRecord

ASK, CARRY_OUT = erasing.ASK, erasing.CARRY_OUT
SHOWN = 200
MARK: dict[str, str] = {"asked": "due", "carried_out": "done", "refused": "quiet", "taken_back": "quiet"}


@needs(ASK)
def erase(request: HttpRequest, patient_id: str) -> HttpResponse:
    """What stands in the way, what staff typed about the person, and the form that asks."""
    user = signed_in(request)
    patient = patient_within(user, patient_id, ASK)
    form = AskErasureForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        answers = form.cleaned_data
        facts = erasing.ErasureFacts(answers["legal_basis"], answers["reason"])
        try:
            erasing.ask_for_erasure(
                patient=patient, facts=facts, form_token=answers["form_token"], by=user, now=clock.now()
            )
            messages.success(request, "The erasure was asked for. A second person carries it out.")
            return redirect("patients:erase", patient.patient_id)
        except CannotRecord as refusal:
            form.add_error(None, str(refusal))
    return render(request, "patients/erase.html", _ask_context(patient, form))


def _ask_context(patient: Patient, form: forms.Form) -> dict[str, Any]:
    requests = ErasureRequest.objects.filter(patient=patient).select_related("asked_by", "decided_by")
    title = "Erase identifiers"
    return {
        "patient": patient,
        "title": title,
        "breadcrumbs": crumbs(patient, title),
        "form": form,
        "is_erased": erasing.is_erased(patient),
        "open_request": requests.filter(state=erasing.State.ASKED).first(),
        "texts": free_texts(patient),
        "lines": _lines(requests),
    }


@needs(ASK)
@require_POST
def erasure_take_back(request: HttpRequest, pk: int) -> HttpResponse:
    user = signed_in(request)
    asked = get_object_or_404(ErasureRequest.objects.visible_to(user).select_related("patient"), pk=pk)
    try:
        erasing.take_back(request=asked, by=user, now=clock.now())
        messages.success(request, "The request was taken back. Nothing was erased.")
    except CannotRecord as refusal:
        messages.error(request, str(refusal))
    return redirect("patients:erase", asked.patient.patient_id)


# Deciding ----------------------------------------------------------------------------------------------------


@needs(CARRY_OUT)
@require_GET
def erasure_list(request: HttpRequest) -> HttpResponse:
    found = _decidable(signed_in(request)).order_by("-asked_at", "-pk")[:SHOWN]
    return render(request, "patients/erasure_list.html", {"lines": _lines(found)})


@needs(CARRY_OUT)
@require_GET
def erasure(request: HttpRequest, pk: int) -> HttpResponse:
    user = signed_in(request)
    asked = get_object_or_404(_decidable(user), pk=pk)
    return _decide_page(request, asked, user)


@needs(CARRY_OUT)
@require_POST
def erasure_carry_out(request: HttpRequest, pk: int) -> HttpResponse:
    user = signed_in(request)
    asked = get_object_or_404(_decidable(user), pk=pk)
    form = CarryOutErasureForm(request.POST, alone=asked.asked_by_id == user.pk)
    if form.is_valid():
        answers = form.cleaned_data
        try:
            erasing.carry_out(
                request=asked, typed_id=answers["typed_id"], alone_because=answers.get("alone_because", ""),
                by=user, now=clock.now(),
            )  # fmt: skip
            messages.success(request, "Identifiers erased. The pseudonymous record stays.")
            return redirect("patients:erasure", pk)
        except CannotRecord as refusal:
            form.add_error("typed_id", str(refusal))
    return _decide_page(request, asked, user, carry_out_form=form)


@needs(CARRY_OUT)
@require_POST
def erasure_refuse(request: HttpRequest, pk: int) -> HttpResponse:
    user = signed_in(request)
    asked = get_object_or_404(_decidable(user), pk=pk)
    form = RefuseErasureForm(request.POST)
    if form.is_valid():
        try:
            erasing.refuse(request=asked, reason=form.cleaned_data["reason"], by=user, now=clock.now())
            messages.success(request, "The request was refused. Nothing was erased.")
            return redirect("patients:erasure", pk)
        except CannotRecord as refusal:
            form.add_error(None, str(refusal))
    return _decide_page(request, asked, user, refuse_form=form)


def _decidable(user: User) -> Any:
    rows = ErasureRequest.objects.visible_to(user, CARRY_OUT)
    return rows.select_related("patient", "site", "asked_by", "decided_by")


def _decide_page(
    request: HttpRequest, asked: ErasureRequest, user: User,
    carry_out_form: forms.Form | None = None, refuse_form: forms.Form | None = None,
) -> HttpResponse:  # fmt: skip
    mine = asked.asked_by_id == user.pk
    is_open = asked.state == erasing.State.ASKED
    context = {
        "asked": asked,
        "mark": MARK[asked.state],
        "is_open": is_open,
        "trouble": erasing.trouble_alone(asked, user, clock.now()) if mine and is_open else "",
        "facts": _facts(asked),
        "carry_out_form": carry_out_form or CarryOutErasureForm(alone=mine),
        "refuse_form": refuse_form or RefuseErasureForm(),
        "breadcrumbs": [
            {"label": "Erasures", "url": reverse("patients:erasure_list")},
            {"label": asked.patient.patient_id, "url": ""},
        ],
    }
    return render(request, "patients/erasure.html", context)


def _facts(asked: ErasureRequest) -> list[dict[str, Any]]:
    facts = [
        ("Patient", asked.patient.patient_id),
        ("Site", asked.site.name),
        ("Asked for by", f"{asked.asked_by} on {asked.asked_at:%d %b %Y %H:%M} UTC"),
        ("Legal ground", asked.get_legal_basis_display()),
        ("Reason", asked.reason),
    ]
    if asked.decided_at:
        words = f"{asked.get_state_display()} by {asked.decided_by} on {asked.decided_at:%d %b %Y %H:%M} UTC"
        facts.append(("Decision", words))
    facts += [("Answer", asked.decision)] if asked.decision else []
    facts += [("Without a second person", asked.alone_because)] if asked.alone_because else []
    return [{"label": label, "value": value} for label, value in facts]


def _lines(requests: Any) -> list[dict[str, Any]]:
    return [{"asked": one, "mark": MARK[one.state]} for one in requests]
