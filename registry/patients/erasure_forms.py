"""What people type about an erasure."""

from __future__ import annotations

from typing import Any

from django import forms

from registry.patients.erasures import ErasureRequest
from registry.saving import new_token


class AskErasureForm(forms.Form):
    legal_basis = forms.ChoiceField(
        choices=[("", "Choose …"), *ErasureRequest.Basis.choices], label="Legal ground"
    )
    reason = forms.CharField(
        max_length=500, label="Reason", widget=forms.Textarea(attrs={"rows": 3}),
        help_text="How and when the person asked. Do not write names here: this text stays.",
    )  # fmt: skip
    texts_read = forms.BooleanField(label="I have read the texts on this page; none of them names the person")
    form_token = forms.CharField(widget=forms.HiddenInput, max_length=40, initial=new_token)


class CarryOutErasureForm(forms.Form):
    typed_id = forms.CharField(max_length=40, label="Type the patient id to confirm")
    alone_because = forms.CharField(
        max_length=500, required=False, label="Why nobody else carries it out",
        help_text="Only where you asked for it yourself.",
    )  # fmt: skip

    def __init__(self, *args: Any, alone: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not alone:
            del self.fields["alone_because"]


class RefuseErasureForm(forms.Form):
    reason = forms.CharField(
        max_length=500, label="Reason", help_text="What the person is told, with their right to complain."
    )
