"""The neoplasia check, a reported neoplasm, the work-up and the closing form."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from typing import Any, cast

from django import forms
from django.db.models import QuerySet

from followup.neoplasia.models import NeoplasiaCheck, Neoplasm, WorkUpNote
from followup.neoplasia.rules import (
    ANSWERS,
    LEFT_OUT,
    SECTIONS,
    Item,
    abnormal_findings,
    is_morphology,
    is_topography,
    items_for,
)
from followup.safety.models import Expectedness, Relatedness
from followup.schedule.models import ContactMode
from registry.access.models import Site
from registry.partial_dates import is_partial_date
from registry.patients.models import Patient
from registry.saving import new_token

BASIS = [
    ("", "Not known"), ("death_certificate", "Death certificate only"), ("clinical", "Clinical"),
    ("clinical_investigation", "Clinical investigation, imaging"), ("tumour_markers", "Tumour markers"),
    ("cytology", "Cytology"), ("histology_metastasis", "Histology of a metastasis"),
    ("histology_primary", "Histology of the primary"),
]  # fmt: skip
DAY = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")


class PartialDate(forms.CharField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=10, **{"help_text": "2031-03-14; or 2031-03, or 2031."} | kwargs)

    def clean(self, value: Any) -> str:
        text: str = super().clean(value)
        if text and not is_partial_date(text):
            raise forms.ValidationError("Write it as 2031-03-14, 2031-03 or 2031.")
        return text


def topography_field(**kwargs: Any) -> forms.CharField:
    return _code(
        is_topography, "Topography", "ICD-O-3, for example C25.9; C80.9 when not known.", "C25.9", **kwargs
    )


def morphology_field(**kwargs: Any) -> forms.CharField:
    return _code(
        is_morphology, "Morphology", "ICD-O-3 with behaviour, for example 8140/3.", "8140/3", **kwargs
    )


def _code(
    valid: Callable[[str], bool], label: str, help_text: str, example: str, **kwargs: Any
) -> forms.CharField:
    def check(text: str) -> None:
        if not valid(text):
            raise forms.ValidationError(f"This is not an ICD-O-3 code such as {example}.")

    return forms.CharField(
        max_length=6, required=False, label=label, help_text=help_text, validators=[check], **kwargs
    )


class CheckForm(forms.Form):
    """One row a question: the answer, and words where they are needed. Only questions that concern the person."""

    on_date = forms.DateField(label="Checked on", widget=DAY)
    contact_mode = forms.ChoiceField(
        label="How",
        choices=ContactMode.choices,
        help_text="By phone, video, letter or from records the check is partial: examination and imaging stay due.",
    )
    outcome = forms.ChoiceField(
        label="Outcome", choices=NeoplasiaCheck.Outcome.choices, widget=forms.RadioSelect
    )
    finding = forms.CharField(
        label="What is suspected or was found",
        max_length=200,
        required=False,
        help_text="A suspicion opens a case to close within 14 days and holds further infusions.",
    )
    diagnosed_on = PartialDate(
        label="Diagnosed on",
        required=False,
        help_text="For a neoplasm said to be confirmed; a year is enough.",
    )
    note = forms.CharField(label="Note", required=False, widget=forms.Textarea(attrs={"rows": 3}))
    form_token = forms.CharField(max_length=40, widget=forms.HiddenInput, initial=new_token)

    def __init__(self, *args: Any, patient: Patient, today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.today = today
        self.items = items_for(
            sex=patient.sex_at_birth,
            organs_absent=patient.organs_absent.split(";"),
            age=patient.age_on(today),
        )
        for item in self.items:
            self.fields[item.code] = _answer_field(item)
            self.fields[f"{item.code}_words"] = _words_field(item)

    def sections(self) -> Iterator[dict[str, Any]]:
        for section, title in SECTIONS.items():
            rows = [
                {"answer": self[item.code], "words": self[f"{item.code}_words"], "label": item.label}
                for item in self.items
                if item.section == section
            ]
            if rows:
                yield {"title": title, "rows": rows}

    def answers(self) -> dict[str, str]:
        return {item.code: self.cleaned_data[item.code] for item in self.items}

    def details(self) -> dict[str, str]:
        return {item.code: self.cleaned_data[f"{item.code}_words"] for item in self.items}

    def clean_on_date(self) -> date:
        day: date = self.cleaned_data["on_date"]
        if day > self.today:
            raise forms.ValidationError("This day has not come yet; record the check after it was made.")
        return day

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        suspicious = cleaned.get("outcome") != NeoplasiaCheck.Outcome.NO_SUSPICION
        if suspicious and not cleaned.get("finding"):
            self.add_error("finding", "Say in a few words what is suspected or was found.")
        if cleaned.get("outcome") == NeoplasiaCheck.Outcome.NO_SUSPICION and not cleaned.get("note"):
            answers = {item.code: cleaned.get(item.code, "") for item in self.items}
            if found := abnormal_findings(answers):
                self.add_error("note", f"Abnormal: {', '.join(found)}. Say why there is no suspicion.")
        return cleaned


def _answer_field(item: Item) -> forms.ChoiceField:
    choices = [("", "–"), *ANSWERS[item.section].items(), *LEFT_OUT.items()]
    return forms.ChoiceField(label=item.label, choices=choices, required=False)


def _words_field(item: Item) -> forms.CharField:
    return forms.CharField(
        label=f"{item.label}: in words",
        max_length=150,
        required=False,
        widget=forms.TextInput(attrs={"aria-label": f"{item.label}: in words"}),
    )


class ReportForm(forms.Form):
    """A neoplasm reported from outside. Almost everything may be missing: it is accepted as reported."""

    description = forms.CharField(label="What was reported", max_length=300)
    diagnosed_on = PartialDate(label="Diagnosed on")
    source = forms.CharField(label="Who reported it", max_length=80)
    topography = topography_field()
    morphology = morphology_field()
    basis_of_diagnosis = forms.ChoiceField(label="Basis of diagnosis", choices=BASIS, required=False)
    form_token = forms.CharField(max_length=40, widget=forms.HiddenInput, initial=new_token)


class WorkUpForm(forms.Form):
    description = forms.CharField(label="What is suspected", max_length=300)
    suspected_on = PartialDate(label="First suspected on")
    diagnosed_on = PartialDate(label="Diagnosed on", required=False)
    topography = topography_field()
    morphology = morphology_field()
    basis_of_diagnosis = forms.ChoiceField(label="Basis of diagnosis", choices=BASIS, required=False)
    donor_origin = forms.ChoiceField(
        label="Donor-origin test",
        required=False,
        help_text="Tumour against patient and donor: STR profile, or XY where the sexes differ.",
    )
    source = forms.CharField(label="Source", max_length=120, required=False)
    reason = forms.CharField(label="Reason for the change", max_length=300)
    version = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _offer_origins(self)


class CloseForm(forms.Form):
    status = forms.ChoiceField(
        label="The work-up has shown",
        choices=[(value, label) for value, label in Neoplasm.Status.choices if value in Neoplasm.CLOSED],
        widget=forms.RadioSelect,
    )
    diagnosed_on = PartialDate(label="Diagnosed on", required=False)
    topography = topography_field()
    morphology = morphology_field()
    basis_of_diagnosis = forms.ChoiceField(label="Basis of diagnosis", choices=BASIS, required=False)
    donor_origin = forms.ChoiceField(label="Donor-origin test", required=False)
    conclusion = forms.CharField(
        label="How the conclusion was reached", widget=forms.Textarea(attrs={"rows": 4})
    )
    version = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _offer_origins(self)


def _offer_origins(form: forms.Form) -> None:
    field = cast(forms.ChoiceField, form.fields["donor_origin"])
    field.choices = [("", "Not known"), *(Neoplasm._meta.get_field("donor_origin").choices or [])]


class NoteForm(forms.Form):
    kind = forms.ChoiceField(label="Step", choices=WorkUpNote.Kind.choices)
    on_date = forms.DateField(label="On", widget=DAY)
    text = forms.CharField(label="In words", widget=forms.Textarea(attrs={"rows": 2}))
    form_token = forms.CharField(max_length=40, widget=forms.HiddenInput, initial=new_token)


class AssessmentForm(forms.Form):
    relatedness_cells = forms.ChoiceField(
        label="Related to the cells", choices=[("", "Choose"), *Relatedness.choices]
    )
    relatedness_procedure = forms.ChoiceField(
        label="Related to the procedure",
        choices=[("", "Choose"), *Relatedness.choices],
        help_text="Puncture, catheter, infusion itself.",
    )
    expectedness = forms.ChoiceField(
        label="Expected",
        choices=[("", "Choose"), *Expectedness.choices],
        help_text="Judged against the reference safety information in force.",
    )
    reason = forms.CharField(
        label="Why you judge it so", max_length=500, widget=forms.Textarea(attrs={"rows": 4})
    )
    version = forms.IntegerField(widget=forms.HiddenInput)


class ReasonForm(forms.Form):
    reason = forms.CharField(label="Why it is opened again", max_length=300)
    version = forms.IntegerField(widget=forms.HiddenInput)


class CaseFilter(forms.Form):
    site = forms.ModelChoiceField(
        label="at", queryset=Site.objects.none(), required=False, empty_label="all sites"
    )
    which = forms.ChoiceField(
        label="that are",
        required=False,
        choices=[("", "open or closed"), ("open", "open"), ("malignant", "malignant"),
                 ("unassessed", "not assessed by a safety officer"),
                 ("incident", "found after the first infusion")],
    )  # fmt: skip

    def __init__(self, *args: Any, sites: QuerySet[Site], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cast("forms.ModelChoiceField[Site]", self.fields["site"]).queryset = sites
