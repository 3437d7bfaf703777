"""The laboratory grid: which rows a page offers, and what somebody typed into them."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from followup.labs.actions import Entry
from followup.labs.catalogue import ANALYTES, ASSESSMENTS, Analyte
from followup.labs.models import LabResult
from followup.labs.receiving import read_result
from followup.labs.units import UnitError, from_canonical, ucum_unit
from followup.labs.wording import range_words, unit_words
from registry.patients.models import Patient

USUAL = ("vital_signs", "glycaemia", "insulin_and_drugs")
SELDOM = {"gad65", "dsa", "height", "bicarbonate", "inr", "d_dimer", "hs_crp", "glucose_random", "ketones"}
REPORTED = {"islet_function": ("gir",)}
SECTION_TITLES = {
    "vital_signs": "Vital signs and measures",
    "glycaemia": "Glycaemia",
    "islet_function": "Islet function and insulin sensitivity",
    "insulin_and_drugs": "Insulin",
    "safety_bloods": "Safety bloods",
    "lipids_renal": "Lipids and kidney",
    "tumour_markers": "Tumour markers",
    "clamp": "Clamp",
    "inflammation": "Inflammation",
    "cgm": "Continuous glucose monitoring",
}
FASTING_MATTERS = {
    "fasting_glucose",
    "fasting_insulin",
    "fasting_c_peptide",
    "triglycerides",
    "total_cholesterol",
    "ldl",
    "hdl",
}
INSULIN_MATTERS = {"fasting_glucose", "fasting_insulin"}


@dataclass(frozen=True)
class Choice:
    ucum: str
    words: str
    is_chosen: bool


@dataclass
class GridRow:
    """One line: the test, what was typed, and what helps to judge it."""

    analyte: Analyte
    value: str
    units: list[Choice]
    limits: str
    reference: str
    last: LabResult | None = None
    error: str = ""

    @property
    def unit(self) -> str:
        return next((choice.ucum for choice in self.units if choice.is_chosen), self.analyte.unit)

    @property
    def last_shown(self) -> str:
        if self.last is None or self.last.canonical_value is None:
            return self.last.value_received if self.last else ""
        return f"{self.last.comparator}{self.analyte.show(self.last.canonical_value)} {unit_words(self.analyte.unit)}".strip()


@dataclass
class Section:
    title: str
    rows: list[GridRow] = field(default_factory=list)


def planned_codes(assessments: Iterable[str], patient: Patient, hidden: Collection[str] = ()) -> list[str]:
    """The tests of the planned assessments in the order of the catalogue; the usual ones where nothing is planned. Those
    hidden from whoever enters are left out.
    """
    chosen = [code for code in assessments if code in ASSESSMENTS] or list(USUAL)
    named = {code for assessment in chosen for code in REPORTED.get(assessment, ())}
    return [
        analyte.code
        for analyte in ANALYTES.values()
        if analyte.applies_to(patient.sex_at_birth)
        and analyte.code not in hidden
        and (analyte.code in named or (analyte.assessment in chosen and analyte.code not in SELDOM))
    ]


def other_tests(
    codes: Sequence[str], patient: Patient, hidden: Collection[str] = ()
) -> list[tuple[str, str]]:
    """Every other test that may be added to the grid, by name."""
    others = [
        (analyte.code, analyte.label)
        for analyte in ANALYTES.values()
        if analyte.code not in codes
        and analyte.code not in hidden
        and analyte.applies_to(patient.sex_at_birth)
    ]
    return sorted(others, key=lambda pair: pair[1].casefold())


def make_rows(
    codes: Sequence[str], patient: Patient, typed: Mapping[str, str] | None = None
) -> list[GridRow]:
    """`typed` are the posted fields `value-CODE` and `unit-CODE`; without them the site's usual unit comes first."""
    typed = typed or {}
    last, habits = _last_results(patient), _units_used(patient)
    return [
        _row(
            ANALYTES[code],
            patient,
            value=typed.get(f"value-{code}", ""),
            unit=typed.get(f"unit-{code}", habits.get(code, ANALYTES[code].unit)),
            last=last.get(code),
        )
        for code in codes
    ]


def _row(analyte: Analyte, patient: Patient, *, value: str, unit: str, last: LabResult | None) -> GridRow:
    chosen = unit if unit in analyte.units else analyte.unit
    order = sorted(analyte.units, key=lambda ucum: ucum != chosen)
    return GridRow(
        analyte=analyte,
        value=value.strip(),
        units=[Choice(ucum, unit_words(ucum), ucum == chosen) for ucum in order],
        limits=limits_json(analyte, patient.sex_at_birth),
        reference=range_words(analyte, patient.sex_at_birth),
        last=last,
    )


def sections(rows: Iterable[GridRow]) -> list[Section]:
    found: dict[str, Section] = {}
    for row in rows:
        assessment = row.analyte.assessment
        found.setdefault(assessment, Section(SECTION_TITLES[assessment])).rows.append(row)
    return list(found.values())


def limits_json(analyte: Analyte, sex: str) -> str:
    """The limits in every unit the row offers, for the page to warn before anything is sent."""
    ranges = {"hard": analyte.hard, "soft": analyte.soft, "reference": analyte.reference_for(sex)}
    return json.dumps(
        {
            ucum: {
                name: [_limit(analyte, one.low, ucum), _limit(analyte, one.high, ucum)]
                for name, one in ranges.items()
                if one
            }
            for ucum in analyte.units
        }
    )


def _limit(analyte: Analyte, limit: Decimal | None, ucum: str) -> float | None:
    return None if limit is None else float(f"{from_canonical(analyte, limit, ucum):.4g}")


def _last_results(patient: Patient) -> dict[str, LabResult]:
    rows = LabResult.objects.filter(patient=patient, withdrawn_at=None)
    return {row.analyte: row for row in rows.order_by("collected_on", "collected_at", "pk")}


def _units_used(patient: Patient) -> dict[str, str]:
    """The unit this site sent last, by test."""
    recent = LabResult.objects.filter(site=patient.site_id, withdrawn_at=None).order_by("-pk")
    used: dict[str, str] = {}
    for code, unit in recent.values_list("analyte", "unit_received")[:1000]:
        if code in ANALYTES and code not in used:
            try:
                used[code] = ucum_unit(ANALYTES[code], unit)
            except UnitError:
                continue
    return used


# Answers -----------------------------------------------------------------------------------------------------


def note_errors(rows: Iterable[GridRow], patient: Patient, factor: Decimal) -> bool:
    """Marks what cannot be read; True when every line can."""
    is_clean = True
    for row in rows:
        if row.value:
            try:
                read_result(
                    analyte=row.analyte.code, value=row.value, unit=row.unit, sex=patient.sex_at_birth,
                    insulin_pmol_per_miu=factor,
                )  # fmt: skip
            except UnitError as error:
                row.error, is_clean = error.message, False
    return is_clean


def entries_of(rows: Iterable[GridRow], *, fasting: bool | None, insulin_free: bool | None) -> list[Entry]:
    return [
        Entry(
            analyte=row.analyte.code,
            value=row.value,
            unit=row.unit,
            fasting=fasting if row.analyte.code in FASTING_MATTERS else None,
            insulin_free=insulin_free if row.analyte.code in INSULIN_MATTERS else None,
        )
        for row in rows
        if row.value
    ]
