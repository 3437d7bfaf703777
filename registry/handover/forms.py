"""What staff type about a transfer or an emergency reading."""

from __future__ import annotations

from datetime import date
from typing import Any

from django import forms

from registry.access.models import Site
from registry.patients.models import Patient
from registry.saving import new_token

LONG = {"rows": 3}


class AskForm(forms.Form):
    to_site = forms.ModelChoiceField(Site.objects.none(), label="Receiving site", empty_label="choose a site")
    moves_on = forms.DateField(
        label="Moves on", widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})
    )
    reason = forms.CharField(
        max_length=300, label="Reason", widget=forms.Textarea(attrs=LONG),
        help_text="The receiving site reads this before it answers: no names, no diagnosis.",
    )  # fmt: skip
    note = forms.CharField(
        max_length=500, required=False, label="Note for the receiving staff", widget=forms.Textarea(attrs=LONG),
        help_text="Shown only once they have accepted.",
    )  # fmt: skip
    form_token = forms.CharField(max_length=40, widget=forms.HiddenInput)

    def __init__(self, *args: Any, patient: Patient, today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        others = Site.objects.exclude(pk=patient.site_id).order_by("name", "pk")
        self.fields["to_site"] = forms.ModelChoiceField(
            others, label="Receiving site", empty_label="choose a site"
        )
        self.initial = {"moves_on": today, "form_token": new_token(), **self.initial}


class AcceptForm(forms.Form):
    local_id = forms.CharField(
        max_length=40, required=False, label="Your own record number",
        help_text="Blank keeps the number this person has. It must be free at your site.",
    )  # fmt: skip


class DecideForm(forms.Form):
    reason = forms.CharField(max_length=300, label="Reason", widget=forms.Textarea(attrs={"rows": 2}))


class OpenForm(forms.Form):
    typed_id = forms.CharField(
        max_length=40, label="Patient id", widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text="The whole id, for example RIV-0042-J. There is no search here.",
    )  # fmt: skip
    reason = forms.CharField(
        max_length=500, min_length=10, label="Why this record must be read now",
        widget=forms.Textarea(attrs=LONG), help_text="The site manager of that site reads it.",
    )  # fmt: skip
    form_token = forms.CharField(max_length=40, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial.setdefault("form_token", new_token())
