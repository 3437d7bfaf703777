"""The policy: which role may do which act, and where. Pages, exports, search, reports and tasks ask this one table.

Each row has two columns: what holds in an open-label protocol, and what holds where the protocol is blinded. An act
without a row, a role without a cell and a person without a grant are refused.
"""

from collections.abc import Collection
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

# Roles that look after the registry itself and hold no clinical role beside.
TECHNICAL = ("administrator", "auditor")
# A role with one of these takes data out, decides on rights or releases cells: it needs a second person, or a delay.
SENSITIVE_ACTS = (
    "export.pseudonymised",
    "export.identified",
    "settings.accounts",
    "accounts.approve",
    "cells.release",
)
# In a blinded protocol these know what was given, so they treat and count nobody.
UNBLINDED = ("product", "safety")
# Where the protocol masks analytes these know their values, which nobody else may.
UNMASKED = ("laboratory",)


@dataclass(frozen=True)
class Act:
    """One thing a person may do: its label for the rights page, and the scope of each role that may, in both columns."""

    label: str
    scopes: dict[str, str]
    blinded: dict[str, str]


def _act(
    label: str, *, own: str = "", everywhere: str = "",
    blinded_own: str | None = None, blinded_everywhere: str | None = None,
) -> Act:  # fmt: skip
    """A row. Where the blinded column differs it is written out whole: what is left out there is nobody's."""
    scopes = _scopes(own, everywhere)
    if blinded_own is None and blinded_everywhere is None:
        return Act(label, scopes, scopes)
    return Act(label, scopes, _scopes(blinded_own or "", blinded_everywhere or ""))


def _scopes(own: str, everywhere: str) -> dict[str, str]:
    return dict.fromkeys(own.split(), OWN) | dict.fromkeys(everywhere.split(), ALL)


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
    "patients.transfer": _act("Ask another site to take over a patient", own="nurse investigator site_manager"),
    "patients.receive": _act("Take over or decline a patient of another site", own="investigator site_manager",
                             everywhere="coordinator"),
    "records.open": _act("Open one record of another site in an emergency", own="investigator",
                         everywhere="safety coordinator"),
    "records.opened": _act("Read who opened records in an emergency", own="site_manager",
                           everywhere="coordinator auditor"),
    "cells.view": _act("Read donors and cell lots", own="nurse investigator monitor",
                       everywhere=f"{WIDE_READERS} product", blinded_everywhere="product"),
    "cells.record": _act("Enter donors, lots and release tests", own="nurse", everywhere="product",
                         blinded_everywhere="product"),
    "cells.release": _act("Release, reject or recall a lot", everywhere="product"),
    "infusions.view": _act("Read infusions: day, route, reaction", own=f"{CARE} monitor product",
                           everywhere=WIDE_READERS),
    "infusions.product": _act("Read the product given: lot, source, dose, viability",
                              own=f"{CARE} monitor product", everywhere=WIDE_READERS, blinded_own="product"),
    "infusions.order": _act("Order an infusion", own="investigator", blinded_own="product"),
    "infusions.record": _act("Record an infusion", own="data_entry nurse product"),
    "infusions.correct": _act("Correct an infusion", own="nurse investigator product"),
    "infusions.correct_date": _act("Correct the day of an infusion, which moves its visits", own="investigator"),
    "infusions.request_date": _act("Ask for the correction of the day of an infusion",
                                   own="nurse site_manager product"),
    "infusions.approve_date": _act("Approve another day of an infusion where it touches what is signed or locked",
                                   everywhere="coordinator"),
    "unblinding.emergency": _act("Unblind one patient in an emergency", blinded_own="investigator",
                                 blinded_everywhere="safety"),
    "unblinding.view": _act("Read the list of unblindings", blinded_own="product",
                            blinded_everywhere="safety auditor"),
    "visits.view": _act("Read visits and schedule", own=f"{SITE_READERS} laboratory", everywhere=WIDE_READERS),
    "visits.record": _act("Record a visit or a contact", own=CARE),
    "visits.excuse": _act("Mark a visit missed or not required", own="nurse investigator site_manager",
                          everywhere="coordinator"),
    "plans.view": _act("Read follow-up plans, their versions and drafts", own="investigator site_manager monitor",
                       everywhere=WIDE_READERS),
    "plans.edit": _act("Write follow-up plans and ask for their approval", everywhere="coordinator"),
    "plans.approve": _act("Approve follow-up plans and put them in force", everywhere="coordinator"),
    "labs.view": _act("Read laboratory results", own=f"{SITE_READERS} laboratory", everywhere=WIDE_READERS),
    "labs.record": _act("Enter laboratory results", own=f"{CARE} laboratory"),
    "labs.masked": _act("Enter and read results that the protocol masks", blinded_own="laboratory"),
    "treatment.view": _act("Read insulin and drugs", own=SITE_READERS, everywhere=WIDE_READERS),
    "treatment.record": _act("Record insulin and drugs", own=CARE),
    "events.view": _act("Read adverse events", own=SITE_READERS, everywhere=WIDE_READERS),
    "events.record": _act("Record adverse events", own=CARE),
    "events.assess": _act("Judge seriousness, causality, expectedness", own="investigator", everywhere="safety"),
    "records.sign": _act("Sign visits and adverse events, review late results", own="investigator"),
    "records.lock": _act("Lock a signed record", own="site_manager"),
    "records.unlock": _act("Unlock a record, with a second person", everywhere="coordinator"),
    "records.locked": _act("Read which records are locked and why", own="site_manager",
                           everywhere="coordinator auditor"),
    "neoplasia.view": _act("Read neoplasia checks and neoplasms", own=SITE_READERS, everywhere=WIDE_READERS),
    "neoplasia.record": _act("Record a neoplasia check", own=CARE),
    "neoplasia.close": _act("Close a suspicion with its outcome", own="investigator"),
    "neoplasia.assess": _act("Judge relation and expectedness of a neoplasm", everywhere="safety"),
    "queries.view": _act("Read queries and deviations", own=f"{SITE_READERS} laboratory product",
                         everywhere=WIDE_READERS),
    "queries.raise": _act("Raise a query", own="monitor", everywhere="safety coordinator"),
    "queries.answer": _act("Answer a query", own=f"{CARE} laboratory site_manager product"),
    "queries.close": _act("Close a query", own="monitor", everywhere="coordinator"),
    "worklist.view": _act("Work down Today", own=f"{SITE_READERS} laboratory", everywhere="safety coordinator product"),
    "reminders.control": _act("See control totals, settle messages", everywhere="coordinator administrator"),
    "reports.view": _act("Read safety reports", own="nurse investigator site_manager monitor", everywhere=WIDE_READERS),
    "reports.make_safety": _act("Make a safety report", everywhere="safety coordinator"),
    "reports.sign": _act("Sign a safety report", everywhere="safety"),
    "reports.make_closed": _act("Make a closed (unblinded) safety report", blinded_everywhere="safety"),
    "reports.view_closed": _act("Read closed (unblinded) safety reports", blinded_everywhere="safety"),
    "reports.make_patient": _act("Make a patient report", own="nurse investigator", everywhere="coordinator safety"),
    "import.sites": _act("Import sites", everywhere="administrator"),
    "import.lots": _act("Import lots", own="nurse", everywhere="product coordinator", blinded_everywhere="product"),
    "import.patients": _act("Import patients", own="data_entry nurse", everywhere="coordinator"),
    "import.status": _act("Import status", own="data_entry nurse", everywhere="coordinator"),
    "import.infusions": _act("Import infusions", own="data_entry nurse", everywhere="coordinator",
                             blinded_everywhere="product"),
    "import.visits": _act("Import visits", own="data_entry nurse", everywhere="coordinator"),
    "import.labs": _act("Import laboratory results", own="data_entry nurse laboratory", everywhere="coordinator"),
    "import.treatments": _act("Import treatments", own="data_entry nurse", everywhere="coordinator"),
    "import.adverse_events": _act("Import adverse events", own="data_entry nurse", everywhere="coordinator"),
    "export.pseudonymised": _act("Export pseudonymised data", own="investigator site_manager monitor",
                                 everywhere="safety coordinator"),
    "export.own_results": _act("Export the laboratory results one entered or imported oneself", own="laboratory"),
    "export.identified": _act("Export names and contacts", own="investigator"),
    "people.export": _act("Copy everything about one person", own="investigator site_manager"),
    "erasure.ask": _act("Ask for the erasure of identifiers", own="investigator site_manager"),
    "erasure.carry_out": _act("Carry out the erasure of identifiers", everywhere="coordinator administrator"),
    "audit.view": _act("Read the history of records", own="nurse investigator site_manager monitor",
                       everywhere=WIDE_READERS),
    "audit.people": _act("Read in the trail what the people of a site did", own="investigator site_manager monitor",
                         everywhere=WIDE_READERS),
    "audit.own": _act("Read in the trail what one did oneself", own="data_entry laboratory"),
    "audit.product": _act("Read the trail of donors and lots", everywhere="product"),
    "audit.system": _act("Read the trail of accounts and of the registry itself", everywhere="administrator"),
    "audit.review": _act("Mark the trail as reviewed", own="site_manager monitor", everywhere="coordinator auditor"),
    "settings.view": _act("Read settings and rights", own=f"{SITE_READERS} laboratory",
                          everywhere=f"{WIDE_READERS} product administrator"),
    "status.view": _act("See the status of the registry", everywhere="administrator coordinator auditor"),
    "settings.sites": _act("Add and change sites", everywhere="administrator"),
    "settings.blinding": _act("Say whether the protocol is blinded", everywhere="coordinator administrator"),
    "settings.self_approval": _act("Change how long an approval by the asker alone waits", everywhere="administrator"),
    "accounts.view": _act("Read who holds which role", own="site_manager",
                          everywhere="coordinator auditor administrator"),
    "accounts.propose": _act("Ask for an account or a role", own="site_manager",
                             everywhere="coordinator administrator"),
    "accounts.approve": _act("Approve clinical roles", everywhere="coordinator"),
    "accounts.review": _act("Review and end roles", everywhere="coordinator administrator"),
    "settings.accounts": _act("Open technical accounts, switch accounts off", everywhere="administrator"),
}  # fmt: skip


GROUPS = {
    "People": "patients identifiers consent people erasure",
    "Another site": "records.open records.opened handover",
    "Cells and infusions": "cells infusions unblinding",
    "Follow-up": "visits labs treatment worklist reminders plans",
    "Safety": "events neoplasia",
    "Questions and signatures": "queries records",
    "Reports, files in and out": "reports import export",
    "Trail": "audit",
    "Rights and the registry itself": "settings accounts status backups",
}


def groups() -> dict[str, list[str]]:
    """The acts under the headings people look for, by the whole act or else by its room; what fits none stands last."""
    heading = {room: title for title, rooms in GROUPS.items() for room in rooms.split()}
    found: dict[str, list[str]] = {title: [] for title in [*GROUPS, "Other"]}
    for act in ACTS:
        found[heading.get(act) or heading.get(act.partition(".")[0], "Other")].append(act)
    return {title: acts for title, acts in found.items() if acts}


def scope_of(role: str, act: str, *, blinded: bool = False) -> str:
    """ "none", "own_site" or "all_sites". An unknown act is a mistake in the program, not a refusal."""
    row = ACTS[act]
    return (row.blinded if blinded else row.scopes).get(role, "none")


def is_sensitive(role: str) -> bool:
    return role in TECHNICAL or any(scope_of(role, act) != "none" for act in SENSITIVE_ACTS)


def forbidden_pair(roles: Collection[str], *, blinded: bool, masking: bool = False) -> str:
    """Why one person may not hold these roles at the same time; blank when they may."""
    held = set(roles)
    if len(held) > 1 and held & set(TECHNICAL):
        return "An administrator or auditor holds no other role: they check what others do."
    if blinded and len(held) > 1 and held & set(UNBLINDED):
        return "The protocol is blinded: product staff and safety officers know what was given and hold no other role."
    if masking and len(held) > 1 and held & set(UNMASKED):
        return "The protocol masks results: who works in the laboratory knows them and holds no other role."
    return ""


def matrix() -> list[dict[str, str]]:
    """Every cell of both columns, in the order of the table."""
    return [
        {"act": act, "role": role, "scope": scope_of(role, act), "blinded": scope_of(role, act, blinded=True)}
        for act in ACTS
        for role in ROLES
    ]
