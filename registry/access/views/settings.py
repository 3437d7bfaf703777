"""Settings: who may do what, the sites, the accounts and the requests for them, and one's own account."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from registry import clock
from registry.access import actions, policy
from registry.access.forms import ActiveForm, EditSiteForm, EndForm, GrantForm, RequestForm, SiteForm
from registry.access.guards import needs, signed_in
from registry.access.models import AccountRequest, RoleGrant, Site, User

TABS = (
    ("Rights", "access:settings", "settings.view"),
    ("My account", "access:account", "settings.view"),
    ("Sites", "access:site_list", "settings.view"),
    ("Accounts", "access:user_list", "settings.accounts"),
    ("Requests", "access:request_list", "settings.accounts"),
)
SITE_COLUMNS = ("name", "country", "time_zone", "closed_weekdays")
SCOPE_WORDS = {policy.OWN: "own site", policy.ALL: "all sites", "none": ""}


@needs("settings.view")
@require_GET
def settings(request: HttpRequest) -> HttpResponse:
    """The table itself, as the code asks it."""
    rows = [
        {"label": act.label, "cells": [SCOPE_WORDS[policy.scope_of(role, code)] for role in policy.ROLES]}
        for code, act in policy.ACTS.items()
    ]
    return _page(request, "rights", "access:settings", rows=rows, roles=policy.ROLES.values())


@needs("settings.view")
@require_GET
def account(request: HttpRequest) -> HttpResponse:
    return _page(request, "account", "access:account", person=signed_in(request), today=clock.now().date())


# Sites -------------------------------------------------------------------------------------------------------


@needs("settings.view")
@require_GET
def site_list(request: HttpRequest) -> HttpResponse:
    user = signed_in(request)
    may_edit = user.may("settings.sites")
    return _page(
        request,
        "site_list",
        "access:site_list",
        sites=user.sites("settings.view").order_by("code"),
        may_edit=may_edit,
    )


@needs("settings.sites")
def site_new(request: HttpRequest) -> HttpResponse:
    form = SiteForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        site = form.save()
        messages.success(request, f"{site.name} added.")
        return redirect("access:site_list")
    return _page(request, "form", "access:site_list", form=form, title="Add a site")


@needs("settings.sites")
def site_edit(request: HttpRequest, pk: int) -> HttpResponse:
    site = get_object_or_404(Site, pk=pk)
    stored = {name: getattr(site, name) for name in SITE_COLUMNS}
    form = EditSiteForm(request.POST or None, initial=stored | {"form_version": site.version})
    if request.method == "POST" and form.is_valid():
        answers = dict(form.cleaned_data)
        version, reason = answers.pop("form_version"), answers.pop("reason")
        try:
            actions.update_site(site=site, version=version, reason=reason, by=signed_in(request), **answers)
            messages.success(request, "Site saved.")
            return redirect("access:site_list")
        except actions.Refused as refusal:
            now = "; ".join(f"{name.replace('_', ' ')}: {value}" for name, value in stored.items())
            form = EditSiteForm(_newest(request, site.version))
            form.add_error(None, f"{refusal} Stored now: {now}. Save again to replace it with yours.")
    return _page(request, "form", "access:site_list", form=form, title=f"Change {site.name}")


def _newest(request: HttpRequest, version: int) -> dict[str, Any]:
    posted = request.POST.copy()
    posted["form_version"] = str(version)
    return posted


# Accounts ----------------------------------------------------------------------------------------------------


@needs("settings.accounts")
@require_GET
def user_list(request: HttpRequest) -> HttpResponse:
    people = User.objects.order_by("full_name", "pk")
    return _page(request, "user_list", "access:user_list", people=people)


@needs("settings.accounts")
def user_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """The roles of one person; granting one is the form of this page."""
    by, person = signed_in(request), get_object_or_404(User, pk=pk)
    today = clock.now().date()
    form = GrantForm(request.POST or None, initial={"starts_on": today})
    if request.method == "POST" and form.is_valid():
        try:
            grant = actions.grant_role(user=person, by=by, **form.cleaned_data)
            messages.success(request, f"{grant.get_role_display()} granted.")
            return redirect("access:user_detail", pk)
        except actions.Refused as refusal:
            form.add_error(None, str(refusal))
    grants = (
        RoleGrant.objects.filter(user=person)
        .select_related("site", "granted_by")
        .order_by("-starts_on", "-pk")
    )
    return _page(
        request, "user_detail", "access:user_list", person=person, form=form, grants=grants, today=today,
        is_self=person.pk == by.pk, end_form=EndForm(initial={"last_day": today}, auto_id=False),
        active_form=ActiveForm(auto_id="active_%s"),
    )  # fmt: skip


@needs("settings.accounts")
def grant_end(request: HttpRequest, pk: int) -> HttpResponse:
    grant = get_object_or_404(RoleGrant.objects.select_related("user", "site"), pk=pk)
    form = EndForm(request.POST or None, initial={"last_day": clock.now().date()})
    if request.method == "POST" and form.is_valid():
        try:
            actions.end_role(grant=grant, by=signed_in(request), **form.cleaned_data)
            messages.success(request, "The role ends on that day.")
            return redirect("access:user_detail", grant.user_id)
        except actions.Refused as refusal:
            form.add_error(None, str(refusal))
    return _page(request, "form", "access:user_list", form=form, title=f"End a role: {grant}", danger=True)


@needs("settings.accounts")
@require_POST
def user_active(request: HttpRequest, pk: int) -> HttpResponse:
    person = get_object_or_404(User, pk=pk)
    form = ActiveForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Nothing changed: give a reason.")
        return redirect("access:user_detail", pk)
    try:
        actions.set_active(
            user=person,
            active=not person.is_active,
            reason=form.cleaned_data["reason"],
            by=signed_in(request),
        )
    except actions.Refused as refusal:
        messages.error(request, str(refusal))
    return redirect("access:user_detail", pk)


# Requests ----------------------------------------------------------------------------------------------------


@needs("settings.accounts")
@require_GET
def request_list(request: HttpRequest) -> HttpResponse:
    found = AccountRequest.objects.select_related("site", "requested_by", "decided_by").order_by(
        "decision", "-pk"
    )
    return _page(
        request, "request_list", "access:request_list", requests=found[:200], me=signed_in(request).pk
    )


@needs("settings.accounts")
def request_new(request: HttpRequest) -> HttpResponse:
    form = RequestForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            asked = actions.request_account(**form.cleaned_data, by=signed_in(request), now=clock.now())
            messages.success(request, f"Asked for {asked.username}. Another administrator opens the account.")
            return redirect("access:request_list")
        except actions.Refused as refusal:
            form.add_error(None, str(refusal))
    return _page(request, "form", "access:request_list", form=form, title="Ask for an account")


@needs("settings.accounts")
@require_POST
def request_decide(request: HttpRequest, pk: int, decision: str) -> HttpResponse:
    asked = get_object_or_404(AccountRequest, pk=pk)
    decide = actions.open_account if decision == "open" else actions.refuse_account
    try:
        decide(request=asked, by=signed_in(request), now=clock.now())
        messages.success(request, f"{asked.username}: {'opened' if decision == 'open' else 'refused'}.")
    except actions.Refused as refusal:
        messages.error(request, str(refusal))
    return redirect("access:request_list")


def _page(request: HttpRequest, template: str, tab: str, **context: Any) -> HttpResponse:
    user = signed_in(request)
    tabs = [
        {"label": label, "url": reverse(name), "active": name == tab}
        for label, name, act in TABS
        if user.may(act)
    ]
    return render(request, f"access/{template}.html", {"tabs": tabs} | context)
