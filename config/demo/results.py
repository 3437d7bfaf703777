"""Laboratory rows of one visit, in the units that site's laboratory sends. Pure."""

from datetime import date
from random import Random

from config.demo.stories import Story

CONVENTIONAL = {"LAK", "SAO"}  # these made-up laboratories send mg/dL and ng/mL


def lab_rows(
    story: Story, patient_id: str, visit: str, day: date, assessments: set[str], seed: int
) -> list[dict[str, str]]:
    random = story.random_for(f"labs:{visit}:{day}", seed)
    months = max(0.0, story.months_at(day))
    values = []
    for assessment, measure in MEASURES.items():
        if assessment in assessments:
            values += measure(story, months, random)
    return [
        {
            "patient_id": patient_id, "collected_at": f"{day.isoformat()}T08:{30 + position % 20}", "analyte": analyte,
            "value": value, "unit": unit, "fasting": "yes", "laboratory": f"{story.site} central laboratory",
            "accession": f"{patient_id}-{day:%Y%m%d}",
        }
        for position, (analyte, value, unit) in enumerate(_in_units_of(story.site, values))
    ]  # fmt: skip


Value = tuple[str, float, str]


def _glycaemia(story: Story, months: float, random: Random) -> list[Value]:
    return [
        ("hba1c", round(story.course.hba1c_at(months, random), 1), "%"),
        ("fasting_glucose", round(story.course.fasting_glucose_at(months, random), 1), "mmol/L"),
    ]


def _islets(story: Story, months: float, random: Random) -> list[Value]:
    return [
        ("fasting_insulin", round(random.uniform(7, 22), 1), "mIU/L"),
        ("fasting_c_peptide", round(story.course.c_peptide_at(months, random), 2), "nmol/L"),
    ]


def _safety(story: Story, months: float, random: Random) -> list[Value]:
    return [
        ("creatinine", round(random.gauss(78, 9)), "umol/L"),
        ("alt", round(abs(random.gauss(28, 8)) + 6), "U/L"),
        ("haemoglobin", round(random.gauss(141, 8)), "g/L"),
        ("platelets", round(random.gauss(245, 40)), "10*9/L"),
    ]


def _lipids(story: Story, months: float, random: Random) -> list[Value]:
    return [
        ("ldl", round(abs(random.gauss(2.5, 0.5)) + 0.6, 1), "mmol/L"),
        ("urine_acr", round(abs(random.gauss(2.4, 1.6)) + 0.2, 1), "mg/mmol{creat}"),
    ]


def _markers(story: Story, months: float, random: Random) -> list[Value]:
    high = story.kind == "suspicion" and months > 30
    return [
        ("ca19_9", round(random.uniform(88, 120) if high else random.uniform(6, 28), 1), "U/mL"),
        ("cea", round(random.uniform(0.8, 2.9), 1), "ug/L"),
    ]


def _vitals(story: Story, months: float, random: Random) -> list[Value]:
    return [
        ("weight", round(story.course.weight_at(months, random), 1), "kg"),
        ("systolic_bp", round(random.gauss(133, 9)), "mm[Hg]"),
        ("diastolic_bp", round(random.gauss(79, 6)), "mm[Hg]"),
    ]


def _dose(story: Story, months: float, random: Random) -> list[Value]:
    stopped = story.kind == "insulin_restart" and 3.4 < months < 14
    return [("insulin_daily_dose", 0 if stopped else story.course.insulin_at(months), "[IU]/d")]


def _clamp(story: Story, months: float, random: Random) -> list[Value]:
    return [("gir", round(max(1.0, 3.1 + 1.4 * (months > 2) + random.gauss(0, 0.4)), 2), "mg/kg/min")]


MEASURES = {
    "vital_signs": _vitals, "glycaemia": _glycaemia, "islet_function": _islets, "safety_bloods": _safety,
    "lipids_renal": _lipids, "tumour_markers": _markers, "insulin_and_drugs": _dose, "clamp": _clamp,
}  # fmt: skip


def _in_units_of(site: str, values: list[Value]) -> list[tuple[str, str, str]]:
    if site not in CONVENTIONAL:
        return [_hba1c_ifcc(value) if site == "HAR" else _plain(value) for value in values]
    factors = {
        "mmol/L": (18.016, "mg/dL", 0),
        "nmol/L": (1 / 0.3311, "ng/mL", 2),
        "umol/L": (1 / 88.4, "mg/dL", 2),
    }
    sent = []
    for analyte, value, unit in values:
        if unit in factors and analyte != "ldl":
            factor, other, decimals = factors[unit]
            sent.append((analyte, f"{value * factor:.{decimals}f}", other))
        else:
            sent.append(_plain((analyte, value, unit)))
    return sent


def _plain(value: Value) -> tuple[str, str, str]:
    return (value[0], f"{value[1]:g}", value[2])


def _hba1c_ifcc(value: Value) -> tuple[str, str, str]:
    """Harbour's laboratory reports HbA1c in mmol/mol."""
    return ("hba1c", f"{10.93 * value[1] - 23.5:.0f}", "mmol/mol") if value[0] == "hba1c" else _plain(value)
