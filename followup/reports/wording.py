"""Codes, dates and numbers as words for a printed page."""

from datetime import UTC, datetime

from registry.partial_dates import in_words

LABELS = {
    "bm_mnc": "bone-marrow mononuclear cells",
    "msc": "MSC",
    "whartons_jelly": "Wharton's jelly",
    "iv_peripheral": "IV, peripheral",
    "iv_central": "IV, central",
    "ia_pancreaticoduodenal": "IA, pancreaticoduodenal",
    "ia_splenic": "IA, splenic",
    "ia_dorsal_pancreatic": "IA, dorsal pancreatic",
    "ia_gastroduodenal": "IA, gastroduodenal",
    "ia_other": "IA, other",
    "combined": "combined routes",
    "in_follow_up": "in follow-up",
    "lost": "lost to follow-up",
    "enrolled_after_cut_off": "enrolled after the cut-off, not counted",
    "mixed": "mixed sources",
    "hidden_blinded_protocol": "hidden: blinded protocol",
    "life_threatening": "life-threatening",
    "congenital_anomaly": "congenital anomaly",
    "medically_important": "medically important",
    "recovered_with_sequelae": "recovered with sequelae",
    "not_recovered": "not recovered",
    "on_site": "on site",
    "no_cells": "no more cells, follow-up unchanged",
    "no_visits": "no visits, phone and records continue",
    "no_contact": "no contact, records only",
    "no_new_data": "no new data",
    "erase": "identifiers erased",
    "any": "any adverse event",
    "related": "related to cells or procedure (or not yet assessed)",
    "grade_3_or_higher": "grade 3 or higher",
    "special_interest": "of special interest",
    "led_to_withdrawal": "led to withdrawal",
    "status_known": "to the last date neoplasia status was known (main analysis)",
    "to_cut_off": "to the cut-off (sensitivity)",
    "without_first_6_months": "without the first 6 months after infusion (sensitivity)",
    "homa_ir": "HOMA-IR",
    "homa_beta": "HOMA-beta",
    "homa_s": "HOMA-S",
    "quicki": "QUICKI",
    "bmi": "BMI",
    "matsuda": "Matsuda index",
    "tyg": "TyG index",
    "egfr_ckd_epi_2021": "eGFR (CKD-EPI 2021)",
    "insulin_iu_per_kg_day": "Insulin dose",
    "c_peptide_glucose_ratio": "C-peptide to glucose ratio",
    "c_peptide_auc": "C-peptide AUC",
    "c_peptide_auc_net": "C-peptide AUC above fasting",
    "glucose_auc": "Glucose AUC",
    "clamp_gir": "Clamp glucose infusion rate",
    "clamp_m": "Clamp M",
    "clamp_m_over_i": "Clamp M/I",
    "insulinogenic_index": "Insulinogenic index",
    "hba1c": "HbA1c",
    "not_interpretable": "not to be read",
    "not_computable": "not computed",
    "fasting_c_peptide": "Fasting C-peptide",
}


def utc(moment: str) -> str:
    """`14 Mar 2031, 09:30 UTC` of an ISO moment."""
    at = datetime.fromisoformat(moment).astimezone(UTC)
    return f"{in_words(at.date())}, {at:%H:%M} UTC"


def label(code: str | None) -> str:
    return "–" if code is None or code == "" else LABELS.get(code, code.replace("_", " "))


def heading(code: str | None) -> str:
    text = label(code)
    return text if text[1:2].isupper() else text[:1].upper() + text[1:]


def day(iso: str | None) -> str:
    """A date that never breaks over two lines."""
    return in_words(iso).replace(" ", "\u00a0") if iso else "–"


def count(number: int | None) -> str:
    return "–" if number is None else f"{number:,}"


def decimal(number: float | None, places: int = 1) -> str:
    """A number for a table; a minus sign of its own width, a dash where there is none."""
    return "–" if number is None else f"{number:,.{places}f}".replace("-", "−")


def share(part: int, whole: int) -> str:
    """`12 (34 %)`; no percentage of nothing."""
    return f"{part}\u00a0({100 * part / whole:.0f}\u00a0%)" if whole else str(part)


def interval(low: float | None, high: float | None, places: int = 2) -> str:
    return (
        "not estimable" if low is None or high is None else f"{low:.{places}f}\u00a0to\u00a0{high:.{places}f}"
    )


def plural(number: int, one: str, many: str | None = None) -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"
