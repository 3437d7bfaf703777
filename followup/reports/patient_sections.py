"""The patient report as sections of tables and figures, made from its frozen numbers alone."""

from typing import Any

from followup import charts
from followup.labs.wording import INDEX_DECIMALS, unit_words
from followup.reports.layout import (
    Block,
    Section,
    figure,
    figure_or_words,
    num,
    paragraph,
    section,
    table,
    text,
)
from followup.reports.patient_numbers import InfusionRow, PatientNumbers, Series
from followup.reports.patient_signatures import signature_table
from followup.reports.wording import day, decimal, heading, label

SERIES_CHARTS = {"hba1c_percent": "hba1c", "c_peptide_nmol_l": "c_peptide"}
CHECK_NOTE = "A partial check leaves examination and imaging due."


def patient_sections(numbers: PatientNumbers) -> list[Section]:
    return [
        section("Course since first infusion", _timeline(numbers)),
        section("Open matters", _open_matters(numbers)),
        section("Infusions", _infusions(numbers)),
        section("Glycaemia, C-peptide and insulin", *_series(numbers), _derived(numbers)),
        section("Schedule", _schedule(numbers)),
        section("Adverse events", _events(numbers)),
        section("Neoplasia checks", _checks(numbers)),
        section("Status and consent", _status(numbers), _consents(numbers)),
        section("Signatures", signature_table(numbers)),
    ]


def patient_charts(numbers: PatientNumbers) -> dict[str, dict[str, Any]]:
    infusions, today = _infusion_marks(numbers), numbers["cover"]["cut_off"]
    hba1c, c_peptide = numbers["hba1c_percent"], numbers["c_peptide_nmol_l"]
    per_day, per_kg = numbers["insulin_iu_per_day"], numbers["insulin_iu_per_kg_day"]
    drawn = {
        "timeline": charts.timeline_chart(
            hba1c=_shown(numbers, "hba1c_percent", numbers["hba1c_percent"]),
            c_peptide=_shown(numbers, "c_peptide_nmol_l", numbers["c_peptide_nmol_l"]),
            insulin_iu_per_kg_day=per_kg["points"],
            infusions=infusions,
            events=_event_marks(numbers),
            today=today,
            baselines={
                "hba1c": hba1c["baseline"],
                "c_peptide": c_peptide["baseline"],
                "insulin_iu_per_kg_day": per_kg["baseline"],
            },
        ),
        "hba1c": charts.hba1c_chart(hba1c["points"], infusions, baseline=hba1c["baseline"], today=today),
        "c_peptide": charts.c_peptide_chart(
            c_peptide["points"], infusions, baseline=c_peptide["baseline"], today=today
        ),
        "insulin": charts.insulin_chart(
            per_day["points"],
            per_kg["points"],
            infusions,
            baseline_iu_per_day=per_day["baseline"],
            baseline_iu_per_kg_day=per_kg["baseline"],
            today=today,
        ),
    }
    has_points = {"hba1c": hba1c["points"], "c_peptide": c_peptide["points"], "insulin": per_day["points"]}
    return {name: chart for name, chart in drawn.items() if has_points.get(name, True)}


def _shown(numbers: PatientNumbers, name: str, series: Series) -> list[Any] | None:
    """None where the protocol masks it."""
    return None if name in numbers.get("masked", []) else list(series["points"])


def patient_facts(numbers: PatientNumbers) -> list[tuple[str, str]]:
    """The block at the head of the report; name and birth date only where the reader has the right to them."""
    patient, identity = numbers["patient"], numbers["patient"]["identity"]
    facts = [("Patient", patient["patient_id"])]
    if identity:
        facts += [
            ("Name", identity["full_name"]),
            ("Born", day(identity["birth_date"])),
            ("Local record", identity["local_id"] or "–"),
            ("Phone", identity["phone"] or "–"),
        ]
    else:
        facts.append(("Year of birth", str(patient["birth_year"] or "unknown")))
    return [
        *facts,
        ("Sex at birth", label(patient["sex"])),
        ("Site", patient["site"]),
        ("Status", f"{label(patient['status'])} since {day(patient['status_since'])}"),
        ("Enrolled", day(patient["enrolled_on"])),
        ("Diabetes since", day(patient["diabetes_since"])),
        ("Last contact", day(patient["last_contact"])),
        ("Next visit", day(patient["next_visit"])),
    ]


def _infusion_marks(numbers: PatientNumbers) -> list[dict[str, Any]]:
    return [{"date": i["infused_on"], "label": f"Infusion {i['number']}"} for i in numbers["infusions"]]


def _event_marks(numbers: PatientNumbers) -> list[dict[str, Any]]:
    """Only events whose day is known can stand on a time axis; the table lists them all."""
    return [
        {"date": e["onset_date"], "term": e["term"], "grade": e["grade"], "is_serious": e["is_serious"]}
        for e in numbers["events"]
        if len(e["onset_date"]) == 10
    ]


def _open_matters(numbers: PatientNumbers) -> Block:
    return table(
        "At the cut-off",
        [text("Kind"), text("Matter"), text("Since"), text("Due")],
        [(heading(m["kind"]), m["text"], day(m["since"]), day(m["due_on"])) for m in numbers["open_matters"]],
        empty="Nothing was open at the cut-off.",
    )


def _timeline(numbers: PatientNumbers) -> Block:
    marks = _event_marks(numbers)
    sentence = charts.describe_timeline(
        hba1c=_shown(numbers, "hba1c_percent", numbers["hba1c_percent"]),
        infusions=_infusion_marks(numbers),
        events=marks,
        today=numbers["cover"]["cut_off"],
    )
    block = figure("Timeline", "timeline", sentence)
    partial = len(numbers["events"]) - len(marks)
    if partial:
        block["notes"] = [
            f"{partial} with a partly known date is in the table of events only."
            if partial == 1
            else f"{partial} events with a partly known date are in the table of events only."
        ]
    return block


def _infusions(numbers: PatientNumbers) -> Block:
    """Without the columns of the product where a blinded protocol hides it."""
    hidden = numbers.get("product_hidden", False)
    columns = [_infusion_columns(row) for row in numbers["infusions"]]
    kept = [place for place, (_, of_product) in enumerate(INFUSION_HEADINGS) if not (of_product and hidden)]
    return table(
        "Infusions given",
        [INFUSION_HEADINGS[place][0] for place in kept],
        [[cells[place] for place in kept] for cells in columns],
        empty="No infusion was given up to the cut-off.",
        notes=["Lot, source, viability and dose are hidden: blinded protocol."] if hidden else [],
        width="dense",
    )


# The heading, and whether it tells of the product.
INFUSION_HEADINGS = (
    (num("No."), False),
    (text("Date"), False),
    (text("Lot"), True),
    (text("Source"), True),
    (text("Route"), False),
    (num("Cells", "million"), True),
    (num("Viable", "%"), True),
    (num("Weight", "kg"), False),
    (num("Viable dose", "million/kg"), True),
    (text("Reaction"), False),
    (text("Deviations"), False),
)


def _infusion_columns(row: InfusionRow) -> list[str | int]:
    return [
        row["number"],
        day(row["infused_on"]),
        row["lot"] or "–",
        label(row["tissue_source"]),
        label(row["route"]),
        decimal(row["cells_total_million"]),
        decimal(row["viability_percent"]),
        decimal(row["weight_kg"]),
        decimal(row["viable_million_cells_per_kg"], 2),
        row["reaction"] or "–",
        "; ".join(row["deviations"]) or "none",
    ]


def _series(numbers: PatientNumbers) -> list[Block]:
    marks = _infusion_marks(numbers)
    plan: list[tuple[str, str, str, Series]] = [
        ("HbA1c", "hba1c", "%", numbers["hba1c_percent"]),
        ("Fasting C-peptide", "c_peptide", "nmol/L", numbers["c_peptide_nmol_l"]),
        ("Insulin dose", "insulin", "IU/day", numbers["insulin_iu_per_day"]),
    ]
    masked = [SERIES_CHARTS.get(name) for name in numbers.get("masked", [])]
    return [
        paragraph(f"{name}: masked by the protocol.")
        if chart in masked
        else figure_or_words(
            series["points"],
            name,
            chart,
            charts.describe_series(
                series["points"], marks, name=name, unit=unit, baseline=series["baseline"]
            ),
        )
        for name, chart, unit, series in plan
    ]


def _index(code: str, value: float | None) -> str:
    return "–" if value is None else f"{value:.{INDEX_DECIMALS.get(code, 2)}f}"


def _derived(numbers: PatientNumbers) -> Block:
    return table(
        "Derived indices, latest",
        [
            text("Index"),
            text("Unit"),
            num("Baseline"),
            num("Latest"),
            text("On"),
            text("Status"),
            text("Formula"),
        ],
        [
            (
                heading(d["code"]),
                unit_words(d["unit"]) or "–",
                _index(d["code"], d["baseline"]),
                _index(d["code"], d["value"]),
                day(d["at"]),
                label(d["status"]) + (f": {d['reason']}" if d["reason"] else ""),
                f"version\u00a0{d['formula_version']}",
            )
            for d in numbers["derived"]
        ],
        empty="No derived index was calculated.",
        width="dense",
    )


def _schedule(numbers: PatientNumbers) -> Block:
    return table(
        "Visits",
        [text("Visit"), text("Target"), text("Window"), text("State"), text("Done on"), num("Late", "days")],
        [
            (
                v["label"],
                day(v["target_date"]),
                f"{day(v['window_opens'])} to {day(v['window_closes'])}" if v["window_opens"] else "–",
                heading(v["status"]),
                day(v["actual_date"]),
                "–" if v["days_late"] is None else v["days_late"],
            )
            for v in numbers["schedule"]
        ],
        empty="No visit is planned.",
        width="dense",
    )


def _events(numbers: PatientNumbers) -> Block:
    return table(
        "All adverse events",
        [
            text("Event"),
            text("Term"),
            num("Grade"),
            text("Serious"),
            text("Onset"),
            text("Ended"),
            text("Outcome"),
            text("Related to cells"),
        ],
        [
            (
                e["event_ref"],
                e["term"],
                e["grade"] or "–",
                "serious" if e["is_serious"] else "no",
                day(e["onset_date"]),
                day(e["end_date"]),
                label(e["outcome"]),
                label(e["relatedness_cells"] or "not assessed"),
            )
            for e in numbers["events"]
        ],
        empty="No adverse event was recorded.",
        width="dense",
    )


def _checks(numbers: PatientNumbers) -> Block:
    return table(
        "Checks made",
        [text("Date"), text("Visit"), text("Contact"), text("Extent"), text("Result")],
        [
            (day(c["on_date"]), c["visit_code"], label(c["contact_mode"]), c["completeness"], c["result"])
            for c in numbers["neoplasia_checks"]
        ],
        empty="No neoplasia check was made.",
        notes=[CHECK_NOTE],
    )


def _status(numbers: PatientNumbers) -> Block:
    return table(
        "Status",
        [text("Status"), text("From"), text("Reason")],
        [(heading(s["status"]), day(s["on_date"]), s["reason"] or "–") for s in numbers["status_history"]],
        empty="No status was recorded.",
    )


def _consents(numbers: PatientNumbers) -> Block:
    return table(
        "Consent",
        [text("Version"), text("Language"), text("Signed"), text("Covers"), text("Withdrawn")],
        [
            (
                c["version"],
                c["language"],
                day(c["signed_on"]),
                ", ".join(c["tiers"]) or "–",
                f"{day(c['withdrawn_on'])}: {label(c['scope'])}" if c["withdrawn_on"] else "no",
            )
            for c in numbers["consents"]
        ],
        empty="No consent was recorded.",
    )
