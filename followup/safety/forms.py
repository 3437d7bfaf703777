"""The forms of an adverse event. Contradictions are not errors here: they are saved and asked about."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.db.models import QuerySet
from django.urls import reverse_lazy

from followup.safety.ctcae import GRADES, other_specify_for, term_for
from followup.safety.models import (
    MOMENTS,
    SERIOUSNESS_CRITERIA,
    AdverseEvent,
    Expectedness,
    Outcome,
    Relatedness,
)
from registry.access.models import Site
from registry.infusions.models import Infusion
from registry.partial_dates import earliest
from registry.patients.models import Patient
from registry.saving import new_token

if TYPE_CHECKING:
    EventModelForm = forms.ModelForm[AdverseEvent]
else:
    EventModelForm = forms.ModelForm

YES_NO = [("", "Not known"), ("yes", "Yes"), ("no", "No")]
NO_SUCH_GRADE = "CTCAE has none for this term; it is kept and asked about"


class MomentInput(forms.DateTimeInput):
    input_type = "datetime-local"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%dT%H:%M")


def grade_choices(term: str) -> list[tuple[str, str]]:
    """The grades as CTCAE words them for the term; for words of one's own only their numbers."""
    coded = term_for(term)
    if coded is None:
        words = {1: "mild", 2: "moderate", 3: "severe", 4: "life-threatening", 5: "death"}
        return [("", "Not graded"), *((str(n), f"Grade {n}: {words[n]}") for n in GRADES)]
    described = [(str(n), f"Grade {n}: {coded.grades.get(n, NO_SUCH_GRADE)}") for n in GRADES]
    return [("", "Not graded"), *described]


def term_hint(term: str) -> str:
    """What the registry makes of the words typed so far."""
    coded = term_for(term)
    if not term:
        return ""
    if coded is None:
        return "Not a term of the CTCAE table: kept in the reporter's own words."
    missing = [str(n) for n in GRADES if n not in coded.grades]
    if not missing:
        return f"CTCAE v5: {coded.name} ({coded.soc})."
    offer = other_specify_for(coded).name
    return f"CTCAE v5: {coded.name} has no grade {', '.join(missing)}. Where it fits, use “{offer}”."


class SeriousnessFields(forms.Form):
    """The two questions that decide together whether an event is serious."""

    is_serious = forms.TypedChoiceField(
        label="Serious", choices=YES_NO, required=False, coerce=lambda text: text == "yes", empty_value=None
    )
    seriousness_criteria = forms.MultipleChoiceField(
        label="Why it is serious",
        choices=list(SERIOUSNESS_CRITERIA.items()),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="Severity is not seriousness: a mild event can be serious.",
    )

    def clean_seriousness_criteria(self) -> str:
        return ";".join(self.cleaned_data["seriousness_criteria"])


def seriousness_of(event: AdverseEvent) -> dict[str, Any]:
    return {
        "is_serious": {True: "yes", False: "no", None: ""}[event.is_serious],
        "seriousness_criteria": list(event.criteria),
    }


class EventForm(SeriousnessFields, EventModelForm):
    severity_grade = forms.TypedChoiceField(
        label="CTCAE grade", required=False, coerce=int, empty_value=None, widget=forms.RadioSelect
    )

    class Meta:
        model = AdverseEvent
        fields = (
            *("term", "onset_date", "end_date", "outcome", "infusion", "action_taken", "narrative"),
            *(*MOMENTS, "is_special_interest", "event_ref"),
        )
        labels = {
            "term": "What happened",
            "onset_date": "Began on",
            "end_date": "Ended on",
            "infusion": "Infusion it followed",
            "action_taken": "Action taken",
            "narrative": "In words",
            "aware_at": "First known to anybody",
            "site_aware_at": "Known to the site",
            "sponsor_received_at": "Received by the sponsor",
            "is_special_interest": "Of special interest",
            "event_ref": "Reference",
        }
        help_texts = {
            "term": "Choose a CTCAE term, or keep the reporter's own words.",
            "onset_date": "2031-03-14; or 2031-03, or 2031, when the day is not known.",
            "end_date": "Blank while it lasts.",
            "is_special_interest": "The registry ticks this for the terms on its list; tick it for others.",
            "event_ref": "The number on the source's form. Left blank, the registry gives one.",
        }
        widgets = {
            "term": forms.TextInput(attrs={"list": "ctcae-terms", "autocomplete": "off"}),
            "narrative": forms.Textarea(attrs={"rows": 5}),
            **{name: MomentInput() for name in MOMENTS},
        }

    def __init__(
        self, *args: Any, patient: Patient | None, today: date, now: datetime, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.today, self.now = today, now
        standing = seriousness_of(self.instance) | {"severity_grade": self.instance.severity_grade}
        self.initial = (
            standing | dict(self.initial) if kwargs.get("instance") is None else dict(self.initial) | standing
        )
        self.term = str(self.data.get("term") or self.initial.get("term") or "")
        infusion = cast("forms.ModelChoiceField[Infusion]", self.fields["infusion"])
        infusion.queryset = Infusion.objects.filter(patient=patient) if patient else Infusion.objects.none()
        infusion.empty_label = "None, or not known"
        cast(forms.TypedChoiceField, self.fields["severity_grade"]).choices = grade_choices(self.term)
        cast(forms.TypedChoiceField, self.fields["outcome"]).choices = [("", "Not known"), *Outcome.choices]
        self.fields["term"].widget.attrs |= {
            "hx-get": reverse_lazy("safety:grades"),
            "hx-target": "#grades",
            "hx-include": "[name='severity_grade']",
        }

    @property
    def hint(self) -> str:
        return term_hint(self.term)

    def clean_onset_date(self) -> str:
        return self._not_later("onset_date")

    def clean_end_date(self) -> str:
        return self._not_later("end_date")

    def _not_later(self, name: str) -> str:
        day: str = self.cleaned_data[name]
        if day and earliest(day) > self.today:
            raise forms.ValidationError("This day has not come yet. Correct the date.")
        return day

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        for name in MOMENTS:
            if cleaned.get(name) and cleaned[name] > self.now:
                self.add_error(name, "This moment has not come yet. Correct the day or the time.")
        return cleaned

    def facts(self) -> dict[str, Any]:
        """What was entered or changed, so that a moment shown to the minute keeps its seconds. No reference: it keeps its own."""
        known = (*self.Meta.fields, "severity_grade", "is_serious", "seriousness_criteria")
        changed = [name for name in known if name in self.changed_data]
        facts = {name: self.cleaned_data[name] for name in changed}
        if not facts.get("event_ref"):
            facts.pop("event_ref", None)
        return facts


class NewEventForm(EventForm):
    form_token = forms.CharField(max_length=40, widget=forms.HiddenInput, initial=new_token)


class CorrectEventForm(EventForm):
    reason = forms.CharField(label="Reason for the change", max_length=300)
    version = forms.IntegerField(widget=forms.HiddenInput)


class AssessmentForm(SeriousnessFields):
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
    field_order = ("relatedness_cells", "relatedness_procedure", "expectedness")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["is_serious"].required = True

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if cleaned.get("is_serious") and not cleaned.get("seriousness_criteria"):
            self.add_error("seriousness_criteria", "Tick why it is serious.")
        if cleaned.get("is_serious") is False and cleaned.get("seriousness_criteria"):
            self.add_error("seriousness_criteria", "A criterion is ticked. Untick it, or answer yes above.")
        return cleaned

    def verdict(self) -> dict[str, Any]:
        return {name: value for name, value in self.cleaned_data.items() if name not in ("reason", "version")}


class WithdrawForm(forms.Form):
    reason = forms.CharField(label="Why it was entered by mistake", max_length=300)
    version = forms.IntegerField(widget=forms.HiddenInput)


class EventFilter(forms.Form):
    site = forms.ModelChoiceField(
        label="at", queryset=Site.objects.none(), required=False, empty_label="all sites"
    )
    which = forms.ChoiceField(
        label="that are",
        required=False,
        choices=[("", "of any kind"), ("serious", "serious"), ("unassessed", "serious and not assessed"),
                 ("special", "of special interest"), ("queried", "contradictory"),
                 ("withdrawn", "withdrawn as mistakes")],
    )  # fmt: skip
    term = forms.CharField(label="with the words", required=False, max_length=60)

    def __init__(self, *args: Any, sites: QuerySet[Site], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cast("forms.ModelChoiceField[Site]", self.fields["site"]).queryset = sites
