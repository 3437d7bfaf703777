"""The periodic safety report as sections of tables and figures, made from its frozen numbers alone."""

from typing import Any

from followup.reports import charts
from followup.reports.layout import (
    NOT_OURS,
    Block,
    Section,
    figure_or_words,
    num,
    paragraph,
    section,
    table,
    text,
)
from followup.reports.numbers import NeoplasiaRateRow, SafetyNumbers
from followup.reports.safety_events import (
    NO_PROOF,
    event_blocks,
    grade_bars,
    neoplasia_blocks,
    reaction_table,
    serious_blocks,
    special_interest_table,
)
from followup.reports.safety_follow_up import follow_up_blocks, glycaemia_table, query_table
from followup.reports.wording import count, decimal, heading, interval, label, plural, share


def safety_sections(numbers: SafetyNumbers) -> list[Section]:
    return [
        section("Disposition", *_disposition(numbers)),
        section("Persons at baseline", *_baseline(numbers)),
        section("Exposure", *_exposure(numbers)),
        section("Adverse events", *event_blocks(numbers)),
        section("Infusion reactions", reaction_table(numbers)),
        section("Serious adverse events", *serious_blocks(numbers)),
        section("Events of special interest", special_interest_table(numbers)),
        section("Neoplasia", *neoplasia_blocks(numbers)),
        section("Follow-up completeness", *follow_up_blocks(numbers)),
        section("Glycaemic control", glycaemia_table(numbers)),
        section("Open data-quality queries", query_table(numbers)),
        section("Reconciliation", _reconciliation(numbers)),
        section("Sections completed by the sponsor", _sponsor()),
        section("Definitions and versions", _definitions(numbers)),
    ]


def safety_charts(numbers: SafetyNumbers) -> dict[str, dict[str, Any]]:
    """Only figures that show something: a section without data prints its sentence instead."""
    exposure, grades = _exposure_bars(numbers), grade_bars(numbers)
    completeness = numbers["follow_up"]["completeness"]
    drawn = {}
    if exposure:
        drawn["exposure"] = charts.safety_exposure_chart(exposure)
    if grades:
        drawn["grades"] = charts.event_grades_chart(grades)
    if completeness:
        drawn["completeness"] = charts.completeness_chart(completeness)
    return drawn


def safety_summary(numbers: SafetyNumbers) -> list[dict[str, str]]:
    """The one page a board member reads first: a figure in large type, what it counts, and what it means."""
    exposure, follow_up = numbers["exposure"], numbers["follow_up"]
    overview = {row["kind"]: row for row in numbers["event_overview"]}
    years = next((r for r in exposure["person_time"] if r["group"] == "total"), None)
    rate = _main_rate(numbers)
    serious, fatal = overview.get("serious"), overview.get("fatal")
    return [
        _fact(
            count(numbers["persons_in_registry"]),
            "persons in the registry",
            f"{exposure['persons']} infused; each is in exactly one row of the disposition.",
        ),
        _fact(count(exposure["infusions"]), "infusions", f"{exposure['infusions_in_period']} in the period."),
        _fact(
            decimal(years["years_cumulative"] if years else None),
            "person-years since first infusion",
            f"{decimal(years['years_in_period'] if years else None)} in the period.",
        ),
        _fact(
            count(serious["events"] if serious else 0),
            "serious adverse events",
            f"{plural(serious['persons'] if serious else 0, 'person')}; {serious['events_in_period'] if serious else 0} "
            f"in the period; {fatal['events'] if fatal else 0} fatal.",
        ),
        _fact(count(rate["cases"] if rate else 0), "neoplasia cases counted", _rate_sentence(rate)),
        _fact(
            count(len(follow_up["overdue"])),
            "persons with an overdue visit",
            f"{follow_up['persons_seen_within_12_months']} of {follow_up['persons_under_follow_up']} persons under "
            f"follow-up were seen within 12 months; {follow_up['persons_without_next_visit']} have no next visit.",
        ),
    ]


def _fact(number: str, what: str, meaning: str) -> dict[str, str]:
    return {"number": number, "what": what, "meaning": meaning}


def _main_rate(numbers: SafetyNumbers) -> NeoplasiaRateRow | None:
    return next((r for r in numbers["neoplasia"]["rates"] if r["definition"] == "status_known"), None)


def _rate_sentence(rate: NeoplasiaRateRow | None) -> str:
    if rate is None or not rate["person_years"]:
        return f"No person-time with known neoplasia status. {NO_PROOF}"
    return (
        f"{decimal(rate['rate_per_100_person_years'], 2)} per 100 person-years, exact 95 % interval "
        f"{interval(rate['low'], rate['high'])}. {NO_PROOF}"
    )


def _disposition(numbers: SafetyNumbers) -> list[Block]:
    rows = numbers["disposition"]
    infused, never = sum(r["infused"] for r in rows), sum(r["never_infused"] for r in rows)
    whole = infused + never
    held = "agrees with" if whole == numbers["persons_in_registry"] else "DIFFERS FROM"
    main = table(
        "Every person in the registry, in exactly one row",
        [text("Status at the cut-off"), num("Infused", "n"), num("Never infused", "n"), num("All", "n (%)")],
        [
            (
                heading(r["status"]),
                r["infused"],
                r["never_infused"],
                share(r["infused"] + r["never_infused"], whole),
            )
            for r in rows
        ],
        totals=[("All persons", infused, never, whole)],
        empty="Nobody is in the registry.",
        notes=[f"The sum of {whole} {held} the {numbers['persons_in_registry']} persons in the registry."],
    )
    scopes = table(
        "Withdrawals by scope",
        [text("Scope"), num("Persons", "n")],
        [(heading(r["scope"]), r["persons"]) for r in numbers["withdrawals"]],
        empty="Nobody has withdrawn.",
        width="narrow",
    )
    return [main, *_transfers(numbers), scopes]


def _transfers(numbers: SafetyNumbers) -> list[Block]:
    moved = numbers.get("transfers")
    if moved is None:
        return []
    words = (
        f"Transfers in the period: {plural(moved['came'], 'person')} came from a site outside this report and "
        f"{moved['went']} went to one; {moved['between']} moved between its sites. Each stands in the table at the present site."
    )
    return [paragraph(words)]


def _baseline(numbers: SafetyNumbers) -> list[Block]:
    persons = sum(r["persons"] for r in numbers["sexes"])
    sexes = ", ".join(f"{label(r['sex'])} {share(r['persons'], persons)}" for r in numbers["sexes"])
    return [
        table(
            "Persons infused, before their first infusion",
            [
                text("Measure"),
                text("Unit"),
                num("n used"),
                num("n missing"),
                num("Median"),
                num("Quartiles"),
                num("Range"),
            ],
            [
                (
                    r["measure"],
                    r["unit"],
                    r["n"],
                    r["n_missing"],
                    _short(r["median"]),
                    _between(r["first_quartile"], r["third_quartile"]),
                    _between(r["low"], r["high"]),
                )
                for r in numbers["baseline"]
            ],
            empty="No baseline value is recorded.",
            notes=[f"Sex: {sexes}." if sexes else ""],
        )
    ]


def _between(low: float | None, high: float | None) -> str:
    return "–" if low is None or high is None else f"{low:g} to {high:g}"


def _short(number: float | None) -> str:
    return "–" if number is None else f"{number:g}"


def _exposure_bars(numbers: SafetyNumbers) -> list[dict[str, Any]]:
    return [
        {
            "label": f"{heading(r['tissue_source'])} · {label(r['route'])}",
            "infusions": r["infusions"],
            "persons": r["persons"],
        }
        for r in numbers["exposure"]["rows"]
    ]


def _exposure(numbers: SafetyNumbers) -> list[Block]:
    by_source = _by_source_table(numbers)
    by_number = _by_number_table(numbers)
    years = _years_table(numbers)
    bars = _exposure_bars(numbers)
    return [
        figure_or_words(bars, "Infusions by source and route", "exposure", charts.describe_exposure(bars)),
        by_source,
        by_number,
        years,
    ]


def _by_source_table(numbers: SafetyNumbers) -> Block:
    exposure = numbers["exposure"]
    bands = exposure["dose_bands"]
    return table(
        "Infusions by source, route and viable cells given (million cells/kg)",
        [
            text("Source"),
            text("Route"),
            num("Persons", "n"),
            num("Infusions", "n"),
            num("In period", "n"),
            *[num(band["label"]) for band in bands],
        ],
        [
            (
                heading(r["tissue_source"]),
                label(r["route"]),
                r["persons"],
                r["infusions"],
                r["infusions_in_period"],
                *[r["by_band"].get(band["key"], 0) for band in bands],
            )
            for r in exposure["rows"]
        ],
        totals=[
            (
                "All",
                "",
                exposure["persons"],
                exposure["infusions"],
                exposure["infusions_in_period"],
                *[sum(r["by_band"].get(band["key"], 0) for r in exposure["rows"]) for band in bands],
            )
        ],
        empty="No infusion was given up to the cut-off.",
        notes=["A person treated by two routes counts in both rows, so persons may sum to more than all."],
    )


def _by_number_table(numbers: SafetyNumbers) -> Block:
    exposure = numbers["exposure"]
    return table(
        "Persons by number of infusions",
        [text("Infusions per person"), num("Persons", "n")],
        [(r["infusions"], r["persons"]) for r in exposure["persons_by_infusions"]],
        empty="Nobody was infused.",
        width="narrow",
    )


def _years_table(numbers: SafetyNumbers) -> Block:
    exposure = numbers["exposure"]
    return table(
        "Person-years since first infusion",
        [
            text("Group"),
            num("Persons", "n"),
            num("Cumulative", "person-years"),
            num("In period", "person-years"),
        ],
        [
            (r["label"], r["persons"], decimal(r["years_cumulative"]), decimal(r["years_in_period"]))
            for r in exposure["person_time"]
        ],
        empty="No person-time yet.",
        notes=["Age at first infusion."],
    )


def _reconciliation(numbers: SafetyNumbers) -> Block:
    return table(
        "From the registry to this report",
        [text("Record"), num("In registry", "n"), text("Excluded by rule"), num("Counted", "n")],
        [
            (
                heading(r["record"]),
                count(r["in_registry"]),
                "; ".join(f"{rule}: {n}" for rule, n in sorted(r["excluded"].items())) or "none",
                count(r["counted"]),
            )
            for r in numbers["reconciliation"]
        ],
        empty="Nothing was counted.",
        notes=["In registry = excluded + counted, in every row."],
    )


def _sponsor() -> Block:
    titles = (
        "Actions taken for safety reasons",
        "Changes to reference safety information",
        "Literature and non-clinical findings",
        "Overall safety assessment and benefit–risk",
        "Conclusions",
    )
    rows = [(title, NOT_OURS) for title in titles]
    return table(
        "What this registry's data cannot fill", [text("Section"), text("State")], rows, empty="None."
    )


def _definitions(numbers: SafetyNumbers) -> Block:
    meanings = [(d["term"], d["meaning"]) for d in numbers["definitions"]]
    versions = [(name, f"version {version}") for name, version in sorted(numbers["versions"].items())]
    return table(
        "How the numbers were made", [text("Term"), text("Meaning")], meanings + versions, empty="None."
    )
