"""Reading one result as it was received: its number, its canonical value, its flag, and whether it can be at all."""

import hashlib
import json
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from followup.labs.catalogue import Analyte, analyte_for, loinc_is_wellformed, needs_fasting_flag
from followup.labs.units import (
    DEFAULT_INSULIN_PMOL_PER_MIU,
    UnitError,
    convert,
    judge,
    limit_check,
    parse_value,
    ucum_unit,
)

PLACES = Decimal("0.000001")


@dataclass(frozen=True)
class Received:
    """What is stored of a result: as received, and as it converts. `is_unusual` = outside the soft limits."""

    analyte: Analyte
    loinc: str
    value_received: str
    unit_received: str
    comparator: str
    value: Decimal | None
    canonical_value: Decimal | None
    canonical_unit: str
    conversion: str
    flag: str
    is_unusual: bool

    def columns(self) -> dict[str, object]:
        """By the names of `LabResult`."""
        return {
            "analyte": self.analyte.code,
            "loinc": self.loinc,
            "value_received": self.value_received,
            "unit_received": self.unit_received,
            "comparator": self.comparator,
            "value": self.value,
            "canonical_value": self.canonical_value,
            "canonical_unit": self.canonical_unit,
            "conversion": self.conversion,
            "flag": self.flag,
        }


def find_analyte(text: str) -> Analyte:
    """By our code or a LOINC code. Raises UnitError `unknown_analyte`."""
    found = analyte_for(text)
    if found is None:
        hint = (
            "a LOINC code the catalogue does not hold"
            if loinc_is_wellformed(text)
            else "not in the catalogue"
        )
        raise UnitError("unknown_analyte", f"“{text[:40]}” is {hint}. Use a code of the analyte list.")
    return found


def read_result(
    *,
    analyte: str,
    value: str,
    unit: str,
    sex: str,
    insulin_pmol_per_miu: Decimal = DEFAULT_INSULIN_PMOL_PER_MIU,
) -> Received:
    """Raises UnitError for what cannot be read, and for a value outside the hard limits (a typing error or a unit slip).

    `analyte` is our code or LOINC, `sex` the sex at birth. Values outside the soft limits are accepted and marked.
    """
    found = find_analyte(analyte)
    parsed = parse_value(value)
    conversion = convert(found, parsed.value, unit, insulin_pmol_per_miu=insulin_pmol_per_miu)
    limit = limit_check(found, conversion.canonical_value)
    if limit == "hard" and parsed.value is not None:
        raise _beyond_limits(found, parsed.text, parsed.value, unit)
    return Received(
        analyte=found,
        loinc=analyte if analyte.lower() != found.code else "",
        value_received=value,
        unit_received=unit,
        comparator=parsed.comparator,
        value=None if parsed.value is None else parsed.value.quantize(PLACES),
        canonical_value=conversion.canonical_value,
        canonical_unit=conversion.canonical_unit,
        conversion=conversion.factor[:60],
        flag=judge(found, conversion.canonical_value, parsed.comparator, sex),
        is_unusual=limit == "soft",
    )


def _beyond_limits(analyte: Analyte, text: str, value: Decimal, unit: str) -> UnitError:
    said = f"{analyte.label} {text.strip()} {unit}".strip()
    allowed = f"{limits_text(analyte)} {analyte.unit}"
    better = [
        other for other in analyte.units if other != ucum_unit(analyte, unit) and _fits(analyte, value, other)
    ]
    if better:
        return UnitError(
            "unit_slip",
            f"{said} is impossible (possible is {allowed}): it looks like {' or '.join(better)}. Check value and unit.",
        )
    return UnitError(
        "out_of_range",
        f"{said} is impossible: possible is {allowed}. Check it with the laboratory and correct it.",
    )


def _fits(analyte: Analyte, value: Decimal, unit: str) -> bool:
    try:
        return limit_check(analyte, convert(analyte, value, unit).canonical_value) == "ok"
    except UnitError:
        return False


def limits_text(analyte: Analyte) -> str:
    """The hard limits in words: `3 to 20`, `up to 500`."""
    low, high = analyte.hard.low, analyte.hard.high
    if low is None or high is None:
        return f"up to {high:f}" if high is not None else f"at least {low:f}"
    return f"{low:f} to {high:f}"


def fasting_doubt(analyte: Analyte, loinc: str, fasting: bool | None) -> str:
    """Why a result under a fasting analyte may not have been taken fasting; blank where nothing speaks against it."""
    if fasting is False and analyte.code.startswith("fasting_"):
        return f"{analyte.label} was reported with fasting = no"
    if fasting is None and loinc and needs_fasting_flag(loinc):
        return f"LOINC {loinc} does not say whether the sample was fasting; fasting is blank"
    return ""


def import_key(
    *,
    laboratory: str,
    accession: str,
    patient_id: str,
    collected: date | datetime,
    analyte: str,
    minutes: int | None,
    nth: int,
) -> str:
    """Makes a result the same result when it comes again: laboratory + accession + analyte, else patient + moment + analyte + n-th.

    Samples of a timed test share an accession, so their minutes belong to the key.
    """
    if laboratory and accession:
        parts = ["accession", laboratory.casefold(), accession, analyte, minutes]
    else:
        parts = ["moment", patient_id, collected.isoformat(), analyte, minutes, nth]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
