"""One person's results as a table: tests down, days across, the latest day first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from followup.labs.catalogue import ANALYTES, Analyte
from followup.labs.grid import SECTION_TITLES
from followup.labs.models import DerivedValue, LabResult
from followup.labs.preview import IndexLine, index_line
from followup.labs.series import Point, baselines, treatment_starts
from followup.labs.wording import FLAG_WORDS, unit_words
from registry.patients.models import Patient

DAYS_SHOWN = 6
Baselines = dict[tuple[int, str], Decimal]


@dataclass(frozen=True)
class Cell:
    """One result: what is shown, what it means, and what was received."""

    result: LabResult
    shown: str
    flag_kind: str
    flag_word: str


@dataclass
class Line:
    analyte: Analyte
    unit: str
    baseline: str
    change: str
    days: list[list[Cell]]


@dataclass
class Group:
    title: str
    lines: list[Line] = field(default_factory=list)


@dataclass(frozen=True)
class ResultTable:
    days: list[date]
    groups: list[Group]
    number_of_days: int
    newer: int | None
    older: int | None


def result_table(patient: Patient, results: Sequence[LabResult], *, skip: int = 0) -> ResultTable:
    """`skip` leaves out that many of the latest days. Baselines and changes count all days."""
    all_days = sorted({result.collected_on for result in results}, reverse=True)
    days = all_days[skip : skip + DAYS_SHOWN]
    by_analyte: dict[str, list[LabResult]] = defaultdict(list)
    for result in results:
        by_analyte[result.analyte].append(result)
    base = baselines(_points(results), treatment_starts([patient.pk]))
    groups: dict[str, Group] = {}
    for code, analyte in ANALYTES.items():
        if any(result.collected_on in days for result in by_analyte[code]):
            line = _line(patient, analyte, by_analyte[code], days, base)
            groups.setdefault(analyte.assessment, Group(SECTION_TITLES[analyte.assessment])).lines.append(
                line
            )
    return ResultTable(
        days=days,
        groups=list(groups.values()),
        number_of_days=len(all_days),
        newer=max(0, skip - DAYS_SHOWN) if skip else None,
        older=skip + DAYS_SHOWN if skip + DAYS_SHOWN < len(all_days) else None,
    )


def _points(results: Iterable[LabResult]) -> list[Point]:
    return [
        Point(one.patient_id, one.analyte, one.collected_on, one.canonical_value, "", one.comparator)
        for one in results
        if one.canonical_value is not None
    ]


def _line(
    patient: Patient, analyte: Analyte, results: Sequence[LabResult], days: Sequence[date], base: Baselines
) -> Line:
    baseline = base.get((patient.pk, analyte.code))
    latest = results[-1]
    change = ""
    if baseline is not None and latest.canonical_value is not None and not latest.comparator:
        change = _signed(latest.canonical_value - baseline, analyte.decimals)
    return Line(
        analyte=analyte,
        unit=unit_words(analyte.unit),
        baseline="" if baseline is None else analyte.show(baseline),
        change=change,
        days=[[cell(one) for one in results if one.collected_on == day] for day in days],
    )


def _signed(difference: Decimal, decimals: int) -> str:
    """`−2.2`, `+0.4`; a difference that rounds to nothing has no sign."""
    rounded = round(difference, decimals)
    return f"{rounded:+f}".replace("-", "−") if rounded else f"{abs(rounded):f}"


def cell(result: LabResult) -> Cell:
    analyte = ANALYTES[result.analyte]
    kind, word = FLAG_WORDS.get(result.flag, ("quiet", result.flag))
    if result.flag == "ungradable" and not analyte.reference_for(result.patient.sex_at_birth):
        word = ""  # nobody grades a weight
    shown = result.value_received
    if result.canonical_value is not None:
        shown = f"{result.comparator}{analyte.show(result.canonical_value)}"
    return Cell(result, shown, kind, word)


def derived_lines(rows: Iterable[DerivedValue]) -> list[IndexLine]:
    return [
        index_line(row.code, row.value, row.unit, row.status, row.reason, row.on_date, row.formula_version)
        for row in rows
    ]
