"""The figures of the safety report; fonts, colours and the frame of a figure come from `followup.charts`."""

from collections.abc import Mapping, Sequence
from typing import Any

from followup.chart_style import BLUE, ORANGE, SKY, VERMILLION
from followup.charts import Spec, counted, spec

GRADES = ["1", "2", "3", "4", "5", "not graded"]
GRADE_COLOURS = ["#BFE0F2", SKY, ORANGE, VERMILLION, "#5A2400", "#B4BBC4"]
VISIT_OUTCOMES = [
    "done in window",
    "done outside window",
    "held, parts open",
    "overdue",
    "missed",
    "not required",
]
VISIT_COLOURS = [BLUE, SKY, "#BFE0F2", ORANGE, VERMILLION, "#C9CFD6"]


def _bar_axis(title: str) -> Spec:
    return {"title": title, "tickMinStep": 1, "grid": True, "labelOverlap": "greedy"}


def safety_exposure_chart(rows: Sequence[Mapping[str, Any]], *, width: int | str = 370) -> Spec:
    """Infusions by tissue source and route; rows `{"label", "infusions", "persons"}`."""
    values = [
        {
            "label": r["label"],
            "infusions": r["infusions"],
            "text": f"{r['infusions']} in {r['persons']} {'person' if r['persons'] == 1 else 'persons'}",
        }
        for r in rows
    ]
    y = {
        "field": "label",
        "type": "nominal",
        "sort": None,
        "axis": {"title": None, "labelLimit": 300, "grid": False},
    }
    x = {
        "field": "infusions",
        "type": "quantitative",
        "axis": _bar_axis("infusions"),
        "scale": {"zero": True},
    }
    bars = {"mark": {"type": "bar", "color": BLUE, "height": {"band": 0.62}}, "encoding": {"x": x, "y": y}}
    text = {
        "mark": {"type": "text", "style": "label", "align": "left", "dx": 5},
        "encoding": {"x": x, "y": y, "text": {"field": "text"}},
    }
    body = {"data": {"values": values}, "width": width, "height": {"step": 24}, "layer": [bars, text]}
    return spec(body, describe_exposure(rows))


def _stacked(
    values: list[Spec],
    *,
    order: list[str],
    colours: list[str],
    x: Spec,
    sort: list[str],
    width: int | str,
    legend: str,
) -> Spec:
    y = {
        "field": "label",
        "type": "nominal",
        "sort": sort,
        "axis": {"title": None, "labelLimit": 300, "grid": False},
    }
    used = [part for part in order if any(v["part"] == part for v in values)]
    colour: Spec = {"field": "part", "type": "nominal", "legend": {"title": legend, "orient": "top"}}
    colour["scale"] = {"domain": used, "range": [colours[order.index(part)] for part in used]}
    rank = {"field": "rank", "type": "quantitative"}
    fields = (("label", " "), ("part", legend), ("persons", "n"))
    tooltip = [{"field": field, "title": title} for field, title in fields]
    encoding = {"x": x, "y": y, "color": colour, "order": rank, "tooltip": tooltip}
    mark = {"type": "bar", "height": {"band": 0.66}, "stroke": "#ffffff", "strokeWidth": 0.6}
    return {
        "data": {"values": values},
        "width": width,
        "height": {"step": 22},
        "mark": mark,
        "encoding": encoding,
    }


def event_grades_chart(rows: Sequence[Mapping[str, Any]], *, width: int | str = 350) -> Spec:
    """Persons by worst grade in each system organ class; rows `{"label", "worst": {"1": n, …, "not graded": n}}`."""
    values = [
        {"label": r["label"], "part": grade, "rank": GRADES.index(grade), "persons": r["worst"][grade]}
        for r in rows
        for grade in GRADES
        if r["worst"].get(grade)
    ]
    x = {"field": "persons", "type": "quantitative", "axis": _bar_axis("persons with at least one event")}
    body = _stacked(
        values,
        order=GRADES,
        colours=GRADE_COLOURS,
        x=x,
        sort=[r["label"] for r in rows],
        width=width,
        legend="Worst grade",
    )
    return spec(body, describe_event_grades(rows))


def completeness_chart(rows: Sequence[Mapping[str, Any]], *, width: int | str = 540) -> Spec:
    """What became of the visits that fell due; rows `{"label", "outcomes": {"done in window": n, …}}`."""
    values = [
        {
            "label": r["label"],
            "part": part,
            "rank": VISIT_OUTCOMES.index(part),
            "persons": r["outcomes"][part],
        }
        for r in rows
        for part in VISIT_OUTCOMES
        if r["outcomes"].get(part)
    ]
    x = {
        "field": "persons",
        "type": "quantitative",
        "stack": "normalize",
        "axis": {"title": "share of visits that fell due", "format": ".0%"},
    }
    body = _stacked(
        values,
        order=VISIT_OUTCOMES,
        colours=VISIT_COLOURS,
        x=x,
        sort=[r["label"] for r in rows],
        width=width,
        legend="Visit",
    )
    return spec(body, describe_completeness(rows))


def describe_exposure(rows: Sequence[Mapping[str, Any]]) -> str:
    total = sum(r["infusions"] for r in rows)
    if not total:
        return "No infusion was given up to the cut-off."
    most = max(rows, key=lambda r: r["infusions"])
    return f"{counted(total, 'infusion')} by tissue source and route; most were {most['label']} ({most['infusions']})."


def describe_event_grades(rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return "No adverse event was recorded up to the cut-off."
    severe = sum(n for r in rows for grade, n in r["worst"].items() if grade in ("3", "4", "5"))
    return (
        f"Persons with adverse events in {counted(len(rows), 'system organ class', 'system organ classes')} by worst grade; "
        f"{severe} entries are grade 3 or higher (a person counts once in each class)."
    )


def describe_completeness(rows: Sequence[Mapping[str, Any]]) -> str:
    due = sum(sum(r["outcomes"].values()) for r in rows)
    done = sum(
        r["outcomes"].get("done in window", 0) + r["outcomes"].get("done outside window", 0) for r in rows
    )
    overdue = sum(r["outcomes"].get("overdue", 0) for r in rows)
    if not due:
        return "No visit had fallen due by the cut-off."
    return f"Of {due} visits that fell due, {done} were done ({done / due:.0%}) and {overdue} are overdue."
