"""The order form and the page of the infusion day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from django import forms
from django.db.models import F
from django.http import QueryDict

from registry.clock import local_moment
from registry.handover.history import zone_at
from registry.infusions.judging import DoseGiven
from registry.infusions.models import Infusion, InfusionOrder, Reaction, Route
from registry.infusions.rules import PLAUSIBLE_CELLS, PLAUSIBLE_WEIGHT_KG
from registry.partial_dates import in_words
from registry.patients.models import Patient
from registry.products.actions import ENDED_STATES, remaining_cells
from registry.products.models import Lot, LotQuerySet
from registry.saving import new_token

if TYPE_CHECKING:  # Django's own classes take no type arguments when they run
    LotChoiceField = forms.ModelChoiceField[Lot]
    DoseFormSet = forms.BaseFormSet[forms.Form]
else:
    LotChoiceField, DoseFormSet = forms.ModelChoiceField, forms.BaseFormSet

YES_NO = [("", "not known"), ("yes", "Yes"), ("no", "No")]
MORE_LOTS = 2
USABLE_LONGEST_FIRST = (F("expires_on").desc(nulls_last=True), "code", "pk")  # what has expired stands last


class LotChoice(LotChoiceField):
    """Each lot with what a person needs to choose it."""

    def __init__(self, lots: Any, left: dict[int, int], **kwargs: Any) -> None:
        self.left = left
        super().__init__(queryset=lots, empty_label="choose a lot", **kwargs)

    def label_from_instance(self, obj: Any) -> str:
        state = "" if obj.state == Lot.State.RELEASED else f" · {obj.get_state_display().upper()}"
        millions = f"{self.left.get(obj.pk, 0) / 1_000_000:,.0f}".replace(",", "\u202f")
        ends = f", usable to {in_words(obj.expires_on)}" if obj.expires_on else ""
        return f"{obj.code}{state} · {obj.get_tissue_source_display()} · {millions} million left{ends}"


def weight_field() -> forms.DecimalField:
    low, high = PLAUSIBLE_WEIGHT_KG
    return forms.DecimalField(
        label="Weight of the day",
        min_value=low,
        max_value=high,
        decimal_places=1,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "data-unit": "kg"}),
    )


def cells_field(label: str, help_text: str = "") -> forms.IntegerField:
    low, high = PLAUSIBLE_CELLS
    slip = "This number of cells cannot be meant: write all cells, for example 75000000 for 75 million."
    return forms.IntegerField(
        label=label,
        min_value=low,
        max_value=high,
        help_text=help_text,
        error_messages={"min_value": slip, "max_value": slip},
        widget=forms.TextInput(attrs={"inputmode": "numeric", "data-unit": "cells"}),
    )


def day_field(label: str) -> forms.DateField:
    return forms.DateField(label=label, widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}))


def time_box() -> forms.TimeInput:
    return forms.TimeInput(format="%H:%M", attrs={"type": "time"})


def route_field() -> forms.ChoiceField:
    return forms.ChoiceField(label="Route", choices=[("", "choose a route"), *Route.choices])


class OrderForm(forms.Form):
    planned_on = day_field("Planned for")
    route = route_field()
    weight_kg = weight_field()
    cells_ordered = cells_field("Viable cells ordered", "All cells, for example 75000000 for 75 million.")
    form_token = forms.CharField(widget=forms.HiddenInput, initial=new_token, max_length=40)

    def __init__(self, *args: Any, patient: Patient, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        lots = lots_at_site_of(patient).exclude(state__in=ENDED_STATES)
        left = remaining_cells(lots.values_list("pk", flat=True))
        self.fields["lot"] = LotChoice(lots, left, label="Lot")
        self.order_fields(["planned_on", "lot", "route", "weight_kg", "cells_ordered"])


def lots_at_site_of(patient: Patient) -> LotQuerySet:
    """What may be given there: never the own cells of somebody at another site, nor their name in a list of choices."""
    here = Lot.objects.at_sites(frozenset({patient.site_id})).select_related("donor__patient")
    return here.order_by(*USABLE_LONGEST_FIRST)


class CancelForm(forms.Form):
    reason = forms.CharField(label="Reason for cancelling the order", max_length=300)


class InfusionForm(forms.Form):
    """Everything of the infusion but its doses. Times are those of the site's clock."""

    data: QueryDict
    infused_on = day_field("Day of the infusion")
    started = forms.TimeField(label="Start", required=False, widget=time_box())
    ended = forms.TimeField(label="End", required=False, widget=time_box())
    route = route_field()
    weight_kg = weight_field()
    origin = forms.ChoiceField(label="Where it was given", choices=Infusion.Origin.choices)
    premedication = forms.CharField(
        label="Premedication", max_length=200, required=False, help_text="Drug, dose and time; “none” if none was given."
    )  # fmt: skip
    co_treatment = forms.CharField(label="Other treatment with it", max_length=200, required=False)
    gcsf_mobilisation = forms.ChoiceField(label="G-CSF mobilisation", choices=YES_NO, required=False)
    hyperbaric_sessions = forms.IntegerField(
        label="Hyperbaric oxygen sessions", min_value=0, max_value=200, required=False,
        widget=forms.TextInput(attrs={"inputmode": "numeric"}),
    )  # fmt: skip
    reaction = forms.ChoiceField(
        label="Reaction during or soon after", choices=[("", "not recorded"), *Reaction.choices], required=False
    )  # fmt: skip
    reaction_note = forms.CharField(
        label="What was seen and done", max_length=300, required=False, widget=forms.Textarea(attrs={"rows": 3})
    )  # fmt: skip
    form_token = forms.CharField(widget=forms.HiddenInput, initial=new_token, max_length=40)

    def __init__(self, *args: Any, patient: Patient, today: date, zone: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.zone, self.today = zone or patient.site.time_zone, today
        self.fields["order"] = forms.ModelChoiceField(
            open_orders(patient), label="Order", required=False, empty_label="no order in the registry"
        )
        self.order_fields(["order"])
        for name, label in (("started", "start"), ("ended", "end")):
            attrs = {"data-now-zone": self.zone, "data-now-label": label}
            self.fields[name].widget.attrs.update(attrs)
        self.initial = {"infused_on": today, **self.initial}

    def clean_infused_on(self) -> date:
        on: date = self.cleaned_data["infused_on"]
        if on > self.today:
            raise forms.ValidationError("This day is in the future.")
        return on

    def clean(self) -> dict[str, Any]:
        given = self.cleaned_data
        if given.get("ended") and not given.get("started"):
            self.add_error("started", "Write when it started, or leave the end blank.")
        if given.get("reaction") == Reaction.OTHER and not given.get("reaction_note"):
            self.add_error("reaction_note", "Say what was seen.")
        return given

    def columns(self) -> dict[str, Any]:
        """The columns of an infusion, moments in UTC. An end before the start is the next day."""
        given = dict(self.cleaned_data)
        on, started, ended = given["infused_on"], given.pop("started"), given.pop("ended")
        given["infused_at"] = local_moment(on, started, self.zone) if started else None
        given["ended_at"] = _end(on, started, ended, self.zone)
        given["gcsf_mobilisation"] = {"yes": True, "no": False}.get(given["gcsf_mobilisation"])
        return given


def _end(on: date, started: time | None, ended: time | None, zone: str) -> datetime | None:
    if started is None or ended is None:
        return None
    return local_moment(on if ended >= started else on + timedelta(days=1), ended, zone)


def open_orders(patient: Patient) -> Any:
    standing = InfusionOrder.objects.filter(patient=patient, cancelled_at=None, infusion=None)
    return standing.select_related("lot").order_by("planned_on", "pk")


class AnotherDayForm(forms.Form):
    day = day_field("It was given on")
    reason = forms.CharField(
        max_length=200, label="How it is known", help_text="For example: the infusion sheet says so."
    )
    form_token = forms.CharField(max_length=40, widget=forms.HiddenInput, initial=new_token)

    def __init__(self, *args: Any, infusions: Any, today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.today = today
        self.fields["infusion"] = forms.ModelChoiceField(
            infusions, label="Infusion", empty_label="choose an infusion"
        )
        self.order_fields(["infusion"])

    def clean_day(self) -> date:
        day: date = self.cleaned_data["day"]
        if day > self.today:
            raise forms.ValidationError("This day is in the future.")
        return day


class DecideDayForm(forms.Form):
    decision = forms.ChoiceField(
        label="Decision",
        choices=[("approve", "Approve: the day is corrected now"), ("refuse", "Refuse: the day stays")],
        widget=forms.RadioSelect,
        error_messages={"required": "Choose one."},
    )
    reason = forms.CharField(
        max_length=300, required=False, help_text="Needed to refuse. It stays in the trail."
    )


class UnblindForm(forms.Form):
    reason = forms.CharField(
        max_length=300,
        label="Why treating this person depends on it",
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    form_token = forms.CharField(widget=forms.HiddenInput, initial=new_token, max_length=40)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)


class CorrectionForm(InfusionForm):
    version = forms.IntegerField(widget=forms.HiddenInput)
    reason = forms.CharField(label="Reason for the correction", max_length=300)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        del self.fields["order"], self.fields["form_token"]


class DoseForm(forms.Form):
    cells_total = cells_field("Total cells given")
    viability_percent = forms.DecimalField(
        label="Viability", min_value=0, max_value=100, decimal_places=2,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "data-unit": "%"}),
    )  # fmt: skip

    def __init__(self, *args: Any, lots: Any, left: dict[int, int], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["lot"] = LotChoice(lots, left, label="Lot")
        self.order_fields(["lot"])


class BaseDoseForms(DoseFormSet):
    def clean(self) -> None:
        lots = [form.cleaned_data["lot"] for form in self.forms if form.cleaned_data.get("lot")]
        if len(set(lots)) < len(lots):
            raise forms.ValidationError("A lot stands here twice: write its cells in one row.")

    def doses(self) -> list[DoseGiven]:
        rows = [form.cleaned_data for form in self.forms if form.cleaned_data.get("lot")]
        return [DoseGiven(row["lot"], row["cells_total"], row["viability_percent"]) for row in rows]


def dose_forms(
    posted: Any, *, patient: Patient, first: Sequence[dict[str, Any]] = (), at_least: int = 1
) -> Any:
    """One row a lot. `first` holds what stands already; none of those rows may be emptied, and none of the
    first `at_least`.
    """
    standing = Lot.objects.filter(pk__in=[one["lot"] for one in first]).select_related("donor__patient")
    lots = (lots_at_site_of(patient) | standing).order_by(*USABLE_LONGEST_FIRST)
    left = remaining_cells(lots.values_list("pk", flat=True))
    made = forms.formset_factory(
        DoseForm, formset=BaseDoseForms, extra=MORE_LOTS, max_num=len(first) + 1 + MORE_LOTS, min_num=at_least
    )
    return made(posted, initial=list(first), prefix="dose", form_kwargs={"lots": lots, "left": left})


def dose_initial(doses: Any) -> list[dict[str, Any]]:
    return [
        {"lot": dose.lot_id, "cells_total": dose.cells_total, "viability_percent": dose.viability_percent}
        for dose in doses
    ]


def zone_of(infusion: Infusion) -> str:
    """The clock it was given by, which stays when the person moves to a site elsewhere."""
    return zone_at(infusion.patient, infusion.infused_at) if infusion.infused_at else infusion.site.time_zone


def correction_initial(infusion: Infusion) -> dict[str, Any]:
    """What stands, as the form shows it: times on the site's clock."""
    zone = ZoneInfo(zone_of(infusion))
    local = {
        name: moment.astimezone(zone).time() if moment else None
        for name, moment in (("started", infusion.infused_at), ("ended", infusion.ended_at))
    }
    names = (
        "infused_on", "route", "weight_kg", "origin", "premedication", "co_treatment", "hyperbaric_sessions",
        "reaction", "reaction_note", "version",
    )  # fmt: skip
    gcsf = {True: "yes", False: "no", None: ""}[infusion.gcsf_mobilisation]
    return {name: getattr(infusion, name) for name in names} | local | {"gcsf_mobilisation": gcsf}


def order_initial(order: InfusionOrder | None) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """An order prefills the page: route, weight, lot and the cells that hold what was ordered."""
    if order is None:
        return {}, []
    viability = order.lot.viability_percent or Decimal(100)
    dose = {
        "lot": order.lot_id,
        "viability_percent": order.lot.viability_percent,
        "cells_total": int(order.cells_ordered * 100 / viability) if viability else None,
    }
    return {"order": order.pk, "route": order.route, "weight_kg": order.weight_kg}, [dose]
