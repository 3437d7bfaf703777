"""Who a patient is, what they agreed to, and whether they may be treated. No database, no clock."""

import re
import string
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import date, timedelta

# ── Check characters ────────────────────────────────────────────────────────────────────────────────────

CHECK_ALPHABET = string.digits + string.ascii_uppercase + "*"

_PATIENT_ID = re.compile(r"[0-9A-Z]+-[0-9]{4,}-[0-9A-Z]")


def mod_37_2(text: str) -> str:
    """The ISO/IEC 7064 MOD 37-2 check character of digits, capital letters and `*`.

    A pure system: it catches every single wrong character and every swap of neighbours, the check character
    included. (The hybrid MOD 37,36 of the same standard lets some swaps of neighbours through, RIV00701 and
    RIV00710 among them.) The answer may be `*`. ValueError for any other character.
    """
    remainder = 0
    for character in text:
        remainder = (remainder + CHECK_ALPHABET.index(character)) * 2 % 37
    return CHECK_ALPHABET[(38 - remainder) % 37]


class UnusableSerial(ValueError):
    """This serial's check character would be `*`, which people misread and file names refuse: the next
    serial is used instead.
    """


def make_patient_id(site_code: str, serial: int) -> str:
    """The pseudonymous id `RIV-0042-J`: site, serial, check character over both and the dash between them.

    UnusableSerial for one serial in 37: allocate with `next_patient_id`. ValueError for a serial below 1 or
    a site code without any letter or digit.
    """
    site = "".join(character for character in site_code.upper() if character in CHECK_ALPHABET[:36])
    if not site or serial < 1:
        raise ValueError(f"No patient id can be made from site {site_code!r} and serial {serial}")
    check = mod_37_2(f"{site}*{serial:04d}")
    if check == "*":
        raise UnusableSerial(f"Serial {serial} of site {site} is never given out")
    return f"{site}-{serial:04d}-{check}"


def next_patient_id(site_code: str, after_serial: int) -> tuple[int, str]:
    """The first usable serial above `after_serial` (0 for a new site) and its patient id."""
    serial = after_serial + 1
    while True:
        try:
            return serial, make_patient_id(site_code, serial)
        except UnusableSerial:
            serial += 1


def patient_id_is_wellformed(text: str) -> bool:
    """Whether this is an id of ours, typed without a slip. Ids brought along from an earlier register are
    kept, and are not ours.
    """
    if not _PATIENT_ID.fullmatch(text):
        return False
    site, serial, check = text.split("-")
    return mod_37_2(f"{site}*{serial}") == check


# ── Names and numbers, for matching only: what was received is kept as received ─────────────────────────

_NOT_IN_A_NAME = re.compile(r"[^\w]+|_")
_LETTERS_WITHOUT_ACCENT = str.maketrans(
    {"ø": "o", "đ": "d", "ł": "l", "ħ": "h", "æ": "ae", "œ": "oe", "ı": "i", "þ": "th", "ð": "d"}
)


def name_words(text: str) -> list[str]:
    """The words of a name as they are compared: lower case, without accents, split at spaces, dashes,
    apostrophes and full stops.
    """
    folded = unicodedata.normalize("NFKD", text.casefold()).translate(_LETTERS_WITHOUT_ACCENT)
    letters = "".join(character for character in folded if not unicodedata.combining(character))
    return [word for word in _NOT_IN_A_NAME.split(letters.casefold()) if word]


def normalise_phone(text: str) -> str:
    """Digits of a telephone number with `+` where a country code was given (`00` counts as one); empty
    where there is no digit.

    A trunk zero in brackets after the country code is dropped: +44 (0)20 … is +4420 …
    """
    folded = unicodedata.normalize("NFKC", text)
    international = folded.lstrip().startswith("+")
    if international:
        folded = re.sub(r"\(\s*0\s*\)", "", folded)
    digits = "".join(str(unicodedata.digit(character)) for character in folded if character.isdecimal())
    if not international and digits.startswith("00"):
        international, digits = True, digits[2:]
    return f"+{digits}" if international and digits else digits


def normalise_record_number(text: str) -> str:
    """A local record number as it is compared: capital letters and digits, without separators, leading
    zeros kept.
    """
    folded = unicodedata.normalize("NFKC", text).upper()
    return "".join(character for character in folded if character.isalnum())


def record_numbers_may_match(first: str, second: str) -> bool:
    """Whether two record numbers could be the same once lost leading zeros are allowed for: a hint for a
    person, never a merge.
    """
    one, other = normalise_record_number(first), normalise_record_number(second)
    return bool(one and other) and one.lstrip("0") == other.lstrip("0")


# ── Consent and withdrawal ──────────────────────────────────────────────────────────────────────────────

WITHDRAWAL_SCOPES = ("no_cells", "no_visits", "no_contact", "no_new_data", "erase")


@dataclass(frozen=True)
class ScopeEffect:
    """What remains allowed. Open serious events, their clocks, work-ups and traceability stay open whatever
    the scope.
    """

    may_infuse: bool = True
    may_visit_on_site: bool = True
    may_contact: bool = True
    may_use_records: bool = True
    keeps_identifiers: bool = True


_EFFECTS = {
    "no_cells": ScopeEffect(may_infuse=False),
    "no_visits": ScopeEffect(may_infuse=False, may_visit_on_site=False),
    "no_contact": ScopeEffect(may_infuse=False, may_visit_on_site=False, may_contact=False),
    "no_new_data": ScopeEffect(
        may_infuse=False, may_visit_on_site=False, may_contact=False, may_use_records=False
    ),
    "erase": ScopeEffect(False, False, False, False, False),
}


def scope_effect(scopes: Iterable[str], linkage_consented: bool = True) -> ScopeEffect:
    """What a patient's withdrawals together leave allowed; several scopes add up, none leaves everything.

    After `no_contact` records and linkage continue only where they were consented to. ValueError for an
    unknown scope.
    """
    chosen = set(scopes)
    unknown = chosen - set(WITHDRAWAL_SCOPES)
    if unknown:
        raise ValueError(
            f"{min(unknown)!r} is not a withdrawal scope; use one of {', '.join(WITHDRAWAL_SCOPES)}"
        )
    effects = [_EFFECTS[scope] for scope in chosen]
    allowed = {
        field.name: all(getattr(effect, field.name) for effect in effects) for field in fields(ScopeEffect)
    }
    if "no_contact" in chosen and not linkage_consented:
        allowed["may_use_records"] = False
    return ScopeEffect(**allowed)


def consent_valid_on(
    on: date, given_on: date | None, withdrawn_on: date | None = None, superseded_on: date | None = None
) -> bool:
    """Whether a consent covers this day: from the day it was given, until the day before it was withdrawn
    or replaced.
    """
    if given_on is None or on < given_on:
        return False
    return all(end is None or on < end for end in (withdrawn_on, superseded_on))


# ── Eligibility ─────────────────────────────────────────────────────────────────────────────────────────

# question → which answer is worrying, how much it weighs, what it means
ELIGIBILITY_QUESTIONS: dict[str, tuple[bool, str, str]] = {
    "cancer_last_5_years": (True, "exclusion", "Cancer in the last 5 years"),
    "open_suspicion": (True, "exclusion", "Open suspicion of a neoplasm"),
    "gad65_positive": (True, "exclusion", "GAD65 antibodies: autoimmune diabetes"),
    "low_c_peptide": (True, "exclusion", "Low C-peptide: autoimmune diabetes or no islet reserve"),
    "pregnant": (True, "exclusion", "Pregnant or breast-feeding"),
    "egfr_below_30": (True, "exclusion", "eGFR below 30 mL/min/1.73 m²"),
    "hiv": (True, "exclusion", "HIV infection"),
    "hepatitis_b": (True, "exclusion", "Hepatitis B infection"),
    "hepatitis_c": (True, "exclusion", "Hepatitis C infection"),
    "bleeding_risk": (True, "caution", "Raised bleeding risk or anticoagulant"),
    "contrast_allergy": (True, "caution", "Allergy to contrast agent"),
    "screening_up_to_date": (False, "caution", "Age-appropriate cancer screening up to date"),
    "baseline_neoplasia_check": (False, "exclusion", "Baseline neoplasia check done"),
}


@dataclass(frozen=True)
class EligibilityFinding:
    """`level`: exclusion (speaks against treatment), caution (the investigator decides), unknown (still to
    be asked).
    """

    code: str
    level: str
    message: str


def eligibility_findings(answers: Mapping[str, bool | None]) -> list[EligibilityFinding]:
    """What speaks against treatment or is still unknown; an empty list means every question was answered
    without concern.

    A question that is absent or None is unknown and never counts as no. Findings inform the investigator:
    enrolment is recorded whatever they are. KeyError for an answer to a question that is not asked.
    """
    unasked = set(answers) - set(ELIGIBILITY_QUESTIONS)
    if unasked:
        raise KeyError(f"{min(unasked)} is not an eligibility question")
    found = [_finding(question, answers.get(question)) for question in ELIGIBILITY_QUESTIONS]
    return [finding for finding in found if finding is not None]


def _finding(question: str, answer: bool | None) -> EligibilityFinding | None:
    worrying, level, message = ELIGIBILITY_QUESTIONS[question]
    if answer is None:
        return EligibilityFinding(question, "unknown", f"Not answered: {message}")
    if answer is worrying:
        return EligibilityFinding(question, level, message if worrying else f"Answered no: {message}")
    return None


# ── Baseline ────────────────────────────────────────────────────────────────────────────────────────────

BASELINE_MAX_AGE_DAYS = {
    "hba1c": 90,
    "c_peptide": 60,
    "index": 60,
    "tumour_marker": 90,
    "imaging": 180,
    "insulin_dose": 7,
}


def treatment_start(*starts: date | None) -> date | None:
    """The first of infusion, mobilisation and hyperbaric treatment: what came before it is baseline. None
    while there was none.
    """
    known = [start for start in starts if start is not None]
    return min(known, default=None)


def is_baseline(
    kind: str, measured_on: date, treated_on: date, before_treatment_that_day: bool = False
) -> bool:
    """Whether a value is recent enough before treatment to be the baseline; an older one is shown as no
    baseline, not used.

    The greatest age in days by kind: HbA1c 90, C-peptide and indices 60, tumour markers 90, imaging 180,
    insulin dose the 7 days before. A value of the day of treatment itself counts only where it is known to
    be from before. KeyError for an unknown kind.
    """
    oldest = treated_on - timedelta(days=BASELINE_MAX_AGE_DAYS[kind])
    latest = treated_on if before_treatment_that_day else treated_on - timedelta(days=1)
    return oldest <= measured_on <= latest


def baseline_insulin_iu_per_day(doses: Iterable[tuple[date, float]], treated_on: date) -> float | None:
    """Mean daily insulin dose (IU/day) over the 7 days before treatment; None where none of these days has
    a dose. Blank is never 0.
    """
    doses_iu = [dose for day, dose in doses if is_baseline("insulin_dose", day, treated_on)]
    return sum(doses_iu) / len(doses_iu) if doses_iu else None
