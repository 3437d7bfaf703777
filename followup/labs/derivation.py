"""Which results belong together, and what follows from them. No database, no clock.

An index belongs to one result, its anchor: HOMA to the insulin, eGFR to the creatinine, BMI to the weight. Its partner is
the result of the same day that was most likely drawn with it.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal

from followup.labs.derived import (
    Index,
    Reading,
    derive_bmi,
    derive_c_peptide_glucose_ratio,
    derive_egfr,
    derive_fasting_indices,
    derive_insulin_per_kg,
    derive_tyg,
)
from registry.partial_dates import earliest, latest

FASTING_PAIR = frozenset(("fasting_glucose", "fasting_insulin"))
# By index: the tests it is worked out from.
INPUTS = {
    "homa_ir": FASTING_PAIR,
    "homa_beta": FASTING_PAIR,
    "homa_s": FASTING_PAIR,
    "quicki": FASTING_PAIR,
    "c_peptide_glucose_ratio": frozenset(("fasting_c_peptide", "fasting_glucose")),
    "tyg": frozenset(("triglycerides", "fasting_glucose")),
    "egfr_ckd_epi_2021": frozenset(("creatinine",)),
    "bmi": frozenset(("weight", "height")),
    "insulin_iu_per_kg_day": frozenset(("insulin_daily_dose", "weight")),
}
INPUT_ANALYTES = tuple(sorted(frozenset().union(*INPUTS.values())))
WEIGHT_DAYS_BEFORE, WEIGHT_DAYS_AFTER = 180, 7
ENROLMENT = "enrolment"


@dataclass(frozen=True)
class Sample:
    """A result on its way into an index; `key` names it, and outlives corrections."""

    key: str
    analyte: str
    day: date
    value: Decimal | None
    comparator: str = ""
    at: datetime | None = None
    result_id: int | None = None
    visit_id: int | None = None
    specimen: tuple[int | None, str] = (None, "")
    fasting: bool | None = None
    insulin_free: bool | None = None
    insulin_pmol_per_miu: Decimal = Decimal("6.00")

    @property
    def reading(self) -> Reading:
        return Reading(self.value, self.comparator)


@dataclass(frozen=True)
class Person:
    """What an index needs to know of the person. `born` is a partial date or blank."""

    sex_at_birth: str
    born: str
    insulin_status: Callable[[date], str]


@dataclass(frozen=True)
class Worked:
    """An index with the anchor it belongs to and the results it came from."""

    anchor: Sample
    index: Index
    parts: tuple[Sample, ...]

    @property
    def key(self) -> tuple[str, str]:
        return self.index.code, self.anchor.key


def work_out(person: Person, samples: Iterable[Sample]) -> list[Worked]:
    """Every index these results lead to. An index whose partner was never measured is left out, except where its absence
    is worth saying: an insulin without glucose, a dose without weight.
    """
    by_analyte: dict[str, list[Sample]] = {}
    for sample in samples:
        by_analyte.setdefault(sample.analyte, []).append(sample)
    makers = {
        "fasting_insulin": _fasting_indices,
        "fasting_c_peptide": _c_peptide_ratio,
        "triglycerides": _tyg,
        "creatinine": _egfr,
        "weight": _bmi,
        "insulin_daily_dose": _insulin_per_kg,
    }
    return [
        worked
        for analyte, maker in makers.items()
        for anchor in by_analyte.get(analyte, [])
        for worked in maker(person, anchor, by_analyte)
    ]


Samples = dict[str, list[Sample]]


def _fasting_indices(person: Person, insulin: Sample, samples: Samples) -> Iterator[Worked]:
    glucose = drawn_with(insulin, samples.get("fasting_glucose", []))
    parts = (glucose, insulin) if glucose else (insulin,)
    found = derive_fasting_indices(
        glucose_mmol_l=glucose.reading if glucose else Reading(None),
        insulin_miu_l=insulin.reading,
        fasting=_all_fasting(parts),
        insulin_status=person.insulin_status(insulin.day),
        insulin_free=all(part.insulin_free is True for part in parts),
        insulin_pmol_per_miu=insulin.insulin_pmol_per_miu,
        minutes_apart=_minutes_apart(insulin, glucose) if glucose else 0,
    )
    yield from (Worked(insulin, index, parts) for index in found)


def _c_peptide_ratio(person: Person, c_peptide: Sample, samples: Samples) -> Iterator[Worked]:
    glucose = drawn_with(c_peptide, samples.get("fasting_glucose", []))
    if glucose:
        parts = (c_peptide, glucose)
        yield Worked(
            c_peptide,
            derive_c_peptide_glucose_ratio(
                c_peptide_nmol_l=c_peptide.reading,
                glucose_mmol_l=glucose.reading,
                fasting=_all_fasting(parts),
            ),
            parts,
        )


def _tyg(person: Person, triglycerides: Sample, samples: Samples) -> Iterator[Worked]:
    glucose = drawn_with(triglycerides, samples.get("fasting_glucose", []))
    if glucose:
        parts = (triglycerides, glucose)
        index = derive_tyg(
            triglycerides_mmol_l=triglycerides.reading,
            glucose_mmol_l=glucose.reading,
            fasting=_all_fasting(parts),
        )
        yield Worked(triglycerides, index, parts)


def _egfr(person: Person, creatinine: Sample, samples: Samples) -> Iterator[Worked]:
    index = derive_egfr(
        creatinine_umol_l=creatinine.reading,
        age_years=age_on(person.born, creatinine.day),
        sex_at_birth=person.sex_at_birth,
    )
    yield Worked(creatinine, index, (creatinine,))


def _bmi(person: Person, weight: Sample, samples: Samples) -> Iterator[Worked]:
    heights = sorted(samples.get("height", []), key=lambda height: (height.day, height.key))
    earlier = [height for height in heights if height.day <= weight.day]
    if heights:
        height = earlier[-1] if earlier else heights[0]
        index = derive_bmi(weight_kg=weight.reading, height_cm=height.reading)
        yield Worked(weight, index, (weight, height))


def _insulin_per_kg(person: Person, dose: Sample, samples: Samples) -> Iterator[Worked]:
    weight = weight_for(dose.day, samples.get("weight", []))
    index = derive_insulin_per_kg(
        insulin_iu_per_day=dose.reading, weight_kg=weight.reading if weight else Reading(None)
    )
    if not weight:
        reason = f"no weight from {WEIGHT_DAYS_BEFORE} days before to {WEIGHT_DAYS_AFTER} days after"
        index = replace(index, reason=reason) if not dose.comparator else index
    yield Worked(dose, index, (dose, weight) if weight else (dose,))


def drawn_with(anchor: Sample, candidates: Sequence[Sample]) -> Sample | None:
    """The candidate of the same day that was drawn with the anchor: same accession first, then nearest in time."""
    same_day = [one for one in candidates if one.day == anchor.day]

    def distance(one: Sample) -> tuple[bool, bool, float, str]:
        other_specimen = not anchor.specimen[1] or one.specimen != anchor.specimen
        timed = one.at is not None and anchor.at is not None
        return other_specimen, not timed, _minutes_apart(anchor, one), one.key

    return min(same_day, key=distance, default=None)


def weight_for(day: date, weights: Sequence[Sample]) -> Sample | None:
    """The weight of the day, else the latest of the half year before, else the first of the week after."""
    opens, closes = day - timedelta(days=WEIGHT_DAYS_BEFORE), day + timedelta(days=WEIGHT_DAYS_AFTER)
    usable = [one for one in weights if opens <= one.day <= closes and not one.comparator]
    before = [one for one in usable if one.day <= day]
    if before:
        return max(before, key=lambda one: (one.day, one.key))
    return min(usable, key=lambda one: (one.day, one.key), default=None)


def age_on(born: str, day: date) -> int | None:
    """Whole years on the day; a date of birth known to the year or month counts as its middle."""
    if not born:
        return None
    first, last = earliest(born), latest(born)
    middle = first + (last - first) / 2
    return day.year - middle.year - ((day.month, day.day) < (middle.month, middle.day))


def _all_fasting(parts: Iterable[Sample]) -> bool | None:
    answers = [part.fasting for part in parts]
    if False in answers:
        return False
    return None if None in answers else True


def _minutes_apart(one: Sample, other: Sample) -> int:
    """0 where a time is unknown: then the day is all that is known."""
    if one.at is None or other.at is None:
        return 0
    return round(abs((one.at - other.at).total_seconds()) / 60)
