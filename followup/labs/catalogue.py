"""The analyte catalogue of `catalogue.toml`, read once and never changed while running."""

import tomllib
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent

ASSESSMENTS = (
    "glycaemia",
    "islet_function",
    "safety_bloods",
    "lipids_renal",
    "tumour_markers",
    "vital_signs",
    "insulin_and_drugs",
    "clamp",
    "inflammation",
    "cgm",
)


@dataclass(frozen=True)
class Range:
    """Closed interval in the canonical unit; None is an open end."""

    low: Decimal | None = None
    high: Decimal | None = None

    def __bool__(self) -> bool:
        return self.low is not None or self.high is not None

    def contains(self, value: Decimal) -> bool:
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)


@dataclass(frozen=True)
class AcceptedUnit:
    """canonical value = factor x value + offset, exactly."""

    ucum: str
    factor: Fraction
    offset: Fraction
    factor_text: str


@dataclass(frozen=True)
class Loinc:
    code: str
    usual_unit: str
    is_any_time: bool


@dataclass(frozen=True)
class Analyte:
    code: str
    label: str
    short: str
    group: str
    assessment: str
    unit: str
    decimals: int
    units: dict[str, AcceptedUnit]
    loinc: tuple[Loinc, ...]
    hard: Range
    soft: Range
    reference: Range
    reference_female: Range
    reference_male: Range
    critical_below: Decimal | None
    critical_above: Decimal | None
    critical_from: Decimal | None
    sex: str
    is_unit_optional: bool

    def reference_for(self, sex: str) -> Range:
        return {"female": self.reference_female, "male": self.reference_male}.get(sex, self.reference)

    def applies_to(self, sex: str) -> bool:
        """False only when the marker is meant for the other sex; unknown sex is not excluded."""
        return not self.sex or sex not in ("female", "male") or self.sex == sex

    def show(self, value: Decimal) -> str:
        """The value as a page prints it: the analyte's decimals, no unit."""
        return f"{value:.{self.decimals}f}"


def loinc_is_wellformed(code: str) -> bool:
    """True when the check digit after the hyphen is the mod-10 (Luhn) digit of the number before it."""
    number, hyphen, check = code.partition("-")
    if not (hyphen and number.isascii() and number.isdigit() and len(number) <= 7):
        return False
    doubled = [int(digit) * (2 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(number))]
    total = sum(value - 9 if value > 9 else value for value in doubled)
    return check == str(-total % 10)


def _decimal(text: str | None) -> Decimal | None:
    return Decimal(text) if text else None


def _range(pair: list[str] | None) -> Range:
    return Range(_decimal(pair[0]), _decimal(pair[1])) if pair else Range()


def _fraction(text: str) -> Fraction:
    top, _, bottom = text.partition("/")
    return Fraction(top) / Fraction(bottom or "1")


def _units(row: dict[str, Any]) -> dict[str, AcceptedUnit]:
    factors = {row["unit"]: "1", **row.get("units", {})}
    offsets = row.get("offsets", {})
    return {
        ucum: AcceptedUnit(ucum, _fraction(factor), _fraction(offsets.get(ucum, "0")), factor)
        for ucum, factor in factors.items()
    }


def _loinc(text: str) -> Loinc:
    code, unit, *timing = text.split(" ")
    return Loinc(code=code, usual_unit=unit, is_any_time=timing == ["any-time"])


def _analyte(code: str, row: dict[str, Any]) -> Analyte:
    shared = row.get("reference")
    return Analyte(
        code=code,
        label=row["label"],
        short=row["short"],
        group=row["group"],
        assessment=row["assessment"],
        unit=row["unit"],
        decimals=row["decimals"],
        units=_units(row),
        loinc=tuple(_loinc(text) for text in row.get("loinc", [])),
        hard=_range(row.get("hard")),
        soft=_range(row.get("soft")),
        reference=_range(shared),
        reference_female=_range(row.get("reference_female", shared)),
        reference_male=_range(row.get("reference_male", shared)),
        critical_below=_decimal(row.get("critical_below")),
        critical_above=_decimal(row.get("critical_above")),
        critical_from=_decimal(row.get("critical_from")),
        sex=row.get("sex", ""),
        is_unit_optional=row.get("blank_unit", False),
    )


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads((HERE / name).read_text(encoding="utf-8"))


ANALYTES: dict[str, Analyte] = {code: _analyte(code, row) for code, row in _read("catalogue.toml").items()}
LOINC: dict[str, Analyte] = {loinc.code: analyte for analyte in ANALYTES.values() for loinc in analyte.loinc}
UNIT_ALIASES: dict[str, tuple[str, ...]] = {ucum: tuple(texts) for ucum, texts in _read("units.toml").items()}


def analyte_for(code_or_loinc: str) -> Analyte | None:
    """The analyte of our code (any case) or of a LOINC code; None when neither is known."""
    text = code_or_loinc.strip()
    return ANALYTES.get(text.lower()) or LOINC.get(text)


def needs_fasting_flag(loinc_code: str) -> bool:
    """True for a code that does not say the sample was fasting, so the result itself must."""
    analyte = LOINC.get(loinc_code.strip())
    return analyte is not None and any(
        one.is_any_time for one in analyte.loinc if one.code == loinc_code.strip()
    )
