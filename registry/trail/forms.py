"""What one looks for in the trail."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any, cast

from django import forms
from django.db.models import QuerySet

from registry.access.blinding import sees_history_of
from registry.access.models import User
from registry.audit.coverage import audited_models
from registry.audit.history import ACTIONS, SYSTEM
from registry.audit.models import AuditEntry
from registry.clock import local_moment
from registry.patients.models import Patient
from registry.saving import new_token

# Every event there is, as the search offers it. A test fails for one that is written and not listed here.
EVENTS = (
    "anchor begun anew", "backup", "copy about a person", "copy about a person downloaded", "export",
    "export downloaded", "export identified", "identifiers erased", "identifiers read", "import",
    "import refused", "locked", "password link sent", "password refused", "password set by link", "print",
    "product read", "recovery codes made", "report", "report downloaded", "report signed copy", "restore",
    "restore drill", "second factor failed", "second factor reset", "second factor set up",
    "second factor used", "self-approval delay changed", "session ended", "sign-in", "sign-in failed", "sign-out", "signed",
    "signing refused", "trail exported", "unblinded", "unlocked",
)  # fmt: skip
WORDS = {"export": "export without a row", "import": "import without a row"}


class TrailForm(forms.Form):
    patient = forms.CharField(label="about patient", required=False, max_length=20)
    person = forms.ChoiceField(label="by", required=False)
    record = forms.ChoiceField(label="kind of record", required=False)
    act = forms.ChoiceField(label="what was done", required=False)
    first_day = forms.DateField(label="from", required=False, widget=forms.DateInput(attrs={"type": "date"}))
    last_day = forms.DateField(label="to", required=False, widget=forms.DateInput(attrs={"type": "date"}))

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user
        self._offer("person", "anybody", [*people(user), *SYSTEM.items()])
        self._offer("record", "any kind", kinds(user))
        self._offer("act", "anything", [*ACTIONS.items(), *((one, one.capitalize()) for one in EVENTS)])

    def _offer(self, name: str, everything: str, choices: list[tuple[str, str]]) -> None:
        cast(forms.ChoiceField, self.fields[name]).choices = [("", everything), *choices]

    def clean_patient(self) -> Patient | None:
        typed = str(self.cleaned_data["patient"]).strip()
        if not typed:
            return None
        found = patients_of(self.user).filter(patient_id__iexact=typed).first()
        if found is None:
            raise forms.ValidationError(
                "No patient with this id is within your reach. Write it as RIV-0001-X."
            )
        return found

    def clean(self) -> dict[str, Any]:
        answers = super().clean() or self.cleaned_data
        first, last = answers.get("first_day"), answers.get("last_day")
        if first and last and last < first:
            self.add_error("last_day", "This day is before the first. Change one of them.")
        return answers

    def narrowed(self, entries: QuerySet[AuditEntry]) -> QuerySet[AuditEntry]:
        answers = self.cleaned_data
        if answers["patient"]:
            entries = entries.filter(about_patient=answers["patient"].pk)
        if answers["person"]:
            who = answers["person"]
            entries = entries.filter(actor=who) if who in SYSTEM else entries.filter(user_id=int(who))
        if answers["record"]:
            entries = entries.filter(table_name=answers["record"])
        if answers["act"]:
            entries = entries.filter(action=answers["act"])
        if answers["first_day"]:
            entries = entries.filter(at__gte=_midnight(answers["first_day"]))
        if answers["last_day"]:
            entries = entries.filter(at__lt=_midnight(answers["last_day"] + timedelta(days=1)))
        return entries

    def in_words(self) -> str:
        answers = self.cleaned_data
        said = {
            "about": answers["patient"].patient_id if answers["patient"] else "",
            "by": self._chosen("person"),
            "kind of record:": self._chosen("record"),
            "what was done:": self._chosen("act"),
            "from": f"{answers['first_day']:%Y-%m-%d}" if answers["first_day"] else "",
            "to": f"{answers['last_day']:%Y-%m-%d}" if answers["last_day"] else "",
        }
        return (
            ", ".join(f"{word} {value}" for word, value in said.items() if value) or "everything within reach"
        )

    def _chosen(self, name: str) -> str:
        value = self.cleaned_data[name]
        field = cast(forms.ChoiceField, self.fields[name])
        return str(dict(cast("list[tuple[str, str]]", field.choices)).get(value, "")) if value else ""


class ReviewForm(forms.Form):
    note = forms.CharField(
        label="What the review found", max_length=1000, widget=forms.Textarea(attrs={"rows": 3}),
        help_text="For example: no change without a reason; two late corrections discussed with the site.",
    )  # fmt: skip
    form_token = forms.CharField(widget=forms.HiddenInput, max_length=40)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **({"initial": {"form_token": new_token()}} | kwargs))


def patients_of(user: User) -> QuerySet[Patient]:
    """Those whose entries this person may come upon."""
    scopes = [user.scope(act) for act in ("audit.view", "audit.own")]
    if any(scope.everywhere for scope in scopes):
        return Patient.objects.all()
    return Patient.objects.filter(site__in={site for scope in scopes for site in scope.site_ids})


def people(user: User) -> list[tuple[str, str]]:
    """Staff of the sites this person sees; for those who see every site, everybody."""
    if user.scope("audit.view").everywhere or user.may("audit.system") or user.may("audit.product"):
        found = User.objects.all()
    elif sites := user.scope("audit.view").site_ids:
        found = User.objects.filter(rolegrant__site__in=sites).distinct()
    else:
        found = User.objects.filter(pk=user.pk)
    return [(str(one.pk), f"{one} ({one.username})") for one in found.order_by("full_name", "pk")]


def kinds(user: User) -> list[tuple[str, str]]:
    seen = [model for model in audited_models() if sees_history_of(user, model)]
    named = [(model._meta.db_table, str(model._meta.verbose_name).capitalize()) for model in seen]
    return sorted(
        [*named, *((word, words.capitalize()) for word, words in WORDS.items())], key=lambda one: one[1]
    )


def _midnight(day: date) -> datetime:
    return local_moment(day, time(0), "UTC")
