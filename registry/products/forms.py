"""What staff type about donors, lots, tests and states."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any, ClassVar

from django import forms

from registry.products.models import Donor, DonorQuerySet, Lot, ReleaseTest, TissueSource
from registry.products.resources import KARYOTYPE, MYCOPLASMA, STERILITY
from registry.products.rules import LOT_TRANSITIONS
from registry.saving import new_token

if TYPE_CHECKING:  # Django's own classes take no type arguments when they run
    RecordForm = forms.ModelForm[Any]
else:
    RecordForm = forms.ModelForm

DAY = {"type": "date"}
WORDS = {"sterility": STERILITY, "mycoplasma": MYCOPLASMA, "karyotype": KARYOTYPE}


def decimal_box(unit: str = "") -> forms.TextInput:
    return forms.TextInput(attrs={"inputmode": "decimal"} | ({"data-unit": unit} if unit else {}))


def day_box() -> forms.DateInput:
    return forms.DateInput(format="%Y-%m-%d", attrs=DAY)


class LotFilter(forms.Form):
    """Reads as a sentence: lots that are [any state] from [any source] with a code like […]."""

    state = forms.ChoiceField(
        label="that are", required=False, choices=[("", "in any state"), *Lot.State.choices]
    )
    source = forms.ChoiceField(
        label="from", required=False, choices=[("", "any source"), *TissueSource.choices]
    )
    code = forms.CharField(label="with a lot code like", required=False, max_length=60)


class ReasonForm(RecordForm):
    """Corrections say why, and from which version they started; a new record carries its form's token instead."""

    reason = forms.CharField(max_length=300, label="Reason for the change")
    version = forms.IntegerField(widget=forms.HiddenInput)
    form_token = forms.CharField(widget=forms.HiddenInput, initial=new_token, max_length=40)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.instance.pk:
            del self.fields["reason"], self.fields["version"]
        else:
            del self.fields["form_token"]
            self.initial["version"] = self.instance.version


class DonorForm(ReasonForm):
    sex = forms.ChoiceField(
        choices=[("", "not known"), ("female", "Female"), ("male", "Male")], required=False
    )

    class Meta:
        model = Donor
        fields: ClassVar = ["code", "sex", "birth_year"]
        labels: ClassVar = {"code": "Donor code"}
        help_texts: ClassVar = {
            "code": "A pseudonym, never a name. For autologous cells write the patient's id here.",
        }
        widgets: ClassVar = {"birth_year": forms.TextInput(attrs={"inputmode": "numeric"})}

    def clean_birth_year(self) -> int | None:
        year: int | None = self.cleaned_data["birth_year"]
        if year is not None and not 1900 <= year <= 2100:
            raise forms.ValidationError("Write the year with four digits, for example 1988.")
        return year


class LotForm(ReasonForm):
    class Meta:
        model = Lot
        fields: ClassVar = [
            "code", "donor", "donor_relation", "number_of_donors", "tissue_source", "cell_type", "product_type",
            "passage", "cryopreserved", "cells_total", "viability_percent", "expires_on", "sterility_final_due",
        ]  # fmt: skip
        labels: ClassVar = {
            "code": "Lot", "cells_total": "Cells in the lot", "viability_percent": "Viability at release",
            "expires_on": "Last usable day", "sterility_final_due": "Final sterility result due",
        }  # fmt: skip
        help_texts: ClassVar = {
            "cells_total": "All cells, for example 60000000000.",
            "cryopreserved": "Leave at unknown when it is not known.",
        }
        widgets: ClassVar = {
            "number_of_donors": forms.TextInput(attrs={"inputmode": "numeric"}),
            "passage": forms.TextInput(attrs={"inputmode": "numeric"}),
            "cells_total": forms.TextInput(attrs={"inputmode": "numeric", "data-unit": "cells"}),
            "viability_percent": decimal_box("%"),
            "expires_on": day_box(),
            "sterility_final_due": day_box(),
            "cryopreserved": forms.NullBooleanSelect,
        }

    def __init__(self, *args: Any, donors: DonorQuerySet, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["donor"] = forms.ModelChoiceField(donors, label="Donor")

    def clean_cells_total(self) -> int:
        cells: int = self.cleaned_data["cells_total"]
        if not 100_000 <= cells <= 10**14:
            raise forms.ValidationError(f"{cells:,} cells cannot be meant: write all cells, not millions.")
        return cells

    def clean_viability_percent(self) -> Any:
        viability = self.cleaned_data["viability_percent"]
        if viability is not None and not 0 <= viability <= 100:
            raise forms.ValidationError("Viability must lie between 0 and 100 %.")
        return viability


class ReleaseTestsForm(forms.Form):
    """One box a test, holding what stands. A box left blank changes nothing."""

    version = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, stored: dict[str, str], today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for kind, label in ReleaseTest.KINDS.items():
            self.fields[kind] = self._field(kind, label)
            self.fields[kind].initial = stored.get(kind, "")
        self.fields["tested_on"] = forms.DateField(
            label="Date of the results", required=False, widget=day_box(), initial=today
        )
        self.fields["reason"] = forms.CharField(
            label="Reason, when a stored result is changed", required=False, max_length=300
        )

    def _field(self, kind: str, label: str) -> forms.Field:
        if kind in WORDS:
            choices = [("", "not known"), *((word, word.replace("_", " ")) for word in WORDS[kind])]
            return forms.ChoiceField(label=label, choices=choices, required=False)
        return forms.RegexField(
            r"^[<>]?\s*\d+(\.\d+)?$",
            label=label,
            required=False,
            max_length=20,
            widget=decimal_box(),
            error_messages={"invalid": "Write a number, for example 0.5 or <0.5."},
        )

    def results(self) -> dict[str, str]:
        return {kind: self.cleaned_data[kind] for kind in ReleaseTest.KINDS}


class LotStateForm(forms.Form):
    on = forms.DateField(label="On", widget=day_box())
    reason = forms.CharField(
        label="Reason", max_length=300, required=False,
        help_text="Needed for everything but a full release. For a conditional release name the tests that are pending.",
    )  # fmt: skip
    version = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, lot: Lot, today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.today = today
        possible = LOT_TRANSITIONS[lot.state]
        self.fields["state"] = forms.ChoiceField(
            label="The lot becomes",
            widget=forms.RadioSelect,
            choices=[(code, word) for code, word in Lot.State.choices if code in possible],
        )
        self.order_fields(["state", "on", "reason"])
        self.initial.update({"version": lot.version, "on": today})

    def clean_on(self) -> date:
        on: date = self.cleaned_data["on"]
        if on > self.today:
            raise forms.ValidationError("This day is in the future.")
        return on
