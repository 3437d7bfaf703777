import itertools
import json
from datetime import date

import pytest
import vl_convert
from hypothesis import given
from hypothesis import strategies as st

from followup import charts
from followup.chart_style import chart_config
from followup.reports import charts as report_charts

INFUSIONS = [{"date": "2029-01-20", "label": "Infusion 1"}]
POINTS = [
    {"date": "2029-01-05", "value": 9.1, "comparator": ""},
    {"date": "2029-04-05", "value": 7.4, "comparator": ""},
    {"date": "2029-07-05", "value": None, "comparator": ""},
    {"date": "2029-10-05", "value": 4.0, "comparator": "<"},
    {"date": "2031-10-05", "value": 8.0, "comparator": ""},
]
NO_POINTS: list = []


def figures(points, infusions, events):
    baselines = {"hba1c": 9.1 if points else None}
    rows = [{"label": "Cord · IV", "infusions": 3, "persons": 1}] if points else []
    grades = [{"label": "Infections", "worst": {"1": 2, "5": 1, "not graded": 1}}] if points else []
    visits = [{"label": "Month 3", "outcomes": {"done in window": 3, "overdue": 1}}] if points else []
    return {
        "hba1c": charts.hba1c_chart(points, infusions, baseline=baselines["hba1c"], today="2031-12-31"),
        "c_peptide": charts.c_peptide_chart(points, infusions),
        "insulin": charts.insulin_chart(points, points, infusions),
        "timeline": charts.timeline_chart(
            hba1c=points,
            c_peptide=points,
            insulin_iu_per_kg_day=points,
            infusions=infusions,
            events=events,
            today="2031-12-31",
            baselines=baselines,
        ),
        "exposure": report_charts.safety_exposure_chart(rows),
        "grades": report_charts.event_grades_chart(grades),
        "completeness": report_charts.completeness_chart(visits),
    }


def test_every_figure_compiles_also_when_there_is_nothing_to_draw():
    events = [{"date": "2029-03-03", "term": "Fever", "grade": "1", "is_serious": True}]
    for specs in (figures(POINTS, INFUSIONS, events), figures(NO_POINTS, [], [])):
        for name, spec in specs.items():
            json.dumps(spec, allow_nan=False)
            svg = vl_convert.vegalite_to_svg(spec, vl_version=charts.VEGA_LITE_VERSION, allowed_base_urls=[])
            assert "NaN" not in svg, name
            assert spec["description"].endswith("."), name


def test_no_line_is_drawn_where_nothing_was_measured():
    runs = [row["run"] for row in charts.with_runs(POINTS)]
    assert runs == [0, 0, 1, 2], "the visit without a value and the two-year gap each break the line"


def test_a_censored_result_is_kept_hollow_with_its_sign():
    row = charts.with_runs(POINTS)[2]
    assert row["censored"]
    assert row["shown"] == "<4"


def test_the_second_axis_of_hba1c_is_the_same_quantity():
    main, mirror = charts.hba1c_chart(POINTS, INFUSIONS, baseline=9.1)["layer"]
    scales = (layer["encoding"].get("y", {}).get("scale") for layer in main["layer"])
    percent = next(scale for scale in scales if scale)["domain"]
    assert mirror["encoding"]["y"]["scale"]["domain"] == [charts.hba1c_mmol_mol(p) for p in percent]


@pytest.mark.parametrize(("percent", "mmol_mol"), [(7.0, 53), (6.5, 48), (9.0, 75)])
def test_hba1c_in_its_other_unit(percent, mmol_mol):
    assert round(charts.hba1c_mmol_mol(percent)) == mmol_mol


def test_figures_say_what_they_show():
    words = charts.describe_series(POINTS, INFUSIONS, name="HbA1c", unit="%", baseline=9.1)
    assert words == (
        "HbA1c: 4 measurements, from 9.1 % at baseline, 8 % on 5 Oct 2031; 1 infusion; "
        "1 beyond the assay limit (hollow)."
    )
    assert charts.describe_series([], [], name="HbA1c", unit="%", baseline=None) == (
        "HbA1c: nothing was measured (0 infusions)."
    )
    assert report_charts.describe_completeness([]) == "No visit had fallen due by the cut-off."


def test_dark_pages_get_other_greys_and_nothing_else():
    light, dark = chart_config(), chart_config(dark=True)
    assert light.keys() == dark.keys()
    assert light["text"]["color"] != dark["text"]["color"]


@given(st.lists(st.dates(min_value=date(1850, 1, 1)), max_size=8), st.integers(min_value=1, max_value=900))
def test_runs_never_span_more_than_the_gap(days, gap_days):
    points = [{"date": day.isoformat(), "value": 1.0} for day in days]
    rows = charts.with_runs(points, gap_days=gap_days)
    assert len(rows) == len(points)
    for before, after in itertools.pairwise(rows):
        distance = charts.date.fromisoformat(after["date"]) - charts.date.fromisoformat(before["date"])
        assert (before["run"] == after["run"]) == (distance.days <= gap_days)
