"""What staff type about a sample, a correction and a laboratory."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from django import forms

from followup.labs.actions import Collection
from followup.labs.catalogue import ANALYTES
from followup.labs.models import Laboratory, LabResult
from followup.labs.wording import unit_words
from registry.clock import local_moment
from registry.patients.models import Patient
from registry.saving import new_token

YES_NO = [("", "Not known"), ("yes", "Yes"), ("no", "No")]
ANSWERS = {"yes": True, "no": False}


class SampleForm(forms.Form):
    """What all lines of a grid share. Times are the site's clock."""

    collected_on = forms.DateField(
        label="Collected on", widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})
    )
    collected_time = forms.TimeField(
        label="at", required=False, widget=forms.TimeInput(format="%H:%M", attrs={"type": "time"})
    )
    laboratory = forms.ModelChoiceField(
        Laboratory.objects.order_by("name"), required=False, empty_label="Not given"
    )
    accession = forms.CharField(label="Laboratory number", max_length=80, required=False)
    fasting = forms.ChoiceField(label="Fasting for 8 hours", choices=YES_NO, required=False)
    insulin_free = forms.ChoiceField(
        label="Free of injected insulin",
        choices=YES_NO,
        required=False,
        help_text="Yes only if neither the glucose nor the insulin sample was taken under injected insulin.",
    )
    form_token = forms.CharField(max_length=40, widget=forms.HiddenInput, initial=new_token)

    def __init__(self, *args: Any, patient: Patient, today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.patient, self.today = patient, today

    def clean_collected_on(self) -> date:
        day: date = self.cleaned_data["collected_on"]
        if day > self.today:
            raise forms.ValidationError("This day has not come yet. Enter the day the sample was taken.")
        if self.patient.birth_year and day.year < self.patient.birth_year:
            raise forms.ValidationError("This day lies before the patient's birth. Check the year.")
        return day

    def collection(self) -> Collection:
        answers = self.cleaned_data
        return Collection(
            on=answers["collected_on"],
            at=self._moment(),
            laboratory=answers["laboratory"],
            accession=answers["accession"],
        )

    def _moment(self) -> datetime | None:
        at = self.cleaned_data["collected_time"]
        zone = self.patient.site.time_zone
        return local_moment(self.cleaned_data["collected_on"], at, zone) if at else None

    def answer(self, name: str) -> bool | None:
        return ANSWERS.get(self.cleaned_data[name])


class PatientForm(forms.Form):
    """Results without a visit start from the patient's id."""

    patient = forms.CharField(
        label="Patient",
        max_length=40,
        help_text="The patient's id as on the request form, for example RIV-0042-J.",
    )


class CorrectionForm(forms.Form):
    value = forms.CharField(max_length=40, widget=forms.TextInput(attrs={"inputmode": "decimal"}))
    unit = forms.ChoiceField(required=False)
    fasting = forms.ChoiceField(label="Fasting for 8 hours", choices=YES_NO, required=False)
    insulin_free = forms.ChoiceField(label="Free of injected insulin", choices=YES_NO, required=False)
    reason = forms.CharField(label="Reason for the correction", max_length=300)
    version = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, result: LabResult, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        unit = self.fields["unit"]
        if isinstance(unit, forms.ChoiceField):
            unit.choices = [(ucum, unit_words(ucum) or "no unit") for ucum in ANALYTES[result.analyte].units]


class WithdrawalForm(forms.Form):
    reason = forms.CharField(
        label="Why it is not this patient's result",
        max_length=300,
        help_text="The result stays in the history.",
    )
    version = forms.IntegerField(widget=forms.HiddenInput)


class LaboratoryForm(forms.Form):
    insulin_pmol_per_mu = forms.DecimalField(
        label="Insulin factor",
        min_value=5,
        max_value=8,
        decimal_places=3,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "data-unit": "pmol per mIU"}),
        help_text="6.00 unless the assay's documents say 6.945. Its insulin results in pmol/L and everything worked out "
        "from them are converted anew.",
    )
    reason = forms.CharField(label="Reason for the change", max_length=300)
    version = forms.IntegerField(widget=forms.HiddenInput)
