"""Pages that are seldom needed: the sheet for downtime, asking for another day, unblinding one patient."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET

from registry import clock
from registry.access.blinding import sees_product
from registry.access.guards import needs, signed_in
from registry.access.models import Registry, User
from registry.audit.acting import acting_as
from registry.audit.actions import record_event
from registry.infusions import asking
from registry.infusions.forms import AnotherDayForm, UnblindForm, open_orders
from registry.infusions.models import Infusion, InfusionDose, Reaction, Unblinding
from registry.infusions.pages import page
from registry.patients.models import Patient
from registry.patients.pages import patient_within
from registry.saving import NotAccepted

VITAL_ROWS = (
    "−15 min", "Start", "+5 min", "+15 min", "+30 min", "+60 min", "End", "+1 h", "+2 h", "+4 h",
)  # fmt: skip


@needs("infusions.record")
def sheet(request: HttpRequest, patient_id: str) -> HttpResponse:
    """For downtime: printed, filled in by hand, entered later with the true times."""
    user = signed_in(request)
    patient = patient_within(user, patient_id, "infusions.record")
    is_open = sees_product(user, patient.site_id)
    with acting_as(user, channel="web"):
        record_event(action="print", about=patient, detail="infusion sheet", now=clock.now())
    return page(
        request, "infusions/sheet.html", patient, now=clock.now(), orders=open_orders(patient) if is_open else [],
        vital_rows=VITAL_ROWS, sees_product=is_open, reactions=[label for _, label in Reaction.choices],
        back=reverse("infusions:record", args=[patient_id]),
    )  # fmt: skip


@needs("infusions.request_date")
def date_request(request: HttpRequest, patient_id: str) -> HttpResponse:
    user = signed_in(request)
    patient = patient_within(user, patient_id, "infusions.request_date")
    given = Infusion.objects.filter(patient=patient).order_by("infused_on", "pk")
    form = AnotherDayForm(request.POST or None, infusions=given, today=patient.site.today())
    if request.method == "POST" and form.is_valid():
        try:
            asking.ask_for_another_day(**form.cleaned_data, by=user, now=clock.now())
        except asking.CannotAsk as refusal:
            form.add_error("day", str(refusal))
        except NotAccepted as refusal:
            form.add_error(None, refusal.message)
        else:
            messages.success(request, "Asked. The investigator corrects the day or answers why it stands.")
            return _back(user, patient)
    return page(
        request, "infusions/ask.html", patient, form=form, title="Ask for another day", submit_label="Ask", now=clock.now(),
        text="The day of an infusion moves every visit counted from it, so an investigator corrects it.",
        empty="" if given else "No infusion is recorded, so there is no day to correct.", shown=[],
    )  # fmt: skip


def _back(user: User, patient: Patient) -> HttpResponse:
    if user.may("patients.view", patient.site_id):
        return redirect("desk:patient_record", patient.patient_id)
    return redirect("desk:home")


# Unblinding --------------------------------------------------------------------------------------------------


@needs("unblinding.emergency")
def unblind(request: HttpRequest, patient_id: str) -> HttpResponse:
    """Once unblinded, the page shows the product of this one patient to that one person, and notes each reading."""
    user, now = signed_in(request), clock.now()
    patient = patient_within(user, patient_id, "unblinding.emergency")
    if not Registry.current().blinded:
        raise Http404("The protocol is open-label.")
    form = UnblindForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        asking.unblind(patient=patient, by=user, now=now, **form.cleaned_data)
        messages.warning(request, f"{patient} is unblinded to you. The safety officers were told.")
        return redirect("infusions:unblind", patient_id=patient_id)
    return page(
        request, "infusions/ask.html", patient, form=form, title=f"Unblind {patient}", submit_label="Unblind this patient",
        text="Only when treating this person depends on knowing what was given. It cannot be undone: it is listed with your "
        "name and reason, and the safety officers are told at once.",
        empty="", shown=_shown(user, patient), now=now,
    )  # fmt: skip


def _shown(user: User, patient: Patient) -> list[dict[str, Any]]:
    if not Unblinding.objects.filter(patient=patient, unblinded_by=user).exists():
        return []
    with acting_as(user, channel="web"):
        record_event(action="product read", about=patient, detail=patient.patient_id, now=clock.now())
    doses = InfusionDose.objects.filter(infusion__patient=patient).select_related("lot", "infusion")
    return [
        {
            "label": f"{dose.infusion.infused_on:%Y-%m-%d}",
            "value": f"{dose.lot.code}, {dose.get_tissue_source_display()}, {dose.get_donor_relation_display().lower()}: "
            f"{dose.viable_cells:,} viable cells",
        }
        for dose in doses.order_by("infusion__infused_on", "pk")
    ] or [{"label": "Product", "value": "No dose is recorded."}]  # fmt: skip


@needs("unblinding.view")
@require_GET
def unblinding_list(request: HttpRequest) -> HttpResponse:
    rows = Unblinding.objects.visible_to(signed_in(request)).select_related("patient", "site", "unblinded_by")
    return render(
        request, "infusions/unblinding_list.html", {"rows": rows.order_by("-unblinded_at", "-pk")[:200]}
    )
