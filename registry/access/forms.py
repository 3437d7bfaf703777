"""What people type about sites, accounts and roles."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from django import forms

from registry.access import masking, policy
from registry.access.granting import ACROSS_SITES, LONGEST_DELAY, SHORTEST_DELAY, year_after
from registry.access.models import Site, User
from registry.saving import new_token

if TYPE_CHECKING:
    SiteModelForm = forms.ModelForm[Site]
else:
    SiteModelForm = forms.ModelForm

DAY = {"type": "date"}
ROLES = list(policy.ROLES.items())


class SiteForm(SiteModelForm):
    class Meta:
        model = Site
        fields = ["code", "name", "country", "time_zone", "closed_weekdays", "idle_minutes"]


class NewSiteForm(SiteForm):
    form_token = forms.CharField(widget=forms.HiddenInput, initial=new_token, max_length=40)


class EditSiteForm(SiteForm):
    """The code stands in patient ids, so it stays."""

    reason = forms.CharField(max_length=200, label="Reason for the change")
    version = forms.IntegerField(widget=forms.HiddenInput)

    class Meta(SiteForm.Meta):
        fields = ["name", "country", "time_zone", "closed_weekdays", "idle_minutes"]


def _places(form: forms.Form, by: User) -> None:
    """A site manager asks for people at their own site, in the roles that work there."""
    scope = by.scope("accounts.propose")
    site, role = form.fields["site"], form.fields["role"]
    if (
        not scope.everywhere
        and isinstance(site, forms.ModelChoiceField)
        and isinstance(role, forms.ChoiceField)
    ):
        site.queryset = by.sites("accounts.propose")
        site.required, site.empty_label = True, None
        role.choices = [(code, label) for code, label in ROLES if code not in ACROSS_SITES]


def _sites() -> forms.ModelChoiceField[Site]:
    return forms.ModelChoiceField(
        Site.objects.order_by("name"), required=False, empty_label="all sites",
        help_text="Safety officer, coordinator, auditor and administrator work across all sites.",
    )  # fmt: skip


class RequestForm(forms.Form):
    username = forms.CharField(
        max_length=60, label="User name", widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    full_name = forms.CharField(max_length=120)
    email = forms.EmailField(required=False, label="E-mail")
    role = forms.ChoiceField(choices=ROLES)
    site = _sites()
    password = forms.CharField(
        max_length=128, label="First password", widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="At least 12 characters. The person changes it after signing in.",
    )  # fmt: skip
    form_token = forms.CharField(widget=forms.HiddenInput, initial=new_token, max_length=40)

    def __init__(self, *args: Any, by: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _places(self, by)


class AskRoleForm(forms.Form):
    role = forms.ChoiceField(choices=ROLES)
    site = _sites()
    starts_on = forms.DateField(widget=forms.DateInput(attrs=DAY, format="%Y-%m-%d"), label="From")
    ends_on = forms.DateField(
        widget=forms.DateInput(attrs=DAY, format="%Y-%m-%d"), label="Last day",
        help_text="A year after the first day at most. It can be granted again.",
    )  # fmt: skip
    reason = forms.CharField(max_length=200)
    form_token = forms.CharField(widget=forms.HiddenInput, initial=new_token, max_length=40)

    def __init__(self, *args: Any, by: User, today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial.update({"starts_on": today, "ends_on": year_after(today)})
        _places(self, by)


class DecideForm(forms.Form):
    reason = forms.CharField(max_length=200, required=False)


class EndForm(forms.Form):
    last_day = forms.DateField(widget=forms.DateInput(attrs=DAY, format="%Y-%m-%d"), label="Last day")
    at_once = forms.BooleanField(
        required=False,
        label="At once",
        help_text="The next click of the person is refused, whatever day stands above.",
    )
    reason = forms.CharField(max_length=200)
    version = forms.IntegerField(widget=forms.HiddenInput)


class BlindingForm(forms.Form):
    reason = forms.CharField(max_length=200, help_text="It stays in the trail.")


class MaskingForm(forms.Form):
    masked = forms.MultipleChoiceField(
        label="Masked tests", required=False, widget=forms.CheckboxSelectMultiple,
        help_text="Choose every test that would tell. The laboratory enters and reads them; everybody else finds them, and "
        "what is worked out from them, in no page, file or report. Only the closed safety report holds them.",
    )  # fmt: skip
    reason = forms.CharField(max_length=200, help_text="It stays in the trail.")
    seen = forms.CharField(widget=forms.HiddenInput, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["masked"]
        if isinstance(field, forms.MultipleChoiceField):
            field.choices = list(masking.offered().items())


class SelfApprovalForm(forms.Form):
    """`stood` is what the person saw, so that of two who change it one does."""

    hours = forms.IntegerField(
        min_value=SHORTEST_DELAY, max_value=LONGEST_DELAY, label="Hours it waits",
        widget=forms.NumberInput(attrs={"data-unit": "hours"}),
        help_text=f"From {SHORTEST_DELAY} hours, so that a night cannot hide it, to {LONGEST_DELAY} (two weeks).",
    )  # fmt: skip
    reason = forms.CharField(max_length=200, help_text="It stays in the trail.")
    stood = forms.IntegerField(widget=forms.HiddenInput)


class ActiveForm(forms.Form):
    """Says what the account shall be, so that two who press the same button do not undo one another."""

    reason = forms.CharField(max_length=200)
    active = forms.TypedChoiceField(
        choices=[("yes", "on"), ("no", "off")], coerce=lambda text: text == "yes", widget=forms.HiddenInput
    )
