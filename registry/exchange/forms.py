from typing import Any, cast

from django import forms

from registry.access.models import Site, User
from registry.exchange.exports import ACT, OWN_ACT
from registry.exchange.resources import kinds
from registry.saving import new_token


class UploadForm(forms.Form):
    kind = forms.ChoiceField(label="What the file holds")
    file = forms.FileField(label="File", help_text="CSV (UTF-8) or XLSX, up to 50 MB and 200,000 rows.")
    reason = forms.CharField(
        label="Reason for changes", required=False, max_length=500,
        help_text="Needed only when rows differ from what is stored already.",
    )  # fmt: skip
    clean_rows = forms.BooleanField(
        label="Store the good rows even when others are refused", required=False,
        help_text="Otherwise one refused row refuses the whole file.",
    )  # fmt: skip
    form_token = forms.CharField(widget=forms.HiddenInput, initial=new_token, max_length=40)

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        allowed = [(resource.kind, resource.title) for resource in kinds() if user.may(resource.act)]
        cast(forms.ChoiceField, self.fields["kind"]).choices = [("", "Choose …"), *allowed]


class ExportForm(forms.Form):
    what = forms.ChoiceField(
        label="What goes out", widget=forms.RadioSelect,
        choices=[("all", "Every table I may read"), ("own", "Laboratory results I entered or imported myself")],
    )  # fmt: skip
    site = forms.ModelChoiceField(Site.objects.none(), label="Rows of", required=False)
    form_token = forms.CharField(widget=forms.HiddenInput, initial=new_token, max_length=40)

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = cast("forms.ModelChoiceField[Site]", self.fields["site"])
        acts = [act for act in (ACT, OWN_ACT) if user.may(act)]
        field.queryset = Site.objects.filter(pk__in=[site.pk for act in acts for site in user.sites(act)])
        if len(acts) == 1:  # nothing to choose
            del self.fields["what"]
        self.own_alone = acts == [OWN_ACT]
        field.empty_label = "every site I may export"

    @property
    def own_rows(self) -> bool:
        return self.own_alone or self.cleaned_data.get("what") == "own"


class IdentifiedExportForm(forms.Form):
    site = forms.ModelChoiceField(Site.objects.none(), label="People of")
    reason = forms.CharField(
        max_length=500, label="Reason", widget=forms.Textarea(attrs={"rows": 3}),
        help_text="What the names are needed for. Stands in the file and in the trail.",
    )  # fmt: skip
    with_birth_dates = forms.BooleanField(
        label="With full birth dates", required=False, help_text="Otherwise the year alone goes out."
    )
    form_token = forms.CharField(widget=forms.HiddenInput, max_length=40, initial=new_token)

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = cast("forms.ModelChoiceField[Site]", self.fields["site"])
        field.queryset = user.sites("export.identified")
        field.empty_label = "Choose a site"
