"""Locking a signed record, asking to unlock it, and the list where coordinators decide."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from registry import clock
from registry.access.conflicts import decided_first
from registry.access.guards import needs, signed_in
from registry.access.models import Registry, User
from registry.access.views.settings import frame as settings_frame
from registry.saving import ChangedMeanwhile, NotAccepted
from registry.signatures import locking
from registry.signatures.forms import DecideForm, LockForm, UnlockForm
from registry.signatures.lock_models import RecordLock, UnlockRequest
from registry.signatures.locks import state_of
from registry.signatures.pages import frame, render_at
from registry.signatures.signable import Signable, content_of, signable_named, signables
from registry.signatures.states import standing_of

SHOWN = 200
STATES = {
    "asked": ("due", "waits for a second person"),
    "waits": ("late", "approved alone, waits"),
    "approved": ("done", "unlocked"),
    "refused": ("quiet", "refused"),
    "withdrawn": ("quiet", "taken back"),
}


@needs("records.lock")
def lock(request: HttpRequest, label: str, pk: int) -> HttpResponse:
    user = signed_in(request)
    signable = signable_named(label)
    if signable is None or not signable.may_be_locked:
        raise Http404("This kind of record is not locked.")
    row = get_object_or_404(signable.visible(user, locking.LOCK), pk=pk)
    standing = standing_of(row)
    if problem := locking.problem_with_locking(signable, standing):
        messages.error(request, problem)
        return redirect(signable.url(row))
    form, status = LockForm(request.POST or None, initial={"digest": content_of(row).sha256}), 200
    if request.method == "POST" and form.is_valid():
        try:
            made = locking.lock_record(row=row, by=user, now=clock.now(), **form.cleaned_data)
            messages.success(request, f"{state_of(made)}.")
            return redirect(signable.url(row))
        except NotAccepted as refusal:
            form.add_error(refusal.field or None, refusal.message)
        except ChangedMeanwhile as news:
            form.add_error(None, f"{news} Open it again.")
            status = 409
    context = frame(signable, row, clock.now()) | {
        "form": form,
        "standing": standing,
        "title": f"Lock this {signable.noun}",
    }
    return render_at(request, "signatures/lock.html", row, context, status)


@needs("records.unlock")
def unlock(request: HttpRequest, pk: int) -> HttpResponse:
    """A coordinator asks; another one approves, or the same one alone after the delay."""
    user = signed_in(request)
    standing = get_object_or_404(RecordLock.objects.select_related("locked_by"), pk=pk)
    signable = signable_named(standing.record)
    if signable is None:
        raise Http404("There is no such record.")
    row = get_object_or_404(signable.visible(user, locking.UNLOCK), pk=standing.row_pk)
    form = UnlockForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            locking.ask_to_unlock(lock=standing, by=user, now=clock.now(), **form.cleaned_data)
            messages.success(
                request, "Asked. A second coordinator approves it here, or you alone after the delay."
            )
            return redirect("signatures:lock_list")
        except NotAccepted as refusal:
            form.add_error(refusal.field or None, refusal.message)
        except ChangedMeanwhile as news:
            return decided_first(request, standing, str(news), reverse("signatures:lock_list"))
    context = frame(signable, row, clock.now()) | {
        "form": form, "lock": standing, "lock_words": state_of(standing), "title": f"Ask to unlock this {signable.noun}",
        "delay": Registry.current().self_approval_hours,
    }  # fmt: skip
    return render_at(request, "signatures/unlock.html", row, context)


@needs("records.locked")
@require_GET
def lock_list(request: HttpRequest) -> HttpResponse:
    """What waits for a decision first; below it, what is locked now, and what was decided."""
    user, now = signed_in(request), clock.now()
    requests = UnlockRequest.objects.select_related("lock__locked_by", "asked_by", "decided_by")
    undecided = models.Q(decision="") | models.Q(effective_at__isnull=False, lock__unlocked_at=None)
    found = [*_within(user, requests.filter(undecided)), *_within(user, requests.exclude(undecided), SHOWN)]
    lines = [_line(one, row, user, now) for one, row in found]
    locked = _within(user, RecordLock.objects.filter(unlocked_at=None).select_related("locked_by"), SHOWN)
    context = settings_frame(request, "signatures:lock_list") | {
        "waiting_lines": [line for line in lines if line["is_open"]],
        "decided_lines": [line for line in lines if not line["is_open"]],
        "locks": [_about(one, row) | {"lock": one} for one, row in locked],
        "may_unlock": user.may(locking.UNLOCK),
        "delay": Registry.current().self_approval_hours,
    }
    return render(request, "signatures/lock_list.html", context)


def _within(
    user: User, rows: models.QuerySet[Any], at_most: int | None = None
) -> list[tuple[Any, models.Model]]:
    """With their records, of those this person may see. A record that was transferred is its new site's."""
    theirs = models.Q(pk__in=[])
    for kind in [one for one in signables() if one.may_be_locked]:
        seen = kind.visible(user, "records.locked").order_by().values("pk")
        theirs |= models.Q(record=kind.label, row_pk__in=seen)
    newest = list(rows.filter(theirs).order_by("-pk")[:at_most])
    by_label: dict[str, set[int]] = defaultdict(set)
    for one in newest:
        by_label[one.record].add(one.row_pk)
    records = {
        (label, row.pk): row
        for label, keys in by_label.items()
        if (signable := signable_named(label)) is not None
        for row in signable.visible(user, "records.locked").filter(pk__in=keys).order_by("pk")
    }
    return [(one, records[key]) for one in newest if (key := (one.record, one.row_pk)) in records]


def _about(one: RecordLock | UnlockRequest, row: models.Model) -> dict[str, Any]:
    signable: Signable | None = signable_named(one.record)
    return {
        "noun": signable.noun if signable else "",
        "row": row,
        "url": signable.url(row) if signable else "",
    }


def _line(one: UnlockRequest, row: models.Model, user: User, now: datetime) -> dict[str, Any]:
    state = one.state_at(now)
    kind, word = STATES[state]
    is_open, decides = state in ("asked", "waits"), user.may(locking.UNLOCK)
    is_mine = one.asked_by_id == user.pk
    return _about(one, row) | {
        "asked": one, "lock": one.lock, "kind": kind, "word": word, "is_open": is_open, "is_mine": is_mine,
        "may_approve": decides and (state == "asked" or (state == "waits" and not is_mine)),
        "may_refuse": decides and is_open, "may_take_back": is_mine and is_open,
        "from": one.effective_at if state == "waits" else None,
    }  # fmt: skip


@needs("records.unlock")
@require_POST
def unlock_decide(request: HttpRequest, pk: int, decision: str) -> HttpResponse:
    asked, by, now = _asked(signed_in(request), pk), signed_in(request), clock.now()
    form = DecideForm(request.POST)
    reason = form.cleaned_data["reason"] if form.is_valid() else ""
    try:
        if decision == "approve":
            done = locking.approve_unlock(request=asked, reason=reason, by=by, now=now)
            at = done.effective_at
            messages.success(request, f"Unlocked from {at:%Y-%m-%d %H:%M} UTC." if at else "Unlocked.")
        elif decision == "refuse":
            locking.refuse_unlock(request=asked, reason=reason, by=by, now=now)
            messages.success(request, "Refused. The record stays locked.")
        else:
            locking.take_back(request=asked, by=by, now=now)
            messages.success(request, "Taken back. The record stays locked.")
    except NotAccepted as refusal:
        messages.error(request, refusal.message)
    except ChangedMeanwhile as news:
        return decided_first(request, asked, str(news), reverse("signatures:lock_list"))
    return redirect("signatures:lock_list")


def _asked(user: User, pk: int) -> UnlockRequest:
    asked = get_object_or_404(UnlockRequest.objects.select_related("lock"), pk=pk)
    signable = signable_named(asked.record)
    if signable is None or not _exists(signable.visible(user, locking.UNLOCK), asked.row_pk):
        raise Http404("There is no such request.")
    return asked


def _exists(rows: models.QuerySet[Any], pk: int) -> bool:
    return rows.filter(pk=pk).exists()
