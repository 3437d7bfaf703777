"""What people type about a plan."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django import forms
from django.forms import BoundField

from followup.plans.actions import STARTS
from followup.plans.rules.words import ANCHOR_WORDS, MODE_WORDS, STEP_WORDS
from followup.schedule.plan_file import (
    FOR_LIFE,
    LAST_YEAR,
    MAX_CHARACTERS,
    STEPS,
    UNITS,
    Assessment,
    Plan,
    ReminderStep,
    Timepoint,
)
from registry.saving import new_token

ORIGINS = [
    ("target", "the target day"),
    ("opens", "the day the window opens"),
    ("closes", "the day it closes"),
]
ONCE, UNTIL = "once", "until"
CHECK = "neoplasia_check"


def day_input() -> forms.DateInput:
    return forms.DateInput(attrs={"type": "date", "class": "control"}, format="%Y-%m-%d")


class StartForm(forms.Form):
    start = forms.ChoiceField(label="Start from", choices=list(STARTS.items()), widget=forms.RadioSelect)
    title = forms.CharField(max_length=120, required=False, help_text="Empty: as in what it starts from.")
    code = forms.SlugField(
        max_length=30, required=False,
        help_text="Small letters, digits and dashes. Empty: as in what it starts from, of which it becomes the next version.",
    )  # fmt: skip
    form_token = forms.CharField(widget=forms.HiddenInput, initial=new_token, max_length=40)


class FileForm(forms.Form):
    file = forms.FileField(
        label="Plan as TOML", help_text="As it is exported here. At most 100,000 characters, in UTF-8."
    )
    form_token = forms.CharField(widget=forms.HiddenInput, initial=new_token, max_length=40)

    def clean_file(self) -> str:
        upload = self.cleaned_data["file"]
        if upload.size > 4 * MAX_CHARACTERS:
            raise forms.ValidationError(
                "The file is too large for a plan. Choose the exported plan, a text file."
            )
        try:
            text: str = upload.read().decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise forms.ValidationError(
                f"The file is not text in UTF-8: byte {error.start + 1} cannot be read. Save it as UTF-8 and choose it again."
            ) from error
        return text


class StepsForm(forms.Form):
    """The six reminders, each with its days; a step without days is not raised."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for step in STEPS:
            self.fields[f"days_{step}"] = forms.IntegerField(
                label=f"{STEP_WORDS[step]}: days",
                required=False,
                min_value=-3650,
                max_value=3650,
                widget=forms.NumberInput(attrs={"class": "control"}),
            )
            self.fields[f"from_{step}"] = forms.ChoiceField(
                label=f"{STEP_WORDS[step]}: counted from",
                choices=ORIGINS,
                required=False,
                widget=forms.Select(attrs={"class": "control"}),
            )

    def step_rows(self) -> list[tuple[str, BoundField, BoundField]]:
        return [(STEP_WORDS[step], self[f"days_{step}"], self[f"from_{step}"]) for step in STEPS]

    def steps(self) -> tuple[ReminderStep, ...]:
        answers = self.cleaned_data
        return tuple(
            ReminderStep(step, answers[f"from_{step}"] or "target", answers[f"days_{step}"])
            for step in STEPS
            if answers.get(f"days_{step}") is not None
        )

    def plain_fields(self) -> Iterator[BoundField]:
        for field in self.visible_fields():
            if not field.name.startswith(("days_", "from_")):
                yield field


def steps_as_values(steps: tuple[ReminderStep, ...]) -> dict[str, Any]:
    known = {step.step: step for step in steps}
    values: dict[str, Any] = {}
    for name in STEPS:
        step = known.get(name)
        values[f"days_{name}"] = step.days if step else None
        values[f"from_{name}"] = step.counted_from if step else "target"
    return values


class HeadForm(StepsForm):
    title = forms.CharField(max_length=120)
    code = forms.SlugField(
        max_length=30, help_text="Small letters, digits and dashes. Versions are counted by it."
    )
    source = forms.CharField(
        max_length=2000, label="Source", widget=forms.Textarea(attrs={"rows": 4}),
        help_text="What the plan rests on: protocol, publication, decision of the committee.",
    )  # fmt: skip
    version = forms.IntegerField(widget=forms.HiddenInput)

    def clean_code(self) -> str:
        return str(self.cleaned_data["code"]).lower()


def head_as_values(plan: Plan) -> dict[str, Any]:
    return {"title": plan.title, "code": plan.code, "source": plan.source} | steps_as_values(plan.reminders)


class LineForm(StepsForm):
    code = forms.RegexField(
        r"^[A-Za-z][A-Za-z0-9_-]{0,11}$", max_length=12, help_text="As in files, for example M9; the same in every version.",
        error_messages={"invalid": "Begin with a letter, then letters, digits, - or _; 12 characters at most."},
    )  # fmt: skip
    label = forms.CharField(max_length=60, label="Name", help_text="As staff see it, for example Month 9.")
    anchor = forms.ChoiceField(label="Counted from", choices=list(ANCHOR_WORDS.items()))
    offset_value = forms.IntegerField(label="How many", help_text="0 is the day itself; −28 lies before it.")
    offset_unit = forms.ChoiceField(label="Unit", choices=[(unit, f"{unit}s") for unit in UNITS])
    window_before_days = forms.IntegerField(
        label="Window before",
        min_value=0,
        max_value=3650,
        widget=forms.NumberInput(attrs={"data-unit": "days"}),
    )
    window_after_days = forms.IntegerField(
        label="Window after",
        min_value=0,
        max_value=3650,
        widget=forms.NumberInput(attrs={"data-unit": "days"}),
    )
    repeats = forms.ChoiceField(
        label="How often",
        choices=[(ONCE, "Once"), (UNTIL, "Yearly until a year"), (FOR_LIFE, "Yearly for life")],
        initial=ONCE,
    )
    until_year = forms.IntegerField(
        label="Last year",
        required=False,
        min_value=1,
        max_value=LAST_YEAR,
        help_text="For “yearly until”: 15 ends with year 15.",
    )
    contact_mode = forms.ChoiceField(
        label="Contact", choices=[(code, words.capitalize()) for code, words in MODE_WORDS.items()]
    )
    assessments = forms.MultipleChoiceField(widget=forms.CheckboxSelectMultiple, required=False)
    neoplasia_check = forms.BooleanField(
        required=False,
        label="Neoplasia check",
        help_text="Counted as a check of late effects, and asked at this visit.",
    )
    plan_reminders = forms.BooleanField(
        required=False, initial=True, label="Reminders of the plan",
        help_text="Unticked: this visit has its own, below.",
    )  # fmt: skip
    version = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, plan: Plan, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.plan = plan
        field = self.fields["assessments"]
        if isinstance(field, forms.MultipleChoiceField):
            field.choices = [(each.code, each.label) for each in plan.assessments if each.code != CHECK]

    def clean(self) -> dict[str, Any]:
        answers = super().clean() or {}
        if answers.get("repeats") == UNTIL and not answers.get("until_year"):
            self.add_error("until_year", "Write the last year, for example 15.")
        if answers.get("repeats") != ONCE and answers.get("offset_unit") != "year" and "repeats" in answers:
            self.add_error("offset_unit", "A yearly visit is counted in years.")
        if not answers.get("assessments") and not answers.get("neoplasia_check"):
            self.add_error("assessments", "Choose at least one: a visit with nothing to do cannot be done.")
        known = {each.code for each in self.plan.assessments}
        if answers.get("neoplasia_check") and CHECK not in known:
            self.add_error("neoplasia_check", "Add the assessment neoplasia_check to the plan first.")
        return answers

    def line(self) -> Timepoint:
        answers = self.cleaned_data
        wanted = {*answers["assessments"], *([CHECK] if answers["neoplasia_check"] else [])}
        until = {ONCE: None, UNTIL: answers["until_year"], FOR_LIFE: FOR_LIFE}[answers["repeats"]]
        plain = (
            "label",
            "anchor",
            "offset_value",
            "offset_unit",
            "window_before_days",
            "window_after_days",
            "contact_mode",
        )
        return Timepoint(
            code=answers["code"],
            assessments=tuple(each.code for each in self.plan.assessments if each.code in wanted),
            reminders=self.plan.reminders if answers["plan_reminders"] else self.steps(),
            yearly_until=until,
            neoplasia_check=answers["neoplasia_check"],
            **{name: answers[name] for name in plain},
        )


def line_as_values(line: Timepoint, plan: Plan) -> dict[str, Any]:
    plain = (
        *(
            "code",
            "label",
            "anchor",
            "offset_value",
            "offset_unit",
            "window_before_days",
            "window_after_days",
        ),
        *("contact_mode", "neoplasia_check"),
    )
    is_number = isinstance(line.yearly_until, int)
    return {name: getattr(line, name) for name in plain} | {
        "repeats": UNTIL if is_number else line.yearly_until or ONCE,
        "until_year": line.yearly_until if is_number else None,
        "assessments": [code for code in line.assessments if code != CHECK],
        "plan_reminders": line.reminders == plan.reminders,
        **steps_as_values(line.reminders),
    }


class AssessmentForm(forms.Form):
    code = forms.RegexField(
        r"^[a-z][a-z0-9_]{0,29}$", max_length=30, help_text="Small letters, digits and _. A code the plan has gets the new words.",
        error_messages={"invalid": "Begin with a small letter, then small letters, digits or _; 30 characters at most."},
    )  # fmt: skip
    label = forms.CharField(max_length=120, label="Name")
    remote = forms.BooleanField(required=False, label="A call, a letter or a record can settle it")
    version = forms.IntegerField(widget=forms.HiddenInput)

    def assessment(self) -> Assessment:
        answers = self.cleaned_data
        return Assessment(answers["code"], answers["label"], answers["remote"])


class ReasonForm(forms.Form):
    reason = forms.CharField(max_length=300, required=False, widget=forms.Textarea(attrs={"rows": 2}))
    version = forms.IntegerField(widget=forms.HiddenInput)


class ExampleForm(forms.Form):
    """The example patient of the calendar."""

    enrolled_on = forms.DateField(label="Enrolled", widget=day_input())
    infusion_1 = forms.DateField(label="First infusion", widget=day_input())
    infusion_2 = forms.DateField(label="Second", required=False, widget=day_input())
    infusion_3 = forms.DateField(label="Third", required=False, widget=day_input())

    def clean(self) -> dict[str, Any]:
        answers = super().clean() or {}
        for name, value in list(answers.items()):
            if value and not 1950 <= value.year <= 2200:
                self.add_error(name, "Choose a day between 1950 and 2200.")
        return answers
