"""Derived values with the rules that say whether they may be read.

`ok` = value (perhaps with a caution in `reason`) · `not_interpretable` = value and the reason why it must not be read ·
`not_computable` = no value and why. Blank is unknown, never 0; a censored input is never computed with.
No Django, no clock. Formulas are in `indices.py`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from followup.labs import indices
from followup.labs.units import CANONICAL_PLACES

INSULIN_STATUSES = ("on_insulin", "no_insulin", "unknown")

UNITS = {
    "homa_ir": "{index}",
    "homa_beta": "%",
    "homa_s": "%",
    "quicki": "{index}",
    "egfr_ckd_epi_2021": "mL/min/{1.73_m2}",
    "insulin_iu_per_kg_day": "[IU]/kg/d",
    "bmi": "kg/m2",
    "c_peptide_glucose_ratio": "{ratio}",
    "tyg": "{index}",
}
FORMULA_VERSIONS = {
    "homa_ir": "HOMA1-1985/1",
    "homa_beta": "HOMA1-1985/1",
    "homa_s": "HOMA1-1985/1",
    "quicki": "QUICKI-2000/1",
    "egfr_ckd_epi_2021": "CKD-EPI-2021/1",
    "insulin_iu_per_kg_day": "dose-per-kg/1",
    "bmi": "WHO/1",
    "c_peptide_glucose_ratio": "CPR-100ng/mg/1",
    "tyg": "TyG-2008/1",
}

MAX_MINUTES_APART = 5
_ON_INSULIN = "insulin treatment at collection: the assay also measures injected insulin"
_UNKNOWN_INSULIN = "insulin treatment at collection unknown: the assay may measure injected insulin"


@dataclass(frozen=True)
class Index:
    """One derived value as it is stored: `inputs` are texts, so that the value can be worked out again."""

    code: str
    value: Decimal | None
    unit: str
    formula_version: str
    status: str
    reason: str
    inputs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Reading:
    """A canonical result as an input. `value` None = no such result; a comparator marks it as censored."""

    value: Decimal | None
    comparator: str = ""

    @property
    def text(self) -> str:
        if self.value is None:
            return self.comparator
        return f"{self.comparator}{self.value}"


def derive_fasting_indices(
    *,
    glucose_mmol_l: Reading,
    insulin_miu_l: Reading,
    fasting: bool | None,
    insulin_status: str,
    insulin_free: bool = False,
    insulin_pmol_per_miu: Decimal = Decimal("6.00"),
    minutes_apart: int = 0,
) -> tuple[Index, ...]:
    """HOMA-IR, HOMA-β, HOMA-S and QUICKI of one fasting sample.

    Not computable: a missing or censored input, insulin or glucose of 0, β at glucose of 3.5 mmol/L or less. Value given but
    not interpretable: fasting of 8 hours not stated, samples more than 5 minutes apart, insulin treatment or unknown
    insulin status at collection unless glucose and insulin are both declared free of it (`insulin_free`).
    `insulin_pmol_per_miu` is the laboratory's factor, kept with the inputs because it moves HOMA by 16 %.
    """
    if insulin_status not in INSULIN_STATUSES:
        raise ValueError(f"insulin status is one of {', '.join(INSULIN_STATUSES)}")
    readings = {"glucose_mmol_l": glucose_mmol_l, "insulin_miu_l": insulin_miu_l}
    context = {
        "fasting": _yes_no(fasting),
        "insulin_status": insulin_status,
        "insulin_free": _yes_no(insulin_free),
        "insulin_pmol_per_miu": str(insulin_pmol_per_miu),
    }
    doubts = _fasting_doubts(fasting) + _insulin_doubts(insulin_status, insulin_free)
    if abs(minutes_apart) > MAX_MINUTES_APART:
        doubts.append("glucose and insulin more than 5 minutes apart")
    formulas = {
        "homa_ir": indices.homa_ir,
        "homa_beta": indices.homa_beta,
        "homa_s": indices.homa_s,
        "quicki": indices.quicki,
    }
    cautions = {"homa_beta": _beta_caution(glucose_mmol_l)}
    return tuple(
        _derive(code, formula, readings, context=context, doubts=doubts, caution=cautions.get(code, ""))
        for code, formula in formulas.items()
    )


def derive_tyg(*, triglycerides_mmol_l: Reading, glucose_mmol_l: Reading, fasting: bool | None) -> Index:
    """TyG index of one fasting sample; not interpretable unless fasting is stated."""
    readings = {"triglycerides_mmol_l": triglycerides_mmol_l, "glucose_mmol_l": glucose_mmol_l}
    return _derive(
        "tyg", indices.tyg, readings, context={"fasting": _yes_no(fasting)}, doubts=_fasting_doubts(fasting)
    )


def derive_c_peptide_glucose_ratio(
    *, c_peptide_nmol_l: Reading, glucose_mmol_l: Reading, fasting: bool | None
) -> Index:
    """Fasting C-peptide to glucose ratio; injected insulin does not disturb it, a meal does."""
    readings = {"c_peptide_nmol_l": c_peptide_nmol_l, "glucose_mmol_l": glucose_mmol_l}
    return _derive(
        "c_peptide_glucose_ratio",
        indices.c_peptide_glucose_ratio,
        readings,
        context={"fasting": _yes_no(fasting)},
        doubts=_fasting_doubts(fasting),
    )


def derive_egfr(*, creatinine_umol_l: Reading, age_years: int | None, sex_at_birth: str) -> Index:
    """eGFR (CKD-EPI 2021) for the age on the day of collection; not computable below 18 years or with age or sex unknown."""

    def formula(creatinine_umol_l: Decimal) -> Decimal:
        if age_years is None:
            raise ValueError("age at collection unknown")
        return indices.egfr_ckd_epi_2021(creatinine_umol_l, age_years, sex_at_birth)

    context = {"age_years": "" if age_years is None else str(age_years), "sex_at_birth": sex_at_birth}
    return _derive("egfr_ckd_epi_2021", formula, {"creatinine_umol_l": creatinine_umol_l}, context=context)


def derive_bmi(*, weight_kg: Reading, height_cm: Reading) -> Index:
    """Body mass index; not computable without both measures."""
    return _derive("bmi", indices.bmi, {"weight_kg": weight_kg, "height_cm": height_cm})


def derive_insulin_per_kg(*, insulin_iu_per_day: Reading, weight_kg: Reading) -> Index:
    """Insulin per kg and day. A blank dose is unknown and not computable; a recorded dose of 0 gives 0."""
    readings = {"insulin_iu_per_day": insulin_iu_per_day, "weight_kg": weight_kg}
    return _derive("insulin_iu_per_kg_day", indices.insulin_iu_per_kg_day, readings)


def _derive(
    code: str,
    formula: Callable[..., Decimal],
    readings: Mapping[str, Reading],
    *,
    context: Mapping[str, str] | None = None,
    doubts: list[str] | None = None,
    caution: str = "",
) -> Index:
    inputs = {**{name: reading.text for name, reading in readings.items()}, **(context or {})}
    value, obstacle = _compute(formula, readings)
    if value is None:
        status, reason = "not_computable", obstacle
    elif doubts:
        status, reason = "not_interpretable", "; ".join([*doubts, *filter(None, [caution])])
    else:
        status, reason = "ok", caution
    return Index(code, value, UNITS[code], FORMULA_VERSIONS[code], status, reason, inputs)


def _compute(formula: Callable[..., Decimal], readings: Mapping[str, Reading]) -> tuple[Decimal | None, str]:
    obstacles = [_obstacle(name, reading) for name, reading in readings.items() if _obstacle(name, reading)]
    if obstacles:
        return None, "; ".join(obstacles)
    try:
        value = formula(*(reading.value for reading in readings.values()))
    except ValueError as error:
        return None, str(error)
    return value.quantize(Decimal(1).scaleb(-CANONICAL_PLACES)), ""


def _obstacle(name: str, reading: Reading) -> str:
    words = _NAMES[name]
    if reading.comparator:
        return f"{words} is censored ({reading.text})"
    return f"{words} unknown" if reading.value is None else ""


_NAMES = {
    "glucose_mmol_l": "glucose",
    "insulin_miu_l": "insulin",
    "triglycerides_mmol_l": "triglycerides",
    "c_peptide_nmol_l": "C-peptide",
    "creatinine_umol_l": "creatinine",
    "weight_kg": "weight",
    "height_cm": "height",
    "insulin_iu_per_day": "insulin dose",
}


def _yes_no(answer: bool | None) -> str:
    return "" if answer is None else "yes" if answer else "no"


def _fasting_doubts(fasting: bool | None) -> list[str]:
    if fasting:
        return []
    return ["not fasting" if fasting is False else "fasting of 8 hours not stated"]


def _insulin_doubts(insulin_status: str, insulin_free: bool) -> list[str]:
    if insulin_free or insulin_status == "no_insulin":
        return []
    return [_ON_INSULIN if insulin_status == "on_insulin" else _UNKNOWN_INSULIN]


def _beta_caution(glucose: Reading) -> str:
    if glucose.value is None or glucose.value >= indices.HOMA_BETA_GLUCOSE_UNSTABLE_MMOL_L:
        return ""
    return "glucose between 3.5 and 4.0 mmol/L: HOMA-β is unstable"
