"""The sections that only the closed safety report has, made from its frozen numbers alone."""

from __future__ import annotations

from followup.reports.layout import Block, Section, grouped, num, paragraph, section, table, text
from followup.reports.numbers import Closed, ClosedGroup, GlycaemiaRow
from followup.reports.safety_follow_up import glycaemia_cells, measure_words
from followup.reports.wording import day, decimal, utc

WHO_READS = (
    "This report says what each person was given. It is made, read and signed by the safety officer alone and is not passed "
    "on to anybody who treats, counts or monitors people in this protocol."
)


def closed_sections(closed: Closed) -> list[Section]:
    return [
        section("Outcomes by product", paragraph(WHO_READS), _by_product(closed), _events(closed)),
        section("Masked results by product", _masked(closed)),
        section("What each person was given", _products(closed)),
        section("Unblindings", _unblindings(closed)),
    ]


def _by_product(closed: Closed) -> Block:
    return table(
        "Persons, infusions and doses by product",
        [
            text("Product"),
            num("Persons", "n"),
            num("Infusions", "n"),
            num("Person-years"),
            num("Dose, median", "10⁶ viable cells/kg"),
            num("Lowest to highest", "10⁶ viable cells/kg"),
        ],
        [
            (
                one["group"],
                one["persons"],
                one["infusions"],
                decimal(one["person_years"]),
                decimal(one["median_million_per_kg"], 2),
                _range(one),
            )
            for one in closed["groups"]
        ],
        empty="Nobody was infused.",
        notes=["A group holds everybody who was given cells of this source and relation and of no other."],
    )


def _range(one: ClosedGroup) -> str:
    if one["lowest_million_per_kg"] is None:
        return "–"
    low, high = decimal(one["lowest_million_per_kg"], 2), decimal(one["highest_million_per_kg"], 2)
    return f"{low}\u00a0to\u00a0{high}"


def _events(closed: Closed) -> Block:
    return table(
        "Events by product, since the first infusion",
        [
            text("Product"),
            num("Persons with an event", "n"),
            num("Events", "n"),
            num("Persons with a serious event", "n"),
            num("Serious events", "n"),
            num("Serious", "per 100 person-years"),
            num("Infusion reactions", "n"),
            num("Neoplasms counted", "n"),
            num("Deaths", "n"),
        ],
        [
            (
                one["group"],
                one["persons_with_event"],
                one["events"],
                one["persons_with_serious"],
                one["serious"],
                decimal(one["serious_per_100_person_years"]),
                one["reactions"],
                one["neoplasms"],
                one["deaths"],
            )
            for one in closed["groups"]
        ],
        empty="Nobody was infused.",
        notes=["Described, never tested: groups of a registry differ in more than the product."],
        width="dense",
    )


def _masked(closed: Closed) -> Block:
    if not closed["masked_words"]:
        return paragraph("The protocol masks no result.")
    rows = closed["masked"]
    block = table(
        "Masked results: levels and change from baseline by visit",
        [text("Visit"), num("n"), num("Mean (SD)"), num("n with baseline"), num("Mean change (SD)")],
        [glycaemia_cells(one["row"]) for one in rows],
        empty="No masked result is recorded.",
        notes=[f"Masked in this protocol: {closed['masked_words']}, and the indices worked out from them."],
    )
    block["rows"] = grouped([_heading(one["group"], one["row"]) for one in rows], block["rows"])
    return block


def _heading(group: str, row: GlycaemiaRow) -> str:
    return f"{group} · {measure_words(row)}"


def _products(closed: Closed) -> Block:
    return table(
        "Lots and doses by person",
        [
            text("Patient"),
            text("Infused on"),
            text("Lot"),
            text("Product"),
            text("Cells"),
            num("Viability", "%"),
            num("Dose", "10⁶ viable cells/kg"),
        ],
        [
            (
                one["patient_id"],
                day(one["infused_on"]),
                one["lot"],
                one["product"],
                one["cell_type"],
                decimal(one["viability_percent"]),
                decimal(one["million_per_kg"], 2),
            )
            for one in closed["products"]
        ],
        empty="No dose is recorded.",
        width="dense",
    )


def _unblindings(closed: Closed) -> Block:
    return table(
        "Who learnt before the end what one patient was given",
        [text("Patient"), text("Site"), text("When"), text("Unblinded to"), text("Reason")],
        [
            (one["patient_id"], one["site"], utc(one["at"]), one["by"], one["reason"])
            for one in closed["unblindings"]
        ],
        empty="Nobody was unblinded up to the cut-off.",
    )
