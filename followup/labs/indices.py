"""Formulas of metabolic follow-up as pure functions.

Decimal in, Decimal out, unrounded (28 significant digits, the same on every machine); rounding is for the page.
Every function raises ValueError outside its valid range: whether a result may be read is decided in `derived.py`.
Glucose is converted to mmol/L with 18.016 first and only the mmol/L formulas of HOMA are used.
"""

from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise

GLUCOSE_MG_DL_PER_MMOL_L = Decimal("18.016")
CREATININE_UMOL_L_PER_MG_DL = Decimal("88.4")
TRIGLYCERIDE_MMOL_L_PER_MG_DL = Decimal("0.01129")
C_PEPTIDE_NMOL_L_PER_NG_ML = Decimal("0.3311")
HOMA_BETA_GLUCOSE_FLOOR_MMOL_L = Decimal("3.5")
HOMA_BETA_GLUCOSE_UNSTABLE_MMOL_L = Decimal("4.0")

Sample = tuple[Decimal, Decimal]  # minutes, value


def _positive(**values: Decimal) -> None:
    for name, value in values.items():
        if not value > 0:
            raise ValueError(f"{name} must be above 0, not {value}")


# HbA1c ---------------------------------------------------------------------------------------------------------------


def hba1c_percent_to_mmol_mol(percent: Decimal) -> Decimal:
    """NGSP % to IFCC mmol/mol: 10.93 x % - 23.50. Valid 3 to 20 %. Report as an integer. Source: Hoelzel 2004."""
    if not 3 <= percent <= 20:
        raise ValueError(f"HbA1c of {percent} % is outside 3 to 20 %")
    return Decimal("10.93") * percent - Decimal("23.50")


def hba1c_mmol_mol_to_percent(mmol_mol: Decimal) -> Decimal:
    """IFCC mmol/mol to NGSP %: 0.09148 x mmol/mol + 2.152. Valid 9 to 195. Report to one decimal. Source: Hoelzel 2004."""
    if not 9 <= mmol_mol <= 195:
        raise ValueError(f"HbA1c of {mmol_mol} mmol/mol is outside 9 to 195 mmol/mol")
    return Decimal("0.09148") * mmol_mol + Decimal("2.152")


def hba1c_change_percent_to_mmol_mol(change_points: Decimal) -> Decimal:
    """A difference or standard deviation in % points to mmol/mol: slope only, any sign. Source: Hoelzel 2004."""
    return Decimal("10.93") * change_points


def hba1c_change_mmol_mol_to_percent(change_mmol_mol: Decimal) -> Decimal:
    """A difference or standard deviation in mmol/mol to % points: slope only, any sign. Source: Hoelzel 2004."""
    return Decimal("0.09148") * change_mmol_mol


def estimated_average_glucose_mg_dl(hba1c_percent: Decimal) -> Decimal:
    """Estimated average glucose, mg/dL: 28.7 x % - 46.7. Valid 3 to 20 %. Source: ADAG study, Nathan 2008."""
    if not 3 <= hba1c_percent <= 20:
        raise ValueError(f"HbA1c of {hba1c_percent} % is outside 3 to 20 %")
    return Decimal("28.7") * hba1c_percent - Decimal("46.7")


def estimated_average_glucose_mmol_l(hba1c_percent: Decimal) -> Decimal:
    """Estimated average glucose, mmol/L: 1.59 x % - 2.59. Valid 3 to 20 %. Source: ADAG study, Nathan 2008."""
    if not 3 <= hba1c_percent <= 20:
        raise ValueError(f"HbA1c of {hba1c_percent} % is outside 3 to 20 %")
    return Decimal("1.59") * hba1c_percent - Decimal("2.59")


# Fasting indices -----------------------------------------------------------------------------------------------------


def glucose_mg_dl_to_mmol_l(mg_dl: Decimal) -> Decimal:
    """Glucose mg/dL to mmol/L, divided by 18.016 (molar mass 180.16 g/mol). Any value of 0 or more."""
    if mg_dl < 0:
        raise ValueError("glucose cannot be below 0")
    return mg_dl / GLUCOSE_MG_DL_PER_MMOL_L


def insulin_pmol_l_to_miu_l(pmol_l: Decimal, pmol_per_miu: Decimal = Decimal("6.00")) -> Decimal:
    """Insulin pmol/L to mIU/L (= µIU/mL). The factor belongs to the laboratory: 6.00, or 6.945 for old material."""
    if not 5 <= pmol_per_miu <= 8:
        raise ValueError("the insulin factor must be 5 to 8 pmol per mIU")
    return pmol_l / pmol_per_miu


def homa_ir(glucose_mmol_l: Decimal, insulin_miu_l: Decimal) -> Decimal:
    """HOMA1 insulin resistance: G x I / 22.5, fasting, both above 0. No unit. Source: Matthews 1985."""
    _positive(glucose_mmol_l=glucose_mmol_l, insulin_miu_l=insulin_miu_l)
    return glucose_mmol_l * insulin_miu_l / Decimal("22.5")


def homa_beta(glucose_mmol_l: Decimal, insulin_miu_l: Decimal) -> Decimal:
    """HOMA1 beta-cell function, %: 20 x I / (G - 3.5), fasting. Undefined at G of 3.5 mmol/L or less. Source: Matthews 1985."""
    _positive(insulin_miu_l=insulin_miu_l)
    if glucose_mmol_l <= HOMA_BETA_GLUCOSE_FLOOR_MMOL_L:
        raise ValueError("glucose ≤3.5 mmol/L: HOMA-β is not defined")
    return 20 * insulin_miu_l / (glucose_mmol_l - HOMA_BETA_GLUCOSE_FLOOR_MMOL_L)


def homa_s(glucose_mmol_l: Decimal, insulin_miu_l: Decimal) -> Decimal:
    """HOMA1 insulin sensitivity, %: 100 / HOMA-IR, fasting, both above 0. Source: Matthews 1985."""
    return 100 / homa_ir(glucose_mmol_l, insulin_miu_l)


def quicki(glucose_mmol_l: Decimal, insulin_miu_l: Decimal) -> Decimal:
    """QUICKI: 1 / (log10 insulin µIU/mL + log10 glucose mg/dL), fasting, both above 0 and their product above 1.

    No unit; typically 0.38 in health and 0.30 in type 2 diabetes. Source: Katz 2000.
    """
    _positive(glucose_mmol_l=glucose_mmol_l, insulin_miu_l=insulin_miu_l)
    logs = insulin_miu_l.log10() + (glucose_mmol_l * GLUCOSE_MG_DL_PER_MMOL_L).log10()
    if logs <= 0:
        raise ValueError("insulin x glucose must be above 1 for QUICKI")
    return 1 / logs


def tyg(triglycerides_mmol_l: Decimal, glucose_mmol_l: Decimal) -> Decimal:
    """TyG index: ln(triglycerides mg/dL x glucose mg/dL / 2), fasting, both above 0. No unit. Source: Simental-Mendía 2008."""
    _positive(triglycerides_mmol_l=triglycerides_mmol_l, glucose_mmol_l=glucose_mmol_l)
    triglycerides_mg_dl = triglycerides_mmol_l / TRIGLYCERIDE_MMOL_L_PER_MG_DL
    return (triglycerides_mg_dl * glucose_mmol_l * GLUCOSE_MG_DL_PER_MMOL_L / 2).ln()


def c_peptide_glucose_ratio(c_peptide_nmol_l: Decimal, glucose_mmol_l: Decimal) -> Decimal:
    """C-peptide to glucose ratio: 100 x C-peptide ng/mL / glucose mg/dL, same sample, both above 0. Source: Saisho 2011."""
    _positive(c_peptide_nmol_l=c_peptide_nmol_l, glucose_mmol_l=glucose_mmol_l)
    return 100 * (c_peptide_nmol_l / C_PEPTIDE_NMOL_L_PER_NG_ML) / (glucose_mmol_l * GLUCOSE_MG_DL_PER_MMOL_L)


# Kidney, lipids, body, dose ------------------------------------------------------------------------------------------


def egfr_ckd_epi_2021(creatinine_umol_l: Decimal, age_years: int, sex_at_birth: str) -> Decimal:
    """eGFR, mL/min/1.73 m², CKD-EPI 2021 (creatinine, no race term). Report as an integer.

    142 x min(Scr/κ, 1)^α x max(Scr/κ, 1)^-1.200 x 0.9938^age x 1.012 if female, Scr in mg/dL; κ 0.7 F 0.9 M, α -0.241 F
    -0.302 M. Valid from 18 years, age on the day of collection, creatinine above 0, sex at birth known. Source: Inker 2021.
    """
    _positive(creatinine_umol_l=creatinine_umol_l)
    if age_years < 18:
        raise ValueError("CKD-EPI 2021 is valid from 18 years")
    if sex_at_birth not in ("female", "male"):
        raise ValueError("CKD-EPI 2021 needs the sex at birth")
    female = sex_at_birth == "female"
    kappa, alpha = (Decimal("0.7"), Decimal("-0.241")) if female else (Decimal("0.9"), Decimal("-0.302"))
    ratio = creatinine_umol_l / CREATININE_UMOL_L_PER_MG_DL / kappa
    by_creatinine = min(ratio, Decimal(1)) ** alpha * max(ratio, Decimal(1)) ** Decimal("-1.200")
    return 142 * by_creatinine * Decimal("0.9938") ** age_years * (Decimal("1.012") if female else 1)


def ldl_friedewald_mmol_l(total: Decimal, hdl: Decimal, triglycerides: Decimal) -> Decimal:
    """LDL cholesterol, mmol/L: TC - HDL - TG/2.2. Valid for triglycerides below 4.52 mmol/L. Source: Friedewald 1972."""
    if not triglycerides < Decimal("4.52"):
        raise ValueError("the Friedewald formula is not valid at triglycerides of 4.52 mmol/L or more")
    return total - hdl - triglycerides / Decimal("2.2")


def ldl_friedewald_mg_dl(total: Decimal, hdl: Decimal, triglycerides: Decimal) -> Decimal:
    """LDL cholesterol, mg/dL: TC - HDL - TG/5. Valid for triglycerides below 400 mg/dL. Source: Friedewald 1972."""
    if not triglycerides < 400:
        raise ValueError("the Friedewald formula is not valid at triglycerides of 400 mg/dL or more")
    return total - hdl - triglycerides / 5


def bmi(weight_kg: Decimal, height_cm: Decimal) -> Decimal:
    """Body mass index, kg/m²: weight / height². Both above 0. Source: WHO."""
    _positive(weight_kg=weight_kg, height_cm=height_cm)
    return weight_kg / (height_cm / 100) ** 2


def insulin_iu_per_kg_day(insulin_iu_per_day: Decimal, weight_kg: Decimal) -> Decimal:
    """Insulin dose per body weight, IU/kg/day. Dose 0 or more, weight above 0."""
    _positive(weight_kg=weight_kg)
    if insulin_iu_per_day < 0:
        raise ValueError("an insulin dose cannot be below 0")
    return insulin_iu_per_day / weight_kg


def percent_change(base: Decimal, now: Decimal) -> Decimal | None:
    """(now - base) / base x 100, %: a fall is negative. None from a base of 0: there is no percentage of nothing."""
    return None if base == 0 else (now - base) / base * 100


def percent_reduction(base: Decimal, now: Decimal) -> Decimal | None:
    """(base - now) / base x 100, %: a fall is positive. None from a base of 0."""
    change = percent_change(base, now)
    return None if change is None else -change


# Timed tests ---------------------------------------------------------------------------------------------------------


def samples_with_baseline(samples: Sequence[Sample]) -> list[Sample]:
    """Samples in order of time, those at or before minute 0 replaced by their mean at minute 0.

    Raises ValueError without a baseline sample or when one minute holds two values.
    """
    minutes = [minute for minute, _ in samples]
    if len(set(minutes)) != len(minutes):
        raise ValueError("two samples at the same minute")
    before = [value for minute, value in samples if minute <= 0]
    if not before:
        raise ValueError("no sample at or before minute 0")
    baseline = sum(before, Decimal(0)) / len(before)
    return [(Decimal(0), baseline), *sorted(sample for sample in samples if sample[0] > 0)]


def auc_total(samples: Sequence[Sample]) -> Decimal:
    """Area under the curve by trapezoids, value x minutes. At least a baseline and one later sample, else ValueError.

    A missing sample is for the caller to notice: compare with the minutes the test's protocol asks for.
    """
    curve = samples_with_baseline(samples)
    if len(curve) < 2:
        raise ValueError("an area needs a baseline and a later sample")
    pieces = ((t2 - t1) * (y1 + y2) / 2 for (t1, y1), (t2, y2) in pairwise(curve))
    return sum(pieces, Decimal(0))


def auc_mean(samples: Sequence[Sample]) -> Decimal:
    """Area divided by its duration: the mean value of the curve, unit of the value."""
    return auc_total(samples) / samples_with_baseline(samples)[-1][0]


def auc_net(samples: Sequence[Sample]) -> Decimal:
    """Net incremental area: total - baseline x duration, value x minutes; may be negative."""
    curve = samples_with_baseline(samples)
    return auc_total(samples) - curve[0][1] * curve[-1][0]


def auc_positive(samples: Sequence[Sample]) -> Decimal:
    """Area above the baseline only, the crossings of the baseline interpolated linearly, value x minutes."""
    curve = samples_with_baseline(samples)
    rises = [(minute, value - curve[0][1]) for minute, value in curve]
    return sum((_area_above_zero(first, second) for first, second in pairwise(rises)), Decimal(0))


def _area_above_zero(first: Sample, second: Sample) -> Decimal:
    (t1, y1), (t2, y2) = first, second
    if y1 >= 0 and y2 >= 0:
        return (t2 - t1) * (y1 + y2) / 2
    if y1 <= 0 and y2 <= 0:
        return Decimal(0)
    above = max(y1, y2)
    return (t2 - t1) * above / abs(y2 - y1) * above / 2


def matsuda(glucose: Sequence[Sample], insulin: Sequence[Sample]) -> Decimal:
    """Matsuda index of an oral glucose tolerance test: 10000 / √(G0 x I0 x mean G x mean I). No unit.

    Glucose mg/dL, insulin µIU/mL, sampled at the same minutes with one at 0, all above 0; means are arithmetic over the
    samples, not trapezoid. Raises ValueError otherwise. Source: Matsuda and DeFronzo 1999.
    """
    if len(glucose) < 2 or sorted(t for t, _ in glucose) != sorted(t for t, _ in insulin):
        raise ValueError("glucose and insulin must be sampled at the same minutes")
    g, i = dict(glucose), dict(insulin)
    if 0 not in g or min(*g.values(), *i.values()) <= 0:
        raise ValueError("the Matsuda index needs a sample at minute 0 and values above 0")
    means = sum(g.values(), Decimal(0)) * sum(i.values(), Decimal(0)) / (len(g) * len(i))
    return 10000 / (g[Decimal(0)] * i[Decimal(0)] * means).sqrt()


def insulinogenic_index(
    glucose_0_mg_dl: Decimal, glucose_30_mg_dl: Decimal, insulin_0_miu_l: Decimal, insulin_30_miu_l: Decimal
) -> Decimal:
    """(I30 - I0) / (G30 - G0), µIU/mL per mg/dL. ValueError when glucose does not rise. Source: Seltzer 1967."""
    if glucose_30_mg_dl <= glucose_0_mg_dl:
        raise ValueError("glucose did not rise in 30 minutes: the index is not defined")
    return (insulin_30_miu_l - insulin_0_miu_l) / (glucose_30_mg_dl - glucose_0_mg_dl)
