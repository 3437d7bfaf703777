"""Signing a record, what a signature stands under, and the mark on a result that came later."""

from __future__ import annotations

from django.contrib import messages
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_GET, require_POST

from registry import clock
from registry.access.guards import needs, signed_in
from registry.access.models import User
from registry.audit.actions import record_event
from registry.saving import ChangedMeanwhile, NotAccepted, new_token
from registry.signatures.actions import mark_reviewed, require_act, sign
from registry.signatures.forms import SignForm
from registry.signatures.models import Signature
from registry.signatures.pages import frame, render_at
from registry.signatures.signable import Content, Signable, content_from, content_of, signable_named, site_of
from registry.signatures.states import standing_of
from registry.signatures.wording import sections_of
from registry.signin.proving import NotProven, needs_code, prove

SIGN_ACTS = ("records.sign", "neoplasia.close", "reports.sign")
VIEW_ACTS = ("events.view", "neoplasia.view", "reports.view")
OTHER_PERSON = "This page was opened by somebody else. Open it again and sign for yourself."
CHANGED = "This was changed since you opened it, so nothing is signed. What stands now is shown below: read it again."


def _row(user: User, label: str, pk: int, act: str = "") -> tuple[Signable, models.Model]:
    """404 for what cannot be signed or is not this person's to see; 403 where the act is for others."""
    signable = signable_named(label)
    if signable is None:
        raise Http404("This kind of record is not signed.")
    user.require(act or signable.act)
    return signable, get_object_or_404(signable.visible(user, act or signable.act), pk=pk)


@needs(*SIGN_ACTS)
def sign_record(request: HttpRequest, label: str, pk: int) -> HttpResponse:
    user = signed_in(request)
    signable, row = _row(user, label, pk)
    content = content_of(row)
    if problem := signable.problem(row):
        messages.error(request, problem)
        return redirect(signable.url(row))
    asks_code = needs_code(request)
    initial = {"signer": str(user.pk), "digest": content.sha256}
    form = SignForm(request.POST or None, initial=initial, needs_code=asks_code)
    status = 200
    if request.method == "POST":
        require_act(user, signable, row)
        if form.is_valid():
            made, status = _sign(request, user, row, form)
            if made is not None:
                messages.success(request, f"Signed: {made}.")
                return redirect(signable.url(row))
        if status == 409:
            _begin_again(form, initial)
    return _sign_page(request, signable, row, content, form, status)


def _sign(
    request: HttpRequest, user: User, row: models.Model, form: SignForm
) -> tuple[Signature | None, int]:
    """What is refused stores no signature; that somebody was refused stays in the trail."""
    entered = form.cleaned_data
    if entered["signer"] != str(user.pk):
        form.add_error(None, OTHER_PERSON)
        return None, 409
    try:
        prove(request, password=entered["password"], code=entered.get("code", ""))
        return (
            sign(
                row=row, meaning=entered["meaning"], digest=entered["digest"], form_token=entered["form_token"],
                by=user, now=clock.now(),
            ),
            200,
        )  # fmt: skip
    except NotProven as refusal:
        form.add_error(refusal.field if refusal.field in form.fields else None, refusal.message)
        record_event(action="signing refused", about=row, detail="identity not proven", now=clock.now())
    except NotAccepted as refusal:
        form.add_error(refusal.field if refusal.field in form.fields else None, refusal.message)
    except ChangedMeanwhile:
        form.add_error(None, CHANGED)
        return None, 409
    return None, 200


def _begin_again(form: SignForm, initial: dict[str, str]) -> None:
    """The refusal stays on the page; what was typed and chosen does not, for what stands below is another content."""
    form.data = initial | {"form_token": new_token()}


def _sign_page(
    request: HttpRequest, signable: Signable, row: models.Model, content: Content, form: SignForm, status: int
) -> HttpResponse:
    context = frame(signable, row, clock.now()) | {
        "form": form,
        "sections": sections_of(signable, content),
        "digest": content.sha256,
        "standing": standing_of(row),
        "breadcrumbs": [{"label": str(row), "url": signable.url(row)}, {"label": "Sign", "url": ""}],
    }
    return render_at(request, "signatures/sign.html", row, context, status)


@needs(*VIEW_ACTS)
@require_GET
def signature(request: HttpRequest, pk: int) -> HttpResponse:
    """Exactly what was signed, for whoever may read the record."""
    user = signed_in(request)
    found = get_object_or_404(Signature.objects.select_related("signer", "site"), pk=pk)
    signable = signable_named(found.record)
    if signable is None or not user.may(signable.view_act):
        raise Http404("There is no such signature at your sites.")
    row = get_object_or_404(signable.visible(user, signable.view_act), pk=found.row_pk)
    state = next(one for one in standing_of(row).states if one.signature.pk == pk)
    context = frame(signable, row, clock.now()) | {
        "state": state,
        "signature": found,
        "sections": sections_of(signable, content_from(found.content)),
        "signed_elsewhere": found.site.name if found.site and found.site != site_of(row) else "",
        "breadcrumbs": [{"label": str(row), "url": signable.url(row)}, {"label": "Signature", "url": ""}],
    }
    return render_at(request, "signatures/signature.html", row, context)


@needs(*SIGN_ACTS)
@require_POST
def late_reviewed(request: HttpRequest, label: str, pk: int) -> HttpResponse:
    user = signed_in(request)
    signable, row = _row(user, label, pk)
    part, sha256 = request.POST.get("part", ""), request.POST.get("sha256", "")
    try:
        mark_reviewed(row=row, part=part, sha256=sha256, by=user, now=clock.now())
        messages.success(request, "Marked as reviewed. The signature stays as it is.")
    except (NotAccepted, ChangedMeanwhile) as refusal:
        messages.error(request, str(refusal))
    return redirect(signable.url(row))
