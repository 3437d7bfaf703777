"""The event, reaction and neoplasia tables of the safety report."""

from collections.abc import Sequence
from typing import Any

from followup.reports import charts
from followup.reports.layout import Block, figure_or_words, grouped, num, paragraph, table, text
from followup.reports.numbers import EventListingRow, SafetyNumbers
from followup.reports.wording import count, day, decimal, heading, interval, label, plural, share

GRADES = charts.GRADES
NO_PROOF = "Few person-years: the absence or small number of cases does not show absence of risk."


def grade_bars(numbers: SafetyNumbers) -> list[dict[str, Any]]:
    return [{"label": r["soc"], "worst": r["worst"]} for r in numbers["event_classes"]]


def event_blocks(numbers: SafetyNumbers) -> list[Block]:
    overview = _overview_table(numbers)
    by_term = _by_term_table(numbers)
    by_term["rows"] = grouped([row["soc"] for row in numbers["event_terms"]], by_term["rows"])
    bars = grade_bars(numbers)
    return [
        overview,
        figure_or_words(
            bars,
            "Persons by system organ class and worst grade",
            "grades",
            charts.describe_event_grades(bars),
        ),
        by_term,
    ]


def _overview_table(numbers: SafetyNumbers) -> Block:
    persons = numbers["exposure"]["persons"]
    return table(
        "Overview of adverse events",
        [
            text("Adverse events"),
            num("Persons", "n (%)"),
            num("Events", "n"),
            num("Rate", "per 100 person-years"),
            num("Persons in period", "n"),
            num("Events in period", "n"),
        ],
        [
            (
                heading(r["kind"]),
                share(r["persons"], persons),
                r["events"],
                decimal(r["rate_per_100_person_years"], 2),
                r["persons_in_period"],
                r["events_in_period"],
            )
            for r in numbers["event_overview"]
        ],
        empty="No adverse event was recorded.",
        notes=[f"Percentages of the {persons} persons infused; rates count events."],
    )


def _by_term_table(numbers: SafetyNumbers) -> Block:
    persons = numbers["exposure"]["persons"]
    return table(
        "Persons by system organ class, term and worst grade",
        [text("Term"), num("Persons", "n (%)"), num("Events", "n"), *[num(g) for g in GRADES]],
        [
            (
                r["term"],
                share(r["persons"], persons),
                r["events"],
                *[r["worst"].get(g, 0) or "·" for g in GRADES],
            )
            for r in numbers["event_terms"]
        ],
        empty="No adverse event was recorded.",
        notes=["Each person counts once in a term, at the worst grade. “Not graded” is not grade 0."],
    )


def reaction_table(numbers: SafetyNumbers) -> Block:
    reactions = numbers["infusion_reactions"]
    return table(
        "Reactions per infusion",
        [
            text("Reaction"),
            num("Infusions", "n"),
            num("Persons", "n"),
            num("Share", "% of infusions"),
            num("Exact 95 % interval", "%"),
        ],
        [
            (
                heading(r["reaction"]),
                r["infusions"],
                r["persons"],
                decimal(r["percent_of_infusions"]),
                interval(r["low_percent"], r["high_percent"], 1),
            )
            for r in reactions["rows"]
        ],
        empty="No infusion reaction was recorded.",
        notes=[
            f"Denominator: {reactions['observed_infusions']} infusions with a recorded observation, of {reactions['infusions']}. "
            "A share of infusions is not a share of persons."
        ],
    )


def serious_blocks(numbers: SafetyNumbers) -> list[Block]:
    listing = _serious_listing_table(numbers)
    fatal = _fatal_table(numbers)
    return [listing, fatal]


def _serious_listing_table(numbers: SafetyNumbers) -> Block:
    rows = numbers["serious_events"]
    return table(
        "Serious adverse events, cumulative listing",
        [
            text("Event"),
            text("Person"),
            text("Term"),
            num("Grade"),
            text("Onset"),
            num("Since infusion", "days"),
            text("Criteria"),
            text("Cells / procedure"),
            text("Outcome"),
        ],
        [_serious_cells(r) for r in rows],
        empty="No serious adverse event was recorded.",
        width="dense",
        notes=[
            "* in the period. # recorded as not serious although a criterion says otherwise; counted here, query open."
            if rows
            else "",
            "Not assessed counts as related and unexpected until the investigator has judged.",
        ],
    )


def _fatal_table(numbers: SafetyNumbers) -> Block:
    rows = numbers["serious_events"]
    deaths = [r for r in rows if "death" in r["criteria"] or r["outcome"] == "fatal" or r["grade"] == "5"]
    return table(
        "Deaths",
        [
            text("Person"),
            text("Cause as reported"),
            text("Onset"),
            text("Ended"),
            num("Since infusion", "days"),
            text("Last lot"),
        ],
        [
            (
                r["patient_id"],
                r["term"],
                day(r["onset_date"]),
                day(r["end_date"]),
                count(r["days_since_last_infusion"]),
                r["last_lot"] or "–",
            )
            for r in deaths
        ],
        empty="No fatal event was recorded.",
    )


def _serious_cells(row: EventListingRow) -> Sequence[str]:
    marks = ("*" if row["in_period"] else "") + ("#" if row["is_contradictory"] else "")
    age = "age unknown" if row["age_years"] is None else f"{row['age_years']} y"
    return (
        row["event_ref"] + marks,
        f"{row['patient_id']}, {label(row['sex'])}, {age}",
        row["term"],
        row["grade"] or "–",
        day(row["onset_date"]),
        count(row["days_since_last_infusion"]),
        ", ".join(label(c) for c in row["criteria"]) or "–",
        _judged(row["relatedness_cells"], row["relatedness_procedure"]),
        label(row["outcome"]),
    )


def _judged(cells: str | None, procedure: str | None) -> str:
    return f"{label(cells or 'not assessed')} / {label(procedure or 'not assessed')}"


def special_interest_table(numbers: SafetyNumbers) -> Block:
    return table(
        "Events by category, cumulative",
        [text("Category"), num("Persons", "n"), num("Events", "n"), num("Serious", "n")],
        [(r["category"], r["persons"], r["events"], r["serious"]) for r in numbers["special_interest"]],
        empty="No event of special interest was recorded.",
    )


def neoplasia_blocks(numbers: SafetyNumbers) -> list[Block]:
    neoplasia = numbers["neoplasia"]
    rates = _incidence_table(numbers)
    by_time = _by_time_table(numbers)
    listing = _neoplasm_listing_table(numbers)
    checks = paragraph(
        f"{neoplasia['checks_done']} of {plural(neoplasia['checks_due'], 'neoplasia check')} that fell due were done."
    )
    return [checks, rates, by_time, listing]


def _incidence_table(numbers: SafetyNumbers) -> Block:
    neoplasia = numbers["neoplasia"]
    return table(
        "Incidence",
        [
            text("Person-time counted"),
            num("Persons", "n"),
            num("Cases", "n"),
            num("Person-years"),
            num("Unascertained", "years"),
            num("Rate", "per 100 person-years"),
            num("Exact 95 % interval"),
        ],
        [
            (
                heading(r["definition"]),
                r["persons"],
                r["cases"],
                decimal(r["person_years"]),
                decimal(r["unascertained_years"]),
                decimal(r["rate_per_100_person_years"], 2),
                interval(r["low"], r["high"]),
            )
            for r in neoplasia["rates"]
        ],
        empty="No person-time yet.",
        notes=[
            NO_PROOF,
            f"Expected cases: {neoplasia['expected'] or 'expected not available – no reference rates are loaded'}.",
            "Close surveillance finds more; type 2 diabetes itself raises the incidence of several cancers.",
        ],
    )


def _by_time_table(numbers: SafetyNumbers) -> Block:
    neoplasia = numbers["neoplasia"]
    return table(
        "By time since first infusion",
        [
            text("Time since infusion"),
            num("Cases", "n"),
            num("Person-years"),
            num("Rate", "per 100 person-years"),
            num("Exact 95 % interval"),
        ],
        [
            (
                r["band"],
                r["cases"],
                decimal(r["person_years"]),
                decimal(r["rate_per_100_person_years"], 2),
                interval(r["low"], r["high"]),
            )
            for r in neoplasia["by_time_since_infusion"]
        ],
        empty="No person-time yet.",
    )


def _neoplasm_listing_table(numbers: SafetyNumbers) -> Block:
    neoplasia = numbers["neoplasia"]
    return table(
        "All suspicions and cases",
        [
            text("Case"),
            text("Person"),
            text("State"),
            text("Suspected"),
            text("Diagnosed"),
            num("Since first infusion", "months"),
            text("Site / type"),
            text("Donor origin"),
            text("Cells / procedure"),
            text("Counted"),
        ],
        [
            (
                r["case_ref"],
                f"{r['patient_id']}, {label(r['sex'])}, {count(r['age_years'])} y",
                label(r["status"]),
                day(r["suspected_on"]),
                day(r["diagnosed_on"]),
                count(r["months_since_first_infusion"]),
                f"{r['topography']} {r['morphology']}{r['behaviour']}".strip() or "–",
                r["donor_origin"],
                "–"
                if r["status"] == "excluded"
                else _judged(r.get("relatedness_cells"), r.get("relatedness_procedure")),
                "yes" if r["is_counted"] else f"no: {r['why_not_counted']}",
            )
            for r in neoplasia["listing"]
        ],
        empty="No suspicion of neoplasia was raised.",
        width="dense",
        notes=["Cells / procedure: the safety officer's assessment, as it stood when the report was made."],
    )
