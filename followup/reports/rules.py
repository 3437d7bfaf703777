"""What must hold inside the frozen numbers of a safety report before anybody reads them."""

from collections import Counter

from followup.reports.numbers import Neoplasia, SafetyNumbers


def numbers_add_up(numbers: SafetyNumbers) -> list[str]:
    """Every contradiction inside the frozen numbers, in plain words; an empty list when they add up."""
    return [
        *_disposition_contradictions(numbers),
        *_exposure_contradictions(numbers),
        *_event_contradictions(numbers),
        *_neoplasia_contradictions(numbers["neoplasia"]),
        *_reconciliation_contradictions(numbers),
        *_closed_contradictions(numbers),
    ]


def _disposition_contradictions(numbers: SafetyNumbers) -> list[str]:
    rows, found = numbers["disposition"], []
    counts = Counter(patient_id for row in rows for patient_id in row["patient_ids"])
    found += [
        f"{patient_id} is in {n} rows of the disposition."
        for patient_id, n in sorted(counts.items())
        if n > 1
    ]
    for row in rows:
        stated = row["infused"] + row["never_infused"]
        if stated != len(row["patient_ids"]):
            found.append(
                f"Disposition row {row['status']} states {stated} persons and names {len(row['patient_ids'])}."
            )
    if len(counts) != numbers["persons_in_registry"]:
        found.append(
            f"Disposition holds {len(counts)} persons, the registry {numbers['persons_in_registry']}."
        )
    withdrawn = sum(len(row["patient_ids"]) for row in rows if row["status"] == "withdrawn")
    found += _differs(
        "Withdrawals by scope", sum(r["persons"] for r in numbers["withdrawals"]), "withdrawn", withdrawn
    )
    return found


def _exposure_contradictions(numbers: SafetyNumbers) -> list[str]:
    exposure = numbers["exposure"]
    infused = sum(row["infused"] for row in numbers["disposition"])
    by_count = exposure["persons_by_infusions"]
    found = _differs("Exposed persons", exposure["persons"], "infused in the disposition", infused)
    found += _differs(
        "Infusions by source and route",
        sum(r["infusions"] for r in exposure["rows"]),
        "all",
        exposure["infusions"],
    )
    found += _differs(
        "Persons by number of infusions", sum(r["persons"] for r in by_count), "exposed", exposure["persons"]
    )
    found += _differs(
        "Infusions by number per person",
        sum(r["persons"] * r["infusions"] for r in by_count),
        "all",
        exposure["infusions"],
    )
    for row in exposure["rows"]:
        where = f"Dose bands of {row['tissue_source']} by {row['route']}"
        found += _differs(where, sum(row["by_band"].values()), "infusions", row["infusions"])
    return found


def _event_contradictions(numbers: SafetyNumbers) -> list[str]:
    found = []
    for row in [*numbers["event_terms"], *numbers["event_classes"]]:
        name = row.get("term", row["soc"])
        found += _differs(f"Worst grades of {name}", sum(row["worst"].values()), "persons", row["persons"])
    totals = {row["kind"]: row["events"] for row in numbers["event_overview"]}
    listed = len(numbers["serious_events"])
    found += _differs(
        "Events by term", sum(r["events"] for r in numbers["event_terms"]), "any event", totals.get("any", 0)
    )
    found += _differs("Serious events listed", listed, "serious in the overview", totals.get("serious", 0))
    return found


def _neoplasia_contradictions(neoplasia: Neoplasia) -> list[str]:
    found = []
    counted = sum(row["is_counted"] for row in neoplasia["listing"])
    for row in neoplasia["rates"]:
        if row["definition"] != "without_first_6_months":
            found += _differs(
                f"Neoplasia cases ({row['definition']})", row["cases"], "counted in the listing", counted
            )
        if row["person_years"] and row["rate_per_100_person_years"] is not None:
            rate = 100 * row["cases"] / row["person_years"]
            if abs(rate - row["rate_per_100_person_years"]) > 0.01:
                found.append(
                    f"The neoplasia rate ({row['definition']}) is not its cases over its person-years."
                )
    return found


def _reconciliation_contradictions(numbers: SafetyNumbers) -> list[str]:
    found = []
    for row in numbers["reconciliation"]:
        left = row["in_registry"] - sum(row["excluded"].values())
        found += _differs(
            f"{row['record'].capitalize()} counted", row["counted"], "in the registry less excluded", left
        )
        if row["record"] == "patients":
            found += _differs(
                "Patients reconciled", row["in_registry"], "in the registry", numbers["persons_in_registry"]
            )
    return found


def _closed_contradictions(numbers: SafetyNumbers) -> list[str]:
    closed = numbers.get("closed")
    if closed is None:
        return []
    exposure, groups = numbers["exposure"], closed["groups"]
    persons, infusions = sum(one["persons"] for one in groups), sum(one["infusions"] for one in groups)
    found = _differs("Persons by product", persons, "exposed", exposure["persons"])
    return found + _differs("Infusions by product", infusions, "all", exposure["infusions"])


def _differs(what: str, have: int, other: str, want: int) -> list[str]:
    return [] if have == want else [f"{what}: {have}, but {other}: {want}."]
