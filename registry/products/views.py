"""Cells: lots with their states, tests, what is left of them and who received them."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.contrib import messages
from django.db.models import F
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import urlencode

from registry import clock
from registry.access.conflicts import Edit, Was
from registry.access.guards import needs, signed_in
from registry.access.models import User
from registry.patients.models import Query
from registry.products import actions, rules
from registry.products.forms import DonorForm, LotFilter, LotForm, LotStateForm, ReleaseTestsForm
from registry.products.models import Donor, DonorQuerySet, Lot, ReleaseTest
from registry.saving import ChangedMeanwhile, NotAccepted, made_by

PAGE = 50
STATE_KINDS = {
    Lot.State.QUARANTINE: "due",
    Lot.State.CONDITIONAL: "late",
    Lot.State.RELEASED: "done",
    Lot.State.REJECTED: "quiet",
    Lot.State.RECALLED: "alarm",
}
VERDICTS = {
    rules.PASS: ("done", "passed"),
    rules.FAIL: ("alarm", "failed"),
    rules.INCOMPLETE: ("due", "not known"),
    rules.NOT_APPLICABLE: ("quiet", "not judged"),
}


@dataclass(frozen=True)
class LotLine:
    """A lot as lists and its page show it."""

    lot: Lot
    left: int
    pending: str
    failed: str
    is_expired: bool

    @property
    def percent_left(self) -> int:
        return max(0, round(100 * self.left / self.lot.cells_total))

    @property
    def state_kind(self) -> str:
        return STATE_KINDS[Lot.State(self.lot.state)]


def lot_lines(lots: list[Lot], *, on: date) -> list[LotLine]:
    ids = [lot.pk for lot in lots]
    left, results = actions.remaining_cells(ids), actions.results_of(ids)
    lines = []
    for lot in lots:
        verdict = rules.lot_may_be_released(results[lot.pk], lot.cell_type)
        pending, failed = actions.test_names(verdict.pending), actions.test_names(verdict.failed)
        lines.append(LotLine(lot, left[lot.pk], pending, failed, lot.is_expired_on(on)))
    return lines


@needs("cells.view")
def lot_list(request: HttpRequest) -> HttpResponse:
    user, today = signed_in(request), clock.now().date()
    form = LotFilter(request.GET or None)
    chosen = form.cleaned_data if form.is_valid() else {}
    lots = Lot.objects.visible_to(user).select_related("donor").order_by("code", "pk")
    for column, name in (("state", "state"), ("tissue_source", "source"), ("code__icontains", "code")):
        if chosen.get(name):
            lots = lots.filter(**{column: chosen[name]})
    count = lots.count()
    after = request.GET.get("after", "")
    page = list((lots.filter(code__gt=after) if after else lots)[: PAGE + 1])
    kept = {name: value for name, value in chosen.items() if value}
    more = urlencode(kept | {"after": page[PAGE - 1].code}) if len(page) > PAGE else ""
    pager = {
        "text": f"{count} lot{'' if count == 1 else 's'}, by code",
        "cut_off": clock.now(),
        "previous_url": f"?{urlencode(kept)}" if after else "",
        "next_url": f"?{more}" if more else "",
    }
    context = {
        "lines": lot_lines(page[:PAGE], on=today), "filter": form, "pager": pager, "today": today,
        "is_filtered": bool(kept), "may_record": user.may("cells.record"),
    }  # fmt: skip
    return render(request, "products/lot_list.html", context)


@needs("cells.view")
def lot(request: HttpRequest, pk: int) -> HttpResponse:
    user, today = signed_in(request), clock.now().date()
    one = _lot(user, pk, "cells.view")
    [line] = lot_lines([one], on=today)
    context = {
        "lot": one, "line": line, "today": today, "facts": _lot_facts(one), "tests": test_rows(one),
        "recipients": recipients(one, user), "sees_all": user.scope("cells.view").everywhere,
        "questions": _questions(one, user),
        "may_record": user.may("cells.record"),
        "may_release": user.may("cells.release") and bool(rules.LOT_TRANSITIONS[one.state]),
        "breadcrumbs": _crumbs(one.code),
    }  # fmt: skip
    return render(request, "products/lot.html", context)


def _lot(user: User, pk: int, act: str) -> Lot:
    return get_object_or_404(Lot.objects.visible_to(user, act).select_related("donor"), pk=pk)


def _questions(one: Lot, user: User) -> list[Query]:
    standing = Query.objects.exclude(status=Query.State.CLOSED).visible_to(user)
    return list(standing.filter(record=f"products.lot:{one.pk}").order_by("-opened_at", "-pk"))


def _lot_facts(one: Lot) -> list[dict[str, object]]:
    yes_no = {True: "yes", False: "no", None: ""}
    return [
        {"label": "Source", "value": one.get_tissue_source_display()},
        {"label": "Cells", "value": one.get_cell_type_display()},
        {"label": "Product", "value": one.get_product_type_display()},
        {"label": "Donor", "value": f"{one.donor} ({one.get_donor_relation_display().lower()})"},
        {"label": "Donors in the lot", "value": one.number_of_donors},
        {"label": "Passage", "value": one.passage},
        {"label": "Cryopreserved", "value": yes_no[one.cryopreserved]},
        {
            "label": "Viability at release",
            "value": f"{one.viability_percent:f} %" if one.viability_percent else "",
        },
    ]


def test_rows(one: Lot) -> list[dict[str, str]]:
    """Every test with what is asked of it, what came back and the verdict."""
    results = actions.results_of([one.pk])[one.pk]
    identity = rules.isct_identity(one.cell_type, results)
    release = {test.kind: test for test in rules.RELEASE_SPECIFICATION}
    rows = []
    for kind in ("viability_percent", *ReleaseTest.KINDS):
        verdict, wanted = identity.markers.get(kind, rules.NOT_APPLICABLE), _wanted(kind, one)
        asked = release.get(kind)
        if asked and (not asked.only_for or one.cell_type in asked.only_for):
            verdict, wanted = asked.criterion.verdict(results.get(kind)), asked.acceptance
        sign, word = VERDICTS[verdict]
        result = results.get(kind, "").replace("_", " ")
        rows.append(
            {
                "name": actions.test_names([kind]),
                "wanted": wanted,
                "result": result,
                "kind": sign,
                "word": word,
            }
        )
    return rows


def _wanted(kind: str, one: Lot) -> str:
    if one.cell_type != "msc" or not kind.endswith("_percent"):
        return ""
    return "at least 95 %" if kind in {"cd73_percent", "cd90_percent", "cd105_percent"} else "at most 2 %"


def recipients(one: Lot, user: User) -> list[dict[str, Any]]:
    """Who received the lot, at the sites this person may look at. Nothing tells of others."""
    scope = user.scope("cells.view")
    # In one filter(): a second one would ask for any dose at these sites and then name the doses of all.
    here = {} if scope.everywhere else {"infusiondose__infusion__site__in": scope.site_ids}
    named = (
        Lot.objects.filter(pk=one.pk, infusiondose__isnull=False, **here)
        .values(
            infusion=F("infusiondose__infusion_id"),
            site=F("infusiondose__infusion__site_id"),
            site_code=F("infusiondose__infusion__site__code"),
            patient_id=F("infusiondose__infusion__patient__patient_id"),
            infused_on=F("infusiondose__infusion__infused_on"),
            cells=F("infusiondose__cells_total"),
            per_kg=F("infusiondose__viable_cells_per_kg"),
        )
        .order_by("infused_on", "patient_id", "infusion")
    )
    sees, opens = user.scope("patients.view"), user.scope("infusions.view")
    return [
        row | {"may_open": sees.covers(row["site"]), "may_open_infusion": opens.covers(row["site"])}
        for row in named
    ]


def _crumbs(*labels: str, lot: Lot | None = None) -> list[dict[str, str]]:
    trail = [{"label": "Cells", "url": reverse("products:lot_list")}]
    if lot:
        trail.append({"label": lot.code, "url": reverse("products:lot", args=[lot.pk])})
    return [*trail, *({"label": label, "url": ""} for label in labels)]


# Forms -------------------------------------------------------------------------------------------------------


@needs("cells.record")
def lot_add(request: HttpRequest) -> HttpResponse:
    if before := made_by(Lot, request.POST.get("form_token", "")):
        return redirect("products:lot", pk=before.pk)
    form = LotForm(request.POST or None, donors=_donors(signed_in(request)))
    if request.method == "POST" and form.is_valid():
        token = form.cleaned_data["form_token"]
        try:
            one = actions.save_lot(lot=form.save(commit=False), by=signed_in(request), form_token=token)
            messages.success(request, f"Lot {one} is in quarantine. Enter its release tests next.")
            return redirect("products:lot", pk=one.pk)
        except NotAccepted as refusal:
            form.add_error(refusal.field or None, refusal.message)
    context = {
        "form": form, "title": "New lot", "breadcrumbs": _crumbs("New lot"), "submit_label": "Save lot",
        "cancel_url": reverse("products:lot_list"), "donor_url": reverse("products:donor_add"),
    }  # fmt: skip
    return render(request, "products/lot_form.html", context)


def _donors(user: User) -> DonorQuerySet:
    return Donor.objects.visible_to(user, "cells.record").order_by("code", "pk")


@needs("cells.record")
def lot_edit(request: HttpRequest, pk: int) -> HttpResponse:
    one = _lot(signed_in(request), pk, "cells.record")
    form = LotForm(request.POST or None, instance=copy(one), donors=_donors(signed_in(request)))
    columns = {column.name: column.attname for column in Lot._meta.concrete_fields}
    edit = Edit(
        form, one, lambda was: {name: getattr(was(one), columns[name]) for name in LotForm.Meta.fields}
    )
    if edit.ready():
        given = form.cleaned_data
        try:
            actions.save_lot(
                lot=form.save(commit=False), by=signed_in(request), version=given["version"], reason=given["reason"]
            )  # fmt: skip
            messages.success(request, f"Lot {one} was changed.")
            return redirect("products:lot", pk=pk)
        except NotAccepted as refusal:
            form.add_error(refusal.field or None, refusal.message)
        except ChangedMeanwhile:
            edit.moved_on()
    context = {
        "form": form, "conflicts": edit.conflicts, "title": f"Change lot {one.code}", "submit_label": "Save the change",
        "breadcrumbs": _crumbs("Change", lot=one), "donor_url": "",
        "cancel_url": reverse("products:lot", args=[pk]),
    }  # fmt: skip
    return render(request, "products/lot_form.html", context, status=edit.status)


@needs("cells.record")
def lot_tests(request: HttpRequest, pk: int) -> HttpResponse:
    one, now = _lot(signed_in(request), pk, "cells.record"), clock.now()
    form = ReleaseTestsForm(
        request.POST or None, stored=actions.results_of([pk])[pk], today=now.date(), initial={"version": one.version}
    )  # fmt: skip
    edit = Edit(form, one, lambda was: _results(one, was))
    if edit.ready():
        given = form.cleaned_data
        try:
            verdict = actions.record_release_tests(
                lot=one, results=form.results(), tested_on=given["tested_on"], reason=given["reason"],
                version=given["version"], by=signed_in(request), now=now,
            )  # fmt: skip
            _say_verdict(request, one, verdict)
            return redirect("products:lot", pk=pk)
        except actions.ReasonNeeded:
            form.add_error("reason", "A result that was stored before differs: write why.")
        except ChangedMeanwhile:
            edit.moved_on()
    crumbs = _crumbs("Release tests", lot=one)
    context = {"form": form, "lot": one, "breadcrumbs": crumbs, "conflicts": edit.conflicts}
    return render(request, "products/lot_tests.html", context, status=edit.status)


def _results(one: Lot, was: Was) -> dict[str, str]:
    stood = [was(test) for test in ReleaseTest.objects.filter(lot=one).order_by("pk")]
    return dict.fromkeys(ReleaseTest.KINDS, "") | {test.kind: test.result for test in stood if test}


def _say_verdict(request: HttpRequest, one: Lot, verdict: rules.ReleaseVerdict) -> None:
    if verdict.failed:
        asked = " Every site that gave it was asked." if one.state in actions.USED_STATES else ""
        messages.warning(request, f"Saved. Failed: {actions.test_names(verdict.failed)}.{asked}")
    elif verdict.pending:
        messages.success(request, f"Saved. Not known yet: {actions.test_names(verdict.pending)}.")
    else:
        messages.success(request, "Saved. All tests passed.")


@needs("cells.release")
def lot_state(request: HttpRequest, pk: int) -> HttpResponse:
    one, now = _lot(signed_in(request), pk, "cells.release"), clock.now()
    form = LotStateForm(request.POST or None, lot=one, today=now.date())
    edit = Edit(form, one, lambda was: {})
    if edit.ready():
        given = form.cleaned_data
        try:
            actions.change_lot_state(
                lot=one, state=given["state"], reason=given["reason"], on=given["on"], version=given["version"],
                by=signed_in(request), now=now,
            )  # fmt: skip
            messages.success(request, f"Lot {one} is now: {one.get_state_display().lower()}.")
            return redirect("products:lot", pk=pk)
        except actions.CannotChangeState as refusal:
            form.add_error(None, str(refusal))
        except ChangedMeanwhile:
            edit.moved_on()
    [line] = lot_lines([one], on=now.date())
    context = {
        "form": form, "lot": one, "line": line, "breadcrumbs": _crumbs("State", lot=one), "conflicts": edit.conflicts,
    }  # fmt: skip
    return render(request, "products/lot_state.html", context, status=edit.status)


@needs("cells.record")
def donor_add(request: HttpRequest) -> HttpResponse:
    if made_by(Donor, request.POST.get("form_token", "")):
        return redirect("products:lot_add")
    form = DonorForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        token = form.cleaned_data["form_token"]
        try:
            donor = actions.save_donor(donor=form.save(commit=False), by=signed_in(request), form_token=token)
            messages.success(request, f"Donor {donor} was saved.")
            return redirect("products:lot_add")
        except NotAccepted as refusal:
            form.add_error(refusal.field or None, refusal.message)
    return _donor_page(request, form, "New donor")


@needs("cells.record")
def donor_edit(request: HttpRequest, pk: int) -> HttpResponse:
    donor = get_object_or_404(_donors(signed_in(request)), pk=pk)
    form = DonorForm(request.POST or None, instance=copy(donor))
    names = DonorForm.Meta.fields
    edit = Edit(form, donor, lambda was: {name: getattr(was(donor), name) for name in names})
    if edit.ready():
        given = form.cleaned_data
        try:
            actions.save_donor(
                donor=form.save(commit=False), by=signed_in(request), version=given["version"], reason=given["reason"]
            )  # fmt: skip
            messages.success(request, f"Donor {donor} was changed.")
            return redirect("products:lot_list")
        except NotAccepted as refusal:
            form.add_error(refusal.field or None, refusal.message)
        except ChangedMeanwhile:
            edit.moved_on()
    return _donor_page(request, form, "Change a donor", edit)


def _donor_page(request: HttpRequest, form: DonorForm, title: str, edit: Edit | None = None) -> HttpResponse:
    context = {
        "form": form, "title": title, "breadcrumbs": _crumbs(title), "submit_label": "Save donor",
        "cancel_url": reverse("products:lot_list"), "conflicts": edit.conflicts if edit else None,
    }  # fmt: skip
    return render(request, "products/donor_form.html", context, status=edit.status if edit else 200)
