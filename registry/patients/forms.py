"""What people type about a patient. Dates that may be partial are typed as text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from django import forms
from django.db.models import QuerySet

from registry.access.models import Site, User
from registry.patients import rules
from registry.patients.eligibility import Eligibility
from registry.patients.identity import IdentityFacts
from registry.patients.models import (
    Consent,
    ContactPoint,
    Query,
    Scope,
    Sex,
    Status,
    is_partial_date,
)
from registry.saving import new_token

if TYPE_CHECKING:
    ConsentModelForm = forms.ModelForm[Consent]
    EligibilityModelForm = forms.ModelForm[Eligibility]
    ContactModelForm = forms.ModelForm[ContactPoint]
else:
    ConsentModelForm = EligibilityModelForm = ContactModelForm = forms.ModelForm

QUESTIONS = {field.name: str(field.verbose_name) for field in Eligibility._meta.concrete_fields}
PARTIAL = "2014-03-05, or 2014-03 or 2014 when no more is known."
DAY = {"type": "date"}
ORGANS = [(organ, organ.capitalize()) for organ in ("uterus", "cervix", "ovaries", "prostate", "breasts")]


class PartialDate(forms.CharField):
    def __init__(self, **options: Any) -> None:
        super().__init__(
            max_length=10, validators=[is_partial_date], **({"help_text": PARTIAL} | options),
            widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
        )  # fmt: skip


class Day(forms.DateField):
    def __init__(self, **options: Any) -> None:
        super().__init__(widget=forms.DateInput(attrs=DAY, format="%Y-%m-%d"), **options)


def _amount(unit: str, **options: Any) -> forms.DecimalField:
    widget = forms.TextInput(attrs={"inputmode": "decimal", "data-unit": unit})
    return forms.DecimalField(required=False, max_digits=6, decimal_places=1, widget=widget, **options)


def _choose_from(form: forms.Form, sites: QuerySet[Site]) -> None:
    field = form.fields["site"]
    if isinstance(field, forms.ModelChoiceField):
        field.queryset = sites


class FilterForm(forms.Form):
    site = forms.ModelChoiceField(Site.objects.none(), required=False, empty_label="all my sites", label="at")
    status = forms.ChoiceField(
        required=False, choices=[("", "of any status"), *Status.choices], label="who are"
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _choose_from(self, user.sites("patients.view"))


class IdentityForm(forms.Form):
    given_name = forms.CharField(max_length=120, required=False)
    family_name = forms.CharField(max_length=120, required=False)
    previous_names = forms.CharField(max_length=200, required=False)
    birth_date = PartialDate(required=False)
    local_id = forms.CharField(max_length=60, required=False, label="Record number at the site")
    phone = forms.CharField(max_length=60, required=False)
    email = forms.EmailField(max_length=120, required=False, label="E-mail")

    def facts(self) -> IdentityFacts:
        return IdentityFacts(**{name: self.cleaned_data[name] for name in IdentityForm.base_fields})


class PersonForm(forms.Form):
    sex_at_birth = forms.ChoiceField(choices=Sex.choices, initial=Sex.UNKNOWN)
    gender = forms.CharField(max_length=40, required=False)
    organs_absent = forms.MultipleChoiceField(
        choices=ORGANS,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="Removed or never present.",
    )
    interpreter_language = forms.CharField(
        max_length=40, required=False, help_text="Only when an interpreter is needed."
    )

    def clean_organs_absent(self) -> str:
        return ";".join(self.cleaned_data["organs_absent"])


class EnrolmentForm(forms.Form):
    enrolled_on = Day(label="Enrolled on")
    diabetes_diagnosis_date = PartialDate(required=False, label="Diabetes diagnosed")
    height_cm = _amount("cm", label="Height", min_value=50, max_value=250)
    weight_kg = _amount("kg", label="Weight", min_value=20, max_value=400)
    insulin_iu_per_day = _amount(
        "IU/day",
        label="Insulin",
        min_value=0,
        max_value=1000,
        help_text="Blank is unknown; 0 means no insulin.",
    )


class SiteForm(forms.Form):
    """Where a new patient is enrolled, and the token that stops a second submit."""

    site = forms.ModelChoiceField(Site.objects.none(), empty_label=None)
    form_token = forms.CharField(widget=forms.HiddenInput, initial=new_token, max_length=40)

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _choose_from(self, user.sites("patients.enrol"))


class ConsentForm(ConsentModelForm):
    version = forms.CharField(max_length=20, required=False, label="Version of the form")

    class Meta:
        model = Consent
        fields = ["signed_on", "language", *Consent.TIERS]
        widgets = {"signed_on": forms.DateInput(attrs=DAY, format="%Y-%m-%d")}
        labels = {"signed_on": "Signed on"}

    field_order = ["version", "signed_on", "language"]


class NewConsentForm(ConsentForm):
    form_token = forms.CharField(widget=forms.HiddenInput, initial=new_token, max_length=40)


class FirstConsentForm(ConsentForm):
    """At enrolment consent may still be missing: that is recorded and queried, not refused."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["signed_on"].required = False
        self.fields["signed_on"].help_text = "Blank when nothing is signed yet; a query then asks for it."
        self.fields["language"].required = False


class EligibilityForm(EligibilityModelForm):
    class Meta:
        model = Eligibility
        fields = [
            field.name
            for field in Eligibility._meta.concrete_fields
            if field.name not in ("id", "patient", "version")
        ]
        widgets = {"assessed_on": forms.DateInput(attrs=DAY, format="%Y-%m-%d")}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            if name in rules.ELIGIBILITY_QUESTIONS:
                field.label = QUESTIONS[name]  # as written: Django would begin with "EGFR"
            if isinstance(field, forms.NullBooleanField):
                field.widget = forms.NullBooleanSelect()
                field.widget.choices = [("unknown", "Not known"), ("true", "Yes"), ("false", "No")]

    def questions(self) -> Iterator[forms.BoundField]:
        return (self[name] for name in rules.ELIGIBILITY_QUESTIONS)

    def others(self) -> Iterator[forms.BoundField]:
        return (self[name] for name in self.fields if name not in rules.ELIGIBILITY_QUESTIONS)


class ReasonForm(forms.Form):
    """Every correction says why, and from which version it started."""

    reason = forms.CharField(max_length=200, label="Reason for the change")
    version = forms.IntegerField(widget=forms.HiddenInput)


class EditIdentityForm(IdentityForm, ReasonForm):
    field_order = [*IdentityForm.base_fields, "reason", "version"]


class EditEnrolmentForm(EnrolmentForm, PersonForm, ReasonForm):
    field_order = [*EnrolmentForm.base_fields, *PersonForm.base_fields, "reason", "version"]


class EditEligibilityForm(EligibilityForm):
    reason = forms.CharField(max_length=200, label="Reason for the change", required=False)
    version = forms.IntegerField(widget=forms.HiddenInput)


class ContactForm(ContactModelForm):
    value = forms.CharField(max_length=200, label="Number, e-mail or address")
    form_token = forms.CharField(widget=forms.HiddenInput, initial=new_token, max_length=40)

    class Meta:
        model = ContactPoint
        fields = ["person", "relation", "kind", "value", "valid_from", "may_use", "may_leave_message"]
        widgets = {"valid_from": forms.DateInput(attrs=DAY, format="%Y-%m-%d")}
        labels = {"person": "Whose", "relation": "Relation", "valid_from": "Valid from"}


class StatusForm(forms.Form):
    status = forms.ChoiceField(choices=Status.choices)
    on_date = PartialDate(label="Since")
    scope = forms.ChoiceField(
        choices=[("", "–"), *Scope.choices], required=False, label="Scope of the withdrawal",
        help_text="Only for a withdrawal. What each leaves is in the table on this page.",
    )  # fmt: skip
    reason = forms.CharField(max_length=500, required=False, label="Reason or source")
    death_confirmed = forms.BooleanField(
        required=False, label="Death is confirmed by a certificate",
        help_text="Without it the death is reported only: messages pause, nothing is closed.",
    )  # fmt: skip
    cause_of_death = forms.CharField(max_length=200, required=False)
    autopsy = forms.ChoiceField(
        required=False,
        choices=[("", "–"), ("done", "Done"), ("not_done", "Not done"), ("unknown", "Unknown")],
    )
    form_token = forms.CharField(widget=forms.HiddenInput, initial=new_token, max_length=40)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("status") == Status.WITHDRAWN and not cleaned.get("scope"):
            self.add_error("scope", "Say what the person withdraws from.")
        if cleaned.get("status") == Status.LOST and not cleaned.get("reason"):
            self.add_error(
                "reason", "Say which attempts were made: at least three, on three days, in two ways."
            )
        return cleaned


class QueryFilterForm(forms.Form):
    status = forms.ChoiceField(
        required=False, label="that are",
        choices=[*Query.State.choices, ("all", "open, answered or closed")],
    )  # fmt: skip
    site = forms.ModelChoiceField(Site.objects.none(), required=False, empty_label="all my sites", label="at")

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _choose_from(self, user.sites("queries.view"))


class RaiseForm(forms.Form):
    question = forms.CharField(
        max_length=300, label="What does not fit, or what is missing?", widget=forms.Textarea(attrs={"rows": 3}),
        help_text="No names: the site reads it beside the patient's record.",
    )  # fmt: skip
    form_token = forms.CharField(max_length=40, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial.setdefault("form_token", new_token())


class AnswerForm(forms.Form):
    answer = forms.CharField(max_length=500, widget=forms.Textarea(attrs={"rows": 3}))


class CloseForm(forms.Form):
    because = forms.CharField(max_length=200, required=False, label="Remark")
