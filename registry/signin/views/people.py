"""What administrators do about the sign-in of others, and where a link for a new password leads."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from registry import clock
from registry.access.guards import needs, open_to_all, signed_in
from registry.access.models import User
from registry.saving import NotAccepted
from registry.signin import actions, second_factor
from registry.signin.forms import NewPasswordForm, ReasonForm
from registry.signin.models import BrowserSession
from registry.signin.views.pages import settings_page

LINK = "password_link"


@needs("settings.accounts")
@require_GET
def person(request: HttpRequest, pk: int) -> HttpResponse:
    by, user = signed_in(request), get_object_or_404(User, pk=pk)
    return settings_page(
        request, "signin/person.html", "access:user_list",
        person=user, is_self=user.pk == by.pk, has_factor=second_factor.is_set_up(user),
        demanded=second_factor.is_demanded(user),
        sessions=BrowserSession.objects.filter(account=user).exclude(since=None).count(),
        reset_form=ReasonForm(auto_id="reset_%s"), link_form=ReasonForm(auto_id="link_%s"),
    )  # fmt: skip


@needs("settings.accounts")
@require_POST
def second_factor_reset(request: HttpRequest, pk: int) -> HttpResponse:
    return _do(request, pk, actions.reset_second_factor, "Second factor reset. The person was told by mail.")


@needs("settings.accounts")
@require_POST
def password_link(request: HttpRequest, pk: int) -> HttpResponse:
    return _do(request, pk, actions.send_password_link, "The link is on its way to the person's own address.")


def _do(request: HttpRequest, pk: int, act: Any, done: str) -> HttpResponse:
    user, form = get_object_or_404(User, pk=pk), ReasonForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Nothing changed: give a reason.")
        return redirect("signin:person", pk)
    try:
        act(user=user, reason=form.cleaned_data["reason"], by=signed_in(request), now=clock.now())
        messages.success(request, done)
    except NotAccepted as refusal:
        messages.error(request, refusal.message)
    return redirect("signin:person", pk)


@open_to_all
@require_http_methods(["GET", "POST"])
def new_password(request: HttpRequest) -> HttpResponse:
    """The key goes from the address into the session at once, so that it stays in no history and no Referer."""
    if request.method == "GET" and "key" in request.GET:
        request.session[LINK] = request.GET["key"][:200]
        return redirect("signin:new_password")
    user = actions.user_of_link(request.session.get(LINK, ""))
    if user is None:
        return render(request, "signin/link_over.html")
    form = NewPasswordForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            actions.set_new_password(user=user, password=form.cleaned_data["new_password"], now=clock.now())
        except NotAccepted as refusal:
            form.add_error(refusal.field, refusal.message)
        else:
            request.session.flush()
            messages.success(request, "Your new password is set. Sign in with it.")
            return redirect("account_login")
    return render(request, "signin/new_password.html", {"form": form})
