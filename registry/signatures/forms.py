from __future__ import annotations

from typing import Any

from django import forms

from registry.saving import new_token
from registry.signatures.models import MEANS, Meaning


class LockForm(forms.Form):
    """`digest` binds the form to what the person saw."""

    reason = forms.CharField(
        max_length=300,
        label="Why it is locked",
        help_text="For example: source checked by the monitor. It stays in the trail.",
        error_messages={"required": "Say why: the reason stays in the trail."},
    )
    digest = forms.CharField(widget=forms.HiddenInput, max_length=64)
    form_token = forms.CharField(widget=forms.HiddenInput, max_length=40, initial=new_token)


class UnlockForm(forms.Form):
    reason = forms.CharField(
        max_length=300,
        label="Why it must be unlocked",
        help_text="What is to be corrected, and how it is known. It stays in the trail.",
        error_messages={"required": "Say why: the reason stays in the trail."},
    )
    form_token = forms.CharField(widget=forms.HiddenInput, max_length=40, initial=new_token)


class DecideForm(forms.Form):
    reason = forms.CharField(max_length=300, required=False)


class SignForm(forms.Form):
    """The meaning has no default: it is chosen. `signer` and `digest` bind the form to who opened it and what they saw."""

    meaning = forms.ChoiceField(
        label="Your signature means",
        choices=[(meaning.value, f"{meaning.label}: {MEANS[meaning]}") for meaning in Meaning],
        widget=forms.RadioSelect,
        error_messages={"required": "Choose what your signature means."},
    )
    password = forms.CharField(
        label="Your password, again",
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
        strip=False,
        max_length=128,
        error_messages={"required": "Type your password to sign."},
    )
    code = forms.CharField(
        label="Code from your app",
        required=False,
        max_length=20,
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "one-time-code"}),
        help_text="Asked once in a session.",
    )
    signer = forms.CharField(widget=forms.HiddenInput, max_length=20)
    digest = forms.CharField(widget=forms.HiddenInput, max_length=64)
    form_token = forms.CharField(widget=forms.HiddenInput, max_length=40, initial=new_token)

    def __init__(self, *args: Any, needs_code: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not needs_code:
            del self.fields["code"]
