"""CTCAE v5.0 as this registry uses it: terms, the grades that exist, and what to offer where none does."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

VERSION = "5.0"
GRADES = (1, 2, 3, 4, 5)
OTHER_SPECIFY = "Other, specify"
NEOPLASMS_SOC = "Neoplasms benign, malignant and unspecified (incl cysts and polyps)"
RESPIRATORY_SOC = "Respiratory, thoracic and mediastinal disorders"

# The grades of every "Other, specify" term, as CTCAE words them for all of its system organ classes.
_OTHER_GRADES = {
    1: "Asymptomatic or mild; no intervention",
    2: "Moderate; minimal, local or non-invasive intervention",
    3: "Severe, not immediately life-threatening; hospital admission; limits self-care",
    4: "Life-threatening; urgent intervention",
    5: "Death",
}


@dataclass(frozen=True)
class CtcaeTerm:
    name: str
    meddra_code: str
    soc: str
    grades: Mapping[int, str]
    special_interest_from: int | None
    also: tuple[str, ...] = ()

    @property
    def is_neoplasm(self) -> bool:
        return self.soc == NEOPLASMS_SOC

    @property
    def is_other_specify(self) -> bool:
        return self.name.endswith(OTHER_SPECIFY)

    def is_special_interest(self, grade: int | None) -> bool:
        """By the term and its grade alone; an unknown grade counts, so that nothing is missed before grading."""
        return self.special_interest_from is not None and (
            grade is None or grade >= self.special_interest_from
        )


def _term(row: dict[str, Any]) -> CtcaeTerm:
    return CtcaeTerm(
        name=row["name"],
        meddra_code=row["meddra"],
        soc=row["soc"],
        grades={int(grade): text for grade, text in row["grades"].items()},
        special_interest_from=row.get("special_interest_from"),
        also=tuple(row.get("also", [])),
    )


def _other_term(soc: str, meddra_code: str) -> CtcaeTerm:
    interest = 1 if soc == NEOPLASMS_SOC else None
    return CtcaeTerm(f"{soc} - {OTHER_SPECIFY}", meddra_code, soc, _OTHER_GRADES, interest)


_TABLE = tomllib.loads(Path(__file__).with_name("ctcae.toml").read_text(encoding="utf-8"))
OTHER_TERMS: dict[str, CtcaeTerm] = {
    soc: _other_term(soc, code) for soc, code in _TABLE["other_specify"].items()
}
TERMS: tuple[CtcaeTerm, ...] = (*(_term(row) for row in _TABLE["term"]), *OTHER_TERMS.values())


def _key(text: str) -> str:
    return " ".join(text.replace("–", "-").replace("—", "-").casefold().split())


_BY_NAME = {_key(name): term for term in TERMS for name in (term.name, term.meddra_code, *term.also)}
_BY_NAME[_key("Neoplasms - Other, specify")] = OTHER_TERMS[NEOPLASMS_SOC]


def term_for(text: str) -> CtcaeTerm | None:
    """The term of a name (any case, British spelling too) or MedDRA code; None keeps a reporter's own words as they are."""
    return _BY_NAME.get(_key(text))


def grade_exists(term: CtcaeTerm | None, grade: int) -> bool:
    """Whether CTCAE has this grade for the term; for words outside our table only 1 to 5 can be checked."""
    return grade in (term.grades if term else GRADES)


def other_specify_for(term: CtcaeTerm) -> CtcaeTerm:
    """What to offer where the term lacks a grade, such as a mild upper respiratory infection."""
    return OTHER_TERMS[term.soc]
