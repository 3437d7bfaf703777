"""The forms of a visit: what was done, bookings, reasons, contacts outside the plan, attempts to reach somebody."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from django import forms

from followup.schedule.actions.recording import Answer, labels_of, must_be_present, problems
from followup.schedule.models import ContactAttempt, ContactMode, Visit, VisitAssessment
from registry.clock import local_date
from registry.patients.models import Patient
from registry.saving import new_token

if TYPE_CHECKING:
    VisitModelForm = forms.ModelForm[Visit]
    AttemptModelForm = forms.ModelForm[ContactAttempt]
    VisitChoiceField = forms.ModelChoiceField[Visit]
else:
    VisitModelForm = AttemptModelForm = forms.ModelForm
    VisitChoiceField = forms.ModelChoiceField

State = VisitAssessment.State
DATE = {"type": "date"}
SECTIONS = (
    ("Interview and contact", ("eligibility", "consent_check", "interview", "vital_status", "linkage")),
    ("Vital signs", ("vital_signs",)),
    ("Laboratory", ("glycaemia", "islet_function", "safety_bloods", "lipids_renal", "tumour_markers", "clamp")),
    ("Insulin and drugs", ("insulin_and_drugs",)),
    ("Events since the last visit", ("hypoglycaemia_count", "adverse_events")),
    ("Neoplasia check", ("neoplasia_check", "physical_exam", "imaging")),
    ("Infusion", ("infusion",)),
)  # fmt: skip
OTHER = "Other assessments"


def section_of(code: str) -> str:
    return next((title for title, codes in SECTIONS if code in codes), OTHER)


def day_input() -> forms.DateInput:
    return forms.DateInput(format="%Y-%m-%d", attrs=DATE)


class RecordVisitForm(forms.Form):
    """One line an assessment: its state, its own date where it differs, and the reason where it was not done."""

    actual_date = forms.DateField(label="Date of the visit", widget=day_input())
    contact_mode = forms.ChoiceField(label="How", choices=ContactMode.choices)
    rest = forms.ChoiceField(
        label="What is still open below",
        choices=[("", "Leave open"), ("done", "Set to done")],
        required=False,
        help_text="After a call or letter this sets only what can be settled without the patient on site.",
    )
    note = forms.CharField(label="Note", widget=forms.Textarea(attrs={"rows": 3}), required=False)
    window_reason = forms.CharField(label="Why outside its window", max_length=300, required=False)
    reason = forms.CharField(label="Reason for the change", max_length=300, required=False)
    version = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, visit: Visit, now: datetime, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.visit, self.now = visit, now
        self.rows = list(visit.assessments.order_by("pk"))
        self.labels = labels_of(visit)
        if visit.state != Visit.State.DONE:
            del self.fields["reason"]
        self._set_initial()
        for row in self.rows:
            self._add_line(row)

    def _set_initial(self) -> None:
        visit = self.visit
        self.initial.setdefault(
            "actual_date", visit.actual_date or visit.booked_for or local_date(self.now, visit.site.time_zone)
        )
        self.initial.setdefault("contact_mode", visit.planned_mode)
        self.initial.setdefault("note", visit.note)
        self.initial.setdefault("version", visit.version)

    def _add_line(self, row: VisitAssessment) -> None:
        name = self.labels.get(row.code, row.code)
        attrs = {"class": "control"}
        self.fields[f"state_{row.code}"] = forms.ChoiceField(
            label=name,
            choices=State.choices,
            initial=row.state,
            widget=forms.Select(attrs=attrs | {"aria-label": f"{name}: state"}),
        )
        self.fields[f"on_{row.code}"] = forms.DateField(
            label=f"{name}: date",
            initial=row.on_date,
            required=False,
            widget=forms.DateInput(format="%Y-%m-%d", attrs=attrs | DATE | {"aria-label": f"{name}: date"}),
        )
        self.fields[f"why_{row.code}"] = forms.CharField(
            label=f"{name}: reason",
            initial=row.reason,
            max_length=200,
            required=False,
            widget=forms.TextInput(attrs=attrs | {"aria-label": f"{name}: reason"}),
        )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if self.errors:
            return cleaned
        for problem in problems(
            visit=self.visit, actual_date=cleaned["actual_date"], contact_mode=cleaned["contact_mode"],
            assessments=self.answers(), reason=cleaned.get("reason", ""), now=self.now,
        ):  # fmt: skip
            self.add_error(self._field_of(problem.field), problem.message)
        return cleaned

    def _field_of(self, name: str) -> str | None:
        if not name:
            return None
        return name if name in self.fields else f"state_{name}"

    def answers(self) -> dict[str, Answer]:
        cleaned = self.cleaned_data
        in_person = must_be_present(self.visit) if cleaned["contact_mode"] != ContactMode.ON_SITE else set()
        answers = {}
        for row in self.rows:
            state = cleaned[f"state_{row.code}"]
            if state == State.PENDING and cleaned["rest"] == "done" and row.code not in in_person:
                state = State.DONE
            answers[row.code] = Answer(state, cleaned[f"on_{row.code}"], cleaned[f"why_{row.code}"])
        return answers

    def sections(self) -> Iterator[dict[str, Any]]:
        """For the page: the lines by section, each with what is stored now."""
        titles = [title for title, _ in SECTIONS] + [OTHER]
        for title in titles:
            lines = [self._line(row) for row in self.rows if section_of(row.code) == title]
            if lines:
                yield {"title": title, "lines": lines}

    def _line(self, row: VisitAssessment) -> dict[str, Any]:
        return {
            "label": self.labels.get(row.code, row.code),
            "state": self[f"state_{row.code}"],
            "on": self[f"on_{row.code}"],
            "why": self[f"why_{row.code}"],
            "stored": row,
        }


class BookingForm(forms.Form):
    """A first booking needs no reason; moving or taking away one that stands does."""

    booked_for = forms.DateField(
        label="Day of the appointment", required=False, widget=day_input(), help_text="Empty: no appointment."
    )
    reason = forms.CharField(label="Reason for the change", max_length=300)
    version = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, visit: Visit, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if visit.booked_for is None:
            del self.fields["reason"]


class ReasonForm(forms.Form):
    reason = forms.CharField(label="Reason", max_length=300, widget=forms.Textarea(attrs={"rows": 3}))
    version = forms.IntegerField(widget=forms.HiddenInput)


class UnscheduledVisitForm(VisitModelForm):
    contact_mode = forms.ChoiceField(label="How", choices=ContactMode.choices)
    form_token = forms.CharField(widget=forms.HiddenInput, initial=new_token, max_length=40)

    class Meta:
        model = Visit
        fields = ("actual_date", "contact_mode", "note")
        labels = {"actual_date": "Date of the visit", "note": "What it was about"}
        widgets = {"actual_date": day_input(), "note": forms.Textarea(attrs={"rows": 4})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["actual_date"].required = True
        self.fields["note"].required = True


class VisitChoice(VisitChoiceField):
    def label_from_instance(self, visit: Visit) -> str:
        return visit.label


class ContactAttemptForm(AttemptModelForm):
    visit = VisitChoice(
        label="About the visit",
        queryset=Visit.objects.none(),
        required=False,
        empty_label="No visit in particular",
    )
    form_token = forms.CharField(widget=forms.HiddenInput, initial=new_token, max_length=40)

    class Meta:
        model = ContactAttempt
        fields = ("visit", "at", "channel", "outcome", "next_try_on", "note")
        labels = {"at": "When", "channel": "How", "next_try_on": "Try again on"}
        widgets = {
            "at": forms.DateTimeInput(format="%Y-%m-%dT%H:%M", attrs={"type": "datetime-local"}),
            "next_try_on": day_input(),
        }

    def __init__(self, *args: Any, patient: Patient, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        waiting = Visit.objects.not_finished().filter(patient=patient).select_related("timepoint")
        field = cast(VisitChoice, self.fields["visit"])
        field.queryset = waiting.order_by("target_date", "pk")
