"""Whether a lot of cells is what it should be and may be used. No database, no clock.

Results are taken as they were received: a number, a number with `<` or `>`, or a word. Blank and `pending`
are not yet known.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from registry.patients.rules import mod_37_2

PASS, FAIL, INCOMPLETE, NOT_APPLICABLE = "pass", "fail", "incomplete", "not_applicable"

Results = Mapping[str, str | None]


# ── Limits ──────────────────────────────────────────────────────────────────────────────────────────────


def _leaves_open(comparator: str, value: Decimal, limit: Decimal) -> bool:
    """`<100` leaves a limit of 50 open, and `>10` too."""
    return (comparator == "<" and value > limit) or (comparator == ">" and value < limit)


@dataclass(frozen=True)
class AtLeast:
    limit: Decimal

    def verdict(self, result: str | None) -> str:
        comparator, value = _number(result)
        if value is None or _leaves_open(comparator, value, self.limit):
            return INCOMPLETE
        if comparator == "<":
            return FAIL
        return PASS if value >= self.limit else FAIL


@dataclass(frozen=True)
class AtMost:
    limit: Decimal

    def verdict(self, result: str | None) -> str:
        comparator, value = _number(result)
        if value is None or _leaves_open(comparator, value, self.limit):
            return INCOMPLETE
        if comparator == ">":
            return FAIL
        return PASS if value <= self.limit else FAIL


@dataclass(frozen=True)
class Reads:
    word: str

    def verdict(self, result: str | None) -> str:
        text = (result or "").strip().lower()
        if text in {"", "pending", "not_done"}:
            return INCOMPLETE
        return PASS if text == self.word else FAIL


@dataclass(frozen=True)
class Measured:
    """No limit of its own: judged against the dose it becomes part of."""

    def verdict(self, result: str | None) -> str:
        return INCOMPLETE if _number(result)[1] is None else PASS


Criterion = AtLeast | AtMost | Reads | Measured

_NUMBER = re.compile(r"([<>]?)\s*(\d+(?:\.\d+)?)")


def _number(result: str | None) -> tuple[str, Decimal | None]:
    """Comparator and number of a result; no number where the text is not one."""
    match = _NUMBER.fullmatch((result or "").strip())
    return (match[1], Decimal(match[2])) if match else ("", None)


# ── Identity ────────────────────────────────────────────────────────────────────────────────────────────

_POSITIVE, _NEGATIVE = AtLeast(Decimal(95)), AtMost(Decimal(2))

# Each row is one criterion; a row of two markers asks for either of them.
ISCT_MARKERS: tuple[tuple[tuple[str, ...], Criterion], ...] = (
    (("cd73_percent",), _POSITIVE),
    (("cd90_percent",), _POSITIVE),
    (("cd105_percent",), _POSITIVE),
    (("cd45_percent",), _NEGATIVE),
    (("cd34_percent",), _NEGATIVE),
    (("cd14_percent", "cd11b_percent"), _NEGATIVE),
    (("cd19_percent", "cd79a_percent"), _NEGATIVE),
    (("hla_dr_percent",), _NEGATIVE),
)


@dataclass(frozen=True)
class IdentityVerdict:
    """`markers`: verdict of each marker by itself. `overall`: pass when every criterion is met by one of
    its markers.
    """

    overall: str
    markers: Mapping[str, str]


def isct_identity(cell_type: str, results: Results) -> IdentityVerdict:
    """Whether surface markers (% of cells) fit the ISCT minimal criteria for mesenchymal stromal cells.

    At least 95 % positive for CD73, CD90 and CD105; at most 2 % positive for CD45, CD34, CD14 or CD11b,
    CD79α or CD19, and HLA-DR. Only for `msc`: mononuclear and other cells are not judged. HLA-DR may rise
    under interferon-γ, so a failure is a question first. Plastic adherence and differentiation are not
    judged here. Source: Dominici et al., Cytotherapy 2006;8:315–317.
    """
    if cell_type != "msc":
        return IdentityVerdict(NOT_APPLICABLE, {})
    markers = {
        marker: criterion.verdict(results.get(marker))
        for names, criterion in ISCT_MARKERS
        for marker in names
    }
    criteria = [_either([markers[marker] for marker in names]) for names, _ in ISCT_MARKERS]
    return IdentityVerdict(_all(criteria), markers)


def _either(verdicts: Sequence[str]) -> str:
    """One of a pair is enough; it fails only when one was measured and none passed."""
    if PASS in verdicts:
        return PASS
    return FAIL if FAIL in verdicts else INCOMPLETE


def _all(verdicts: Sequence[str]) -> str:
    if FAIL in verdicts:
        return FAIL
    return INCOMPLETE if INCOMPLETE in verdicts else PASS


# ── Release ─────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class ReleaseRequirement:
    """`only_for` empty: asked of every product. `may_follow`: its final result may arrive after a
    conditional release.
    """

    kind: str
    acceptance: str
    criterion: Criterion
    may_follow: bool = False
    only_for: frozenset[str] = frozenset()


RELEASE_SPECIFICATION: tuple[ReleaseRequirement, ...] = (
    ReleaseRequirement("viability_percent", "at least 70 %", AtLeast(Decimal(70))),
    ReleaseRequirement("sterility", "no growth after 14 days", Reads("no_growth"), may_follow=True),
    ReleaseRequirement("mycoplasma", "negative", Reads("negative"), may_follow=True),
    ReleaseRequirement("endotoxin_eu_ml", "measured; judged with the dose at 5 EU/kg/h", Measured()),
    ReleaseRequirement("karyotype", "normal", Reads("normal"), may_follow=True, only_for=frozenset({"msc"})),
)


@dataclass(frozen=True)
class ReleaseVerdict:
    """`decision`: released (all passed), conditional (only tests that may follow are pending), not_yet, or
    no (something failed).
    """

    decision: str
    failed: tuple[str, ...]
    pending: tuple[str, ...]


def lot_may_be_released(results: Results, cell_type: str = "msc") -> ReleaseVerdict:
    """What the release tests allow. A person decides; a conditional release names what is pending, who
    released it and why.
    """
    asked = [test for test in RELEASE_SPECIFICATION if not test.only_for or cell_type in test.only_for]
    verdicts = {test.kind: test.criterion.verdict(results.get(test.kind)) for test in asked}
    identity = isct_identity(cell_type, results).overall
    failed = tuple(kind for kind, verdict in verdicts.items() if verdict == FAIL)
    pending = tuple(kind for kind, verdict in verdicts.items() if verdict == INCOMPLETE)
    failed += ("identity",) if identity == FAIL else ()
    pending += ("identity",) if identity == INCOMPLETE else ()
    may_follow = {test.kind for test in asked if test.may_follow}
    return ReleaseVerdict(_decision(failed, pending, may_follow), failed, pending)


def _decision(failed: Sequence[str], pending: Sequence[str], may_follow: set[str]) -> str:
    if failed:
        return "no"
    if not pending:
        return "released"
    return "conditional" if set(pending) <= may_follow else "not_yet"


# from → the states a lot may move to; rejected and recalled are final
LOT_TRANSITIONS: dict[str, frozenset[str]] = {
    "quarantine": frozenset({"conditional", "released", "rejected"}),
    "conditional": frozenset({"released", "rejected", "recalled"}),
    "released": frozenset({"recalled"}),
    "rejected": frozenset(),
    "recalled": frozenset(),
}


def lot_may_become(state: str, new_state: str) -> bool:
    """Whether a lot may move from one state to the other. KeyError for an unknown state."""
    return new_state in LOT_TRANSITIONS[state]


def cells_remaining(cells_total: int, cells_used: Sequence[int]) -> int:
    """Cells left of a lot. Below zero when more was recorded as given than the lot held: that is shown, not
    hidden.
    """
    return cells_total - sum(cells_used)


# ── Donation numbers ────────────────────────────────────────────────────────────────────────────────────


def donation_number_check_character(donation_number: str) -> str:
    """The check character (ISO/IEC 7064 MOD 37-2) of a 13-character donation identification number.
    ValueError for any other text.

    The number itself is kept as an opaque string.
    """
    if not re.fullmatch(r"[0-9A-Z]{13}", donation_number):
        raise ValueError(f"{donation_number!r} is not a donation number of 13 capital letters and digits")
    return mod_37_2(donation_number)
