"""The policy: which role may do which act, and where. Pages, exports, search, reports and tasks ask this one table.

Open-label columns. An act without a row, a role without a cell and a person without a grant are refused.
"""

from dataclasses import dataclass

ROLES = {
    "data_entry": "Data entry",
    "nurse": "Research nurse",
    "investigator": "Investigator",
    "laboratory": "Laboratory",
    "site_manager": "Site manager",
    "monitor": "Monitor",
    "safety": "Safety officer",
    "coordinator": "Registry coordinator",
    "product": "Product staff",
    "auditor": "Auditor",
    "administrator": "Administrator",
}

OWN, ALL = "own_site", "all_sites"


@dataclass(frozen=True)
class Act:
    """One thing a person may do: its label for the rights page and the scope of each role that may."""

    label: str
    scopes: dict[str, str]


def _act(label: str, *, own: str = "", everywhere: str = "") -> Act:
    return Act(label, dict.fromkeys(own.split(), OWN) | dict.fromkeys(everywhere.split(), ALL))


CARE = "data_entry nurse investigator"
SITE_READERS = "data_entry nurse investigator site_manager monitor"
WIDE_READERS = "safety coordinator auditor"

ACTS: dict[str, Act] = {
    "patients.view": _act("Read the pseudonymous record", own=f"{SITE_READERS} product", everywhere=WIDE_READERS),
    "patients.enrol": _act("Enrol a patient", own="data_entry nurse"),
    "patients.edit": _act("Correct enrolment and baseline", own=CARE),
    "identifiers.view": _act("Read names and contacts", own=f"{CARE} site_manager"),
    "identifiers.edit": _act("Enter and correct names and contacts", own=CARE),
    "consent.view": _act("Read consent and status", own=SITE_READERS, everywhere=WIDE_READERS),
    "consent.record": _act("Record consent, withdrawal, death", own=f"{CARE} site_manager"),
    "cells.view": _act("Read donors and cell lots", own="nurse investigator site_manager monitor",
                       everywhere=f"{WIDE_READERS} product"),
    "cells.record": _act("Enter donors, lots and release tests", own="nurse", everywhere="product"),
    "cells.release": _act("Release, reject or recall a lot", everywhere="product"),
    "infusions.view": _act("Read infusions", own=f"{SITE_READERS} product", everywhere=WIDE_READERS),
    "infusions.order": _act("Order an infusion", own="investigator"),
    "infusions.record": _act("Record an infusion", own=f"{CARE} product"),
    "visits.view": _act("Read visits and schedule", own=f"{SITE_READERS} laboratory", everywhere=WIDE_READERS),
    "visits.record": _act("Record a visit or a contact", own=CARE),
    "visits.excuse": _act("Mark a visit missed or not required", own="nurse investigator site_manager",
                          everywhere="coordinator"),
    "labs.view": _act("Read laboratory results", own=f"{SITE_READERS} laboratory", everywhere=WIDE_READERS),
    "labs.record": _act("Enter laboratory results", own=f"{CARE} laboratory"),
    "treatment.view": _act("Read insulin and drugs", own=SITE_READERS, everywhere=WIDE_READERS),
    "treatment.record": _act("Record insulin and drugs", own=CARE),
    "events.view": _act("Read adverse events", own=SITE_READERS, everywhere=WIDE_READERS),
    "events.record": _act("Record adverse events", own=CARE),
    "events.assess": _act("Judge seriousness, causality, expectedness", own="investigator", everywhere="safety"),
    "neoplasia.view": _act("Read neoplasia checks and neoplasms", own=SITE_READERS, everywhere=WIDE_READERS),
    "neoplasia.record": _act("Record a neoplasia check", own=CARE),
    "neoplasia.close": _act("Close a suspicion with its outcome", own="investigator"),
    "queries.view": _act("Read queries and deviations", own=SITE_READERS, everywhere=WIDE_READERS),
    "queries.answer": _act("Answer a query", own=CARE),
    "queries.close": _act("Close a query", own="monitor", everywhere="coordinator"),
    "worklist.view": _act("Work down Today", own=f"{SITE_READERS} laboratory", everywhere="safety coordinator product"),
    "reminders.control": _act("See control totals, settle messages", everywhere="coordinator administrator"),
    "reports.view": _act("Read safety reports", own="nurse investigator site_manager monitor", everywhere=WIDE_READERS),
    "reports.make_safety": _act("Make a safety report", everywhere="safety coordinator"),
    "reports.make_patient": _act("Make a patient report", own="nurse investigator", everywhere="coordinator safety"),
    "import.sites": _act("Import sites", everywhere="administrator"),
    "import.lots": _act("Import lots", own="nurse", everywhere="product coordinator"),
    "import.patients": _act("Import patients", own="data_entry nurse", everywhere="coordinator"),
    "import.status": _act("Import status", own="data_entry nurse", everywhere="coordinator"),
    "import.infusions": _act("Import infusions", own="data_entry nurse", everywhere="coordinator"),
    "import.visits": _act("Import visits", own="data_entry nurse", everywhere="coordinator"),
    "import.labs": _act("Import laboratory results", own="data_entry nurse laboratory", everywhere="coordinator"),
    "import.treatments": _act("Import treatments", own="data_entry nurse", everywhere="coordinator"),
    "import.adverse_events": _act("Import adverse events", own="data_entry nurse", everywhere="coordinator"),
    "export.pseudonymised": _act("Export pseudonymised data", own="investigator site_manager monitor",
                                 everywhere="safety coordinator"),
    "audit.view": _act("Read the history of records", own="nurse investigator site_manager monitor",
                       everywhere=WIDE_READERS),
    "settings.view": _act("Read settings and rights", own=f"{SITE_READERS} laboratory",
                          everywhere=f"{WIDE_READERS} product administrator"),
    "settings.sites": _act("Add and change sites", everywhere="administrator"),
    "settings.accounts": _act("Add accounts, grant and end roles", everywhere="administrator"),
}  # fmt: skip


def scope_of(role: str, act: str) -> str:
    """ "none", "own_site" or "all_sites". An unknown act is a mistake in the program, not a refusal."""
    return ACTS[act].scopes.get(role, "none")


def matrix() -> list[dict[str, str]]:
    """Every cell, in the order of the table. `blinded` repeats the open-label cell until a protocol is blinded."""
    return [
        {"act": act, "role": role, "scope": scope_of(role, act), "blinded": scope_of(role, act)}
        for act in ACTS
        for role in ROLES
    ]
