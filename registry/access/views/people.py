"""Settings: who works here, in which role, how a role is asked for, approved, reviewed and ended."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from registry import clock
from registry.access import actions, granting, policy
from registry.access.conflicts import Edit, decided_first
from registry.access.forms import ActiveForm, AskRoleForm, DecideForm, EndForm, RequestForm
from registry.access.guards import needs, signed_in
from registry.access.models import AccountRequest, Registry, RoleGrant, RoleRequest, User
from registry.access.views.settings import page
from registry.saving import ChangedMeanwhile

SHOWN = 200
DECIDE = ("accounts.approve", "settings.accounts")
STATES = {
    "asked": ("due", "waits for a decision"),
    "approved": ("late", "approved by the asker, waits"),
    "in_force": ("done", "in force"),
    "refused": ("quiet", "refused"),
    "withdrawn": ("quiet", "taken back"),
    "stopped": ("alarm", "stopped"),
}


def people_for(user: User) -> QuerySet[User]:
    """Everybody for those who look across sites; at a site, the people who hold a role there."""
    scope = user.scope("accounts.view")
    people = User.objects.order_by("full_name", "pk")
    if scope.everywhere:
        return people
    here = RoleGrant.objects.filter(site__in=scope.site_ids).values("user")
    return people.filter(pk__in=here)


@needs("accounts.view")
@require_GET
def user_list(request: HttpRequest) -> HttpResponse:
    user = signed_in(request)
    return page(
        request,
        "user_list",
        "access:user_list",
        people=people_for(user),
        may_ask=user.may("accounts.propose"),
    )


@needs("accounts.view")
def user_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """The roles of one person; asking for one is the form of this page."""
    by, person, now = (
        signed_in(request),
        get_object_or_404(people_for(signed_in(request)), pk=pk),
        clock.now(),
    )
    form = AskRoleForm(request.POST or None, by=by, today=now.date())
    if request.method == "POST":
        by.require("accounts.propose")
        if form.is_valid() and _asked(request, form, person, by):
            return redirect("access:user_detail", pk)
    grants = RoleGrant.objects.filter(user=person).select_related("site", "granted_by")
    if not by.scope("accounts.view").everywhere:
        grants = grants.filter(site__in=by.scope("accounts.view").site_ids)
    return page(
        request, "user_detail", "access:user_list", person=person, form=form, today=now.date(), now=now,
        grants=grants.order_by("-starts_on", "-pk"), is_self=person.pk == by.pk, may_ask=by.may("accounts.propose"),
        may_end=by.may("accounts.review"), may_switch=by.may("settings.accounts"),
        active_form=ActiveForm(auto_id="active_%s", initial={"active": "no" if person.is_active else "yes"}),
        delay=Registry.current().self_approval_hours,
    )  # fmt: skip


def _asked(request: HttpRequest, form: AskRoleForm, person: User, by: User) -> bool:
    answers = dict(form.cleaned_data)
    token = answers.pop("form_token")
    try:
        asked = granting.ask_for_role(
            wanted=granting.Wanted(user=person, **answers), form_token=token, by=by, now=clock.now()
        )
    except granting.Refused as refusal:
        form.add_error(None, str(refusal))
        return False
    words = "is in force." if asked.grant_id else "was asked for. It waits under Settings › Role requests."
    messages.success(request, f"{asked.get_role_display()} {words}")
    return True


@needs("settings.accounts")
@require_POST
def user_active(request: HttpRequest, pk: int) -> HttpResponse:
    person = get_object_or_404(User, pk=pk)
    form = ActiveForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Nothing changed: give a reason.")
        return redirect("access:user_detail", pk)
    try:
        actions.set_active(user=person, by=signed_in(request), **form.cleaned_data)
    except granting.Refused as refusal:
        messages.error(request, str(refusal))
    except ChangedMeanwhile as news:
        return decided_first(request, person, str(news), reverse("access:user_detail", args=[pk]))
    return redirect("access:user_detail", pk)


# Requests for roles ------------------------------------------------------------------------------------------


@needs("accounts.view")
@require_GET
def role_request_list(request: HttpRequest) -> HttpResponse:
    user, now = signed_in(request), clock.now()
    found = RoleRequest.objects.select_related("user", "site", "asked_by", "decided_by", "grant")
    if not user.scope("accounts.view").everywhere:
        found = found.filter(site__in=user.scope("accounts.view").site_ids)
    lines = [_line(one, user, now) for one in found.order_by("-pk")[:SHOWN]]
    return page(
        request, "role_request_list", "access:role_request_list", lines=sorted(lines, key=lambda line: line["rank"]),
        delay=Registry.current().self_approval_hours,
    )  # fmt: skip


def _line(one: RoleRequest, user: User, now: Any) -> dict[str, Any]:
    state = one.state_at(now)
    kind, word = STATES[state]
    decides = one.user_id != user.pk and granting.may_approve(user, one.role, now=now)
    return {
        "asked": one, "kind": kind, "word": word, "rank": 0 if state in ("asked", "approved") else 1,
        "may_approve": decides and state == "asked", "may_refuse": decides and state in ("asked", "approved"),
        "is_mine": one.asked_by_id == user.pk, "may_take_back": one.asked_by_id == user.pk and state == "asked",
        "from": one.grant.effective_at if one.grant and state == "approved" else None,
    }  # fmt: skip


@needs(*DECIDE)
@require_POST
def role_request_decide(request: HttpRequest, pk: int, decision: str) -> HttpResponse:
    asked, by, now = get_object_or_404(RoleRequest, pk=pk), signed_in(request), clock.now()
    form = DecideForm(request.POST)
    reason = form.cleaned_data["reason"] if form.is_valid() else ""
    try:
        if decision == "refuse":
            granting.refuse_role(request=asked, reason=reason, by=by, now=now)
            messages.success(request, f"{asked}: refused.")
        else:
            grant = granting.approve_role(request=asked, reason=reason, by=by, now=now)
            begins = f" from {grant.effective_at:%Y-%m-%d %H:%M} UTC" if grant.effective_at else ""
            messages.success(request, f"{asked}: in force{begins}.")
    except granting.Refused as refusal:
        messages.error(request, str(refusal))
    except ChangedMeanwhile as news:
        return decided_first(request, asked, str(news), reverse("access:role_request_list"))
    return redirect("access:role_request_list")


@needs("accounts.propose")
@require_POST
def role_request_take_back(request: HttpRequest, pk: int) -> HttpResponse:
    by = signed_in(request)
    asked = get_object_or_404(RoleRequest, pk=pk, asked_by=by)
    try:
        granting.take_back(request=asked, by=by, now=clock.now())
        messages.success(request, f"{asked}: taken back.")
    except granting.Refused as refusal:
        messages.error(request, str(refusal))
    except ChangedMeanwhile as news:
        return decided_first(request, asked, str(news), reverse("access:role_request_list"))
    return redirect("access:role_request_list")


# Review ------------------------------------------------------------------------------------------------------


@needs("accounts.review")
@require_GET
def review(request: HttpRequest) -> HttpResponse:
    """Every role in force: still needed? The oldest answer stands first."""
    user, now = signed_in(request), clock.now()
    today = now.date()
    grants = (
        RoleGrant.objects.in_force_at(now)
        .filter(user__is_active=True)
        .select_related("user", "site", "reviewed_by")
    )
    ordered = sorted(grants.order_by("user__full_name", "pk"), key=granting.review_is_due_on)
    lines = [
        {
            "grant": grant,
            "due_on": granting.review_is_due_on(grant),
            "is_overdue": granting.review_is_due_on(grant) < today,
            "ends_soon": bool(grant.ends_on and grant.ends_on <= today + granting.ENDING_SOON),
            "is_mine": grant.user_id == user.pk,
        }
        for grant in ordered
    ]
    return page(
        request, "review", "access:review", lines=lines, today=today,
        overdue=sum(line["is_overdue"] for line in lines), ending=[line for line in lines if line["ends_soon"]],
    )  # fmt: skip


@needs("accounts.review")
@require_POST
def grant_confirm(request: HttpRequest, pk: int) -> HttpResponse:
    grant = get_object_or_404(RoleGrant.objects.select_related("user", "site"), pk=pk)
    try:
        granting.confirm_role(grant=grant, by=signed_in(request), now=clock.now())
        messages.success(request, f"{grant}: still needed.")
    except granting.Refused as refusal:
        messages.error(request, str(refusal))
    return redirect("access:review")


@needs("accounts.review")
def grant_end(request: HttpRequest, pk: int) -> HttpResponse:
    grant = get_object_or_404(RoleGrant.objects.select_related("user", "site"), pk=pk)
    today = clock.now().date()
    form = EndForm(
        request.POST or None, initial={"last_day": grant.ends_on or today, "version": grant.version}
    )
    edit = Edit(form, grant, lambda was: {"last_day": was(grant).ends_on})
    if edit.ready():
        answers = dict(form.cleaned_data)
        grant.version = answers.pop("version")
        try:
            granting.end_role(grant=grant, by=signed_in(request), now=clock.now(), **answers)
            messages.success(
                request, "The role ends." if answers["at_once"] else "The role ends on that day."
            )
            return redirect("access:user_detail", grant.user_id)
        except granting.Refused as refusal:
            form.add_error(None, str(refusal))
        except ChangedMeanwhile:
            edit.moved_on()
    title = f"End a role: {grant}"
    return page(request, "form", "access:user_list", edit, form=form, title=title, danger=True)


# Requests for accounts ---------------------------------------------------------------------------------------


@needs("accounts.propose")
@require_GET
def request_list(request: HttpRequest) -> HttpResponse:
    user, now = signed_in(request), clock.now()
    found = AccountRequest.objects.select_related("site", "requested_by", "decided_by").order_by(
        "decision", "-pk"
    )
    if not user.scope("accounts.propose").everywhere:
        found = found.filter(site__in=user.scope("accounts.propose").site_ids)
    lines = [
        {
            "one": one,
            "is_mine": one.requested_by_id == user.pk,
            "may_decide": one.requested_by_id != user.pk and granting.may_approve(user, one.role, now=now),
            "who": "an administrator" if one.role in policy.TECHNICAL else "a coordinator",
        }
        for one in found[:SHOWN]
    ]
    return page(request, "request_list", "access:request_list", lines=lines)


@needs("accounts.propose")
def request_new(request: HttpRequest) -> HttpResponse:
    by = signed_in(request)
    form = RequestForm(request.POST or None, by=by)
    if request.method == "POST" and form.is_valid():
        try:
            asked = actions.request_account(**form.cleaned_data, by=by, now=clock.now())
            messages.success(request, f"Asked for {asked.username}. A second person opens the account.")
            return redirect("access:request_list")
        except granting.Refused as refusal:
            form.add_error(None, str(refusal))
    return page(request, "form", "access:request_list", form=form, title="Ask for an account", danger=False)


@needs(*DECIDE)
@require_POST
def request_decide(request: HttpRequest, pk: int, decision: str) -> HttpResponse:
    asked = get_object_or_404(AccountRequest, pk=pk)
    decide = actions.open_account if decision == "open" else actions.refuse_account
    try:
        decide(request=asked, by=signed_in(request), now=clock.now())
        messages.success(request, f"{asked.username}: {'opened' if decision == 'open' else 'refused'}.")
    except granting.Refused as refusal:
        messages.error(request, str(refusal))
    except ChangedMeanwhile as news:
        return decided_first(request, asked, str(news), reverse("access:request_list"))
    return redirect("access:request_list")
