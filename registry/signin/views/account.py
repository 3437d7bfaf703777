"""One's own account: roles, second factor, sessions; and what the page keeps when a session ends."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from registry import clock
from registry.access.guards import needs, signed_in
from registry.signin import actions, drafts, second_factor
from registry.signin.middleware import seconds_left
from registry.signin.models import BrowserSession
from registry.signin.sessions import LAST_SEEN
from registry.signin.views.pages import settings_page


@needs("settings.view")
@require_GET
def account(request: HttpRequest) -> HttpResponse:
    user, now = signed_in(request), clock.now()
    rows = (
        BrowserSession.objects.filter(account=user).exclude(since=None).order_by("-last_seen", "session_key")
    )
    has_factor = second_factor.is_set_up(user)
    return settings_page(
        request, "signin/account.html", "signin:account",
        person=user, today=now.date(), has_factor=has_factor, demanded=second_factor.is_demanded(user),
        codes_left=second_factor.codes_left(user) if has_factor else 0,
        sessions=[{"row": row, "is_this": row.session_key == request.session.session_key} for row in rows],
    )  # fmt: skip


@needs("settings.view")
@require_POST
def session_end(request: HttpRequest, number: UUID) -> HttpResponse:
    if actions.end_session(user=signed_in(request), number=number, now=clock.now()):
        messages.success(request, "That session has ended.")
    else:
        messages.info(request, "That session had ended already.")
    return redirect("signin:account")


@needs("settings.view")
@require_POST
def sessions_end_others(request: HttpRequest) -> HttpResponse:
    ended = actions.end_sessions(
        signed_in(request),
        "signed out from another session",
        now=clock.now(),
        but=request.session.session_key,
    )
    messages.success(request, f"Other sessions ended: {ended}.")
    return redirect("signin:account")


@needs("settings.view")
@require_http_methods(["GET", "POST"])
def presence(request: HttpRequest) -> HttpResponse:
    """How long this session still lasts; posted by somebody who is there."""
    now = clock.now()
    if request.method == "POST":
        request.session[LAST_SEEN] = now.timestamp()
    idle, whole = seconds_left(request, now)
    return JsonResponse({"seconds": int(min(idle, whole)), "may_stay": whole > idle})


@needs("settings.view")
@require_POST
def draft_keep(request: HttpRequest) -> HttpResponse:
    """What is typed in a form of a page, sent by the page shortly before its session ends."""
    user, now = signed_in(request), clock.now()
    names, texts = request.POST.getlist("draft_name"), request.POST.getlist("draft_text")
    page = request.POST.get("draft_page", "")
    kept = drafts.keep(
        user=user, page=page, action=request.POST.get("draft_action", ""),
        fields=zip(names, texts, strict=False), now=now,
    )  # fmt: skip
    if kept:
        drafts.note_in_session(request, user, now)
    return HttpResponse(status=204)


@needs("settings.view")
@require_POST
def draft_forget(request: HttpRequest, pk: int) -> HttpResponse:
    user = signed_in(request)
    page = drafts.forget(user=user, pk=pk)
    drafts.note_in_session(request, user, clock.now())
    if not page or not url_has_allowed_host_and_scheme(page, allowed_hosts=None):
        return redirect("signin:account")
    messages.success(request, "Thrown away.")
    return redirect(page)
