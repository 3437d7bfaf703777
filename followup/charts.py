"""Vega-Lite specifications, one function a figure.

Written for Vega-Lite 6 (vl-convert bundles 6.4; the same specifications compile with 5.8 and later). Dates are ISO
`YYYY-MM-DD` and drawn on a UTC axis, so that a calendar day never moves with the reader's clock. Points are plain
dicts: `{"date": "2029-03-01", "value": 8.1, "comparator": ""}`; `comparator` `<` or `>` marks a censored result, a
`value` of None a planned measurement that was not made.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

Spec = dict[str, Any]
Point = Mapping[str, Any]

VEGA_LITE_VERSION = "6.4"
SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
# The PDF embeds the vendored Inter under a name of its own; pages find Inter itself.
FONT = "'Registry Sans', Inter, 'DejaVu Sans', sans-serif"

# Okabe and Ito, Color Universal Design (2008): told apart by people with every common colour vision.
BLUE, VERMILLION, GREEN, ORANGE, SKY, PURPLE = "#0072B2", "#D55E00", "#009E73", "#E69F00", "#56B4E9", "#CC79A7"

HBA1C_COLOUR, C_PEPTIDE_COLOUR, INSULIN_COLOUR, EVENT_COLOUR = BLUE, GREEN, VERMILLION, PURPLE
GRADES = ["1", "2", "3", "4", "5", "not graded"]
GRADE_COLOURS = ["#BFE0F2", SKY, ORANGE, VERMILLION, "#5A2400", "#B4BBC4"]
VISIT_OUTCOMES = ["done in window", "done outside window", "overdue", "missed", "not required"]
VISIT_COLOURS = [BLUE, SKY, ORANGE, VERMILLION, "#C9CFD6"]

DEFAULT_GAP_DAYS = 400


def chart_config(*, dark: bool = False) -> Spec:
    """Fonts and greys of every figure; a dark page replaces `spec["config"]` with the dark one."""
    ink, quiet, grid = ("#e6ebf1", "#a9b4c0", "#323c48") if dark else ("#1b2430", "#56616e", "#e3e7ec")
    return {
        "background": "transparent",
        "font": FONT,
        "view": {"stroke": None},
        "axis": {
            "labelColor": quiet, "titleColor": ink, "gridColor": grid, "domainColor": quiet, "tickColor": quiet,
            "labelFontSize": 10, "titleFontSize": 10, "titleFontWeight": 600, "tickSize": 4, "titlePadding": 8,
        },
        "axisX": {"grid": False},
        "axisY": {"domain": False, "ticks": False},
        "legend": {"labelColor": ink, "titleColor": ink, "labelFontSize": 10, "titleFontSize": 10, "symbolSize": 80},
        "style": {
            "note": {"fontSize": 9, "font": FONT},
            "label": {"fontSize": 10, "fontWeight": 600, "font": FONT},
            "infusion-line": {"strokeDash": [1, 3], "strokeWidth": 1},
            "baseline": {"strokeDash": [6, 3], "strokeWidth": 1},
            "today": {"strokeWidth": 1.2},
        },
        "rule": {"color": quiet},
        "text": {"color": ink},
        "point": {"color": ink},
    }


def hba1c_mmol_mol(percent: float) -> float:
    """IFCC HbA1c in mmol/mol from NGSP % (valid 3–20 %): (% − 2.15) × 10.929, the NGSP master equation."""
    return (percent - 2.15) * 10.929


def day_words(iso: str) -> str:
    """`2031-03-14` → `14 Mar 2031`; partial dates keep their precision (`2031-03` → `Mar 2031`)."""
    parts = iso.split("-")
    if len(parts) == 1:
        return iso
    first = date(int(parts[0]), int(parts[1]), int(parts[2]) if len(parts) == 3 else 1)
    month = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")[first.month - 1]
    return f"{first.day} {month} {first.year}" if len(parts) == 3 else f"{month} {first.year}"


def with_runs(points: Sequence[Point], *, gap_days: int = DEFAULT_GAP_DAYS) -> list[Spec]:
    """Measured points in order of date, each with the unbroken run it belongs to.

    A run ends where a planned measurement is missing or more than `gap_days` days passed: no line is drawn
    where nothing was measured.
    """
    run, previous, drawn = 0, None, []
    for point in sorted(points, key=lambda p: p["date"]):
        if point.get("value") is None:
            run, previous = run + 1, None
            continue
        day = date.fromisoformat(point["date"])
        if previous and (day - previous).days > gap_days:
            run += 1
        previous = day
        comparator = point.get("comparator") or ""
        drawn.append({
            "date": point["date"], "value": point["value"], "run": run, "censored": bool(comparator),
            "when": day_words(point["date"]), "shown": f"{comparator}{point['value']:g}",
        })
    return drawn


def _spec(body: Spec, description: str) -> Spec:
    return {"$schema": SCHEMA, "description": description, "config": chart_config(), **body}


def _time_axis(domain: Sequence[str], *, labels: bool = True) -> Spec:
    years = int(domain[1][:4]) - int(domain[0][:4])
    axis: Spec = {"title": None, "format": "%Y" if years > 3 else "%b %Y", "labelFlush": False, "labels": labels}
    axis["tickCount"] = {"interval": "year", "step": 1 if years <= 10 else 2} if years > 3 else 6
    if not labels:
        axis |= {"ticks": False, "domain": False}
    scale = {"type": "utc", "domain": list(domain), "nice": False}
    return {"field": "date", "type": "temporal", "scale": scale, "axis": axis}


def time_domain(*series: Sequence[Point], today: str | None = None) -> list[str]:
    """First and last day drawn, with about 4 % of room on the right for direct labels."""
    days = sorted({p["date"] for points in series for p in points} | ({today} if today else set()))
    if not days:
        return ["2000-01-01", "2001-01-01"]
    first, last = date.fromisoformat(days[0]), date.fromisoformat(days[-1])
    room = max(20, (last - first).days // 25)
    return [
        date.fromordinal(first.toordinal() - room // 2).isoformat(),
        date.fromordinal(last.toordinal() + room).isoformat(),
    ]


def _value_domain(points: Sequence[Point], baseline: float | None, *, from_zero: bool) -> list[float]:
    values = [p["value"] for p in points] + ([baseline] if baseline is not None else [])
    if not values:
        return [0, 1]
    low, high = min(values), max(values)
    pad = max((high - low) * 0.15, abs(high) * 0.04, 0.05)
    return [0 if from_zero else round(low - pad, 2), round(high + pad, 2) if high else 1]


def _infusion_layers(infusions: Sequence[Point], x: Spec, *, marks: bool = True) -> list[Spec]:
    rows = [{"date": i["date"], "when": day_words(i["date"]), "label": i.get("label", "")} for i in infusions]
    if not rows:
        return []
    tip = [{"field": "label", "title": "Infusion"}, {"field": "when", "title": "On"}]
    line: Spec = {"data": {"values": rows}, "mark": {"type": "rule", "style": "infusion-line"}, "encoding": {"x": x}}
    triangle: Spec = {
        "data": {"values": rows},
        "mark": {"type": "point", "shape": "triangle-down", "filled": True, "size": 70, "opacity": 1},
        "encoding": {"x": x, "y": {"value": -6}, "tooltip": tip},
    }
    return [line, triangle] if marks else [line]


def _today_layer(today: str | None, x: Spec) -> list[Spec]:
    if today is None:
        return []
    return [{"data": {"values": [{"date": today}]}, "mark": {"type": "rule", "style": "today"}, "encoding": {"x": x}}]


def _baseline_layers(baseline: float | None, y: Spec, unit: str) -> list[Spec]:
    if baseline is None:
        return []
    rows = [{"value": baseline, "text": f"dashed: baseline {baseline:g} {unit}"}]
    return [
        {"data": {"values": rows}, "mark": {"type": "rule", "style": "baseline"}, "encoding": {"y": y}},
        {
            "data": {"values": rows},
            "mark": {"type": "text", "style": "note", "align": "right"},
            "encoding": {"x": {"value": "width"}, "y": {"value": -6}, "text": {"field": "text"}},
        },
    ]


def _series_layers(rows: list[Spec], x: Spec, y: Spec, *, colour: str, name: str, step: bool = False) -> list[Spec]:
    line = {"type": "line", "color": colour, "strokeWidth": 1.8, "interpolate": "step-after" if step else "linear"}
    tip = [{"field": "when", "title": "On"}, {"field": "shown", "title": name}]
    dots = {"color": colour, "size": 34, "strokeWidth": 1.6, "opacity": 1}
    solid = [r for r in rows if not r["censored"]]
    hollow = [r for r in rows if r["censored"]]
    layers: list[Spec] = [
        {"data": {"values": rows}, "mark": line, "encoding": {"x": x, "y": y, "detail": {"field": "run"}}},
        {"data": {"values": solid}, "mark": {"type": "point", "filled": True, **dots},
         "encoding": {"x": x, "y": y, "tooltip": tip}},
        {"data": {"values": rows[-1:]},
         "mark": {"type": "text", "style": "label", "align": "left", "dx": 7, "dy": -8, "clip": False},
         "encoding": {"x": x, "y": y, "text": {"field": "shown"}}},
    ]
    if hollow:
        layers.append({
            "data": {"values": hollow},
            "mark": {"type": "point", "filled": False, **dots, "fill": "#ffffff", "size": 46},
            "encoding": {"x": x, "y": y, "tooltip": tip},
        })
    return layers


def _panel(
    points: Sequence[Point], infusions: Sequence[Point], *, domain: Sequence[str], title: str | list[str], name: str, unit: str,
    colour: str, baseline: float | None, today: str | None, width: int | str, height: int, from_zero: bool,
    gap_days: int, labels: bool = True, marks: bool = True, step: bool = False,
) -> Spec:
    rows = with_runs(points, gap_days=gap_days)
    x = _time_axis(domain, labels=labels)
    axis = {"title": title, "tickCount": 4}
    scale = {"domain": _value_domain(rows, baseline, from_zero=from_zero), "nice": False, "zero": False}
    y: Spec = {"field": "value", "type": "quantitative", "scale": scale, "axis": axis}
    layers = _infusion_layers(infusions, x, marks=marks) + _today_layer(today, x)
    layers += _baseline_layers(baseline, y, unit) + _series_layers(rows, x, y, colour=colour, name=name, step=step)
    return {"width": width, "height": height, "layer": layers}


def _add_mmol_mol_axis(panel: Spec) -> Spec:
    """The same quantity in its other unit: the one second axis this product draws."""
    low, high = next(
        layer["encoding"]["y"]["scale"]["domain"] for layer in panel["layer"] if "scale" in layer["encoding"].get("y", {})
    )
    scale = {"domain": [hba1c_mmol_mol(low), hba1c_mmol_mol(high)], "nice": False, "zero": False}
    axis = {"orient": "right", "title": "mmol/mol", "grid": False, "tickCount": 4, "format": ".0f"}
    mirror: Spec = {
        "data": {"values": [{"value": hba1c_mmol_mol(low)}]},
        "mark": {"type": "point", "opacity": 0, "size": 0},
        "encoding": {"y": {"field": "value", "type": "quantitative", "scale": scale, "axis": axis}},
    }
    main = {"layer": panel["layer"]}
    return {**panel, "layer": [main, mirror], "resolve": {"scale": {"y": "independent"}}}


def hba1c_chart(
    points: Sequence[Point], infusions: Sequence[Point], *, baseline: float | None = None, today: str | None = None,
    width: int | str = 560, height: int = 170, gap_days: int = DEFAULT_GAP_DAYS,
) -> Spec:
    """HbA1c in % with mmol/mol on the right; `baseline` in %."""
    panel = _panel(
        points, infusions, domain=time_domain(points, infusions, today=today), title="HbA1c (%)", name="HbA1c, %",
        unit="%", colour=HBA1C_COLOUR, baseline=baseline, today=today, width=width, height=height, from_zero=False,
        gap_days=gap_days,
    )
    return _spec(_add_mmol_mol_axis(panel), describe_series(points, infusions, name="HbA1c", unit="%", baseline=baseline))


def c_peptide_chart(
    points: Sequence[Point], infusions: Sequence[Point], *, baseline: float | None = None, today: str | None = None,
    width: int | str = 560, height: int = 150, gap_days: int = DEFAULT_GAP_DAYS,
) -> Spec:
    """Fasting C-peptide in nmol/L from zero."""
    panel = _panel(
        points, infusions, domain=time_domain(points, infusions, today=today), title="Fasting C-peptide (nmol/L)",
        name="C-peptide, nmol/L", unit="nmol/L", colour=C_PEPTIDE_COLOUR, baseline=baseline, today=today, width=width,
        height=height, from_zero=True, gap_days=gap_days,
    )
    sentence = describe_series(points, infusions, name="Fasting C-peptide", unit="nmol/L", baseline=baseline)
    return _spec(panel, sentence)


def insulin_chart(
    iu_per_day: Sequence[Point], iu_per_kg_day: Sequence[Point], infusions: Sequence[Point], *,
    baseline_iu_per_day: float | None = None, baseline_iu_per_kg_day: float | None = None, today: str | None = None,
    width: int = 560, height: int = 100, gap_days: int = DEFAULT_GAP_DAYS,
) -> Spec:
    """Insulin dose as two panels on one time axis: IU/day above, IU/kg/day below (two quantities, so no dual axis)."""
    domain = time_domain(iu_per_day, iu_per_kg_day, infusions, today=today)
    per_day = _panel(
        iu_per_day, infusions, domain=domain, title="IU/day", name="Insulin, IU/day", unit="IU/day",
        colour=INSULIN_COLOUR, baseline=baseline_iu_per_day, today=today, width=width, height=height, from_zero=True,
        gap_days=gap_days, labels=False,
    )
    per_kg = _panel(
        iu_per_kg_day, infusions, domain=domain, title="IU/kg/day", name="Insulin, IU/kg/day", unit="IU/kg/day",
        colour=INSULIN_COLOUR, baseline=baseline_iu_per_kg_day, today=today, width=width, height=height,
        from_zero=True, gap_days=gap_days, marks=False,
    )
    sentence = describe_series(iu_per_day, infusions, name="Insulin dose", unit="IU/day", baseline=baseline_iu_per_day)
    return _spec({"vconcat": [per_day, per_kg], "spacing": 14}, sentence)


def _strip(infusions: Sequence[Point], *, domain: Sequence[str], today: str | None, width: int) -> Spec:
    rows = [{"date": i["date"], "when": day_words(i["date"]), "label": i.get("label", "")} for i in infusions]
    x = _time_axis(domain, labels=False)
    triangle: Spec = {
        "data": {"values": rows},
        "mark": {"type": "point", "shape": "triangle-down", "filled": True, "size": 90, "opacity": 1},
        "encoding": {"x": x, "y": {"value": 16},
                     "tooltip": [{"field": "label", "title": "Infusion"}, {"field": "when", "title": "On"}]},
    }
    words: Spec = {
        "data": {"values": [{"text": "Infusions"}]},
        "mark": {"type": "text", "style": "label", "align": "right", "dx": -6},
        "encoding": {"x": {"value": 0}, "y": {"value": 16}, "text": {"field": "text"}},
    }
    layers = [triangle, words] + _today_layer(today, x)
    if today:
        layers.append({
            "data": {"values": [{"date": today, "text": f"cut-off {day_words(today)}"}]},
            "mark": {"type": "text", "style": "note", "align": "right", "dx": -5},
            "encoding": {"x": x, "y": {"value": 4}, "text": {"field": "text"}},
        })
    return {"width": width, "height": 22, "layer": layers}


def _event_panel(events: Sequence[Point], *, domain: Sequence[str], today: str | None, width: int) -> Spec:
    kinds = ["other", "serious"]
    rows = [
        {"date": e["date"], "when": day_words(e["date"]), "term": e.get("term", ""), "grade": e.get("grade"),
         "kind": "serious" if e.get("is_serious") else "other"}
        for e in events
    ]
    x = _time_axis(domain)
    y = {"field": "kind", "type": "nominal", "sort": kinds, "scale": {"domain": kinds},
         "axis": {"title": "Events", "grid": False}}
    tip = [{"field": "when", "title": "On"}, {"field": "term", "title": "Event"}, {"field": "grade", "title": "Grade"}]
    ticks: Spec = {
        "data": {"values": rows},
        "mark": {"type": "tick", "thickness": 2.5, "size": 14, "color": EVENT_COLOUR},
        "encoding": {"x": x, "y": y, "tooltip": tip,
                     "color": {"field": "kind", "type": "nominal", "legend": None,
                               "scale": {"domain": kinds, "range": [EVENT_COLOUR, VERMILLION]}}},
    }
    return {"width": width, "height": 40, "layer": [ticks, *_today_layer(today, x)]}


def timeline_chart(
    *, hba1c: Sequence[Point], c_peptide: Sequence[Point], insulin_iu_per_kg_day: Sequence[Point],
    infusions: Sequence[Point], events: Sequence[Point], today: str | None, baselines: Mapping[str, float | None],
    width: int = 560, gap_days: int = DEFAULT_GAP_DAYS,
) -> Spec:
    """The patient at a glance on one time axis; `baselines` by `hba1c`, `c_peptide`, `insulin_iu_per_kg_day`."""
    domain = time_domain(hba1c, c_peptide, insulin_iu_per_kg_day, infusions, events, today=today)
    common: Spec = {"domain": domain, "today": today, "width": width, "gap_days": gap_days, "labels": False, "marks": False}
    panels = [
        _strip(infusions, domain=domain, today=today, width=width),
        _add_mmol_mol_axis(_panel(
            hba1c, infusions, title=["HbA1c", "(%)"], name="HbA1c, %", unit="%", colour=HBA1C_COLOUR, height=105,
            baseline=baselines.get("hba1c"), from_zero=False, **common)),
        _panel(c_peptide, infusions, title=["C-peptide", "(nmol/L)"], name="C-peptide, nmol/L", unit="nmol/L", height=75,
               colour=C_PEPTIDE_COLOUR, baseline=baselines.get("c_peptide"), from_zero=True, **common),
        _panel(insulin_iu_per_kg_day, infusions, title=["Insulin", "(IU/kg/day)"], name="Insulin, IU/kg/day", height=75,
               unit="IU/kg/day", colour=INSULIN_COLOUR, baseline=baselines.get("insulin_iu_per_kg_day"),
               from_zero=True, **common),
        _event_panel(events, domain=domain, today=today, width=width),
    ]
    sentence = describe_timeline(hba1c=hba1c, infusions=infusions, events=events, today=today)
    return _spec({"vconcat": panels, "spacing": 10}, sentence)


def _bar_axis(title: str) -> Spec:
    return {"title": title, "tickMinStep": 1, "grid": True}


def safety_exposure_chart(rows: Sequence[Mapping[str, Any]], *, width: int | str = 370) -> Spec:
    """Infusions by tissue source and route; rows `{"label", "infusions", "persons"}`."""
    values = [
        {"label": r["label"], "infusions": r["infusions"],
         "text": f"{r['infusions']} in {r['persons']} {'person' if r['persons'] == 1 else 'persons'}"}
        for r in rows
    ]
    y = {"field": "label", "type": "nominal", "sort": None, "axis": {"title": None, "labelLimit": 300, "grid": False}}
    x = {"field": "infusions", "type": "quantitative", "axis": _bar_axis("infusions"), "scale": {"zero": True}}
    bars = {"mark": {"type": "bar", "color": BLUE, "height": {"band": 0.62}}, "encoding": {"x": x, "y": y}}
    text = {"mark": {"type": "text", "style": "label", "align": "left", "dx": 5},
            "encoding": {"x": x, "y": y, "text": {"field": "text"}}}
    body = {"data": {"values": values}, "width": width, "height": {"step": 24}, "layer": [bars, text]}
    return _spec(body, describe_exposure(rows))


def _stacked(values: list[Spec], *, order: list[str], colours: list[str], x: Spec, sort: list[str], width: int | str,
             legend: str) -> Spec:
    y = {"field": "label", "type": "nominal", "sort": sort, "axis": {"title": None, "labelLimit": 300, "grid": False}}
    used = [part for part in order if any(v["part"] == part for v in values)]
    scale = {"domain": used, "range": [colours[order.index(part)] for part in used]}
    colour = {"field": "part", "type": "nominal", "scale": scale,
              "legend": {"title": legend, "orient": "top", "direction": "horizontal", "columns": 0}}
    encoding = {"x": x, "y": y, "color": colour, "order": {"field": "rank", "type": "quantitative"},
                "tooltip": [{"field": "label", "title": " "}, {"field": "part", "title": legend}, {"field": "persons", "title": "n"}]}
    mark = {"type": "bar", "height": {"band": 0.66}, "stroke": "#ffffff", "strokeWidth": 0.6}
    return {"data": {"values": values}, "width": width, "height": {"step": 22}, "mark": mark, "encoding": encoding}


def event_grades_chart(rows: Sequence[Mapping[str, Any]], *, width: int | str = 350) -> Spec:
    """Persons by worst grade in each system organ class; rows `{"label", "worst": {"1": n, …, "not graded": n}}`."""
    values = [
        {"label": r["label"], "part": grade, "rank": GRADES.index(grade), "persons": r["worst"][grade]}
        for r in rows for grade in GRADES if r["worst"].get(grade)
    ]
    x = {"field": "persons", "type": "quantitative", "axis": _bar_axis("persons with at least one event")}
    body = _stacked(values, order=GRADES, colours=GRADE_COLOURS, x=x, sort=[r["label"] for r in rows], width=width,
                    legend="Worst grade")
    return _spec(body, describe_event_grades(rows))


def completeness_chart(rows: Sequence[Mapping[str, Any]], *, width: int | str = 540) -> Spec:
    """What became of the visits that fell due; rows `{"label", "outcomes": {"done in window": n, …}}`."""
    values = [
        {"label": r["label"], "part": part, "rank": VISIT_OUTCOMES.index(part), "persons": r["outcomes"][part]}
        for r in rows for part in VISIT_OUTCOMES if r["outcomes"].get(part)
    ]
    x = {"field": "persons", "type": "quantitative", "stack": "normalize",
         "axis": {"title": "share of visits that fell due", "format": ".0%"}}
    body = _stacked(values, order=VISIT_OUTCOMES, colours=VISIT_COLOURS, x=x, sort=[r["label"] for r in rows],
                    width=width, legend="Visit")
    return _spec(body, describe_completeness(rows))


def _count(number: int, one: str, many: str | None = None) -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


def describe_series(
    points: Sequence[Point], infusions: Sequence[Point], *, name: str, unit: str, baseline: float | None
) -> str:
    """One sentence saying what a figure of one quantity over time shows."""
    rows = with_runs(points)
    given = _count(len(infusions), "infusion")
    if not rows:
        return f"{name}: nothing was measured ({given})."
    last = rows[-1]
    start = f"from {baseline:g} {unit} at baseline" if baseline is not None else "no baseline value"
    sentence = f"{name}: {_count(len(rows), 'measurement')}, {start}, {last['shown']} {unit} on {last['when']}; {given}"
    censored = sum(r["censored"] for r in rows)
    return sentence + (f"; {censored} beyond the assay limit (hollow)." if censored else ".")


def describe_timeline(
    *, hba1c: Sequence[Point], infusions: Sequence[Point], events: Sequence[Point], today: str | None
) -> str:
    serious = sum(bool(e.get("is_serious")) for e in events)
    text = f"{_count(len(infusions), 'infusion')}, {_count(len(with_runs(hba1c)), 'HbA1c measurement')} and "
    text += f"{_count(len(events), 'adverse event')} ({serious} serious)"
    return f"{text} up to {day_words(today)}." if today else f"{text}."


def describe_exposure(rows: Sequence[Mapping[str, Any]]) -> str:
    total = sum(r["infusions"] for r in rows)
    if not total:
        return "No infusion was given up to the cut-off."
    most = max(rows, key=lambda r: r["infusions"])
    return f"{_count(total, 'infusion')} by tissue source and route; most were {most['label']} ({most['infusions']})."


def describe_event_grades(rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return "No adverse event was recorded up to the cut-off."
    severe = sum(n for r in rows for grade, n in r["worst"].items() if grade in ("3", "4", "5"))
    return (
        f"Persons with adverse events in {_count(len(rows), 'system organ class', 'system organ classes')} by worst grade; "
        f"{severe} entries are grade 3 or higher (a person counts once in each class)."
    )


def describe_completeness(rows: Sequence[Mapping[str, Any]]) -> str:
    due = sum(sum(r["outcomes"].values()) for r in rows)
    done = sum(r["outcomes"].get("done in window", 0) + r["outcomes"].get("done outside window", 0) for r in rows)
    overdue = sum(r["outcomes"].get("overdue", 0) for r in rows)
    if not due:
        return "No visit had fallen due by the cut-off."
    return f"Of {due} visits that fell due, {done} were done ({done / due:.0%}) and {overdue} are overdue."
