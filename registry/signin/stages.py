"""Between the password and the session: the code, for those who have a second factor."""

from __future__ import annotations

from typing import Any

from allauth.account.stages import LoginStage
from django.http import HttpResponse
from django.shortcuts import redirect

from registry.access.models import User
from registry.signin import second_factor

KEY = "second_factor"


class SecondFactorStage(LoginStage):
    key = KEY
    urlname = "signin:code"

    def handle(self) -> tuple[HttpResponse | None, bool]:
        user: Any = self.login.user
        if not isinstance(user, User) or not second_factor.is_asked(user):
            return None, True
        # An identifier planted before the password is not the one under which the code is asked.
        self.request.session.cycle_key()
        return redirect(self.urlname), True
