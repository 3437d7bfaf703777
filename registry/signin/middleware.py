"""Sessions end when nobody is there, and people with names on their screen have given a second factor."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import SESSION_KEY, logout
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import CsrfViewMiddleware
from django.shortcuts import redirect
from django.urls import Resolver404, resolve, reverse
from django.utils.http import urlencode

from registry import clock
from registry.access.models import User
from registry.audit.acting import acting_as
from registry.audit.actions import record_event
from registry.signin import drafts, guesses, second_factor
from registry.signin.adapters import is_safe_address
from registry.signin.sessions import LAST_SEEN, RIGHTS, SINCE, rights_of

Handler = Callable[[HttpRequest], HttpResponse]
QUIET = {"signin:presence", "signin:draft_keep"}  # asked by the page itself, not by the person
WITHOUT_FACTOR = {
    *("signin:second_factor", "signin:code", "signin:recovery_codes", "signin:recovery_codes_file"),
    *("signin:presence", "account_logout"),
}


def session_limits(get_response: Handler) -> Handler:
    """Idle and absolute limits. Times are kept in the session, on the server."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if not isinstance(request.user, User):
            if SESSION_KEY in request.session:  # the account was switched off, or its password changed
                request.session.flush()
            return get_response(request)
        now = clock.now()
        if why := over(request, now):
            return _end(request, request.user, why, now)
        _go_on(request, request.user, now)
        response = get_response(request)
        _afterwards(request, response)
        return response

    return middleware


def over(request: HttpRequest, now: datetime) -> str:
    idle_s, whole_s = seconds_left(request, now)
    if idle_s < 0:
        return "idle"
    return "absolute" if whole_s < 0 else ""


def seconds_left(request: HttpRequest, now: datetime) -> tuple[float, float]:
    """Until the idle and until the absolute end."""
    at = now.timestamp()
    minutes = request.user.idle_minutes if isinstance(request.user, User) else settings.IDLE_MINUTES
    idle = request.session.get(LAST_SEEN, at) + minutes * 60 - at
    whole = request.session.get(SINCE, at) + settings.ABSOLUTE_HOURS * 3600 - at
    return idle, whole


def is_presence(request: HttpRequest) -> bool:
    """What a page fetches by itself says nothing about whether anybody sits before it."""
    return request.headers.get("HX-Request") != "true" and name_of(request) not in QUIET


def name_of(request: HttpRequest) -> str:
    try:
        return resolve(request.path_info).view_name
    except Resolver404:
        return ""


def _end(request: HttpRequest, user: User, why: str, now: datetime) -> HttpResponse:
    page = _page(request)
    with acting_as("system:sign-in", channel="web"):
        if _is_our_post(request):
            drafts.keep_post(request, user, page=page, now=now)
        record_event(action="session ended", about=user, detail=why, now=now)
        logout(request)
    if name_of(request) == "account_login":  # the page left by itself, and says where it was
        return redirect(request.get_full_path())
    query = {"ended": why} | ({"next": page} if is_safe_address(page) and page != "/" else {})
    return redirect(f"{reverse('account_login')}?{urlencode(query)}")


def _is_our_post(request: HttpRequest) -> bool:
    """A form sent too late is kept if it came from our own page. It does nothing else."""
    if request.method != "POST":
        return False
    refusal = CsrfViewMiddleware(_nothing).process_view(request, _nothing, (), {})
    return refusal is None


def _page(request: HttpRequest) -> str:
    """Where the person was: the page itself, or for a form the page that showed it."""
    if request.method in ("GET", "HEAD"):
        return request.get_full_path()
    came_from = urlsplit(request.headers.get("Referer", ""))
    return came_from.path if came_from.netloc == request.get_host() else request.path


def _nothing(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


def _go_on(request: HttpRequest, user: User, now: datetime) -> None:
    if is_presence(request):
        request.session[LAST_SEEN] = now.timestamp()
    request.session.setdefault(SINCE, now.timestamp())
    request.session.setdefault(LAST_SEEN, now.timestamp())
    rights = rights_of(user)
    if request.session.setdefault(RIGHTS, rights) != rights:
        request.session.cycle_key()
        request.session[RIGHTS] = rights


def _afterwards(request: HttpRequest, response: HttpResponse) -> None:
    if request.method == "POST" and response.status_code in (302, 303):
        drafts.forget_saved(request)


def second_factor_required(get_response: Handler) -> Handler:
    """Nothing opens before it is set up and given, for those who must have one."""

    def middleware(request: HttpRequest) -> HttpResponse:
        user = request.user
        if (
            not isinstance(user, User)
            or second_factor.was_given(request)
            or not second_factor.is_demanded(user)
        ):
            return get_response(request)
        match = name_of(request)
        if match in WITHOUT_FACTOR or match in ("healthz", "readyz"):
            return get_response(request)
        return redirect("signin:code" if second_factor.is_set_up(user) else "signin:second_factor")

    return middleware


def known_browser(get_response: Handler) -> Handler:
    """Whoever got in from this browser is counted apart from strangers at the next sign-in."""

    def middleware(request: HttpRequest) -> HttpResponse:
        before = request.session.get(SESSION_KEY)
        response = get_response(request)
        after = request.session.get(SESSION_KEY)
        if after and after != before and isinstance(request.user, User):
            guesses.remember_browser(request, response, request.user)
        return response

    return middleware
