"""Correcting an infusion: its values, its doses, and its day, which moves what is counted from it."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from registry import clock
from registry.access.blinding import sees_product
from registry.access.conflicts import Edit
from registry.access.guards import needs, signed_in
from registry.access.models import User
from registry.infusions import actions
from registry.infusions.comparing import chosen_doses, compare_doses, values_of
from registry.infusions.day_corrections import correct_or_ask
from registry.infusions.forms import CorrectionForm, correction_initial, dose_forms, dose_initial, zone_of
from registry.infusions.judging import DoseGiven
from registry.infusions.models import Infusion, InfusionDose
from registry.infusions.views import (
    are_valid,
    check_page,
    ensure_plausible,
    form_page,
    infusion_within,
    is_sent,
    show_errors,
)
from registry.partial_dates import in_words
from registry.saving import ChangedMeanwhile, NotAccepted

CORRECTED = "The infusion is corrected; the earlier values stay in its history."
ASKED = "The other day touches what is signed or locked, so it waits for a registry coordinator. Until then the day stays as it is."


@needs("infusions.correct")
def correct(request: HttpRequest, pk: int) -> HttpResponse:
    user = signed_in(request)
    one = infusion_within(user, pk, "infusions.correct")
    standing = list(one.doses.select_related("lot__donor__patient").order_by("pk"))
    posted = chosen_doses(request.POST or None, standing)
    form = CorrectionForm(
        posted, initial=correction_initial(one), patient=one.patient, today=one.site.today(), zone=zone_of(one)
    )  # fmt: skip
    edit = Edit(form, one, lambda was: values_of(one, was))
    doses = None
    if sees_product(user, one.site_id):
        doses = dose_forms(posted, patient=one.patient, first=dose_initial(standing), at_least=len(standing))
    if edit.ready() and is_sent(request) and are_valid(form, doses) and _may_move(user, one, form):
        given_doses = doses.doses() if doses else [_as_given(dose) for dose in standing]
        done = _check_or_correct(request, one, form, edit, given_doses)
        if done:
            return done
    if posted and doses is not None and edit.conflicts:
        form.data = compare_doses(edit, one, form.data)
        first, least = dose_initial(one.doses.order_by("pk")), one.doses.count()
        doses = dose_forms(form.data, patient=one.patient, first=first, at_least=least)
    return form_page(
        request, one.patient, form, doses, heading="Correct an infusion", conflicts=edit.conflicts, infusion=one,
        status=edit.status,
    )  # fmt: skip


def _check_or_correct(
    request: HttpRequest, one: Infusion, form: CorrectionForm, edit: Edit, doses: list[DoseGiven]
) -> HttpResponse | None:
    """The page to show next, or none when the form must be shown again."""
    given, user = form.columns(), signed_in(request)
    version, reason = given.pop("version"), given.pop("reason")
    try:
        if request.POST.get("step") != "save":
            ensure_plausible(one.patient, given, doses, own=one)
            effects = actions.effects_of_another_day(
                infusion=one,
                version=version,
                reason=reason,
                doses=doses,
                by=user,
                now=clock.now(),
                changes=given,
            )
            given["order"] = one.order
            return check_page(request, one.patient, form, given, doses, correcting=one, effects=effects)
        waits = correct_or_ask(
            infusion=one, version=version, reason=reason, doses=doses, by=user, now=clock.now(), **given
        )
        messages.success(request, ASKED if waits else CORRECTED)
        return redirect("infusions:infusion", pk=one.pk)
    except ChangedMeanwhile:
        edit.moved_on()
    except actions.AlreadyRecorded as repeat:
        form.add_error("started" if given["infused_at"] else "infused_on", str(repeat))
    except (actions.NotPlausible, ValidationError) as error:
        show_errors(form, error)
    except NotAccepted as refusal:
        form.add_error(None, refusal.message)
    return None


def _may_move(user: User, one: Infusion, form: CorrectionForm) -> bool:
    """Another day moves every visit that is counted from it, so it is the investigator's to decide."""
    if form.cleaned_data["infused_on"] == one.infused_on or user.may("infusions.correct_date", one.site_id):
        return True
    form.add_error(
        "infused_on",
        f"Another day moves the visits counted from it, so an investigator corrects it. Leave {in_words(one.infused_on)} "
        "here, and use “Ask for another day” on the page of the infusion.",
    )
    return False


def _as_given(dose: InfusionDose) -> DoseGiven:
    return DoseGiven(dose.lot, dose.cells_total, dose.viability_percent)
