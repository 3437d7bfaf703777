"""The two steps of entering results: type into the grid, check the answers, save. Nothing is stored before the last."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from followup.labs.actions import Entry, build_results, factor_of, record_results
from followup.labs.catalogue import ANALYTES
from followup.labs.forms import SampleForm
from followup.labs.grid import (
    GridRow,
    entries_of,
    make_rows,
    note_errors,
    other_tests,
    planned_codes,
    sections,
)
from followup.labs.models import DerivedValue, LabResult
from followup.labs.preview import preview
from followup.labs.tables import Cell, cell
from followup.labs.units import UnitError, limit_check
from followup.labs.wording import unit_words
from followup.schedule.models import Visit
from registry.access.masking import hidden_from
from registry.access.masking import words as masked_words
from registry.access.models import User
from registry.patients.models import Patient
from registry.saving import NotAccepted

# Shown where no visit says what was planned.
USUAL = ("glycaemia", "islet_function", "safety_bloods", "lipids_renal", "tumour_markers")


@dataclass(frozen=True)
class CheckLine:
    """A result about to be saved, beside the last one."""

    row: GridRow
    cell: Cell
    unit: str
    received_unit: str
    is_unusual: bool
    is_repeat: bool


@dataclass
class Entering:
    """One request of the entry page."""

    request: HttpRequest
    user: User
    patient: Patient
    visit: Visit | None
    today: date
    now: datetime
    back_url: str

    def respond(self) -> HttpResponse:
        posted = self.request.POST if self.request.method == "POST" else None
        step = posted.get("step", "check") if posted else ""
        form = SampleForm(posted, initial=self._initial(), patient=self.patient, today=self.today)
        rows = make_rows(self._codes(), self.patient, posted.dict() if posted else None)
        if step not in ("check", "save"):
            return self._grid(form, rows)
        if not form.is_valid():
            return self._grid(form, rows)
        if not note_errors(rows, self.patient, factor_of(form.cleaned_data["laboratory"])):
            form.add_error(
                None, "Some values cannot be right. They are marked below; nothing you typed is lost."
            )
        elif not any(row.value for row in rows):
            form.add_error(None, "No value was typed yet. Enter at least one result.")
        if form.errors:
            return self._grid(form, rows)
        return self._check_or_save(form, rows, step)

    def _check_or_save(self, form: SampleForm, rows: list[GridRow], step: str) -> HttpResponse:
        results = self._build(form, rows)
        lines = [self._line(row, result) for row, result in zip(filled(rows), results, strict=True)]
        is_confirmed = "confirmed" in self.request.POST or not any(line.is_unusual for line in lines)
        if step == "save" and is_confirmed:
            try:
                return self._save(form, rows)
            except (UnitError, NotAccepted) as error:
                form.add_error(None, error.message)
                return self._grid(form, rows)
        context = self._context(form, rows) | {
            "lines": lines,
            "indices": preview(self.patient, results, hidden=self.hidden_indices),
            "has_unusual": any(line.is_unusual for line in lines),
            "asks_again": step == "save",
        }
        return render(self.request, "labs/check_answers.html", context)

    def _save(self, form: SampleForm, rows: list[GridRow]) -> HttpResponse:
        results = record_results(
            patient=self.patient, visit=self.visit, collection=form.collection(), entries=_entries(form, rows),
            by=self.user, now=self.now, form_token=form.cleaned_data["form_token"],
        )  # fmt: skip
        number = len(results)
        messages.success(
            self.request, f"{number} result{'' if number == 1 else 's'} saved for {self.patient}."
        )
        return redirect(self.back_url)

    def _build(self, form: SampleForm, rows: list[GridRow]) -> list[LabResult]:
        return build_results(
            patient=self.patient, visit=self.visit, collection=form.collection(), entries=_entries(form, rows)
        )

    def _line(self, row: GridRow, result: LabResult) -> CheckLine:
        return CheckLine(
            row=row,
            cell=cell(result),
            unit=unit_words(result.canonical_unit),
            received_unit=unit_words(result.unit_received),
            is_unusual=limit_check(row.analyte, result.canonical_value) == "soft",
            is_repeat=row.last is not None and row.last.collected_on == result.collected_on,
        )

    def _grid(self, form: SampleForm, rows: list[GridRow]) -> HttpResponse:
        return render(self.request, "labs/grid.html", self._context(form, rows))

    def _context(self, form: SampleForm, rows: list[GridRow]) -> dict[str, Any]:
        codes = [row.analyte.code for row in rows]
        return {
            "patient": self.patient,
            "visit": self.visit,
            "form": form,
            "rows": rows,
            "sections": sections(rows),
            "codes": ",".join(codes),
            "others": other_tests(codes, self.patient, self.hidden_tests),
            "masked": masked_words(self.hidden_tests),
            "back_url": self.back_url,
            "today": self.today,
            "now": self.now,
            "sees_record": self.user.may("patients.view", self.patient.site_id),
        }

    def _codes(self) -> list[str]:
        """The posted rows, with the one just asked for; else the planned ones."""
        if self.request.method == "POST":
            codes = self.request.POST.get("rows", "").split(",")
            if self.request.POST.get("step") == "add":
                codes.append(self.request.POST.get("another", ""))
            return [c for c in dict.fromkeys(codes) if c in ANALYTES and c not in self.hidden_tests]
        assessments = self.visit.assessments.values_list("code", flat=True) if self.visit else USUAL
        return planned_codes(assessments, self.patient, self.hidden_tests)

    @cached_property
    def hidden_tests(self) -> frozenset[str]:
        """What the protocol masks and this person does not enter."""
        return hidden_from(self.user, LabResult, self.patient.site_id)

    @cached_property
    def hidden_indices(self) -> frozenset[str]:
        return hidden_from(self.user, DerivedValue, self.patient.site_id)

    def _initial(self) -> dict[str, Any]:
        day = self.visit.actual_date if self.visit else None
        return {"collected_on": day or self.today}


def _entries(form: SampleForm, rows: list[GridRow]) -> list[Entry]:
    return entries_of(rows, fasting=form.answer("fasting"), insulin_free=form.answer("insulin_free"))


def filled(rows: list[GridRow]) -> list[GridRow]:
    return [row for row in rows if row.value]
