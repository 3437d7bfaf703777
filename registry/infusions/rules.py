"""How much was given, and what stands against giving it. No database, no clock.

Ordering may be refused; what happened is never refused but recorded with its deviations. Both come from one
list of findings.
"""

import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from functools import cache
from pathlib import Path

from registry.partial_dates import in_words
from registry.patients.rules import consent_valid_on

DOSE_FORMULA_VERSION = "dose-1"
CELLS_PER_KG_STEP = Decimal("0.01")
Found = Iterator[tuple[str, str]]
ANOTHER_DAY = "another_day_asked"  # the question whether an infusion was given on another day
USABLE_LOT_STATES = frozenset({"released", "conditional"})

# Outside these a value is a slip of the hand or of the unit, and is asked for again.
PLAUSIBLE_WEIGHT_KG = (Decimal(20), Decimal(400))
PLAUSIBLE_CELLS = (100_000, 1_000_000_000_000)
EARLIEST_INFUSION_YEAR = 1990


@dataclass(frozen=True)
class DoseLimits:
    soft_low_cells_per_kg: int
    soft_high_cells_per_kg: int
    hard_high_cells_per_kg: int
    tolerated_difference_percent: Decimal
    endotoxin_eu_per_kg_per_hour: Decimal
    dmso_g_per_ml: Decimal
    dmso_g_per_kg_per_day: Decimal


@cache
def default_limits() -> DoseLimits:
    """The limits of `limits.toml` beside this file."""
    text = (Path(__file__).parent / "limits.toml").read_text(encoding="utf-8")
    table = tomllib.loads(text, parse_float=Decimal)
    dose = table["viable_cells_per_kg"]
    return DoseLimits(
        soft_low_cells_per_kg=dose["soft_low"],
        soft_high_cells_per_kg=dose["soft_high"],
        hard_high_cells_per_kg=dose["hard_high"],
        tolerated_difference_percent=Decimal(table["prescription"]["tolerated_difference_percent"]),
        endotoxin_eu_per_kg_per_hour=Decimal(table["endotoxin"]["eu_per_kg_per_hour"]),
        dmso_g_per_ml=Decimal(table["dmso"]["g_per_ml"]),
        dmso_g_per_kg_per_day=Decimal(table["dmso"]["g_per_kg_per_day"]),
    )


# ── Arithmetic ──────────────────────────────────────────────────────────────────────────────────────────


def _above_zero(**quantities: Decimal | int) -> None:
    for name, quantity in quantities.items():
        if quantity <= 0:
            raise ValueError(f"{name} is {quantity}, expected more than 0")


def viable_cells(cells_total: int, viability_percent: Decimal) -> int:
    """Viable cells in a dose = nominal cells × viability, to the nearest cell. ValueError unless cells > 0
    and 0 ≤ viability ≤ 100 %.
    """
    _above_zero(cells_total=cells_total)
    if not 0 <= viability_percent <= 100:
        raise ValueError(f"viability_percent is {viability_percent}, expected 0 to 100")
    return int((cells_total * viability_percent / 100).to_integral_value(ROUND_HALF_EVEN))


def cells_per_kg(cells: int, weight_kg: Decimal) -> Decimal:
    """Cells per kg of the weight on the day, to 0.01 cells/kg. Give viable cells for the dose that was
    given. ValueError unless weight > 0.
    """
    _above_zero(weight_kg=weight_kg)
    return (Decimal(cells) / weight_kg).quantize(CELLS_PER_KG_STEP)


def dose_volume_ml(target_cells_per_kg: Decimal, weight_kg: Decimal, cells_per_ml: Decimal) -> Decimal:
    """Volume (mL) that holds the target dose (cells/kg) at this concentration (cells/mL). ValueError unless
    all are above 0.
    """
    _above_zero(target_cells_per_kg=target_cells_per_kg, weight_kg=weight_kg, cells_per_ml=cells_per_ml)
    return target_cells_per_kg * weight_kg / cells_per_ml


def endotoxin_limit_eu_per_dose(weight_kg: Decimal, infusion_hours: Decimal) -> Decimal:
    """The most endotoxin (EU) in one intravenous dose: 5 EU/kg/h × weight × duration (USP <85>). ValueError
    unless both are above 0.
    """
    _above_zero(weight_kg=weight_kg, infusion_hours=infusion_hours)
    return default_limits().endotoxin_eu_per_kg_per_hour * weight_kg * infusion_hours


def endotoxin_limit_eu_per_ml(weight_kg: Decimal, infusion_hours: Decimal, volume_ml: Decimal) -> Decimal:
    """The same limit per mL of product (EU/mL). ValueError unless all are above 0."""
    _above_zero(volume_ml=volume_ml)
    return endotoxin_limit_eu_per_dose(weight_kg, infusion_hours) / volume_ml


def dmso_g(volume_ml: Decimal, dmso_percent_v_v: Decimal) -> Decimal:
    """Dimethyl sulfoxide (g) in this volume (mL) at this strength (% v/v), density 1.10 g/mL. ValueError
    outside 0–100 % or 0 mL.
    """
    _above_zero(volume_ml=volume_ml)
    if not 0 <= dmso_percent_v_v <= 100:
        raise ValueError(f"dmso_percent_v_v is {dmso_percent_v_v}, expected 0 to 100")
    return volume_ml * dmso_percent_v_v / 100 * default_limits().dmso_g_per_ml


def dmso_limit_g_per_day(weight_kg: Decimal) -> Decimal:
    """The usual ceiling of dimethyl sulfoxide (g/day): 1 g/kg/day."""
    _above_zero(weight_kg=weight_kg)
    return default_limits().dmso_g_per_kg_per_day * weight_kg


def difference_from_prescription_percent(given_cells: int, ordered_cells: int) -> Decimal:
    """How far the given dose lies from the ordered one, in % of the ordered (negative: less was given).
    ValueError unless ordered > 0.
    """
    _above_zero(ordered_cells=ordered_cells)
    return Decimal(given_cells - ordered_cells) * 100 / ordered_cells


# ── Slips of the hand ───────────────────────────────────────────────────────────────────────────────────


def typing_errors(
    *,
    on: date,
    today: date,
    birth_year: int | None,
    weight_kg: Decimal,
    doses: Iterable[tuple[int, Decimal]],
) -> list[tuple[str, str]]:
    """Values that cannot be meant, as (field, what to do). `doses` are (total cells, viability %) of each lot.

    These are asked for again; everything else that happened is recorded, whatever rule it breaks.
    """
    low, high = PLAUSIBLE_WEIGHT_KG
    found = list(_day_errors(on, today, birth_year))
    if not low <= weight_kg <= high:
        found.append(("weight_kg", f"The weight must lie between {low} and {high} kg."))
    for cells, viability in doses:
        found += _dose_errors(cells, viability)
    return found


def _day_errors(on: date, today: date, birth_year: int | None) -> Found:
    if on > today:
        yield "infused_on", f"{in_words(on)} is in the future."
    if birth_year is not None and on.year < birth_year:
        yield "infused_on", f"{in_words(on)} is before the year of birth, {birth_year}."
    elif on.year < EARLIEST_INFUSION_YEAR:
        yield "infused_on", f"{in_words(on)} is before {EARLIEST_INFUSION_YEAR}: check the year."


def _dose_errors(cells: int, viability: Decimal) -> Found:
    low, high = PLAUSIBLE_CELLS
    if not low <= cells <= high:
        yield "cells_total", f"{cells:,} cells cannot be meant: write all cells, for example 75000000."
    if not 0 <= viability <= 100:
        yield "viability_percent", "Viability must lie between 0 and 100 %."


# ── What stands against it ──────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class LotFacts:
    """One lot used. `cells_left` is what it held before this infusion (None: not known); `donor_patient_id`
    matters when autologous.
    """

    code: str
    state: str
    released_on: date | None
    expires_on: date | None
    cells_left: int | None
    cells_used: int
    donor_relation: str
    donor_patient_id: str | None = None


@dataclass(frozen=True)
class InfusionFacts:
    """An infusion ordered for, or given on, this site-local day. `viable_cells` is the whole dose over all
    lots.
    """

    on: date
    patient_id: str
    enrolled_on: date | None
    consented_on: date | None
    consent_withdrawn_on: date | None
    lots: tuple[LotFacts, ...]
    viable_cells: int
    weight_kg: Decimal
    prescribed_viable_cells: int | None = None
    open_holds: tuple[str, ...] = ()


@dataclass(frozen=True)
class Refusal:
    code: str
    message: str


@dataclass(frozen=True)
class Deviation:
    kind: str
    reason: str


def ordering_refusals(facts: InfusionFacts, limits: DoseLimits | None = None) -> list[Refusal]:
    """Why this infusion may not be ordered; empty when it may."""
    limits = limits or default_limits()
    found = [*_consent(facts), *_holds(facts), *_hard_dose(facts, limits)]
    for lot in facts.lots:
        found += [
            *_not_usable_now(lot),
            *_expired(lot, facts.on),
            *_used_up(lot),
            *_wrong_recipient(lot, facts.patient_id),
        ]
    return [Refusal(code, message) for code, message in found]


def recording_deviations(facts: InfusionFacts, limits: DoseLimits | None = None) -> list[Deviation]:
    """What to write beside an infusion that happened. It is recorded whatever this list says."""
    limits = limits or default_limits()
    found = [*_before_enrolment(facts), *_consent(facts), *_holds(facts)]
    if facts.lots:
        found += [*_hard_dose(facts, limits), *_soft_dose(facts, limits), *_off_prescription(facts, limits)]
    for lot in facts.lots:
        found += [*_not_released_then(lot, facts.on), *_expired(lot, facts.on)]
        found += [*_used_up(lot), *_wrong_recipient(lot, facts.patient_id)]
    if not facts.lots:
        found.append(("lot_unknown", "The lot is not known"))
    return [Deviation(kind, reason) for kind, reason in found]


def _consent(facts: InfusionFacts) -> Found:
    if facts.consented_on is None:
        yield "consent_unknown", "No consent is on record"
    elif facts.consent_withdrawn_on is not None and facts.on >= facts.consent_withdrawn_on:
        yield "consent_withdrawn", f"Consent to cells was withdrawn on {in_words(facts.consent_withdrawn_on)}"
    elif not consent_valid_on(facts.on, facts.consented_on):
        yield "consent_not_yet_given", f"Consent was given only on {in_words(facts.consented_on)}"


def _before_enrolment(facts: InfusionFacts) -> Found:
    if facts.enrolled_on is None:
        yield "not_enrolled", "The patient has no enrolment date"
    elif facts.on < facts.enrolled_on:
        yield "before_enrolment", f"The infusion is before enrolment on {in_words(facts.enrolled_on)}"


def _holds(facts: InfusionFacts) -> Found:
    for reason in facts.open_holds:
        yield "open_hold", f"Further infusions are on hold: {reason}"


def _not_usable_now(lot: LotFacts) -> Found:
    if lot.state not in USABLE_LOT_STATES:
        yield "lot_not_released", f"Lot {lot.code} is not released ({lot.state})"


def _not_released_then(lot: LotFacts, on: date) -> Found:
    """A lot recalled later was released on the day: the recall is looked back on elsewhere, it is no
    deviation of that day.
    """
    if lot.state not in USABLE_LOT_STATES and not (lot.state == "recalled" and lot.released_on):
        yield "lot_not_released", f"Lot {lot.code} was not released ({lot.state})"
    elif lot.released_on is not None and on < lot.released_on:
        yield "lot_not_released", f"Lot {lot.code} was released only on {in_words(lot.released_on)}"


def _expired(lot: LotFacts, on: date) -> Found:
    """Judged on the day of the infusion; the expiry date itself is the last usable day."""
    if lot.expires_on is not None and on > lot.expires_on:
        yield "lot_expired", f"Lot {lot.code} expired on {in_words(lot.expires_on)}"


def _used_up(lot: LotFacts) -> Found:
    if lot.cells_left is not None and lot.cells_used > lot.cells_left:
        left = f"{max(lot.cells_left, 0):,}"
        yield "lot_used_up", f"Lot {lot.code} held {left} cells and {lot.cells_used:,} are asked of it"


def _wrong_recipient(lot: LotFacts, patient_id: str) -> Found:
    if lot.donor_relation != "autologous" or lot.donor_patient_id == patient_id:
        return
    if lot.donor_patient_id is None:
        yield (
            "autologous_donor_unknown",
            f"Lot {lot.code} is autologous and its donor is not linked to a patient",
        )
    else:
        yield "wrong_autologous_recipient", f"Lot {lot.code} is autologous and belongs to another patient"


def _hard_dose(facts: InfusionFacts, limits: DoseLimits) -> Found:
    dose = cells_per_kg(facts.viable_cells, facts.weight_kg)
    if dose > limits.hard_high_cells_per_kg:
        yield (
            "dose_over_hard_limit",
            f"{_dose(dose)} is above the limit of {_dose(limits.hard_high_cells_per_kg)}",
        )


def _soft_dose(facts: InfusionFacts, limits: DoseLimits) -> Found:
    dose = cells_per_kg(facts.viable_cells, facts.weight_kg)
    if dose < limits.soft_low_cells_per_kg:
        yield "dose_unusually_low", f"{_dose(dose)} is below the usual {_dose(limits.soft_low_cells_per_kg)}"
    if limits.soft_high_cells_per_kg < dose <= limits.hard_high_cells_per_kg:
        yield (
            "dose_unusually_high",
            f"{_dose(dose)} is above the usual {_dose(limits.soft_high_cells_per_kg)}",
        )


def _off_prescription(facts: InfusionFacts, limits: DoseLimits) -> Found:
    if facts.prescribed_viable_cells is None:
        return
    difference = difference_from_prescription_percent(facts.viable_cells, facts.prescribed_viable_cells)
    if abs(difference) > limits.tolerated_difference_percent:
        yield (
            "dose_differs_from_prescription",
            f"The dose given differs from the order by {difference:+.1f} %",
        )


def _dose(viable_per_kg: Decimal | int) -> str:
    return f"{Decimal(viable_per_kg) / 1_000_000:.2f} million viable cells/kg"
