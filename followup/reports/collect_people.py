"""Disposition, baseline and exposure: who there is, how they were before treatment, and what they were given."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from decimal import Decimal
from statistics import median, quantiles

from followup.labs.models import LabResult
from followup.labs.series import baselines, series
from followup.reports import numbers as shape
from followup.reports.cohort import AFTER_CUT_OFF, Frame, Given, Person, rounded
from registry import partial_dates
from registry.access.masking import codes_of
from registry.clock import local_date
from registry.handover.models import Transfer
from registry.patients.models import Sex, Status
from registry.patients.rules import WITHDRAWAL_SCOPES

ROWS = (*Status.values, AFTER_CUT_OFF)
MILLION = 1_000_000
# Upper ends in million viable cells per kg; a band holds its lower end and not its upper.
DOSE_BANDS = (("lt1", "under 1", 1), ("1to2", "1 to under 2", 2), ("2to5", "2 to under 5", 5))
HIGHEST_BAND, UNKNOWN_BAND = "ge5", "unknown"
AGE_BANDS = (("under 40 years", 40), ("40 to 49 years", 50), ("50 to 59 years", 60), ("60 to 69 years", 70))
BASELINE_MEASURES = (
    ("HbA1c", "%", "hba1c"),
    ("Fasting C-peptide", "nmol/L", "fasting_c_peptide"),
    ("Insulin dose", "IU/kg/day", "insulin_iu_per_kg_day"),
    ("Body mass index", "kg/m²", "bmi"),
)


def disposition(frame: Frame) -> list[shape.DispositionRow]:
    rows: dict[str, list[Person]] = {row: [] for row in ROWS}
    for person in frame.persons:
        rows[person.row].append(person)
    return [_disposition_row(status, persons) for status, persons in rows.items()]


def _disposition_row(status: str, persons: Sequence[Person]) -> shape.DispositionRow:
    infused = sum(person.is_infused for person in persons)
    ids = [person.patient_id for person in persons]
    return {
        "status": status,
        "infused": infused,
        "never_infused": len(persons) - infused,
        "patient_ids": ids,
    }


def withdrawals(frame: Frame) -> list[shape.WithdrawalRow]:
    scopes = Counter(person.scope for person in frame.persons if person.row == Status.WITHDRAWN)
    return [{"scope": scope, "persons": scopes[scope]} for scope in WITHDRAWAL_SCOPES if scopes[scope]]


def transfers(frame: Frame) -> shape.Transfers:
    """By the day of acceptance, when the record goes over, in the calendar of the receiving site."""
    counts = Counter({"came": 0, "went": 0, "between": 0})
    for one in Transfer.objects.accepted().select_related("to_site").order_by("pk"):
        day = local_date(one.decided_at, one.to_site.time_zone) if one.decided_at else None
        if day is None or not frame.period_from <= day <= frame.cut_off:
            continue
        came, went = one.to_site_id in frame.site_ids, one.from_site_id in frame.site_ids
        if came or went:
            counts["between" if came and went else "came" if came else "went"] += 1
    return {"came": counts["came"], "went": counts["went"], "between": counts["between"]}


def sexes(frame: Frame) -> list[shape.SexRow]:
    found = Counter(person.sex for person in frame.infused)
    return [{"sex": sex, "persons": found[sex]} for sex in Sex.values if found[sex]]


# Baseline ----------------------------------------------------------------------------------------------------


def baseline(frame: Frame) -> list[shape.BaselineRow]:
    starts = {person.pk: person.first_infusion for person in frame.infused if person.first_infusion}
    points = series(starts, [code for _, _, code in BASELINE_MEASURES], with_masked=frame.shows_product)
    found = baselines(points, starts)
    rows = [
        _spread("Age at first infusion", "years", [_age(person) for person in frame.infused]),
        _spread("Diabetes duration", "years", [_duration(person) for person in frame.infused]),
    ]
    hidden = frozenset() if frame.shows_product else codes_of(LabResult)
    for measure, unit, code in BASELINE_MEASURES:
        if code in hidden:
            continue
        values = [found.get((person.pk, code)) for person in frame.infused]
        rows.append(_spread(measure, unit, [None if v is None else float(v) for v in values]))
    return rows


def _age(person: Person) -> float | None:
    return person.age_on(person.first_infusion) if person.first_infusion else None


def _duration(person: Person) -> float | None:
    """Whole years by calendar year, as the diagnosis is often known by its year alone."""
    if not (person.diabetes_since and person.first_infusion):
        return None
    return person.first_infusion.year - partial_dates.earliest(person.diabetes_since).year


def _spread(measure: str, unit: str, values: Sequence[float | None]) -> shape.BaselineRow:
    known = sorted(value for value in values if value is not None)
    first, _, third = quantiles(known, n=4, method="inclusive") if len(known) > 1 else (None, None, None)
    return {
        "measure": measure,
        "unit": unit,
        "n": len(known),
        "n_missing": len(values) - len(known),
        "median": round(median(known), 2) if known else None,
        "first_quartile": None if first is None else round(first, 2),
        "third_quartile": None if third is None else round(third, 2),
        "low": round(known[0], 2) if known else None,
        "high": round(known[-1], 2) if known else None,
    }


# Exposure ----------------------------------------------------------------------------------------------------


def exposure(frame: Frame) -> shape.Exposure:
    infused = frame.infused
    given = [infusion for person in infused for infusion in person.infusions]
    by_number = Counter(len(person.infusions) for person in infused)
    return {
        "persons": len(infused),
        "infusions": len(given),
        "infusions_in_period": _in_period(given, frame),
        "dose_bands": _bands(),
        "rows": _by_source_and_route(frame),
        "persons_by_infusions": [{"infusions": n, "persons": by_number[n]} for n in sorted(by_number)],
        "person_time": _person_time(frame),
    }


def _in_period(given: Iterable[Given], frame: Frame) -> int:
    return sum(infusion.on >= frame.period_from for infusion in given)


def _bands() -> list[shape.DoseBand]:
    labels = {key: label for key, label, _ in DOSE_BANDS} | {
        HIGHEST_BAND: "5 and over",
        UNKNOWN_BAND: "unknown",
    }
    return [{"key": key, "label": label} for key, label in labels.items()]


def dose_band(viable_cells_per_kg: Decimal | None) -> str:
    """The band of a dose in viable cells per kg."""
    if viable_cells_per_kg is None:
        return UNKNOWN_BAND
    below = (key for key, _, upper in DOSE_BANDS if viable_cells_per_kg < upper * MILLION)
    return next(below, HIGHEST_BAND)


def _by_source_and_route(frame: Frame) -> list[shape.ExposureRow]:
    groups: dict[tuple[str, str], list[tuple[int, Given]]] = defaultdict(list)
    for person in frame.infused:
        for infusion in person.infusions:
            groups[infusion.tissue_source, infusion.route].append((person.pk, infusion))
    return [_exposure_row(*key, groups[key], frame) for key in sorted(groups)]


def _exposure_row(source: str, route: str, given: list[tuple[int, Given]], frame: Frame) -> shape.ExposureRow:
    bands = Counter(dose_band(infusion.viable_cells_per_kg) for _, infusion in given)
    return {
        "tissue_source": source,
        "route": route,
        "persons": len({person for person, _ in given}),
        "infusions": len(given),
        "infusions_in_period": _in_period((infusion for _, infusion in given), frame),
        "by_band": {band["key"]: bands[band["key"]] for band in _bands()},
    }


def _person_time(frame: Frame) -> list[shape.PersonTimeRow]:
    infused = frame.infused
    rows = [_years("total", "All persons infused", infused, frame)]
    rows += _split("sex", frame, lambda person: Sex(person.sex).label, [str(s.label) for s in Sex])
    ages = [label for label, _ in AGE_BANDS] + ["70 years and over", "age unknown"]
    return rows + _split("age", frame, _age_band, ages)


def _split(
    group: str, frame: Frame, key: Callable[[Person], str], labels: Sequence[str]
) -> list[shape.PersonTimeRow]:
    members: dict[str, list[Person]] = defaultdict(list)
    for person in frame.infused:
        members[key(person)].append(person)
    return [_years(group, label, members[label], frame) for label in labels if members[label]]


def _age_band(person: Person) -> str:
    age = _age(person)
    if age is None:
        return "age unknown"
    return next((label for label, upper in AGE_BANDS if age < upper), "70 years and over")


def _years(group: str, label: str, persons: Sequence[Person], frame: Frame) -> shape.PersonTimeRow:
    return {
        "group": group,
        "label": label,
        "persons": len(persons),
        "years_cumulative": rounded(sum(p.years_from(date.min, frame.cut_off) for p in persons)),
        "years_in_period": rounded(sum(p.years_from(frame.period_from, frame.cut_off) for p in persons)),
    }
