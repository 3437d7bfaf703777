"""What every answer carries, errors and refusals included, and which requests are not answered at all."""

from __future__ import annotations

import codecs
from collections.abc import Callable

from django.conf import settings
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.urls import reverse
from django.utils.http import parse_header_parameters

Handler = Callable[[HttpRequest], HttpResponse]
NO_CHARSET = "none"
METHODS = ("GET", "HEAD", "POST")
# Nothing of the device is used here, so nothing may ask for it.
PERMISSIONS = ", ".join(
    f"{feature}=()"
    for feature in (
        "accelerometer", "autoplay", "camera", "display-capture", "geolocation", "gyroscope", "hid", "magnetometer",
        "microphone", "midi", "payment", "screen-wake-lock", "serial", "usb", "xr-spatial-tracking",
    )
)  # fmt: skip
ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": settings.SECURE_REFERRER_POLICY,
    "Permissions-Policy": PERMISSIONS,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
# For the rare answer that comes about outside the policy with nonces: it may show text and do nothing.
NOTHING = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


def headers(get_response: Handler) -> Handler:
    """Outermost, so that no answer leaves without them. Only files that never change may be kept by browsers."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        for name, value in ALWAYS.items():
            response.headers[name] = value
        response.headers.setdefault("Content-Security-Policy", NOTHING)
        if settings.SECURE_HSTS_SECONDS:
            response.headers.setdefault("Strict-Transport-Security", _hsts())
        if not (_is_static(request) and response.status_code in (200, 206, 304)):
            response.headers["Cache-Control"] = "no-store"
        if request.method == "POST" and request.path == reverse("account_logout"):
            response.headers["Clear-Site-Data"] = '"cache", "storage"'
        return response

    return middleware


def expected_requests(get_response: Handler) -> Handler:
    """A name of ours in Host, and a method that pages have. Asked before static files are served."""

    def middleware(request: HttpRequest) -> HttpResponse:
        request.get_host()  # raises DisallowedHost, which becomes a 400
        if request.method not in METHODS:
            return HttpResponseNotAllowed(METHODS)
        _require_legible(request)
        return get_response(request)

    return middleware


def _require_legible(request: HttpRequest) -> None:
    """Pages are UTF-8, so are forms: another charset can make letters that no database takes."""
    charset = (request.content_params or {}).get("charset", "utf-8")
    request.encoding = "utf-8"  # for the page that refuses, too
    if not _is_utf8(charset):
        raise BadRequest("Forms are sent in UTF-8.")
    if "\0" in request.path_info or "%00" in request.META.get("QUERY_STRING", ""):
        raise BadRequest("An address holds no NUL.")


def known_charset(content_type: str) -> str:
    """What Django may be told of a body. It decodes by the charset named here before any middleware is asked, and fails
    where that is no charset of texts; told of one that does not exist, it leaves the request to be refused.
    """
    try:
        charset = parse_header_parameters(content_type)[1].get("charset", "utf-8")
    except (LookupError, ValueError):
        charset = ""
    return content_type if _is_utf8(charset) else f"{content_type.partition(';')[0]}; charset={NO_CHARSET}"


def _is_utf8(charset: str) -> bool:
    try:
        return codecs.lookup(charset).name == "utf-8"
    except (LookupError, ValueError):  # ValueError: a NUL in the name
        return False


def _is_static(request: HttpRequest) -> bool:
    return request.path_info.startswith(f"/{settings.STATIC_URL.lstrip('/')}")


def _hsts() -> str:
    parts = [f"max-age={settings.SECURE_HSTS_SECONDS}"]
    parts += ["includeSubDomains"] if settings.SECURE_HSTS_INCLUDE_SUBDOMAINS else []
    parts += ["preload"] if settings.SECURE_HSTS_PRELOAD else []
    return "; ".join(parts)
