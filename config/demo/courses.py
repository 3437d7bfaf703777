"""How a made-up person's glycaemia, islet function and insulin dose move after cells. Pure; shapes from the literature.

The published courses fall for months and drift back: HbA1c lowest at 3–6 months and rebounding over the next year or two,
C-peptide dipping at month 1 after an intra-arterial infusion and peaking at 6–12 months. None of this is anybody's data.
"""

from dataclasses import dataclass
from itertools import pairwise
from random import Random

# Months since the first infusion, and the share of the full effect reached then.
SHAPES: dict[str, list[tuple[float, float]]] = {
    "durable": [(0, 0), (1, 0.4), (3, 0.9), (6, 1.0), (24, 0.9), (48, 0.7), (84, 0.5)],
    "rebound": [(0, 0), (1, 0.5), (3, 1.0), (6, 0.95), (12, 0.55), (24, 0.15), (36, 0.0), (84, -0.1)],
    "none": [(0, 0), (3, 0.15), (12, 0.0), (36, -0.2), (84, -0.3)],
}


@dataclass(frozen=True)
class Course:
    """One person's baseline, and how strongly and for how long the effect shows."""

    shape: str
    hba1c_percent: float
    hba1c_fall: float
    c_peptide_nmol_l: float
    c_peptide_rise: float
    insulin_iu_per_day: float
    insulin_fall_share: float
    weight_kg: float
    dips_at_month_1: bool

    def hba1c_at(self, months: float, random: Random) -> float:
        return max(
            5.2, self.hba1c_percent - self.hba1c_fall * effect(self.shape, months) + random.gauss(0, 0.12)
        )

    def c_peptide_at(self, months: float, random: Random) -> float:
        gain = self.c_peptide_rise * effect(self.shape, months * 0.6)
        dip = 0.12 if self.dips_at_month_1 and 0.5 <= months <= 1.5 else 0.0
        return max(0.05, (self.c_peptide_nmol_l + gain - dip) * random.gauss(1, 0.05))

    def fasting_glucose_at(self, months: float, random: Random) -> float:
        return max(4.2, 1.35 * self.hba1c_at(months, random) - 2.9 + random.gauss(0, 0.4))

    def insulin_at(self, months: float) -> float:
        dose = self.insulin_iu_per_day * (1 - self.insulin_fall_share * effect(self.shape, months))
        return max(0.0, round(dose / 2) * 2)

    def weight_at(self, months: float, random: Random) -> float:
        return self.weight_kg - 2.5 * effect(self.shape, months) + random.gauss(0, 0.7)


def effect(shape: str, months: float) -> float:
    """Share of the full effect at this time; straight lines between the points of the shape."""
    points = SHAPES[shape]
    for (left, low), (right, high) in pairwise(points):
        if months <= right:
            return low if months <= left else low + (high - low) * (months - left) / (right - left)
    return points[-1][1]


def make_course(shape: str, random: Random, *, on_insulin: bool, intra_arterial: bool) -> Course:
    return Course(
        shape=shape,
        hba1c_percent=min(10.8, max(7.4, random.gauss(8.7, 0.7))),
        hba1c_fall=0.4 if shape == "none" else random.uniform(1.0, 1.9),
        c_peptide_nmol_l=random.uniform(0.35, 0.75),
        c_peptide_rise=0.05 if shape == "none" else random.uniform(0.12, 0.3),
        insulin_iu_per_day=2 * random.randint(12, 28) if on_insulin else 0.0,
        insulin_fall_share=0.1 if shape == "none" else random.uniform(0.4, 0.85),
        weight_kg=random.uniform(64, 104),
        dips_at_month_1=intra_arterial,
    )
