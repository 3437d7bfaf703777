"""The follow-up, glycaemia and query tables of the safety report."""

from followup.reports import charts
from followup.reports.layout import Block, figure_or_words, grouped, num, paragraph, table, text
from followup.reports.numbers import GlycaemiaRow, SafetyNumbers
from followup.reports.wording import day, decimal, heading, plural


def follow_up_blocks(numbers: SafetyNumbers) -> list[Block]:
    follow_up = numbers["follow_up"]
    rows = follow_up["completeness"]
    seen, followed = follow_up["persons_seen_within_12_months"], follow_up["persons_under_follow_up"]
    unseen, without = follow_up["persons_unseen_for_14_months"], follow_up["persons_without_next_visit"]
    return [
        paragraph(
            f"Of {plural(followed, 'person')} under follow-up, {seen} were seen within 12 months; {unseen} had no visit for "
            f"14 months or more; {without} had no next visit planned."
        ),
        figure_or_words(rows, "Visits that fell due", "completeness", charts.describe_completeness(rows)),
        _counts_table(numbers),
        _by_site_table(numbers),
        _overdue_table(numbers),
    ]


def _counts_table(numbers: SafetyNumbers) -> Block:
    return table(
        "What became of the visits that fell due",
        [text("Visit"), num("Due", "n"), *[num(outcome.capitalize()) for outcome in charts.VISIT_OUTCOMES]],
        [
            (
                row["label"],
                sum(row["outcomes"].values()),
                *[row["outcomes"].get(outcome, 0) for outcome in charts.VISIT_OUTCOMES],
            )
            for row in numbers["follow_up"]["completeness"]
        ],
        empty="No visit had fallen due by the cut-off.",
    )


def _by_site_table(numbers: SafetyNumbers) -> Block:
    rows = numbers["follow_up"]["overdue_by_site"]
    return table(
        "Overdue by site",
        [
            text("Site"),
            num("Under follow-up", "persons"),
            num("Overdue", "persons"),
            num("Overdue", "visits"),
        ],
        [
            (row["site"], row["persons_followed"], row["persons_overdue"], row["visits_overdue"])
            for row in rows
        ],
        totals=[
            (
                "All",
                sum(row["persons_followed"] for row in rows),
                sum(row["persons_overdue"] for row in rows),
                sum(row["visits_overdue"] for row in rows),
            )
        ],
        empty="Nobody is in the registry.",
        width="narrow",
    )


def _overdue_table(numbers: SafetyNumbers) -> Block:
    rows = numbers["follow_up"]["overdue"]
    return table(
        "Persons with an overdue visit, longest first",
        [
            text("Person"),
            text("Site"),
            text("Visit late the longest"),
            text("Target"),
            text("Window closed"),
            num("Late", "days"),
            num("Visits late", "n"),
            num("Attempts", "n"),
            text("Last attempt"),
        ],
        [
            (
                row["patient_id"],
                row["site"],
                row["visit_code"] + (f" ({row['sequence']})" if row["sequence"] > 1 else ""),
                day(row["target_date"]),
                day(row["window_closes"]),
                row["days_late"],
                row["visits"],
                row["contact_attempts"],
                day(row["last_contact"]),
            )
            for row in sorted(rows, key=lambda row: (-row["days_late"], row["patient_id"]))
        ],
        empty="Nobody was overdue at the cut-off.",
        width="dense",
        notes=[
            "Each person once, with the visit late the longest and the number of visits late. Visits planned before the "
            "infusion are named only where no later one is overdue."
        ],
    )


# Glycaemia ---------------------------------------------------------------------------------------------------


def glycaemia_table(numbers: SafetyNumbers) -> Block:
    block = table(
        "Levels and change from baseline by visit",
        [
            text("Visit"),
            num("n"),
            num("Mean (SD)"),
            num("n with baseline"),
            num("Mean change (SD)"),
        ],
        [glycaemia_cells(row) for row in numbers["glycaemia"]],
        empty="No glycaemic value is recorded.",
        notes=[
            _masked_note(numbers),
            "Change is worked out within each person who has both values. Without a control group it describes and proves "
            "nothing.",
        ],
    )
    block["rows"] = grouped([measure_words(row) for row in numbers["glycaemia"]], block["rows"])
    return block


def _masked_note(numbers: SafetyNumbers) -> str:
    masked = numbers.get("masked")
    return (
        f"Masked by the protocol and not shown here: {masked}, and what is worked out from them."
        if masked
        else ""
    )


def measure_words(row: GlycaemiaRow) -> str:
    return row["measure"] if row["unit"] == "1" else f"{row['measure']} ({row['unit']})"


def glycaemia_cells(row: GlycaemiaRow) -> tuple[str | int, ...]:
    return (
        row["visit"],
        row["n"],
        _with_sd(row["mean"], row["sd"]),
        row["n_change"] or "–",
        _with_sd(row["mean_change"], row["sd_change"]),
    )


def _with_sd(mean: float | None, sd: float | None) -> str:
    if mean is None:
        return "–"
    return decimal(mean, 2) + (f"\u00a0({decimal(sd, 2)})" if sd is not None else "")


def query_table(numbers: SafetyNumbers) -> Block:
    return table(
        "Open queries on the data of this report",
        [text("Query"), text("Site"), num("Open", "n"), text("Oldest opened")],
        [
            (heading(row["kind"]), row["site"], row["open"], day(row["oldest_opened_on"]))
            for row in numbers["queries"]
        ],
        empty="No query is open on the data of this report.",
    )
