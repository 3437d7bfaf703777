"""Which pools a guess is counted in.

At most 15 guesses an account are looked at in 15 minutes: five from browsers in which this person has signed in before,
ten from all others together and five from one address. A stranger can use up only what belongs to strangers, so nobody
is locked out of an account by somebody else's guesses in the browser they always use, and for 15 minutes at most in another.
"""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import get_adapter
from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse

from registry.access.models import User
from registry.signin.throttle import Claim, Pool, claim

FROM_KNOWN = 5
FROM_ONE_ADDRESS = 5
FROM_STRANGERS = 10
AN_ADDRESS = 60  # over all accounts; a hospital may stand behind one address
CODES_A_MINUTE = 5
CODES_A_QUARTER = 15
KNOWN_DAYS = 30
KNOWN_PEOPLE = 12  # on one shared computer
SALT = "browsers in which a person has signed in"


def claim_password(request: HttpRequest, username: str) -> Claim:
    """Unknown names are counted like known ones, so a refusal says nothing about who works here."""
    name = username.strip().lower()
    if name in _known(request):
        return claim(Pool(f"known:{name}", FROM_KNOWN))
    address = get_adapter(request).get_client_ip(request)
    return claim(
        Pool(f"name:{name}:from:{address}", FROM_ONE_ADDRESS),
        Pool(f"name:{name}", FROM_STRANGERS),
        Pool(f"from:{address}", AN_ADDRESS),
    )


def claim_proof(user: User) -> Claim:
    """Somebody signed in who says who they are once more."""
    return claim(Pool(f"known:{user.username}", FROM_KNOWN))


def claim_code(user: User) -> Claim:
    """Only who has given the right password gets here."""
    return claim(Pool(f"code:{user.pk}", CODES_A_MINUTE, 60), Pool(f"codes:{user.pk}", CODES_A_QUARTER))


def remember_browser(request: HttpRequest, response: HttpResponse, user: User) -> None:
    """A signed cookie with the names that signed in here. It opens nothing; it only decides where guesses are counted."""
    known = [user.username, *(name for name in _known(request) if name != user.username)]
    response.set_cookie(
        settings.KNOWN_COOKIE_NAME,
        signing.dumps(known[:KNOWN_PEOPLE], salt=SALT),
        max_age=KNOWN_DAYS * 24 * 3600,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def _known(request: HttpRequest) -> list[str]:
    try:
        names: Any = signing.loads(
            request.COOKIES.get(settings.KNOWN_COOKIE_NAME, ""), salt=SALT, max_age=KNOWN_DAYS * 24 * 3600
        )
    except signing.BadSignature:
        return []
    return [str(name) for name in names] if isinstance(names, list) else []
