"""Safety rules that need no database: grades suggested from values, hypoglycaemia levels, contradictions in a report.

A grade is a suggestion that a person confirms; severity is not seriousness. Nothing here reads the clock or refuses a fact.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from followup.safety.ctcae import RESPIRATORY_SOC, CtcaeTerm, grade_exists, other_specify_for, term_for
from registry.partial_dates import certainly_before

RESPIRATORY_HOURS_AFTER_IV = 48

# Grades from values ----------------------------------------------------------------------------------------------------


def hypoglycaemia_level(glucose: Decimal | None, unit: str, *, needed_help: bool | None = None) -> int | None:
    """ADA level (Standards of Care since 2018): 1 below 70 mg/dL (3.9 mmol/L), 2 below 54 mg/dL (3.0 mmol/L), 0 neither.

    3 when another person's help was needed, whatever the glucose. None when the glucose is unknown and no help was needed.
    Give the glucose as received (`mg/dL` or `mmol/L`): 54 mg/dL is level 1 although it converts to 2.997 mmol/L.
    """
    if needed_help:
        return 3
    if glucose is None:
        return None
    first, second = _by_glucose_unit(unit, mg_dl=("70", "54"), mmol_l=("3.9", "3.0"))
    return 2 if glucose < second else 1 if glucose < first else 0


def glucose_low_grade(glucose: Decimal, unit: str, lln: Decimal | None) -> int | None:
    """CTCAE v5 Hypoglycemia from a glucose and lower limit of normal in the unit received; 0 none, None ungradable.

    Grade 1 needs the lower limit of normal. Limits: 55, 40 and 30 mg/dL or 3.0, 2.2 and 1.7 mmol/L.
    """
    floors = _by_glucose_unit(unit, mg_dl=("55", "40", "30"), mmol_l=("3.0", "2.2", "1.7"))
    return _low_grade(glucose, lln, floors)


def _by_glucose_unit(unit: str, *, mg_dl: tuple[str, ...], mmol_l: tuple[str, ...]) -> tuple[Decimal, ...]:
    limits = {"mg/dL": mg_dl, "mmol/L": mmol_l}
    if unit not in limits:
        raise ValueError(f"glucose is graded in mg/dL or mmol/L, not {unit}")
    return tuple(Decimal(limit) for limit in limits[unit])


def fever_grade(temperature_c: Decimal, *, hours_above_40: Decimal | None = None) -> int:
    """CTCAE v5 Fever in °C: 38.0 to 39.0, above 39.0, above 40.0 (4 when for more than 24 h); 0 below 38.0."""
    if temperature_c > 40:
        return 4 if hours_above_40 is not None and hours_above_40 > 24 else 3
    if temperature_c > 39:
        return 2
    return 1 if temperature_c >= 38 else 0


def liver_enzyme_grade(value: Decimal, uln: Decimal | None, baseline: Decimal | None = None) -> int | None:
    """CTCAE v5 ALT or AST increased: multiples of the upper limit, or of a baseline that was itself above it.

    All in one unit. None without an upper limit. Limits: 3, 5 and 20 times; grade 1 from 1.5 times an abnormal baseline.
    """
    if uln is None:
        return None
    if baseline is not None and baseline > uln:
        times, first = value / baseline, value >= Decimal("1.5") * baseline
    else:
        times, first = value / uln, value > uln
    return _over(times, (3, 5, 20)) or int(first)


def creatinine_grade(value: Decimal, uln: Decimal | None, baseline: Decimal | None = None) -> int | None:
    """CTCAE v5 Creatinine increased: the higher of multiples of the upper limit and of the baseline, all in one unit.

    Against the upper limit 1, 1.5, 3 and 6 times; against the baseline above 1.5 is grade 2, above 3 grade 3.
    None when neither says enough.
    """
    by_baseline = 0 if not baseline else _over(value / baseline, (Decimal("1.5"), 3))
    if uln is None:
        return by_baseline or None
    by_limit = _over(value / uln, (Decimal("1.5"), 3, 6)) or int(value > uln)
    return max(by_limit, by_baseline)


def _over(times: Decimal, limits: tuple[Decimal | int, ...]) -> int:
    """0 up to the first limit, then grade 2, 3, 4 above each."""
    passed = sum(times > limit for limit in limits)
    return passed + 1 if passed else 0


def _low_grade(value: Decimal, lln: Decimal | None, floors: tuple[Decimal, ...]) -> int | None:
    """Grades 2, 3 … below each floor; grade 1 below the lower limit of normal, None when that is missing."""
    passed = sum(value < floor for floor in floors)
    if passed:
        return passed + 1
    return None if lln is None else int(value < lln)


def platelet_grade(value_10_9_l: Decimal, lln: Decimal | None) -> int | None:
    """CTCAE v5 Platelet count decreased, 10^9/L: limits 75, 50, 25; grade 1 needs the lower limit of normal."""
    return _low_grade(value_10_9_l, lln, (Decimal(75), Decimal(50), Decimal(25)))


def neutrophil_grade(value_10_9_l: Decimal, lln: Decimal | None) -> int | None:
    """CTCAE v5 Neutrophil count decreased, 10^9/L: limits 1.5, 1.0, 0.5."""
    return _low_grade(value_10_9_l, lln, (Decimal("1.5"), Decimal("1.0"), Decimal("0.5")))


def leukocyte_grade(value_10_9_l: Decimal, lln: Decimal | None) -> int | None:
    """CTCAE v5 White blood cell decreased, 10^9/L: limits 3, 2, 1."""
    return _low_grade(value_10_9_l, lln, (Decimal(3), Decimal(2), Decimal(1)))


def anaemia_grade(haemoglobin_g_l: Decimal, lln: Decimal | None) -> int | None:
    """CTCAE v5 Anemia, g/L: limits 100 and 80; grade 4 is a clinical judgement, never a number."""
    return _low_grade(haemoglobin_g_l, lln, (Decimal(100), Decimal(80)))


_LOW_GRADES: dict[str, tuple[str, Callable[[Decimal, Decimal | None], int | None]]] = {
    "platelets": ("Platelet count decreased", platelet_grade),
    "neutrophils": ("Neutrophil count decreased", neutrophil_grade),
    "leukocytes": ("White blood cell decreased", leukocyte_grade),
    "haemoglobin": ("Anemia", anaemia_grade),
}
_HIGH_GRADES: dict[str, tuple[str, Callable[[Decimal, Decimal | None, Decimal | None], int | None]]] = {
    "alt": ("Alanine aminotransferase increased", liver_enzyme_grade),
    "ast": ("Aspartate aminotransferase increased", liver_enzyme_grade),
    "creatinine": ("Creatinine increased", creatinine_grade),
}


def suggest_grade(
    analyte: str, value: Decimal, *, lln: Decimal | None, uln: Decimal | None, baseline: Decimal | None = None
) -> tuple[str, int | None] | None:
    """CTCAE term and grade for an uncensored result in the catalogue's canonical unit; None where no number grades it."""
    if analyte in _LOW_GRADES:
        term, low = _LOW_GRADES[analyte]
        return term, low(value, lln)
    if analyte in _HIGH_GRADES:
        term, high = _HIGH_GRADES[analyte]
        return term, high(value, uln, baseline)
    return None


# Neoplasms and special interest ------------------------------------------------------------------------------------------

_SKIN_EXEMPT = re.compile(
    r"basal.cell|squamous.cell (?:carcinoma|cancer) of (?:the )?skin|skin squamous|bowen"
)
_BENIGN = re.compile(
    r"\bbenign|lipoma|ha?emangioma|fibroadenoma|adenoma|polyp|na?evus|papilloma|leiomyoma|fibroid"
)
_MALIGNANT = re.compile(
    r"cancer|carcinoma|sarcoma|melanoma|lymphoma|leuka?emia|myeloma|myelodysplas|malignan|neoplas|metasta|glioma|blastoma|"
    r"teratoma|mesothelioma|histiocytoma|seminoma|germinoma|carcinoid|tumou?rs?\b(?! (?:marker|necrosis|lysis))"
)


def neoplasm_kind(term: str) -> str:
    """What a reported term says by its words: `malignant` (or unspecified), `benign`, `skin` (basal or squamous) or ``."""
    text = " ".join(term.casefold().split())
    if _SKIN_EXEMPT.search(text):
        return "skin"
    coded = term_for(term)
    if coded is not None and coded.is_neoplasm:
        return "malignant"
    if _BENIGN.search(text) and not re.search(r"malignan|carcinoma|sarcoma", text):
        return "benign"
    return "malignant" if _MALIGNANT.search(text) else ""


def special_interest_reason(
    term: str,
    *,
    grade: int | None,
    hypoglycaemia_level: int | None = None,
    hours_after_iv_infusion: Decimal | None = None,
) -> str:
    """Why an event is of special interest, or "" when nothing in it says so."""
    coded = term_for(term)
    if neoplasm_kind(term):
        return "neoplasm"
    if hypoglycaemia_level == 3:
        return "level 3 hypoglycaemia"
    after_iv = (
        hours_after_iv_infusion is not None and 0 <= hours_after_iv_infusion <= RESPIRATORY_HOURS_AFTER_IV
    )
    if coded and coded.soc == RESPIRATORY_SOC and after_iv:
        return f"respiratory event within {RESPIRATORY_HOURS_AFTER_IV} hours of an intravenous infusion"
    if coded and coded.is_special_interest(grade):
        return coded.name
    return next((reason for pattern, reason in _WORDS_OF_INTEREST if pattern.search(term.casefold())), "")


_WORDS_OF_INTEREST = tuple(
    (re.compile(pattern), reason)
    for pattern, reason in {
        r"keto-?acidosis|hyperosmolar": "ketoacidosis or hyperosmolar state",
        r"embol|thrombos": "thromboembolism",
        r"ectopic tissue": "ectopic tissue",
        r"contaminat|transmi(?:ssion|tted) .*infection|infection .*transmi": "transmission of infection",
        r"splenic infarct": "splenic infarct",
        r"dissection": "arterial dissection",
        r"donor.specific anti|sensiti[sz]ation to hla": "allo-sensitisation",
        r"contrast.*(?:kidney|nephropath)": "contrast kidney injury",
        r"retinopathy": "retinopathy worsening",
        r"autoimmun": "autoimmune event",
        r"pregnan": "pregnancy",
    }.items()
)


# Contradictions ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class EventFacts:
    """A reported event as received. Dates are ISO texts of any precision ("2014", "2014-03"), "" when unknown."""

    term: str
    onset_date: str = ""
    end_date: str = ""
    severity_grade: int | None = None
    is_serious: bool | None = None
    seriousness_criteria: tuple[str, ...] = ()
    outcome: str = ""
    aware_at: str = ""
    site_aware_at: str = ""
    sponsor_received_at: str = ""
    death_date: str = ""


@dataclass(frozen=True)
class Contradiction:
    """Opens a query on `field`; `kind` is stable, so that the same contradiction is asked once."""

    field: str
    kind: str
    reason: str


def contradictions(facts: EventFacts) -> list[Contradiction]:
    """Everything in a report that cannot all be true, or that a safety reader would ask about. Never a reason to refuse it."""
    return [*_grade_contradictions(facts), *_seriousness_contradictions(facts), *_date_contradictions(facts)]


def _grade_contradictions(facts: EventFacts) -> Iterator[Contradiction]:
    grade, term = facts.severity_grade, term_for(facts.term)
    if grade is not None and not grade_exists(term, grade):
        yield Contradiction("severity_grade", "impossible_grade", _no_such_grade(term, grade))
    if grade == 5 and facts.outcome != "fatal":
        yield Contradiction(
            "outcome", "grade_5_not_fatal", "Grade 5 means death, but the outcome is not fatal."
        )
    if facts.outcome == "fatal" and grade is not None and grade != 5:
        yield Contradiction(
            "severity_grade", "fatal_not_grade_5", f"The outcome is fatal, but the grade is {grade}, not 5."
        )


def _no_such_grade(term: CtcaeTerm | None, grade: int) -> str:
    if term is None:
        return f"Grade {grade} does not exist: grades are 1 to 5."
    exist = ", ".join(str(one) for one in term.grades)
    offer = other_specify_for(term).name
    return f"CTCAE v5 has no grade {grade} for {term.name} (only {exist}). Correct the grade, or code it as “{offer}”."


def _seriousness_contradictions(facts: EventFacts) -> Iterator[Contradiction]:
    if facts.seriousness_criteria and facts.is_serious is not True:
        ticked = ", ".join(criterion.replace("_", " ") for criterion in facts.seriousness_criteria)
        answer = "no" if facts.is_serious is False else "not answered"
        yield Contradiction(
            "is_serious",
            "criterion_without_serious",
            f"Criterion ticked ({ticked}), but serious is {answer}.",
        )
    if facts.is_serious and not facts.seriousness_criteria:
        yield Contradiction(
            "seriousness_criteria", "serious_without_criterion", "Serious, but no criterion says why."
        )
    if facts.outcome == "fatal" and facts.is_serious is not True:
        yield Contradiction(
            "is_serious", "fatal_not_serious", "The outcome is fatal, but the event is not marked serious."
        )
    if "death" in facts.seriousness_criteria and facts.outcome and facts.outcome != "fatal":
        yield Contradiction(
            "outcome", "death_not_fatal", "The criterion death is ticked, but the outcome is not fatal."
        )
    if neoplasm_kind(facts.term) == "malignant" and facts.is_serious is not True:
        reason = "A neoplasm that is not benign is serious by the registry's rule, but the event is not marked serious."
        yield Contradiction("is_serious", "neoplasm_not_serious", reason)


def _date_contradictions(facts: EventFacts) -> Iterator[Contradiction]:
    order = (
        (
            "end_date",
            "end_before_onset",
            facts.end_date,
            facts.onset_date,
            "The end date is before the onset date.",
        ),
        *(
            (
                name,
                f"{name}_before_onset",
                getattr(facts, name),
                facts.onset_date,
                f"{words} before the event began.",
            )
            for name, words in _MOMENTS.items()
        ),
        (
            "sponsor_received_at",
            "sponsor_before_site",
            facts.sponsor_received_at,
            facts.site_aware_at,
            "The sponsor received the report before the site knew of the event.",
        ),
    )
    for name, kind, early, late, reason in order:
        if early and late and certainly_before(early[:10], late[:10]):
            yield Contradiction(name, kind, reason)
    if facts.outcome == "fatal" and _differ(facts.death_date, facts.end_date):
        reason = f"The event ended fatally on {facts.end_date}, but the date of death is {facts.death_date}."
        yield Contradiction("end_date", "death_date_differs", reason)


_MOMENTS = {
    "aware_at": "Awareness is dated",
    "site_aware_at": "The site's awareness is dated",
    "sponsor_received_at": "The sponsor's receipt is dated",
}


def _differ(first: str, second: str) -> bool:
    """True when no reading of the two dates makes them the same day."""
    return bool(first and second) and (
        certainly_before(first[:10], second[:10]) or certainly_before(second[:10], first[:10])
    )


# Seriousness of a neoplasm by its record -----------------------------------------------------------------------------------

_NOTABLE_PLACES = ("pancreas", "infusion_site", "puncture_site", "ectopic")


def neoplasm_is_serious(
    *, behaviour: str, morphology: str = "", topography: str = "", place: str = ""
) -> bool | None:
    """Serious by default: ICD-O behaviour 1, 2, 3, 6 or 9, or benign in pancreas, infusion or puncture site or ectopic tissue.

    None = the investigator decides (basal- or squamous-cell cancer of the skin). An unknown behaviour counts as serious.
    """
    if topography.startswith("C44") and re.match(r"80[5-8]\d|809\d|8110", morphology):
        return None
    if behaviour == "0":
        return place in _NOTABLE_PLACES or topography.startswith("C25")
    return True
