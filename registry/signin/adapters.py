"""What the sign-in library asks of us: accounts, throttle, safe addresses to go on to, and how its secrets are kept."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from django.http import HttpRequest
from django.utils.http import url_has_allowed_host_and_scheme

from registry.access.models import Registry, User
from registry.signin import sealing
from registry.signin.guesses import claim_password
from registry.signin.throttle import Claim, TooMany

TOTP = "second factor"


class StaffAdapter(DefaultAccountAdapter):
    """Accounts are opened by an administrator; nobody signs themselves up."""

    error_messages = DefaultAccountAdapter.error_messages | {
        "username_password_mismatch": "This user name and password do not belong together.",
        "too_many_login_attempts": "Too many tries. Wait 15 minutes, then try again, or ask your administrator.",
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        try:
            self._claim: Claim = claim_password(request, str(credentials.get("username", "")))
        except TooMany as error:
            raise self.validation_error("too_many_login_attempts") from error

    def _rollback_login_failed_rl_usage(self) -> None:
        self._claim.give_back()

    def authenticate(self, request: HttpRequest, **credentials: str) -> Any:
        """An account switched off is answered like a wrong password: it says nothing about who worked here."""
        user = super().authenticate(request, **credentials)
        return user if user is not None and user.is_active else None

    def get_login_stages(self) -> list[str]:
        return ["registry.signin.stages.SecondFactorStage"]

    def is_safe_url(self, url: str) -> bool:
        return is_safe_address(url)

    def add_message(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Our pages say what matters themselves."""

    def send_mail(self, *args: Any, **kwargs: Any) -> None:
        """Our own notices are sent by the worker."""


class SecondFactorAdapter(DefaultMFAAdapter):
    def encrypt(self, text: str) -> str:
        return sealing.lock(text, purpose=TOTP)

    def decrypt(self, encrypted_text: str) -> str:
        return sealing.unlock(encrypted_text, purpose=TOTP)

    def get_totp_label(self, user: User) -> str:
        return user.username

    def get_totp_issuer(self) -> str:
        return Registry.current().name


def is_safe_address(url: str | None) -> bool:
    """A path of this site, and nothing a browser could read as another: no host, no scheme, no backslash, no control sign."""
    if not url or not url.startswith("/") or "\\" in url or not url.isprintable() or url.startswith("//"):
        return False
    return url_has_allowed_host_and_scheme(url, allowed_hosts=None)
