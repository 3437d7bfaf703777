"""What people type about sites, accounts and roles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django import forms

from registry.access import policy
from registry.access.models import Site

if TYPE_CHECKING:
    SiteModelForm = forms.ModelForm[Site]
else:
    SiteModelForm = forms.ModelForm

DAY = {"type": "date"}
ROLES = list(policy.ROLES.items())


class SiteForm(SiteModelForm):
    class Meta:
        model = Site
        fields = ["code", "name", "country", "time_zone", "closed_weekdays"]


class EditSiteForm(SiteForm):
    """The code stands in patient ids, so it stays."""

    reason = forms.CharField(max_length=200, label="Reason for the change")
    form_version = forms.IntegerField(widget=forms.HiddenInput)

    class Meta(SiteForm.Meta):
        fields = ["name", "country", "time_zone", "closed_weekdays"]


def _sites() -> forms.ModelChoiceField[Site]:
    return forms.ModelChoiceField(
        Site.objects.order_by("name"), required=False, empty_label="all sites",
        help_text="Safety officer, coordinator, auditor and administrator work across all sites.",
    )  # fmt: skip


class RequestForm(forms.Form):
    username = forms.CharField(
        max_length=60, label="User name", widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    full_name = forms.CharField(max_length=120)
    email = forms.EmailField(required=False, label="E-mail")
    role = forms.ChoiceField(choices=ROLES)
    site = _sites()
    password = forms.CharField(
        max_length=128, label="First password", widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="At least 12 characters. The person changes it after signing in.",
    )  # fmt: skip


class GrantForm(forms.Form):
    role = forms.ChoiceField(choices=ROLES)
    site = _sites()
    starts_on = forms.DateField(widget=forms.DateInput(attrs=DAY, format="%Y-%m-%d"), label="From")
    ends_on = forms.DateField(
        widget=forms.DateInput(attrs=DAY, format="%Y-%m-%d"), required=False, label="Last day",
        help_text="A year at most is good practice; it can be granted again.",
    )  # fmt: skip
    reason = forms.CharField(max_length=200)

    def clean(self) -> dict[str, object]:
        cleaned = super().clean() or {}
        first, last = cleaned.get("starts_on"), cleaned.get("ends_on")
        if first and last and last < first:
            self.add_error("ends_on", "A role cannot end before it starts.")
        return cleaned


class EndForm(forms.Form):
    last_day = forms.DateField(widget=forms.DateInput(attrs=DAY, format="%Y-%m-%d"), label="Last day")
    reason = forms.CharField(max_length=200)


class ActiveForm(forms.Form):
    reason = forms.CharField(max_length=200)
