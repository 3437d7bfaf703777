"""Settings: who may do what, one's own account, the sites, whether the protocol is blinded, how long approving alone waits."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET

from registry import clock
from registry.access import actions, policy
from registry.access.conflicts import Edit
from registry.access.forms import BlindingForm, EditSiteForm, MaskingForm, NewSiteForm, SelfApprovalForm
from registry.access.granting import Refused, requests_waiting_for
from registry.access.guards import needs, signed_in
from registry.access.masking import words as masked_words
from registry.access.models import Registry, Site
from registry.saving import ChangedMeanwhile, NotAccepted, made_by

TABS = (
    ("Rights", "access:settings", "settings.view"),
    ("My account", "signin:account", "settings.view"),
    ("Sites", "access:site_list", "settings.view"),
    ("Status", "backups:status", "status.view"),
    ("Follow-up plan", "plans:plan_list", "plans.view"),
    ("People", "access:user_list", "accounts.view"),
    ("Role requests", "access:role_request_list", "accounts.view"),
    ("Account requests", "access:request_list", "accounts.propose"),
    ("Review of rights", "access:review", "accounts.review"),
    ("Protocol", "access:protocol", "settings.blinding"),
    ("Approving alone", "access:self_approval", "settings.self_approval"),
    ("Locked records", "signatures:lock_list", "records.locked"),
    ("Other days of infusions", "infusions:day_correction_list", "infusions.approve_date"),
)
SITE_COLUMNS = ("name", "country", "time_zone", "closed_weekdays", "idle_minutes")
SCOPE_WORDS = {policy.OWN: "own site", policy.ALL: "all sites", "none": "–"}


@needs("settings.view")
@require_GET
def settings(request: HttpRequest) -> HttpResponse:
    """The table itself, as the code asks it: first what the reader's own roles may do, then everybody's."""
    user, blinded = signed_in(request), Registry.current().blinded
    own = list(dict.fromkeys(grant.role for grant in user.grants))
    asked = request.GET.get("role", "")
    roles = [asked] if asked in policy.ROLES else own
    ordered = [*own, *(role for role in policy.ROLES if role not in own)]
    groups = [
        {
            "title": title,
            "rows": [
                {"label": policy.ACTS[act].label, "cells": [_cell(role, act, blinded) for role in ordered]}
                for act in acts
            ],
        }
        for title, acts in policy.groups().items()
    ]
    return page(
        request, "rights", "access:settings", groups=groups, roles=[policy.ROLES[role] for role in ordered],
        lists=[_role_list(role, blinded) for role in roles], is_blinded=blinded, asked=asked,
        choices=policy.ROLES.items(), columns=len(ordered) + 1,
    )  # fmt: skip


def _cell(role: str, act: str, blinded: bool) -> dict[str, str]:
    """The column in force; the other one beside it where a blinded protocol makes a difference."""
    now = policy.scope_of(role, act, blinded=blinded)
    other = policy.scope_of(role, act)
    return {"word": SCOPE_WORDS[now], "open_label": SCOPE_WORDS[other] if blinded and other != now else ""}


def _role_list(role: str, blinded: bool) -> dict[str, Any]:
    groups = []
    for title, acts in policy.groups().items():
        cells = [(policy.ACTS[act].label, _cell(role, act, blinded)) for act in acts]
        shown = [
            {"label": label, "cell": cell}
            for label, cell in cells
            if cell["word"] != "–" or cell["open_label"]
        ]
        if shown:
            groups.append({"title": title, "rows": shown})
    return {"label": policy.ROLES[role], "groups": groups}


# Sites -------------------------------------------------------------------------------------------------------


@needs("settings.view")
@require_GET
def site_list(request: HttpRequest) -> HttpResponse:
    user = signed_in(request)
    may_edit = user.may("settings.sites")
    return page(
        request,
        "site_list",
        "access:site_list",
        sites=user.sites("settings.view").order_by("code"),
        may_edit=may_edit,
    )


@needs("settings.sites")
def site_new(request: HttpRequest) -> HttpResponse:
    if made_by(Site, request.POST.get("form_token", "")):
        return redirect("access:site_list")
    form = NewSiteForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        token, new = form.cleaned_data["form_token"], form.save(commit=False)
        try:
            site = actions.create_site(site=new, form_token=token, by=signed_in(request))
            messages.success(request, f"{site.name} added.")
            return redirect("access:site_list")
        except NotAccepted as refusal:
            form.add_error(None, refusal.message)
    return page(request, "form", "access:site_list", form=form, title="Add a site", danger=False)


@needs("settings.sites")
def site_edit(request: HttpRequest, pk: int) -> HttpResponse:
    site = get_object_or_404(Site, pk=pk)
    stored = {name: getattr(site, name) for name in SITE_COLUMNS}
    form = EditSiteForm(request.POST or None, initial=stored | {"version": site.version})
    edit = Edit(form, site, lambda was: {name: getattr(was(site), name) for name in SITE_COLUMNS})
    if edit.ready():
        answers = dict(form.cleaned_data)
        version, reason = answers.pop("version"), answers.pop("reason")
        try:
            actions.update_site(site=site, version=version, reason=reason, by=signed_in(request), **answers)
            messages.success(request, "Site saved.")
            return redirect("access:site_list")
        except ChangedMeanwhile:
            edit.moved_on()
    title = f"Change {site.name}"
    return page(request, "form", "access:site_list", edit, form=form, title=title, danger=False)


# The protocol ------------------------------------------------------------------------------------------------


@needs("settings.blinding")
def protocol(request: HttpRequest) -> HttpResponse:
    """Open-label or blinded, and what a blinded one masks; fixed once the first patient is enrolled."""
    if request.POST.get("part") == "masking":
        return _mask(request)
    registry = Registry.current()
    form = BlindingForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            actions.switch_blinding(
                blinded=not registry.blinded,
                reason=form.cleaned_data["reason"],
                by=signed_in(request),
                now=clock.now(),
            )
            messages.success(
                request, f"The protocol is {'open-label' if registry.blinded else 'blinded'} now."
            )
            return redirect("access:protocol")
        except Refused as refusal:
            form.add_error(None, str(refusal))
    return _protocol_page(request, form, _masking_form(registry))


def _mask(request: HttpRequest) -> HttpResponse:
    form = MaskingForm(request.POST)
    if form.is_valid():
        answers = form.cleaned_data
        try:
            actions.mask_analytes(
                analytes=answers["masked"], seen=answers["seen"], reason=answers["reason"], by=signed_in(request),
                now=clock.now(),
            )  # fmt: skip
            messages.success(request, "The masked tests were saved.")
            return redirect("access:protocol")
        except Refused as refusal:
            form.add_error(None, str(refusal))
        except ChangedMeanwhile as moved:
            form = _masking_form(Registry.current())
            messages.error(request, f"{moved} What stands now is shown below: choose again.")
            return _protocol_page(request, BlindingForm(), form, status=409)
    return _protocol_page(request, BlindingForm(), form)


def _masking_form(registry: Registry) -> MaskingForm:
    return MaskingForm(initial={"masked": sorted(registry.masked), "seen": registry.masked_analytes})


def _protocol_page(
    request: HttpRequest, form: BlindingForm, masking_form: MaskingForm, status: int = 200
) -> HttpResponse:
    registry = Registry.current()
    answer = page(
        request, "protocol", "access:protocol", form=form, masking_form=masking_form, is_blinded=registry.blinded,
        delay=registry.self_approval_hours, masked=masked_words(registry.masked), is_fixed=actions.anybody_enrolled(),
    )  # fmt: skip
    answer.status_code = status
    return answer


@needs("settings.self_approval")
def self_approval(request: HttpRequest) -> HttpResponse:
    """How long what somebody asked for and approves alone waits, so that others can stop it."""
    standing = Registry.current().self_approval_hours
    form = SelfApprovalForm(request.POST or None, initial={"hours": standing, "stood": standing})
    status = 200
    if request.method == "POST" and form.is_valid():
        try:
            actions.change_self_approval(**form.cleaned_data, by=signed_in(request), now=clock.now())
            messages.success(request, "Changed. What was approved alone before keeps its own moment.")
            return redirect("access:self_approval")
        except Refused as refusal:
            form.add_error(None, str(refusal))
        except ChangedMeanwhile as news:
            form.add_error(None, str(news))
            form.data = {"hours": form.data["hours"], "reason": form.data["reason"], "stood": standing}
            status = 409
    shown = frame(request, "access:self_approval") | {"form": form, "delay": standing, "conflicts": None}
    return render(request, "access/self_approval.html", shown, status=status)


def page(
    request: HttpRequest, template: str, tab: str, edit: Edit | None = None, **context: Any
) -> HttpResponse:
    shown = frame(request, tab) | {"conflicts": edit.conflicts if edit else None}
    return render(request, f"access/{template}.html", shown | context, status=edit.status if edit else 200)


def frame(request: HttpRequest, tab: str) -> dict[str, Any]:
    """The tabs this person may open, and what waits for their decision. For pages of other rooms too."""
    user = signed_in(request)
    tabs = [
        {"label": label, "url": reverse(name), "active": name == tab}
        for label, name, act in TABS
        if user.may(act)
    ]
    waiting = requests_waiting_for(user, now=clock.now())
    part = next(label for label, name, _ in TABS if name == tab)
    return {"tabs": tabs, "waiting": waiting, "part_title": part}
