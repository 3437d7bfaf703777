"""Reading laboratory values and units, converting them exactly, and judging them against ranges.

Canonical values are Decimals rounded half-even to `CANONICAL_PLACES` decimals: finer than any assay, coarse enough
that the same result gives the same stored digits on every database. What was received is kept beside them by the caller.
"""

import re
import unicodedata
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from fractions import Fraction
from functools import cache

from followup.labs.catalogue import ANALYTES, UNIT_ALIASES, Analyte, Range

CANONICAL_PLACES = 6
COMPARATORS = ("", "<", "<=", ">", ">=")
DEFAULT_INSULIN_PMOL_PER_MIU = Decimal("6.00")
INSULIN_FACTOR_RANGE = (Decimal(5), Decimal(8))
FLAGS = ("", "low", "high", "critical_low", "critical_high", "ungradable")

_LARGEST_EXPONENT = 9  # no result of any analyte reaches 10^9 in an accepted unit
_SIGNS = {"≤": "<=", "≥": ">=", "=<": "<=", "=>": ">="}
_CENSORED = re.compile(r"(<=|>=|<|>)\s*(.*)", re.DOTALL)
_NUMBER = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE]([+-]?[0-9]{1,4}))?")
_DECIMAL_COMMA = re.compile(r"(0|[1-9][0-9]*),([0-9]+)")
_METER_WORDS = {"hi": ">", "high": ">", "lo": "<", "low": "<"}  # beyond what the meter can show


class UnitError(ValueError):
    """A value or unit that cannot be read; `code` for reports, the message says what to do."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True)
class ParsedValue:
    """`value` is the number, or the limit of a censored result; None only for a meter's Hi (`>`) or Lo (`<`)."""

    comparator: str
    value: Decimal | None
    text: str

    @property
    def is_censored(self) -> bool:
        return self.comparator != ""


@dataclass(frozen=True)
class Conversion:
    """`factor` is the exact text of the factor used, so that the stored value can be worked out again by hand."""

    canonical_value: Decimal | None
    canonical_unit: str
    factor: str
    received_unit_ucum: str


def parse_value(text: str) -> ParsedValue:
    """Read a result as a laboratory wrote it: `7.2`, `<0.1`, `>= 14`, `Hi`, `Lo`, `7,2`.

    A censored result keeps its comparator and limit. A comma counts as the decimal sign only where it cannot be a
    thousands separator. Raises UnitError (`value_missing`, `value_not_number`, `value_ambiguous`, `value_out_of_range`).
    """
    received = text
    text = text.strip()
    if not text:
        raise UnitError("value_missing", "The value is empty. Leave the row out, or enter the result.")
    if text.lower() in _METER_WORDS:
        return ParsedValue(_METER_WORDS[text.lower()], None, received)
    comparator, number = _split_comparator(text)
    return ParsedValue(comparator, _number(number, received), received)


def _split_comparator(text: str) -> tuple[str, str]:
    for sign, meaning in _SIGNS.items():
        text = text.replace(sign, meaning, 1) if text.startswith(sign) else text
    found = _CENSORED.fullmatch(text)
    return (found[1], found[2]) if found else ("", text)


def _number(text: str, received: str) -> Decimal:
    comma = _DECIMAL_COMMA.fullmatch(text)
    if comma:
        if len(comma[2]) == 3 and comma[1] != "0":
            raise UnitError(
                "value_ambiguous",
                f"“{_shorten(received)}” may be read as a decimal or as thousands. Write it with a decimal point.",
            )
        text = text.replace(",", ".")
    found = _NUMBER.fullmatch(text)
    if not found or len(text) > 40:
        raise UnitError(
            "value_not_number",
            f"“{_shorten(received)}” is not a number of 0 or more. "
            "Enter digits with a decimal point, < or > before a limit, or Hi or Lo.",
        )
    if abs(int(found[2] or 0)) > _LARGEST_EXPONENT or Decimal(text) >= Decimal(10) ** _LARGEST_EXPONENT:
        raise UnitError(
            "value_out_of_range", f"“{_shorten(received)}” is too large for a result. Check the number."
        )
    return Decimal(text)


def _shorten(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "…"


def normalise_unit(text: str) -> str:
    """One spelling for comparing unit texts; UCUM's own case is restored by the alias table, not here."""
    text = unicodedata.normalize("NFKC", text).replace("μ", "u").replace("µ", "u").replace("×", "x")
    return re.sub(r"\s+", "", text).casefold()


@cache
def _spellings(code: str) -> dict[str, str]:
    """Normalised text to UCUM unit, for the units this analyte accepts: `U/L` may mean different things elsewhere."""
    analyte = ANALYTES[code]
    known: dict[str, str] = {}
    for ucum in analyte.units:
        for text in (ucum, *UNIT_ALIASES.get(ucum, ())):
            known.setdefault(normalise_unit(text), ucum)
    return known


@cache
def _ucum_units() -> frozenset[str]:
    return frozenset(ucum for analyte in ANALYTES.values() for ucum in analyte.units)


def ucum_unit(analyte: Analyte, unit: str) -> str:
    """The UCUM unit that the text stands for, among those this analyte accepts.

    Raises UnitError `unit_missing` or `unit_not_accepted`. Texts are compared without case, but a text that is exactly
    another UCUM unit keeps that meaning (`g/L` is grams; `G/L`, 10^9 per litre, is accepted for cell counts).
    """
    text = unit.strip()
    if not text and analyte.is_unit_optional:
        return analyte.unit
    if not text:
        raise UnitError("unit_missing", f"{analyte.label} needs a unit: {_accepted(analyte)}.")
    found = _spellings(analyte.code).get(normalise_unit(text))
    if found is None or (text in _ucum_units() and text not in analyte.units and text not in _aliases(found)):
        raise UnitError(
            "unit_not_accepted",
            f"“{_shorten(text)}” is not a unit of {analyte.label}. Send it in {_accepted(analyte)}.",
        )
    return found


def _aliases(ucum: str) -> tuple[str, ...]:
    return UNIT_ALIASES.get(ucum, ())


def _accepted(analyte: Analyte) -> str:
    return " or ".join(analyte.units)


def convert(
    analyte: Analyte,
    value: Decimal | None,
    unit: str,
    *,
    insulin_pmol_per_miu: Decimal = DEFAULT_INSULIN_PMOL_PER_MIU,
) -> Conversion:
    """The value in the analyte's canonical unit, by an exact factor (HbA1c and temperature: factor and offset).

    `value` None (a meter's Hi or Lo) still checks the unit. `insulin_pmol_per_miu` is the laboratory's factor for
    insulin in pmol/L, 6.00 unless the laboratory uses 6.945. Raises UnitError, also when an HbA1c only makes sense in
    the other unit: the unit decides what the value is, so such a value is refused, never converted.
    """
    ucum = ucum_unit(analyte, unit)
    factor, offset, factor_text = _rule(analyte, ucum, insulin_pmol_per_miu)
    if value is None:
        return Conversion(None, analyte.unit, factor_text, ucum)
    exact = factor * Fraction(value) + offset
    if analyte.code == "hba1c":
        _refuse_hba1c_in_the_other_unit(value, ucum)
    return Conversion(_rounded(exact), analyte.unit, factor_text, ucum)


def _rule(analyte: Analyte, ucum: str, insulin_pmol_per_miu: Decimal) -> tuple[Fraction, Fraction, str]:
    accepted = analyte.units[ucum]
    if analyte.code == "fasting_insulin" and ucum == "pmol/L":
        if not INSULIN_FACTOR_RANGE[0] <= insulin_pmol_per_miu <= INSULIN_FACTOR_RANGE[1]:
            raise UnitError(
                "insulin_factor_implausible",
                "The insulin factor of a laboratory is 6.00 or 6.945 pmol per mIU. Correct the laboratory's setting.",
            )
        return 1 / Fraction(insulin_pmol_per_miu), Fraction(0), f"1/{insulin_pmol_per_miu}"
    text = accepted.factor_text
    if accepted.offset:
        text = f"{text} x value {float(accepted.offset):+.10g}"
    return accepted.factor, accepted.offset, text


def _rounded(exact: Fraction) -> Decimal:
    with localcontext(prec=40):
        quotient = Decimal(exact.numerator) / Decimal(exact.denominator)
        return quotient.quantize(Decimal(1).scaleb(-CANONICAL_PLACES), rounding=ROUND_HALF_EVEN)


_HBA1C_PERCENT = Range(Decimal(3), Decimal(20))
_HBA1C_MMOL_MOL = Range(Decimal(9), Decimal(195))


def _refuse_hba1c_in_the_other_unit(value: Decimal, ucum: str) -> None:
    percent, mmol_mol = _HBA1C_PERCENT.contains(value), _HBA1C_MMOL_MOL.contains(value)
    if ucum == "%" and not percent and mmol_mol:
        raise UnitError(
            "unit_contradicts_value",
            f"HbA1c {value} % cannot be: it looks like mmol/mol. Ask the laboratory and send the value with its true unit.",
        )
    if ucum == "mmol/mol" and not mmol_mol and percent:
        raise UnitError(
            "unit_contradicts_value",
            f"HbA1c {value} mmol/mol cannot be: it looks like %. Ask the laboratory and send the value with its true unit.",
        )


def from_canonical(analyte: Analyte, canonical_value: Decimal, unit: str) -> Decimal:
    """The canonical value in another accepted unit, for showing it in the unit a reader is used to."""
    factor, offset, _ = _rule(analyte, ucum_unit(analyte, unit), DEFAULT_INSULIN_PMOL_PER_MIU)
    return _rounded((Fraction(canonical_value) - offset) / factor)


def convert_limit(
    analyte: Analyte,
    limit: Decimal | None,
    unit: str,
    *,
    insulin_pmol_per_miu: Decimal = DEFAULT_INSULIN_PMOL_PER_MIU,
) -> Decimal | None:
    """A laboratory's reference limit in the canonical unit; blank stays blank."""
    if limit is None:
        return None
    factor, offset, _ = _rule(analyte, ucum_unit(analyte, unit), insulin_pmol_per_miu)
    return _rounded(factor * Fraction(limit) + offset)


_LEVELS = ("critical_low", "low", "", "high", "critical_high")
_NORMAL = _LEVELS.index("")
_HAIR = Decimal("1e-9")  # just inside an open limit
_BEYOND_ANY_RESULT = Decimal(10) ** 15


def judge(
    analyte: Analyte,
    canonical_value: Decimal | None,
    comparator: str,
    sex: str,
    reference_low: Decimal | None = None,
    reference_high: Decimal | None = None,
) -> str:
    """The flag of a result: one of `FLAGS`. All numbers in the analyte's canonical unit.

    The laboratory's interval, when it sent one, replaces the default as a whole. Critical limits are judged even
    without an interval; a result with neither is `ungradable`, never normal. A censored result gets a flag only when
    every value it may stand for has one (`<0.1` is low below 2, but `<10` is ungradable there). With unknown sex a
    sex-specific interval flags only what both sexes agree on.
    """
    if reference_low is not None or reference_high is not None:
        return _judge_by(analyte, Range(reference_low, reference_high), canonical_value, comparator)
    sexes = (sex,) if sex in ("female", "male") else ("female", "male")
    flags = {_judge_by(analyte, analyte.reference_for(one), canonical_value, comparator) for one in sexes}
    return flags.pop() if len(flags) == 1 else "ungradable"


def _judge_by(analyte: Analyte, reference: Range, value: Decimal | None, comparator: str) -> str:
    lowest, highest = _possible_values(value, comparator)
    first, last = _level(analyte, reference, lowest), _level(analyte, reference, highest)
    if value is None:
        return _judge_beyond_meter(first, last, comparator)
    if last < _NORMAL or first > _NORMAL:
        return _LEVELS[last if last < _NORMAL else first]
    if first != last or not reference:
        return "ungradable"
    return _LEVELS[first]


def _judge_beyond_meter(first: int, last: int, comparator: str) -> str:
    level = {">": last, "<": first}.get(comparator, _NORMAL)
    return "ungradable" if level == _NORMAL else _LEVELS[level]


def _possible_values(value: Decimal | None, comparator: str) -> tuple[Decimal, Decimal]:
    if value is None:
        return Decimal(0), _BEYOND_ANY_RESULT
    return {
        "<": (Decimal(0), value - _HAIR),
        "<=": (Decimal(0), value),
        ">": (value + _HAIR, _BEYOND_ANY_RESULT),
        ">=": (value, _BEYOND_ANY_RESULT),
    }.get(comparator, (value, value))


def _level(analyte: Analyte, reference: Range, value: Decimal) -> int:
    if analyte.critical_below is not None and value < analyte.critical_below:
        return 0
    if analyte.critical_above is not None and value > analyte.critical_above:
        return 4
    if analyte.critical_from is not None and value >= analyte.critical_from:
        return 4
    if reference.low is not None and value < reference.low:
        return 1
    if reference.high is not None and value > reference.high:
        return 3
    return _NORMAL


def limit_check(analyte: Analyte, canonical_value: Decimal | None) -> str:
    """`hard` = a typing error unless somebody signs for it, `soft` = ask for confirmation, `ok` otherwise."""
    if canonical_value is None:
        return "ok"
    if not analyte.hard.contains(canonical_value):
        return "hard"
    return "ok" if analyte.soft.contains(canonical_value) else "soft"
