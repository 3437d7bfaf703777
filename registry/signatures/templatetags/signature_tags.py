"""The signatures under a record, for the page of any room: `{% load signature_tags %}{% signatures visit %}`."""

from datetime import UTC, datetime
from typing import Any

from django import template
from django.db import models
from django.urls import reverse

from registry.access.models import User
from registry.partial_dates import in_words
from registry.signatures import locking
from registry.signatures.locks import lock_of, words_of
from registry.signatures.signable import signable_for, site_of
from registry.signatures.states import Standing, standing_of

register = template.Library()


@register.filter
def utc_moment(moment: datetime) -> str:
    """`14 Mar 2031, 09:30 UTC`, whatever the page's zone: a signature's time must not need a calendar to read."""
    at = moment.astimezone(UTC)
    return f"{in_words(at.date())}, {at:%H:%M} UTC"


@register.inclusion_tag("signatures/panel.html", takes_context=True)
def signatures(context: template.Context, row: models.Model) -> dict[str, Any]:
    """Valid, void and why, new since signing; and the way to sign for those who may."""
    user: User = context["request"].user
    signable = signable_for(row)
    standing, site = standing_of(row), site_of(row)
    may_sign = user.may(signable.act, site) and (site is not None or user.scope(signable.act).everywhere)
    problem = signable.problem(row)
    return {
        "noun": signable.noun,
        "standing": standing,
        "site_id": site.pk if site else None,
        "may_sign": may_sign and not problem,
        "reads_content": user.may(signable.view_act, site),
        "problem": problem if may_sign else "",
        "lock": lock_of(row) if signable.may_be_locked else None,
        "may_lock": user.may(locking.LOCK, site) and not locking.problem_with_locking(signable, standing),
        "may_unlock": user.may(locking.UNLOCK),
        "lock_url": reverse("signatures:lock", args=[signable.label, row.pk]),
        "sign_url": reverse("signatures:sign_record", args=[signable.label, row.pk]),
        "review_url": reverse("signatures:late_reviewed", args=[signable.label, row.pk]),
        "csrf_token": context.get("csrf_token", ""),
        "request": context["request"],
    }


@register.inclusion_tag("signatures/void_notice.html", takes_context=True)
def void_notice(context: template.Context, row: models.Model) -> dict[str, Any]:
    """On top of the page: that it is locked; which signatures no longer hold, and why, for those who may read it all."""
    signable = signable_for(row)
    lock = lock_of(row) if signable.may_be_locked else None
    return {
        "states": standing_of(row).to_sign_again,
        "lock_words": words_of(lock) if lock else "",
        "noun": signable.noun,
        "reads_content": context["request"].user.may(signable.view_act, site_of(row)),
    }


@register.inclusion_tag("components/status.html")
def signed_status(standing: Standing) -> dict[str, Any]:
    words = {
        "void": ("late", "To sign again"),
        "signed": ("done", "Signed"),
        "unsigned": ("quiet", "Not signed"),
    }
    kind, word = words[standing.word]
    return {"kind": kind, "word": word}
