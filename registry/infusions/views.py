"""Pages of the infusion: ordering it, recording the day, and what was recorded."""

from __future__ import annotations

from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from registry import clock
from registry.access.blinding import NEUTRAL_RULES, sees_product
from registry.access.conflicts import decided_first
from registry.access.guards import needs, signed_in
from registry.access.models import User
from registry.infusions import actions, rules
from registry.infusions.effects import Effects
from registry.infusions.forms import (
    CancelForm,
    InfusionForm,
    OrderForm,
    dose_forms,
    open_orders,
    order_initial,
    zone_of,
)
from registry.infusions.judging import DoseGiven, deviations_before_saving, order_refusals
from registry.infusions.models import Infusion, InfusionDose, InfusionHold, InfusionOrder
from registry.infusions.pages import page as _page
from registry.infusions.terms import what_to_do
from registry.partial_dates import in_words
from registry.patients.models import Patient, Query
from registry.patients.pages import patient_within
from registry.patients.queries import record_of
from registry.saving import NotAccepted

HIDDEN_FROM_CHECK = {"csrfmiddlewaretoken", "step"}


# Ordering ----------------------------------------------------------------------------------------------------


@needs("infusions.order")
def order(request: HttpRequest, patient_id: str) -> HttpResponse:
    user, now = signed_in(request), clock.now()
    patient = patient_within(user, patient_id, "infusions.order")
    form = OrderForm(request.POST or None, patient=patient, initial={"planned_on": patient.site.today()})
    preview: dict[str, Any] = {}
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        if request.POST.get("step") == "check":
            preview = _order_preview(user, patient, given)
        else:
            try:
                actions.order_infusion(patient=patient, by=user, now=now, **given)
            except actions.CannotOrder as refused:
                preview = _order_preview(user, patient, given) | {"was_refused": bool(refused.refusals)}
            except NotAccepted as refusal:
                form.add_error(None, refusal.message)
            else:
                messages.success(request, f"The infusion of {patient} is ordered.")
                return redirect("infusions:order", patient_id=patient_id)
    return _page(
        request, "infusions/order.html", patient, now=now, form=form, preview=preview, orders=open_orders(patient),
        limits=rules.default_limits(), holds=_holds(user, patient),
    )  # fmt: skip


def _holds(user: User, patient: Patient) -> list[str]:
    """Why further infusions are on hold, for those who read what happened to the patient; that they are, for others."""
    reasons = [hold.reason for hold in InfusionHold.objects.filter(patient=patient, released_at=None)]
    if not reasons or user.may("events.view", patient.site_id):
        return reasons
    return ["an investigator of the site knows why"]


def _order_preview(user: User, patient: Patient, given: dict[str, Any]) -> dict[str, Any]:
    refusals = order_refusals(
        patient=patient, **{name: given[name] for name in ("lot", "planned_on", "weight_kg", "cells_ordered")}
    )
    on_hold = [f"Further infusions are on hold: {why}" for why in _holds(user, patient)]
    others = [one for one in refusals if one.code != "open_hold"]
    return {
        "per_kg": rules.cells_per_kg(given["cells_ordered"], given["weight_kg"]),
        "refusals": [
            *({"message": message, "what": what_to_do("open_hold")} for message in on_hold),
            *({"message": one.message, "what": what_to_do(one.code)} for one in others),
        ],
    }


@needs("infusions.order")
@require_POST
def order_cancel(request: HttpRequest, pk: int) -> HttpResponse:
    user = signed_in(request)
    standing = get_object_or_404(
        InfusionOrder.objects.visible_to(user, "infusions.order").select_related("patient"), pk=pk
    )
    form, back_url = CancelForm(request.POST), reverse("infusions:order", args=[standing.patient.patient_id])
    if not form.is_valid():
        messages.error(
            request, "Not cancelled: write the reason for cancelling the order, in at most 300 letters."
        )
        return redirect(back_url)
    try:
        actions.cancel_order(order=standing, reason=form.cleaned_data["reason"], by=user, now=clock.now())
        messages.success(request, "The order is cancelled.")
    except actions.CannotCancel as refusal:
        return decided_first(request, standing, str(refusal), back_url)
    return redirect(back_url)


# Recording ---------------------------------------------------------------------------------------------------


@needs("infusions.record")
def record(request: HttpRequest, patient_id: str) -> HttpResponse:
    """Three steps on one address: fill in, check the answers, save."""
    user = signed_in(request)
    patient = patient_within(user, patient_id, "infusions.record")
    today, posted = patient.site.today(), request.POST or None
    chosen = None
    asked = request.GET.get("order", "")
    if asked.isdecimal() and len(asked) < 19:
        chosen = open_orders(patient).filter(pk=asked).first()
    initial, first = order_initial(chosen or (open_orders(patient).first() if not posted else None))
    form = InfusionForm(posted, initial=initial, patient=patient, today=today)
    doses = None
    if sees_product(user, patient.site_id):
        doses = dose_forms(posted, patient=patient, first=first, at_least=_doses_asked(request))
    if is_sent(request) and are_valid(form, doses):
        done = _check_or_save(request, patient, form, doses.doses() if doses else [])
        if done:
            return done
    return form_page(request, patient, form, doses, heading="Record an infusion")


def _doses_asked(request: HttpRequest) -> int:
    """Where the product is not known there may be no dose to write down."""
    return 0 if request.POST.get("origin") == Infusion.Origin.UNKNOWN else 1


def is_sent(request: HttpRequest) -> bool:
    """Not when somebody came back from the check to change an answer."""
    return request.method == "POST" and request.POST.get("step") != "change"


def are_valid(form: InfusionForm, doses: Any) -> bool:
    """Without `doses` the protocol is blinded for this person, and product staff write the doses."""
    both = [form.is_valid(), doses is None or doses.is_valid()]
    return all(both)


def _check_or_save(
    request: HttpRequest, patient: Patient, form: InfusionForm, doses: list[DoseGiven]
) -> HttpResponse | None:
    """The page to show next, or none when the form must be shown again."""
    columns, now = form.columns(), clock.now()
    try:
        if request.POST.get("step") != "save":
            ensure_plausible(patient, columns, doses)
            return check_page(request, patient, form, columns, doses)
        saved = actions.record_infusion(
            patient=patient, doses=doses, by=signed_in(request), now=now, **columns
        )
    except actions.AlreadyRecorded as repeat:
        if repeat.infusion.form_token != columns["form_token"]:
            form.add_error("started" if columns["infused_at"] else "infused_on", str(repeat))
            return None
        saved = repeat.infusion
    except (actions.NotPlausible, ValidationError) as error:
        show_errors(form, error)
        return None
    except NotAccepted as refusal:
        form.add_error(None, refusal.message)
        return None
    messages.success(
        request, f"The infusion of {patient} is recorded. Its follow-up visits are planned from it."
    )
    return redirect("infusions:infusion", pk=saved.pk)


def ensure_plausible(
    patient: Patient, columns: dict[str, Any], doses: list[DoseGiven], own: Infusion | None = None
) -> None:
    actions.check_plausible(
        patient=patient, infused_on=columns["infused_on"], infused_at=columns["infused_at"],
        weight_kg=columns["weight_kg"], doses=doses, now=clock.now(),
    )  # fmt: skip
    other = actions.same_moment(patient, columns["infused_on"], columns["infused_at"])
    if other and other != own:
        raise actions.AlreadyRecorded(other)


def show_errors(form: InfusionForm, error: actions.NotPlausible | ValidationError) -> None:
    names = {"infused_at": "started", "ended_at": "ended"}
    found = (
        error.errors if isinstance(error, actions.NotPlausible) else [("", text) for text in error.messages]
    )
    for field, message in found:
        name = names.get(field, field)
        form.add_error(name if name in form.fields else None, message)


def form_page(
    request: HttpRequest, patient: Patient, form: InfusionForm, doses: Any, **context: Any
) -> HttpResponse:
    context = {"infusion": None, "conflicts": None, "now": clock.now()} | context
    return _page(request, "infusions/record.html", patient, form=form, doses=doses, **context)


def check_page(
    request: HttpRequest, patient: Patient, form: InfusionForm, columns: dict[str, Any],
    doses: list[DoseGiven], correcting: Infusion | None = None, effects: Effects | None = None,
) -> HttpResponse:  # fmt: skip
    weight_kg = columns["weight_kg"]
    deviations = deviations_before_saving(
        patient=patient, on=columns["infused_on"], weight_kg=weight_kg, doses=doses,
        order=columns.get("order"), correcting=correcting,
    )  # fmt: skip
    is_open = sees_product(signed_in(request), patient.site_id)
    if not is_open:
        deviations, doses = [one for one in deviations if one.kind in NEUTRAL_RULES], []
    carried = [
        (name, value)
        for name, values in form.data.lists()
        if name not in HIDDEN_FROM_CHECK and not name.startswith("keep.")
        for value in values
    ]
    return _page(
        request, "infusions/record_check.html", patient,
        rows=[_dose_row(dose, weight_kg) for dose in doses],
        total_viable=sum(dose.viable_cells for dose in doses),
        total_per_kg=sum(_dose_row(dose, weight_kg)["per_kg"] for dose in doses),
        answers=_answers(form, columns), deviations=deviations, carried=carried, formula=rules.DOSE_FORMULA_VERSION,
        sees_product=is_open, effects=effects, now=clock.now(),
    )  # fmt: skip


def _dose_row(dose: DoseGiven, weight_kg: Any) -> dict[str, Any]:
    return {
        "lot": dose.lot, "cells_total": dose.cells_total, "viability_percent": dose.viability_percent,
        "viable": dose.viable_cells, "per_kg": rules.cells_per_kg(dose.viable_cells, weight_kg),
    }  # fmt: skip


def _answers(form: InfusionForm, columns: dict[str, Any]) -> list[dict[str, Any]]:
    """What was typed, in words; blank stays "not recorded"."""
    shown = []
    for name, field in form.fields.items():
        value = form.cleaned_data.get(name)
        if name in {"form_token", "version", "reason"}:
            continue
        choices = {} if name == "order" else dict(getattr(field, "choices", None) or {})
        shown.append({"label": field.label, "value": _answer_in_words(name, value, choices)})
    return shown


def _answer_in_words(name: str, value: Any, choices: dict[Any, Any]) -> str:
    if value in (None, ""):
        return "no order in the registry" if name == "order" else ""
    if isinstance(value, date):
        return in_words(value)
    if name in {"started", "ended"}:
        return f"{value:%H:%M}"
    if name == "weight_kg":
        return f"{value:f} kg"
    return str(choices.get(value, value))


# One infusion ------------------------------------------------------------------------------------------------


def infusion_within(user: User, pk: int, act: str) -> Infusion:
    rows = Infusion.objects.visible_to(user, act).select_related("patient__site", "site", "order__ordered_by")
    return get_object_or_404(rows, pk=pk)


@needs("infusions.view")
def infusion(request: HttpRequest, pk: int) -> HttpResponse:
    user = signed_in(request)
    one = infusion_within(user, pk, "infusions.view")
    is_open = sees_product(user, one.site_id)
    doses = list(one.doses.select_related("lot").order_by("pk")) if is_open else []
    questions = Query.objects.visible_to(user).filter(record=record_of(one)).order_by("-opened_at", "-pk")
    return _page(
        request, "infusions/infusion.html", one.patient, infusion=one, rows=_stored_rows(doses),
        questions=list(questions), formula=doses[0].formula_version if doses else "",
        total_viable=sum(dose.viable_cells for dose in doses),
        total_per_kg=sum(dose.viable_cells_per_kg for dose in doses),
        facts=_facts(one), may_correct=user.may("infusions.correct", one.site_id), sees_product=is_open,
        may_ask_date=user.may("infusions.request_date", one.site_id),
        other_days=one.day_corrections.select_related("asked_by", "decided_by").order_by("-pk"),
        may_take_back=user.may("infusions.correct_date", one.site_id), now=clock.now(),
    )  # fmt: skip


def _stored_rows(doses: list[InfusionDose]) -> list[dict[str, Any]]:
    return [
        {
            "lot": dose.lot, "cells_total": dose.cells_total, "viability_percent": dose.viability_percent,
            "viable": dose.viable_cells, "per_kg": dose.viable_cells_per_kg,
        }
        for dose in doses
    ]  # fmt: skip


def _facts(one: Infusion) -> list[dict[str, Any]]:
    place = zone_of(one)
    zone = ZoneInfo(place)
    hours = [f"{moment.astimezone(zone):%H:%M}" for moment in (one.infused_at, one.ended_at) if moment]
    reaction = one.get_reaction_display() if one.reaction else ""
    ordered = one.order
    return [
        {"label": "Time", "value": " to ".join(hours) + f" ({place})" if hours else ""},
        {"label": "Route", "value": one.get_route_display()},
        {"label": "Weight of the day", "value": f"{one.weight_kg:f} kg"},
        {"label": "Where", "value": one.get_origin_display()},
        {"label": "Ordered by", "value": f"{ordered.ordered_by}" if ordered else "no order in the registry"},
        {"label": "Premedication", "value": one.premedication},
        {"label": "Other treatment with it", "value": one.co_treatment},
        {"label": "G-CSF mobilisation", "value": {True: "yes", False: "no", None: ""}[one.gcsf_mobilisation]},
        {"label": "Hyperbaric oxygen sessions", "value": _number_answer_in_words(one.hyperbaric_sessions)},
        {"label": "Reaction", "value": f"{reaction}: {one.reaction_note}" if one.reaction_note else reaction},
    ]


def _number_answer_in_words(number: int | None) -> str:
    return "" if number is None else str(number)
