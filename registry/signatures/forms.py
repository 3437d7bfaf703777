from __future__ import annotations

from typing import Any

from django import forms

from registry.saving import new_token
from registry.signatures.models import MEANS, Meaning


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
