"""How units, flags and statuses of results are written for people."""

import re

from followup.labs.catalogue import Analyte

UNIT_WORDS = {
    "Cel": "°C",
    "[degF]": "°F",
    "[lb_av]": "lb",
    "[in_i]": "in",
    "[IU]/d": "IU/day",
    "[IU]/kg/d": "IU/kg/day",
    "mL/min/{1.73_m2}": "mL/min/1.73 m²",
    "kg/m2": "kg/m²",
    "um3": "µm³",
}
POWERS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
FLAG_WORDS = {
    "": ("done", "In range"),
    "low": ("due", "Below range"),
    "high": ("due", "Above range"),
    "critical_low": ("alarm", "Critically low"),
    "critical_high": ("alarm", "Critically high"),
    "ungradable": ("quiet", "Not graded"),
}
STATUS_WORDS = {
    "ok": ("done", "Valid"),
    "not_interpretable": ("late", "Must not be read"),
    "not_computable": ("quiet", "Not computable"),
}
INDEX_LABELS = {
    "homa_ir": "HOMA-IR",
    "homa_beta": "HOMA-β",
    "homa_s": "HOMA-S",
    "quicki": "QUICKI",
    "egfr_ckd_epi_2021": "eGFR (CKD-EPI 2021)",
    "insulin_iu_per_kg_day": "Insulin per kg and day",
    "bmi": "Body mass index",
    "c_peptide_glucose_ratio": "C-peptide to glucose ratio",
    "tyg": "TyG index",
}
INDEX_DECIMALS = {
    "homa_beta": 1,
    "homa_s": 1,
    "quicki": 3,
    "egfr_ckd_epi_2021": 0,
    "bmi": 1,
}


def unit_words(ucum: str) -> str:
    """`10*9/L` → `10⁹/L`, `m[IU]/L` → `mIU/L`, `umol/L` → `µmol/L`, `{index}` → blank."""
    if ucum in UNIT_WORDS:
        return UNIT_WORDS[ucum]
    text = re.sub(r"10\*(\d+)", lambda found: "10" + found[1].translate(POWERS), ucum)
    text = text.replace("[arb'U]", "U").replace("{creat}", " creatinine").replace("{FEU}", " FEU")
    text = re.sub(r"\{[^}]*\}", "", text).replace("[", "").replace("]", "").replace(".", "·")
    return re.sub(r"(?<![A-Za-z])u(?=[A-Za-z]+)|(?<=/)u(?=L\b)", "µ", text)


def range_words(analyte: Analyte, sex: str) -> str:
    """The reference range in the canonical unit: `4.0–5.6 %`, `up to 5 mg/L`; blank without one."""
    low, high = analyte.reference_for(sex).low, analyte.reference_for(sex).high
    unit = unit_words(analyte.unit)
    if low is not None and high is not None:
        return f"{analyte.show(low)}–{analyte.show(high)} {unit}".strip()
    if high is not None:
        return f"up to {analyte.show(high)} {unit}".strip()
    return f"from {analyte.show(low)} {unit}".strip() if low is not None else ""
