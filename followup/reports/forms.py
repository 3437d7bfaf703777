from datetime import date, timedelta
from typing import Any, cast

from django import forms

from followup.reports.actions import CLOSED_ACT, SAFETY_ACT
from registry.access.models import Site, User
from registry.saving import new_token


def day_input() -> forms.DateInput:
    return forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")


class SafetyReportForm(forms.Form):
    period = forms.ChoiceField(label="Period")
    period_from = forms.DateField(
        label="From", required=False, widget=day_input(), help_text="For other dates."
    )
    period_to = forms.DateField(label="To, the cut-off", required=False, widget=day_input())
    site = forms.ModelChoiceField(Site.objects.none(), label="Sites", required=False)
    is_closed = forms.BooleanField(
        label="Closed report",
        required=False,
        help_text="Says what was given, with masked results and unblindings. Only you and other safety officers read it.",
    )
    form_token = forms.CharField(widget=forms.HiddenInput, initial=new_token, max_length=40)

    def __init__(self, *args: Any, user: User, today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.today, self.everywhere = today, user.scope(SAFETY_ACT).everywhere
        self.presets = presets(today)
        period = cast(forms.ChoiceField, self.fields["period"])
        period.choices = [(key, label) for key, (label, _, _) in self.presets.items()] + [
            ("other", "Other dates")
        ]
        site = cast("forms.ModelChoiceField[Site]", self.fields["site"])
        site.queryset = user.sites(SAFETY_ACT)
        site.required = not self.everywhere
        site.empty_label = "All sites" if self.everywhere else None
        if not user.may(CLOSED_ACT):
            del self.fields["is_closed"]

    def clean(self) -> dict[str, Any]:
        answers = super().clean() or {}
        if answers.get("period") in self.presets:
            _, answers["period_from"], answers["period_to"] = self.presets[answers["period"]]
            return answers
        begin, end = answers.get("period_from"), answers.get("period_to")
        for name in ("period_from", "period_to"):
            if not answers.get(name) and name not in self.errors:
                self.add_error(name, "Give both days of the period, for example 2031-01-01.")
        if begin and end and begin > end:
            self.add_error("period_to", "The period ends before it begins. Swap the two days.")
        if end and end > self.today:
            self.add_error("period_to", "The cut-off lies in the future. Choose today or an earlier day.")
        return answers


def presets(today: date) -> dict[str, tuple[str, date, date]]:
    """Label, first and last day. Periods that have ended stand first, as they no longer change from day to day."""
    last_year, year = today.year - 1, today.year
    months_12 = _year_before(today) + timedelta(days=1)
    return {
        "last_12_months": ("Last 12 months, to today", months_12, today),
        "last_year": (f"The year {last_year}", date(last_year, 1, 1), date(last_year, 12, 31)),
        "this_year": (f"The year {year} to today", date(year, 1, 1), today),
    }


def _year_before(day: date) -> date:
    """29 February becomes 28."""
    return (
        day.replace(year=day.year - 1, day=28)
        if (day.month, day.day) == (2, 29)
        else day.replace(year=day.year - 1)
    )


class PatientReportForm(forms.Form):
    with_identifiers = forms.BooleanField(
        label="Print name, birth date, record number and phone", required=False,
        help_text="The PDF then has to be handled as a medical record.",
    )  # fmt: skip
    reason = forms.CharField(
        label="Reason for printing the name", required=False, max_length=300,
        help_text="Needed only with the name. It is kept in the trail.",
    )  # fmt: skip
    form_token = forms.CharField(widget=forms.HiddenInput, initial=new_token, max_length=40)

    def __init__(self, *args: Any, may_see_names: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not may_see_names:
            del self.fields["with_identifiers"], self.fields["reason"]

    def clean(self) -> dict[str, Any]:
        answers = super().clean() or {}
        if answers.get("with_identifiers") and not (answers.get("reason") or "").strip():
            self.add_error("reason", "Say why the name is printed, for example “for the person's own file”.")
        return answers
