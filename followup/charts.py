"""Vega-Lite specifications, one function a figure.

Written for Vega-Lite 6 (vl-convert bundles 6.4; the same specifications compile with 5.8 and later). Dates are ISO
`YYYY-MM-DD` and drawn on a UTC axis, so that a calendar day never moves with the reader's clock. Points are plain
dicts: `{"date": "2029-03-01", "value": 8.1, "comparator": ""}`; `comparator` `<` or `>` marks a censored result, a
`value` of None a planned measurement that was not made.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from followup.chart_style import BLUE, GREEN, PURPLE, VERMILLION, chart_config
from registry.partial_dates import in_words

Spec = dict[str, Any]
Point = Mapping[str, Any]

VEGA_LITE_VERSION = "6.4"
SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
DEFAULT_GAP_DAYS = 400
EVENT_COLOUR = PURPLE


def _look(name: str, unit: str, colour: str, title: str, *, from_zero: bool = True) -> Spec:
    """How one quantity is always drawn."""
    two_lines = [name.removeprefix("Fasting ").removesuffix(" dose"), f"({unit})"]
    return {
        "name": name,
        "unit": unit,
        "colour": colour,
        "title": title,
        "two_lines": two_lines,
        "from_zero": from_zero,
    }


HBA1C = _look("HbA1c", "%", BLUE, "HbA1c (%)", from_zero=False)
C_PEPTIDE = _look("Fasting C-peptide", "nmol/L", GREEN, "Fasting C-peptide (nmol/L)")
INSULIN = _look("Insulin dose", "IU/day", VERMILLION, "IU/day")
INSULIN_PER_KG = _look("Insulin dose", "IU/kg/day", VERMILLION, "IU/kg/day")


def hba1c_mmol_mol(percent: float) -> float:
    """IFCC HbA1c in mmol/mol from NGSP % (valid 3–20 %): (% − 2.15) × 10.929, the NGSP master equation."""
    return (percent - 2.15) * 10.929


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
        drawn.append(
            {
                "date": point["date"],
                "value": point["value"],
                "run": run,
                "censored": bool(comparator),
                "when": in_words(point["date"]),
                "shown": f"{comparator}{point['value']:g}",
            }
        )
    return drawn


def spec(body: Spec, description: str) -> Spec:
    return {"$schema": SCHEMA, "description": description, "config": chart_config(), **body}


def _layer(rows: Sequence[Spec], mark: Spec, **encoding: Spec) -> Spec:
    return {"data": {"values": list(rows)}, "mark": mark, "encoding": encoding}


def _words(style: str, align: str, **more: float) -> Spec:
    return {"type": "text", "style": style, "align": align, **more}


def _time_axis(domain: Sequence[str], *, labels: bool = True) -> Spec:
    years = int(domain[1][:4]) - int(domain[0][:4])
    axis: Spec = {
        "title": None,
        "format": "%Y" if years > 3 else "%b %Y",
        "labelFlush": False,
        "labels": labels,
    }
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


def _infusion_layers(infusions: Sequence[Point], x: Spec, *, marks: bool = True, at: int = -6) -> list[Spec]:
    """Dotted lines through the panel and, with `marks`, ▼ at a height in pixels from its top."""
    rows = [{"date": i["date"], "when": in_words(i["date"]), "label": i.get("label", "")} for i in infusions]
    layers = [_layer(rows, {"type": "rule", "style": "infusion-line"}, x=x)] if rows else []
    return [*layers, _triangles(rows, x, at=at)] if marks and rows else layers


def _triangles(rows: Sequence[Spec], x: Spec, *, at: int) -> Spec:
    mark = {"type": "point", "shape": "triangle-down", "filled": True, "size": 75, "opacity": 1}
    layer = _layer(rows, mark, x=x, y={"value": at})
    layer["encoding"]["tooltip"] = [_field("label", "Infusion"), _field("when", "On")]
    return layer


def _field(name: str, title: str) -> Spec:
    return {"field": name, "title": title}


def _today_layer(today: str | None, x: Spec) -> list[Spec]:
    return [_layer([{"date": today}], {"type": "rule", "style": "today"}, x=x)] if today else []


def _baseline_layers(baseline: float | None, y: Spec, unit: str) -> list[Spec]:
    if baseline is None:
        return []
    rows = [{"value": baseline, "text": f"dashed: baseline {baseline:.3g} {unit}"}]
    place: dict[str, Spec] = {"x": {"value": "width"}, "y": {"value": -6}, "text": {"field": "text"}}
    return [
        _layer(rows, {"type": "rule", "style": "baseline"}, y=y),
        _layer(rows, _words("note", "right"), **place),
    ]


def _series_layers(rows: list[Spec], x: Spec, y: Spec, *, colour: str, name: str) -> list[Spec]:
    low, high = y["scale"]["domain"]
    # The last value is written above its point; near the top that place is the baseline's note, so below.
    below = bool(rows) and rows[-1]["value"] > high - (high - low) / 4
    dots = {"type": "point", "color": colour, "strokeWidth": 1.6, "opacity": 1}
    solid = [row for row in rows if not row["censored"]]
    hollow = [row for row in rows if row["censored"]]
    line = {"type": "line", "color": colour, "strokeWidth": 1.8}
    layers = [
        _layer(rows, line, x=x, y=y, detail={"field": "run"}),
        _layer(solid, dots | {"filled": True, "size": 34}, x=x, y=y),
        _layer(hollow, dots | {"filled": False, "fill": "#ffffff", "size": 46}, x=x, y=y),
        _layer(
            rows[-1:],
            _words("label", "left", dx=7, dy=11 if below else -8),
            x=x,
            y=y,
            text={"field": "shown"},
        ),
    ]
    for layer in layers[1:3]:
        layer["encoding"]["tooltip"] = [_field("when", "On"), _field("shown", name)]
    return layers[:1] + [
        layer for layer in layers[1:] if layer["data"]["values"]
    ]  # the first carries the axes


def _panel(
    points: Sequence[Point],
    infusions: Sequence[Point],
    look: Spec,
    *,
    domain: Sequence[str],
    baseline: float | None,
    today: str | None,
    width: int | str,
    height: int,
    gap_days: int,
    labels: bool = True,
    marks: bool = True,
) -> Spec:
    rows = with_runs(points, gap_days=gap_days)
    x = _time_axis(domain, labels=labels)
    y: Spec = {"field": "value", "type": "quantitative", "axis": {"title": look["title"], "tickCount": 4}}
    span = _value_domain(rows, baseline, from_zero=look["from_zero"])
    y["scale"] = {"domain": span, "nice": False, "zero": False}
    layers = _infusion_layers(infusions, x, marks=marks) + _today_layer(today, x)
    layers += _baseline_layers(baseline, y, look["unit"])
    layers += _series_layers(rows, x, y, colour=look["colour"], name=f"{look['name']}, {look['unit']}")
    return {"width": width, "height": height, "layer": layers}


def _add_mmol_mol_axis(panel: Spec) -> Spec:
    """The same quantity in its other unit: the one second axis this product draws."""
    scales = (layer["encoding"].get("y", {}).get("scale") for layer in panel["layer"])
    low, high = (hba1c_mmol_mol(percent) for percent in next(s for s in scales if s)["domain"])
    y: Spec = {"field": "value", "type": "quantitative"}
    y["scale"] = {"domain": [low, high], "nice": False, "zero": False}
    y["axis"] = {"orient": "right", "title": "mmol/mol", "grid": False, "tickCount": 5, "format": ".0f"}
    mirror = _layer([{"value": low}], {"type": "point", "opacity": 0, "size": 0}, y=y)
    return {**panel, "layer": [{"layer": panel["layer"]}, mirror], "resolve": {"scale": {"y": "independent"}}}


def _frame(
    points: Sequence[Point], infusions: Sequence[Point], *, today: str | None, **size: int | str
) -> Spec:
    return {"domain": time_domain(points, infusions, today=today), "today": today, **size}


def hba1c_chart(
    points: Sequence[Point],
    infusions: Sequence[Point],
    *,
    baseline: float | None = None,
    today: str | None = None,
    width: int | str = 560,
    height: int = 170,
    gap_days: int = DEFAULT_GAP_DAYS,
) -> Spec:
    """HbA1c in % with mmol/mol on the right; `baseline` in %."""
    frame = _frame(points, infusions, today=today, width=width, height=height, gap_days=gap_days)
    panel = _panel(points, infusions, HBA1C, baseline=baseline, **frame)
    return spec(_add_mmol_mol_axis(panel), _describe(points, infusions, HBA1C, baseline))


def c_peptide_chart(
    points: Sequence[Point],
    infusions: Sequence[Point],
    *,
    baseline: float | None = None,
    today: str | None = None,
    width: int | str = 560,
    height: int = 150,
    gap_days: int = DEFAULT_GAP_DAYS,
) -> Spec:
    """Fasting C-peptide in nmol/L, from zero."""
    frame = _frame(points, infusions, today=today, width=width, height=height, gap_days=gap_days)
    panel = _panel(points, infusions, C_PEPTIDE, baseline=baseline, **frame)
    return spec(panel, _describe(points, infusions, C_PEPTIDE, baseline))


def insulin_chart(
    iu_per_day: Sequence[Point],
    iu_per_kg_day: Sequence[Point],
    infusions: Sequence[Point],
    *,
    baseline_iu_per_day: float | None = None,
    baseline_iu_per_kg_day: float | None = None,
    today: str | None = None,
    width: int = 560,
    height: int = 100,
    gap_days: int = DEFAULT_GAP_DAYS,
) -> Spec:
    """Insulin dose on one time axis: IU/day above, IU/kg/day below (two quantities, so no dual axis)."""
    domain = time_domain(iu_per_day, iu_per_kg_day, infusions, today=today)
    frame: Spec = {"domain": domain, "today": today, "width": width, "height": height, "gap_days": gap_days}
    day, kg = baseline_iu_per_day, baseline_iu_per_kg_day
    panels = [
        _panel(iu_per_day, infusions, INSULIN, baseline=day, labels=False, **frame),
        _panel(iu_per_kg_day, infusions, INSULIN_PER_KG, baseline=kg, marks=False, **frame),
    ]
    return spec({"vconcat": panels, "spacing": 14}, _describe(iu_per_day, infusions, INSULIN, day))


def _strip(infusions: Sequence[Point], *, domain: Sequence[str], today: str | None, width: int) -> Spec:
    """The top row of the timeline: infusion marks, and the last day shown in words."""
    x = _time_axis(domain, labels=False)
    left: dict[str, Spec] = {"x": {"value": 0}, "y": {"value": 16}, "text": {"field": "text"}}
    layers = [_layer([{"text": "Infusions"}], _words("label", "right", dx=-6), **left)]
    layers += _infusion_layers(infusions, x, at=16)[1:] + _today_layer(today, x)
    if today:
        rows = [{"date": today, "text": f"up to {in_words(today)}"}]
        layers.append(
            _layer(rows, _words("note", "right", dx=-5), x=x, y={"value": 4}, text={"field": "text"})
        )
    return {"width": width, "height": 22, "layer": layers}


def _event_panel(events: Sequence[Point], *, domain: Sequence[str], today: str | None, width: int) -> Spec:
    kinds = ["other", "serious"]
    rows = [
        {"date": e["date"], "when": in_words(e["date"]), "term": e.get("term", ""), "grade": e.get("grade")}
        | {"kind": "serious" if e.get("is_serious") else "other"}
        for e in events
    ]
    x = _time_axis(domain)
    y: Spec = {"field": "kind", "type": "nominal", "sort": kinds, "scale": {"domain": kinds}}
    y["axis"] = {"title": "Events", "grid": False}
    colour: Spec = {"field": "kind", "type": "nominal", "legend": None}
    colour["scale"] = {"domain": kinds, "range": [EVENT_COLOUR, VERMILLION]}
    ticks = _layer(rows, {"type": "tick", "thickness": 2.5, "size": 14, "opacity": 1}, x=x, y=y, color=colour)
    ticks["encoding"]["tooltip"] = [_field("when", "On"), _field("term", "Event"), _field("grade", "Grade")]
    return {"width": width, "height": 40, "layer": [ticks, *_today_layer(today, x)]}


def timeline_chart(
    *,
    hba1c: Sequence[Point] | None,
    c_peptide: Sequence[Point] | None,
    insulin_iu_per_kg_day: Sequence[Point],
    infusions: Sequence[Point],
    events: Sequence[Point],
    today: str | None,
    baselines: Mapping[str, float | None],
    width: int = 560,
    gap_days: int = DEFAULT_GAP_DAYS,
) -> Spec:
    """The patient at a glance on one time axis; `baselines` by `hba1c`, `c_peptide`, `insulin_iu_per_kg_day`. None is
    masked by the protocol and has no panel.
    """
    domain = time_domain(hba1c or [], c_peptide or [], insulin_iu_per_kg_day, infusions, events, today=today)
    edge: Spec = {"domain": domain, "today": today, "width": width}
    frame: Spec = {**edge, "gap_days": gap_days, "labels": False, "marks": False}

    def panel(points: Sequence[Point], look: Spec, key: str, height: int) -> Spec:
        short = look | {"title": look["two_lines"]}
        return _panel(points, infusions, short, baseline=baselines.get(key), height=height, **frame)

    panels = [
        _strip(infusions, **edge),
        *([] if hba1c is None else [_add_mmol_mol_axis(panel(hba1c, HBA1C, "hba1c", 98))]),
        *([] if c_peptide is None else [panel(c_peptide, C_PEPTIDE, "c_peptide", 70)]),
        panel(insulin_iu_per_kg_day, INSULIN_PER_KG, "insulin_iu_per_kg_day", 70),
        _event_panel(events, **edge),
    ]
    sentence = describe_timeline(hba1c=hba1c, infusions=infusions, events=events, today=today)
    return spec({"vconcat": panels, "spacing": 10}, sentence)


def counted(number: int, one: str, many: str | None = None) -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


def _describe(points: Sequence[Point], infusions: Sequence[Point], look: Spec, baseline: float | None) -> str:
    return describe_series(points, infusions, name=look["name"], unit=look["unit"], baseline=baseline)


def describe_series(
    points: Sequence[Point], infusions: Sequence[Point], *, name: str, unit: str, baseline: float | None
) -> str:
    """One sentence saying what a figure of one quantity over time shows."""
    rows = with_runs(points)
    given = counted(len(infusions), "infusion")
    if not rows:
        return f"{name}: nothing was measured ({given})."
    last = rows[-1]
    start = f"from {baseline:g} {unit} at baseline" if baseline is not None else "no baseline value"
    sentence = f"{name}: {counted(len(rows), 'measurement')}, {start}, {last['shown']} {unit} on {last['when']}; {given}"
    censored = sum(r["censored"] for r in rows)
    return sentence + (f"; {censored} beyond the assay limit (hollow)." if censored else ".")


def describe_timeline(
    *, hba1c: Sequence[Point] | None, infusions: Sequence[Point], events: Sequence[Point], today: str | None
) -> str:
    serious = sum(bool(e.get("is_serious")) for e in events)
    measured = "" if hba1c is None else f", {counted(len(with_runs(hba1c)), 'HbA1c measurement')}"
    text = f"{counted(len(infusions), 'infusion')}{measured} and "
    text += f"{counted(len(events), 'adverse event')} ({serious} serious)"
    masked = " HbA1c is masked by the protocol." if hba1c is None else ""
    return f"{text} up to {in_words(today)}.{masked}" if today else f"{text}.{masked}"
