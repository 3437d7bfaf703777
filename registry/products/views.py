"""Cells: lots with their states, tests, what is left of them and who received them."""

from __future__ import annotations

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
from registry.access.guards import needs, signed_in
from registry.access.models import User
from registry.patients.models import Query
from registry.patients.pages import conflicts, with_version
from registry.products import actions, rules
from registry.products.forms import DonorForm, LotFilter, LotForm, LotStateForm, ReleaseTestsForm
from registry.products.models import Donor, Lot, ReleaseTest
from registry.saving import ChangedMeanwhile

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
    lots = Lot.objects.select_related("donor").order_by("code", "pk")
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
    one = get_object_or_404(Lot.objects.select_related("donor"), pk=pk)
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
    form = LotForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        one = actions.save_lot(lot=form.save(commit=False), by=signed_in(request))
        messages.success(request, f"Lot {one} is in quarantine. Enter its release tests next.")
        return redirect("products:lot", pk=one.pk)
    context = {
        "form": form, "title": "New lot", "breadcrumbs": _crumbs("New lot"), "submit_label": "Save lot",
        "cancel_url": reverse("products:lot_list"), "donor_url": reverse("products:donor_add"),
    }  # fmt: skip
    return render(request, "products/lot_form.html", context)


@needs("cells.record")
def lot_edit(request: HttpRequest, pk: int) -> HttpResponse:
    one = get_object_or_404(Lot, pk=pk)
    form = LotForm(request.POST or None, instance=one)
    found: list[dict[str, Any]] = []
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        try:
            actions.save_lot(
                lot=form.save(commit=False), by=signed_in(request), version=given["version"] or 0,
                reason=given["reason"],
            )  # fmt: skip
        except ChangedMeanwhile:
            form, found = _show_both(form, Lot.objects.get(pk=pk), request)
        else:
            messages.success(request, f"Lot {one} was changed.")
            return redirect("products:lot", pk=pk)
    context = {
        "form": form, "conflicts": found, "title": f"Change lot {one.code}", "submit_label": "Save the change",
        "breadcrumbs": _crumbs("Change", lot=Lot.objects.get(pk=pk)), "donor_url": "",
        "cancel_url": reverse("products:lot", args=[pk]),
    }  # fmt: skip
    return render(request, "products/lot_form.html", context)


def _show_both(form: LotForm, stored: Lot, request: HttpRequest) -> tuple[LotForm, list[dict[str, Any]]]:
    """What is stored now beside what was typed here; saving again then goes over the newer version."""
    found = conflicts(form, {name: getattr(stored, name) for name in LotForm.Meta.fields})
    return LotForm(with_version(request, "version", stored.version), instance=stored), found


@needs("cells.record")
def lot_tests(request: HttpRequest, pk: int) -> HttpResponse:
    one, now = get_object_or_404(Lot, pk=pk), clock.now()
    form = ReleaseTestsForm(request.POST or None, stored=actions.results_of([pk])[pk], today=now.date())
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        try:
            verdict = actions.record_release_tests(
                lot=one, results=form.results(), tested_on=given["tested_on"], reason=given["reason"],
                by=signed_in(request), now=now,
            )  # fmt: skip
        except actions.ReasonNeeded:
            form.add_error("reason", "A result that was stored before differs: write why.")
        else:
            _say_verdict(request, one, verdict)
            return redirect("products:lot", pk=pk)
    context = {"form": form, "lot": one, "breadcrumbs": _crumbs("Release tests", lot=one)}
    return render(request, "products/lot_tests.html", context)


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
    one, now = get_object_or_404(Lot.objects.select_related("donor"), pk=pk), clock.now()
    form = LotStateForm(request.POST or None, lot=one, today=now.date())
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        try:
            actions.change_lot_state(
                lot=one, state=given["state"], reason=given["reason"], on=given["on"], version=given["version"],
                by=signed_in(request), now=now,
            )  # fmt: skip
        except actions.CannotChangeState as refusal:
            form.add_error(None, str(refusal))
        except ChangedMeanwhile:
            messages.warning(request, "Somebody else changed this lot: look at it again, then decide.")
            return redirect("products:lot_state", pk=pk)
        else:
            messages.success(request, f"Lot {one} is now: {one.get_state_display().lower()}.")
            return redirect("products:lot", pk=pk)
    [line] = lot_lines([one], on=now.date())
    context = {"form": form, "lot": one, "line": line, "breadcrumbs": _crumbs("State", lot=one)}
    return render(request, "products/lot_state.html", context)


@needs("cells.record")
def donor_add(request: HttpRequest) -> HttpResponse:
    form = DonorForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        donor = actions.save_donor(donor=form.save(commit=False), by=signed_in(request))
        messages.success(request, f"Donor {donor} was saved.")
        return redirect("products:lot_add")
    return _donor_page(request, form, "New donor")


@needs("cells.record")
def donor_edit(request: HttpRequest, pk: int) -> HttpResponse:
    donor = get_object_or_404(Donor, pk=pk)
    form = DonorForm(request.POST or None, instance=donor)
    if request.method == "POST" and form.is_valid():
        actions.save_donor(
            donor=form.save(commit=False), by=signed_in(request), reason=form.cleaned_data["reason"]
        )
        messages.success(request, f"Donor {donor} was changed.")
        return redirect("products:lot_list")
    return _donor_page(request, form, f"Change donor {donor.code}")


def _donor_page(request: HttpRequest, form: DonorForm, title: str) -> HttpResponse:
    context = {
        "form": form, "title": title, "breadcrumbs": _crumbs(title), "submit_label": "Save donor",
        "cancel_url": reverse("products:lot_list"),
    }  # fmt: skip
    return render(request, "products/donor_form.html", context)
