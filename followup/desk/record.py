"""The overview of one person: a timeline, the latest results against baseline, and what is open."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from followup import charts
from followup.desk.facts import PatientFacts
from followup.labs.catalogue import ANALYTES, Analyte
from followup.labs.models import LabResult
from followup.labs.series import Point, baselines, series
from followup.labs.wording import FLAG_WORDS, unit_words
from followup.safety.models import AdverseEvent
from registry import partial_dates
from registry.access.masking import codes_of
from registry.access.models import User
from registry.partial_dates import in_words

HBA1C, C_PEPTIDE, INSULIN_PER_KG = "hba1c", "fasting_c_peptide", "insulin_iu_per_kg_day"
SHOWN_FIRST = (
    HBA1C, "fasting_glucose", C_PEPTIDE, "insulin_daily_dose", "weight", "systolic_bp", "creatinine", "urine_acr",
    "ldl", "alt", "crp", "ca19_9", "cea", "afp",
)  # fmt: skip
ROWS = 9
DRAWN_DECIMALS = 2


@dataclass(frozen=True)
class LatestResult:
    label: str
    shown: str
    unit: str
    on: date
    flag_kind: str
    flag_word: str
    change: str


@dataclass(frozen=True)
class Results:
    """By code in order of day, and the baselines that are recent enough before treatment."""

    points: Mapping[str, Sequence[Point]]
    baselines: Mapping[str, Decimal]

    def baseline(self, code: str) -> float | None:
        return _float(self.baselines.get(code))


def results_of(facts: PatientFacts, user: User) -> Results:
    """Two queries; none for those who may not read results."""
    pk = facts.patient.pk
    if not user.may("labs.view", facts.patient.site_id):
        return Results({}, {})
    every = series([pk], [*SHOWN_FIRST, INSULIN_PER_KG])
    starts = {pk: facts.infusions[0].infused_on} if facts.infusions else {}
    by_code: dict[str, list[Point]] = defaultdict(list)
    for point in every:
        by_code[point.code].append(point)
    return Results(by_code, {code: value for (_, code), value in baselines(every, starts).items()})


def timeline(facts: PatientFacts, results: Results) -> dict[str, Any] | None:
    """The context of `components/chart.html`; None while there is nothing to draw."""
    masked, per_kg = codes_of(LabResult), _drawn(results, INSULIN_PER_KG)
    hba1c, c_peptide = (None if code in masked else _drawn(results, code) for code in (HBA1C, C_PEPTIDE))
    infusions = [{"date": i.infused_on.isoformat(), "label": i.get_route_display()} for i in facts.infusions]
    events = [_event_point(event) for event in facts.events]
    if not (hba1c or c_peptide or per_kg or infusions or events):
        return None
    marked = {"hba1c": HBA1C, "c_peptide": C_PEPTIDE, INSULIN_PER_KG: INSULIN_PER_KG}
    starts = {name: results.baseline(code) for name, code in marked.items()}
    today = facts.day.isoformat()
    drawn: dict[str, Any] = {"hba1c": hba1c, "infusions": infusions, "events": events, "today": today}
    spec = charts.timeline_chart(
        **drawn, c_peptide=c_peptide, insulin_iu_per_kg_day=per_kg, baselines=starts, width=800
    )
    named = {"HbA1c (%)": hba1c, "Fasting C-peptide (nmol/L)": c_peptide, "Insulin (IU/kg/day)": per_kg}
    series = {name: points for name, points in named.items() if points is not None}
    return {
        "id": "timeline",
        "title": "Timeline",
        "sentence": charts.describe_timeline(**drawn),
        "spec": spec,
        "columns": ["Date", "What", "Value"],
        "rows": _timeline_rows(series, infusions, events),
    }


def latest_results(results: Results, sex: str) -> list[LatestResult]:
    """The last value of each of the analytes that matter most here; the rest stand on the laboratory page."""
    known = [code for code in SHOWN_FIRST if results.points.get(code)]
    return [_latest(ANALYTES[code], results, sex) for code in known[:ROWS]]


def _latest(analyte: Analyte, results: Results, sex: str) -> LatestResult:
    point = results.points[analyte.code][-1]
    kind, word = FLAG_WORDS.get(point.flag, ("quiet", point.flag.replace("_", " ")))
    if not point.flag and not analyte.reference_for(sex):
        word = ""  # without a range a blank flag says nothing
    return LatestResult(
        label=analyte.short,
        shown=f"{point.comparator}{analyte.show(point.value)}",
        unit=unit_words(point.unit),
        on=point.day,
        flag_kind=kind,
        flag_word=word,
        change=_change(analyte, point, results.baselines.get(analyte.code)),
    )


def _change(analyte: Analyte, point: Point, baseline: Decimal | None) -> str:
    """`−1.2`; empty without a baseline and for a value beyond the assay's limit."""
    if baseline is None or point.comparator:
        return ""
    change = point.value - baseline
    shown = analyte.show(abs(change))
    if not any(digit in "123456789" for digit in shown):
        return "none"
    return f"{'+' if change > 0 else '−'}{shown}"


def _drawn(results: Results, code: str) -> list[dict[str, Any]]:
    return [
        {
            "date": point.day.isoformat(),
            "value": round(float(point.value), DRAWN_DECIMALS),
            "comparator": point.comparator[:1],
        }
        for point in results.points.get(code, [])
        if point.status == "ok"
    ]


def _event_point(event: AdverseEvent) -> dict[str, Any]:
    on = partial_dates.earliest(event.onset_date).isoformat()
    grade = event.severity_grade
    return {"date": on, "term": event.term, "grade": grade, "is_serious": event.counts_as_serious}


def _timeline_rows(
    series: Mapping[str, Sequence[Mapping[str, Any]]],
    infusions: Sequence[Mapping[str, Any]],
    events: Sequence[Mapping[str, Any]],
) -> list[list[str]]:
    rows = [
        (point["date"], name, f"{point['comparator']}{point['value']:g}")
        for name, points in series.items()
        for point in points
        if point["value"] is not None
    ]
    rows += [(one["date"], "Infusion", one["label"]) for one in infusions]
    for event in events:
        serious = "serious" if event["is_serious"] else "not serious"
        grade = f"grade {event['grade']}, " if event["grade"] else ""
        rows.append((event["date"], "Event", f"{event['term']} ({grade}{serious})"))
    return [[in_words(day), name, value] for day, name, value in sorted(rows)]


def _float(value: Decimal | None) -> float | None:
    return None if value is None else float(value)
