"""What views stand behind: signed in, and allowed."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, cast

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase

from registry.access.models import User

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


def signed_in(request: HttpRequest) -> User:
    """The person behind the request; the middleware has already turned everybody else away."""
    if not isinstance(request.user, User):
        raise PermissionDenied("Sign in first.")
    return request.user


def needs(*acts: str) -> Callable[[View[P]], View[P]]:
    """403 unless the person may do one of `acts` somewhere; the view still narrows rows with `visible_to`."""

    def decorate(view: View[P]) -> View[P]:
        @wraps(view)
        def guarded(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            user = signed_in(request)
            if not any(user.may(act) for act in acts):
                user.require(acts[0])
            return view(request, *args, **kwargs)

        vars(guarded).update(act=acts[0], acts=acts)
        return cast(View[P], guarded)

    return decorate


def open_to_all(view: View[P]) -> View[P]:
    """Marks a view anybody may ask for, signed in or not (health, sign-in)."""
    vars(view)["open_to_all"] = True
    return view
