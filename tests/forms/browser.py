"""A browser without pictures: what a form on a page would send, with some answers typed over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django import forms
from django.http import HttpResponse
from django.test import Client

from registry.access.conflicts import _posted
from registry.access.models import User
from registry.audit.acting import acting_as

BACKEND = "allauth.account.auth_backends.AuthenticationBackend"
Sent = dict[str, Any]


def browser_of(user: User) -> Client:
    browser = Client(raise_request_exception=False)
    with acting_as("system:sign-in"):
        browser.force_login(user, backend=BACKEND)
    return browser


def opened(answer: HttpResponse) -> Sent:
    """Every field of every form on the page, as a browser would send it untouched."""
    sent: Sent = {}
    for form in forms_on(answer):
        sent |= filled(form)
    return sent


def forms_on(answer: HttpResponse) -> list[forms.BaseForm]:
    found: list[forms.BaseForm] = []
    for layer in getattr(answer, "context", None) or []:
        for one in _every(dict(layer.flatten()) if hasattr(layer, "flatten") else dict(layer)):
            if all(one is not known for known in found):
                found.append(one)
    return found


def _every(context: Mapping[str, Any]) -> Iterator[forms.BaseForm]:
    for value in context.values():
        if isinstance(value, forms.BaseForm):
            yield value
        elif isinstance(value, forms.BaseFormSet):
            yield from (value.management_form, *value.forms)
        elif isinstance(value, dict):
            yield from (one for one in value.values() if isinstance(one, forms.BaseForm))


def filled(form: forms.BaseForm) -> Sent:
    sent: Sent = {}
    for name, field in form.fields.items():
        if isinstance(field, forms.FileField):
            continue
        bound = form[name]
        if form.is_bound and not isinstance(field.widget, forms.CheckboxInput):
            texts = _as_sent(bound)
        else:
            texts = _posted(field, bound.value())
        if texts:
            sent[form.add_prefix(name)] = texts if len(texts) > 1 else texts[0]
    return sent


def _as_sent(bound: forms.BoundField) -> list[str]:
    value = bound.data
    if value is None:
        return []
    return [str(one) for one in value] if isinstance(value, (list, tuple)) else [str(value)]
