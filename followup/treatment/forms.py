"""What staff type about insulin and other drugs."""

from __future__ import annotations

from datetime import date
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from followup.treatment.actions import TreatmentFacts
from followup.treatment.models import DrugClass
from registry.partial_dates import certainly_before, earliest
from registry.patients.models import is_partial_date
from registry.saving import new_token

PARTIAL = "Write 2031-03-14, or 2031-03 or 2031 where no more is known."


class PartialDate(forms.CharField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=10, validators=[is_partial_date], **{"help_text": PARTIAL} | kwargs)


class TreatmentForm(forms.Form):
    drug = forms.CharField(max_length=120)
    drug_class = forms.ChoiceField(
        label="Class",
        required=False,
        choices=[("", "Not known"), *DrugClass.choices],
        help_text="Insulin decides whether HOMA may be read.",
    )
    dose = forms.DecimalField(
        required=False,
        min_value=0,
        max_digits=10,
        decimal_places=3,
        widget=forms.TextInput(attrs={"inputmode": "decimal"}),
        help_text="Blank means unknown, never 0.",
    )
    unit = forms.CharField(max_length=20, required=False, help_text="For example IU or mg.")
    per = forms.CharField(max_length=20, required=False, help_text="For example day or week.")
    start_date = PartialDate(label="Started")
    stop_date = PartialDate(label="Stopped", required=False)
    prescribed_or_taken = forms.ChoiceField(
        label="Prescribed or taken",
        required=False,
        choices=[("", "Not known"), ("prescribed", "Prescribed"), ("taken", "Taken")],
    )
    reason = forms.CharField(label="Why started, changed or stopped", max_length=300, required=False)

    def __init__(self, *args: Any, today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.today = today

    def clean(self) -> dict[str, Any]:
        answers = self.cleaned_data
        start, stop = answers.get("start_date", ""), answers.get("stop_date", "")
        if start and earliest(start) > self.today:
            self.add_error(
                "start_date", "This date has not come yet. Record the treatment once it has started."
            )
        if start and stop and certainly_before(stop, start):
            self.add_error("stop_date", "The stop lies before the start. Check both dates.")
        return answers

    def facts(self) -> TreatmentFacts:
        names = TreatmentFacts.__dataclass_fields__
        return TreatmentFacts(**{name: self.cleaned_data[name] for name in names})


class NewTreatmentForm(TreatmentForm):
    form_token = forms.CharField(widget=forms.HiddenInput, initial=new_token, max_length=40)


class CorrectionForm(TreatmentForm):
    correction_reason = forms.CharField(label="Reason for the correction", max_length=300)
    version = forms.IntegerField(widget=forms.HiddenInput)


class StopForm(forms.Form):
    stop_date = PartialDate(label="Stopped")
    reason = forms.CharField(max_length=300, label="Why")
    version = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, start_date: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.start_date = start_date

    def clean_stop_date(self) -> str:
        stop: str = self.cleaned_data["stop_date"]
        if certainly_before(stop, self.start_date):
            raise ValidationError("The stop lies before the start. Check both dates.")
        return stop


class WithdrawalForm(forms.Form):
    reason = forms.CharField(
        label="Why it was never true", max_length=300, help_text="The record stays in the history."
    )
    version = forms.IntegerField(widget=forms.HiddenInput)
