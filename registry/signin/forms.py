"""What people type to say who they are."""

from __future__ import annotations

from typing import Any

from django import forms

CODE = {"autocomplete": "one-time-code", "autocapitalize": "none", "spellcheck": "false", "inputmode": "text"}


class CodeForm(forms.Form):
    code = forms.CharField(
        max_length=20, label="Code", widget=forms.TextInput(attrs=CODE | {"autofocus": True}),
        help_text="The six digits that your authenticator app shows now, or one of your recovery codes.",
    )  # fmt: skip


class PasswordForm(forms.Form):
    password = forms.CharField(
        max_length=128, label="Your password",
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )  # fmt: skip


class SetUpForm(PasswordForm):
    code = forms.CharField(
        max_length=20, label="Code", widget=forms.TextInput(attrs=CODE),
        help_text="The six digits that the app shows now. They prove that it works.",
    )  # fmt: skip

    field_order = ("password", "code")


class ProofForm(PasswordForm):
    """The password, and the code where this session has not given one yet."""

    code = forms.CharField(max_length=20, label="Code", required=False, widget=forms.TextInput(attrs=CODE))

    def __init__(self, *args: Any, asks_code: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if asks_code:
            self.fields["code"].required = True
        else:
            del self.fields["code"]


class ReasonForm(forms.Form):
    reason = forms.CharField(max_length=200)


class NewPasswordForm(forms.Form):
    new_password = forms.CharField(
        max_length=128, label="New password", widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="At least 12 characters; several words that do not belong together are best.",
    )  # fmt: skip
    again = forms.CharField(
        max_length=128,
        label="The same again",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def clean(self) -> dict[str, object]:
        cleaned = super().clean() or {}
        if cleaned.get("new_password") != cleaned.get("again") and not self.errors:
            self.add_error("again", "The two are not the same.")
        return cleaned
