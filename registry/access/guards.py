"""What views stand behind: signed in, and allowed."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from django.http import HttpRequest, HttpResponse

from registry.access.models import User

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]


def signed_in(request: HttpRequest) -> User:
    """The person behind the request; the middleware has already turned everybody else away."""
    assert isinstance(request.user, User)
    return request.user


def needs(act: str) -> Callable[[View[P]], View[P]]:
    """403 unless the person may do `act` somewhere; the view still narrows rows with `visible_to`."""

    def decorate(view: View[P]) -> View[P]:
        @wraps(view)
        def guarded(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            signed_in(request).require(act)
            return view(request, *args, **kwargs)

        vars(guarded)["act"] = act
        return guarded

    return decorate


def open_to_all(view: View[P]) -> View[P]:
    """Marks a view anybody may ask for, signed in or not (health, sign-in)."""
    vars(view)["open_to_all"] = True
    return view
