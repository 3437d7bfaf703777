"""The second factor: asked at sign-in, set up, and the recovery codes that stand in for it."""

from __future__ import annotations

import base64
from typing import Any

from allauth.account.stages import LoginStageController
from allauth.mfa.adapter import get_adapter
from allauth.mfa.totp.internal.auth import generate_totp_secret
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.text import slugify
from django.views.decorators.http import require_GET, require_http_methods

from registry import clock
from registry.access.guards import needs, open_to_all, signed_in
from registry.access.models import User
from registry.encryption import CannotDecrypt
from registry.signin import second_factor
from registry.signin.adapters import TOTP
from registry.signin.forms import CodeForm, ProofForm, SetUpForm
from registry.signin.proving import NotProven, needs_code, prove, prove_password
from registry.signin.sealing import lock, unlock
from registry.signin.stages import KEY

PENDING = "second_factor_pending"
SHOWN = "recovery_codes_shown"
GROUP = 4


@open_to_all
@require_http_methods(["GET", "POST"])
def code(request: HttpRequest) -> HttpResponse:
    """After the password; or in a session that began before a code was due."""
    stage: Any = None if request.user.is_authenticated else LoginStageController.enter(request, KEY)
    user = (
        request.user
        if request.user.is_authenticated
        else getattr(getattr(stage, "login", None), "user", None)
    )
    if not isinstance(user, User) or not user.is_active:
        return redirect("account_login")
    if request.user.is_authenticated and not needs_code(request):
        return redirect("/")
    form = CodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        now = clock.now()
        try:
            second_factor.check_code(user, form.cleaned_data["code"], now=now)
        except second_factor.WrongCode as wrong:
            form.add_error("code", str(wrong))
        else:
            return _let_in(request, stage, now)
    return render(request, "signin/code.html", {"form": form})


def _let_in(request: HttpRequest, stage: Any, now: Any) -> HttpResponse:
    if stage is None:
        request.session.cycle_key()
        second_factor.note_given(request, now)
        return redirect("/")
    response: HttpResponse = stage.exit()
    if request.user.is_authenticated:
        second_factor.note_given(request, now)
    return response


@needs("settings.view")
@require_http_methods(["GET", "POST"])
def second_factor_page(request: HttpRequest) -> HttpResponse:
    """Set one up: the key as a picture and as text, then a code from it."""
    user = signed_in(request)
    if second_factor.is_set_up(user):
        return redirect("signin:account")
    secret = _pending_secret(request)
    form = SetUpForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        now = clock.now()
        try:
            prove_password(user, form.cleaned_data["password"])
            second_factor.confirm_key(user, secret, form.cleaned_data["code"], now=now)
        except NotProven as refusal:
            form.add_error("password", refusal.message)
        except second_factor.WrongCode as wrong:
            form.add_error("code", str(wrong))
        else:
            made = second_factor.set_up(user, secret, now=now)
            del request.session[PENDING]
            request.session.cycle_key()
            second_factor.note_given(request, now)
            _hold(request, made)
            return redirect("signin:recovery_codes")
    address = get_adapter().build_totp_url(user, secret)
    picture = base64.b64encode(get_adapter().build_totp_svg(address).encode()).decode()
    context = {
        "form": form,
        "demanded": second_factor.is_demanded(user),
        "picture": f"data:image/svg+xml;base64,{picture}",
        "key": in_groups(secret),
    }
    return render(request, "signin/second_factor.html", context)


def _pending_secret(request: HttpRequest) -> str:
    """The same key until it is confirmed, however often the page is opened; kept encrypted in the session."""
    try:
        return unlock(request.session[PENDING], purpose=TOTP)
    except (KeyError, CannotDecrypt):
        secret: str = generate_totp_secret()
        request.session[PENDING] = lock(secret, purpose=TOTP)
        return secret


@needs("settings.view")
@require_http_methods(["GET", "POST"])
def recovery_codes(request: HttpRequest) -> HttpResponse:
    """Shown once, after they were made; the button says that they are kept. Without any to show: make new ones."""
    user = signed_in(request)
    if not second_factor.is_set_up(user):
        return redirect("signin:second_factor")
    if codes := _held(request):
        return _show(request, user, codes)
    form = ProofForm(request.POST or None, asks_code=needs_code(request))
    if request.method == "POST" and form.is_valid():
        try:
            prove(request, password=form.cleaned_data["password"], code=form.cleaned_data.get("code", ""))
        except NotProven as refusal:
            form.add_error(refusal.field, refusal.message)
        else:
            _hold(request, second_factor.new_recovery_codes(user, now=clock.now()))
            return redirect("signin:recovery_codes")
    return render(
        request, "signin/new_recovery_codes.html", {"form": form, "left": second_factor.codes_left(user)}
    )


def _hold(request: HttpRequest, codes: list[str]) -> None:
    """Until their owner says that they are kept: stored, they are digests. Encrypted in this session alone."""
    request.session[SHOWN] = lock(" ".join(codes), purpose=SHOWN)


def _held(request: HttpRequest) -> list[str]:
    try:
        return unlock(request.session[SHOWN], purpose=SHOWN).split()
    except (KeyError, CannotDecrypt):
        return []


def _show(request: HttpRequest, user: User, codes: list[str]) -> HttpResponse:
    if request.method == "POST":
        del request.session[SHOWN]
        messages.success(
            request, "Your second factor is ready. Keep the recovery codes where your telephone is not."
        )
        return redirect("/")
    context = {"codes": [in_groups(one) for one in codes], "username": user.username}
    return render(request, "signin/recovery_codes.html", context)


@needs("settings.view")
@require_GET
def recovery_codes_file(request: HttpRequest) -> HttpResponse:
    """The same as text, while they are shown."""
    user = signed_in(request)
    codes = _held(request)
    if not codes:
        raise Http404("The codes were shown once.")
    lines = [
        f"Recovery codes of {user.username}",
        "Each works once.",
        "",
        *map(in_groups, codes),
    ]
    response = HttpResponse("\n".join([*lines, ""]), content_type="text/plain; charset=utf-8")
    response.headers["Content-Disposition"] = (
        f'attachment; filename="recovery-codes-{slugify(user.username)}.txt"'
    )
    return response


def in_groups(text: str) -> str:
    return " ".join(text[at : at + GROUP] for at in range(0, len(text), GROUP))
