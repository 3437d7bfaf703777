"""Pages need a signed-in person."""

from collections.abc import Callable

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, resolve

Handler = Callable[[HttpRequest], HttpResponse]


def sign_in_required(get_response: Handler) -> Handler:
    """Default deny: a page not marked open asks strangers to sign in."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.user.is_authenticated or _is_open(request.path_info):
            return get_response(request)
        back_to = request.get_full_path() if request.method in ("GET", "HEAD") else "/"
        return redirect_to_login(back_to, settings.LOGIN_URL)

    return middleware


def _is_open(path: str) -> bool:
    if path.startswith(f"/{settings.STATIC_URL.lstrip('/')}"):
        return True
    try:
        match = resolve(path)
    except Resolver404:
        return False
    return match.url_name in OPEN_URLS or bool(getattr(match.func, "open_to_all", False))


OPEN_URLS = {"account_login", "account_logout", "healthz", "readyz"}
