"""Sessions end when nobody is there, pages need a signed-in person, and nothing personal stays in a cache."""

from collections.abc import Callable
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth import logout
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import Resolver404, resolve, reverse

from registry import clock
from registry.audit.acting import acting_as

Handler = Callable[[HttpRequest], HttpResponse]


def session_limits(get_response: Handler) -> Handler:
    """Idle and absolute limits. Times are kept in the session, on the server."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.user.is_authenticated:
            now = clock.now()
            if _is_over(request, now):
                with acting_as("system:sign-in", channel="web"):
                    logout(request)
                return HttpResponseRedirect(reverse("account_login") + "?ended=idle")
            request.session["last_seen"] = now.timestamp()
            request.session.setdefault("signed_in_at", now.timestamp())
        response = get_response(request)
        if request.user.is_authenticated or request.path.startswith("/accounts/"):
            response.headers["Cache-Control"] = "no-store"
        if request.method == "POST" and request.path == reverse("account_logout"):
            response.headers["Clear-Site-Data"] = '"cache", "storage"'
        return response

    return middleware


def sign_in_required(get_response: Handler) -> Handler:
    """Default deny: a page not marked open asks strangers to sign in."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.user.is_authenticated or _is_open(request.path_info):
            return get_response(request)
        return redirect_to_login(request.get_full_path(), settings.LOGIN_URL)

    return middleware


def _is_over(request: HttpRequest, now: datetime) -> bool:
    last_seen = request.session.get("last_seen", now.timestamp())
    signed_in_at = request.session.get("signed_in_at", now.timestamp())
    idle = timedelta(seconds=now.timestamp() - last_seen)
    whole = timedelta(seconds=now.timestamp() - signed_in_at)
    return idle > timedelta(minutes=settings.IDLE_MINUTES) or whole > timedelta(hours=settings.ABSOLUTE_HOURS)


def _is_open(path: str) -> bool:
    if path.startswith(f"/{settings.STATIC_URL.lstrip('/')}"):
        return True
    try:
        match = resolve(path)
    except Resolver404:
        return False
    return match.url_name in OPEN_URLS or bool(getattr(match.func, "open_to_all", False))


OPEN_URLS = {"account_login", "account_logout", "healthz", "readyz"}
