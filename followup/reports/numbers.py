"""The frozen numbers behind each PDF: plain dicts of codes, counts and ISO dates, and nothing else.

A report is collected once, frozen as this JSON, and rendered from the JSON alone, so that the page can always be
shown to follow from the numbers. Counts are whole numbers, dates ISO text (partial dates keep their precision),
a missing value is None and never 0. Codes are the allowed values of the import and export files.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, NotRequired, TypedDict

SAFETY_SCHEMA = "safety_numbers/1"


class SiteScope(TypedDict):
    code: str
    name: str
    country: str
    time_zone: str


class Cover(TypedDict):
    registry: str
    report_title: str
    period_from: str | None
    period_to: str | None
    cut_off: str  # last day counted
    version: str
    status: str  # draft | final
    is_demo: bool
    is_pseudonymised: bool
    sites: list[SiteScope]
    intended_use: str
    trail_head: (
        str | None
    )  # digest of the seal over the newest change of the data; None when nothing is sealed yet
    trail_seal: NotRequired[str]  # number and moment of that seal; reports made before 0.2 lack it


class DispositionRow(TypedDict):
    status: str
    infused: int
    never_infused: int
    patient_ids: list[str]


class Transfers(TypedDict):
    """Persons taken over in the period."""

    came: int  # from a site outside the report
    went: int  # to a site outside the report
    between: int  # both sites are in the report


class WithdrawalRow(TypedDict):
    scope: str
    persons: int


class BaselineRow(TypedDict):
    measure: str
    unit: str
    n: int
    n_missing: int
    median: float | None
    first_quartile: float | None
    third_quartile: float | None
    low: float | None
    high: float | None


class SexRow(TypedDict):
    sex: str
    persons: int


class ExposureRow(TypedDict):
    tissue_source: str
    route: str
    persons: int
    infusions: int
    infusions_in_period: int
    by_band: dict[str, int]  # infusions by key of dose_bands


class DoseBand(TypedDict):
    key: str
    label: str


class InfusionCountRow(TypedDict):
    infusions: int
    persons: int


class PersonTimeRow(TypedDict):
    group: str  # total | sex | age
    label: str
    persons: int
    years_cumulative: float
    years_in_period: float


class Exposure(TypedDict):
    persons: int
    infusions: int
    infusions_in_period: int
    dose_bands: list[DoseBand]
    rows: list[ExposureRow]
    persons_by_infusions: list[InfusionCountRow]
    person_time: list[PersonTimeRow]


class EventOverviewRow(TypedDict):
    kind: str  # any | related | grade_3_or_higher | serious | special_interest | led_to_withdrawal | fatal
    persons: int
    events: int
    persons_in_period: int
    events_in_period: int
    rate_per_100_person_years: float | None  # events, cumulative


class EventTermRow(TypedDict):
    soc: str
    term: str
    persons: int
    events: int
    worst: dict[str, int]  # persons by worst grade: "1" … "5", "not graded"


class EventClassRow(TypedDict):
    soc: str
    persons: int
    events: int
    worst: dict[str, int]


class ReactionRow(TypedDict):
    reaction: str
    infusions: int
    persons: int
    percent_of_infusions: float | None
    low_percent: float | None  # exact 95 % interval (Clopper–Pearson)
    high_percent: float | None


class InfusionReactions(TypedDict):
    infusions: int
    observed_infusions: int  # infusions with a recorded observation, reaction or none
    rows: list[ReactionRow]


class EventListingRow(TypedDict):
    event_ref: str
    patient_id: str
    sex: str
    age_years: int | None
    term: str
    grade: str | None
    onset_date: str
    days_since_last_infusion: int | None
    last_lot: str | None
    criteria: list[str]
    relatedness_cells: str | None
    relatedness_procedure: str | None
    expectedness: str | None
    outcome: str
    end_date: str | None
    in_period: bool
    is_contradictory: bool  # recorded as not serious although a criterion says otherwise


class SpecialInterestRow(TypedDict):
    category: str
    persons: int
    events: int
    serious: int


class NeoplasmRow(TypedDict):
    case_ref: str
    patient_id: str
    sex: str
    age_years: int | None
    status: str
    suspected_on: str | None
    diagnosed_on: str | None
    months_since_first_infusion: int | None
    topography: str
    morphology: str
    behaviour: str
    donor_origin: str
    relatedness_cells: NotRequired[str]  # reports frozen before 0.2.0 say nothing of it
    relatedness_procedure: NotRequired[str]
    is_counted: bool
    why_not_counted: str


class NeoplasiaRateRow(TypedDict):
    definition: str  # status_known | to_cut_off | without_first_6_months
    cases: int
    persons: int
    person_years: float
    unascertained_years: float
    rate_per_100_person_years: float | None
    low: float | None  # exact 95 % interval (Garwood)
    high: float | None


class TimeSinceRow(TypedDict):
    band: str  # years since first infusion
    cases: int
    person_years: float
    rate_per_100_person_years: float | None
    low: float | None
    high: float | None


class Neoplasia(TypedDict):
    listing: list[NeoplasmRow]
    rates: list[NeoplasiaRateRow]
    by_time_since_infusion: list[TimeSinceRow]
    checks_due: int
    checks_done: int
    expected: str | None  # source of the reference rates; None prints "expected not available"


class CompletenessRow(TypedDict):
    visit_code: str
    label: str
    outcomes: dict[str, int]  # visits that fell due, by charts.VISIT_OUTCOMES


class OverdueRow(TypedDict):
    """One row a person: the visit late the longest, and how many are late."""

    patient_id: str
    site: str
    visits: int
    visit_code: str
    sequence: int
    target_date: str
    window_closes: str
    days_late: int
    contact_attempts: int
    last_contact: str | None


class OverdueSiteRow(TypedDict):
    site: str
    persons_followed: int
    persons_overdue: int
    visits_overdue: int


class FollowUp(TypedDict):
    completeness: list[CompletenessRow]
    overdue: list[OverdueRow]
    overdue_by_site: list[OverdueSiteRow]
    persons_under_follow_up: int
    persons_seen_within_12_months: int
    persons_unseen_for_14_months: int
    persons_without_next_visit: int


class GlycaemiaRow(TypedDict):
    """One measure at one visit. Change from baseline is worked out within each person who has both values."""

    measure: str
    unit: str
    visit: str
    n: int
    mean: float | None
    sd: float | None
    n_change: int
    mean_change: float | None
    sd_change: float | None


class QueryRow(TypedDict):
    kind: str
    site: str
    open: int
    oldest_opened_on: str


class ReconciliationRow(TypedDict):
    record: str  # patients, infusions, adverse events, …
    in_registry: int
    excluded: dict[str, int]  # by rule
    counted: int


class Definition(TypedDict):
    term: str
    meaning: str


class ClosedGroup(TypedDict):
    """Everybody who was given one product and no other. Doses in million viable cells per kg of that day's weight."""

    group: str
    persons: int
    infusions: int
    median_million_per_kg: float | None
    lowest_million_per_kg: float | None
    highest_million_per_kg: float | None
    person_years: float
    events: int
    persons_with_event: int
    serious: int
    persons_with_serious: int
    serious_per_100_person_years: float | None
    reactions: int
    neoplasms: int
    deaths: int


class ClosedProduct(TypedDict):
    patient_id: str
    infused_on: str
    lot: str
    product: str
    cell_type: str
    viability_percent: float
    million_per_kg: float


class ClosedGlycaemiaRow(TypedDict):
    group: str
    row: GlycaemiaRow


class ClosedUnblinding(TypedDict):
    patient_id: str
    site: str
    at: str  # ISO
    by: str
    reason: str


class Closed(TypedDict):
    """Only in the closed report of a blinded protocol."""

    groups: list[ClosedGroup]
    products: list[ClosedProduct]
    masked_words: str
    masked: list[ClosedGlycaemiaRow]
    unblindings: list[ClosedUnblinding]


class SafetyNumbers(TypedDict):
    schema: str
    cover: Cover
    persons_in_registry: int
    disposition: list[DispositionRow]
    withdrawals: list[WithdrawalRow]
    transfers: NotRequired[Transfers]  # reports made before 0.2 lack it
    sexes: list[SexRow]
    baseline: list[BaselineRow]
    exposure: Exposure
    event_overview: list[EventOverviewRow]
    event_classes: list[EventClassRow]
    event_terms: list[EventTermRow]
    infusion_reactions: InfusionReactions
    serious_events: list[EventListingRow]
    special_interest: list[SpecialInterestRow]
    neoplasia: Neoplasia
    follow_up: FollowUp
    glycaemia: list[GlycaemiaRow]
    queries: list[QueryRow]
    reconciliation: list[ReconciliationRow]
    definitions: list[Definition]
    versions: dict[str, str]
    masked: NotRequired[str]  # in words: what the protocol masks and this report leaves out
    closed: NotRequired[Closed]


def canonical_json(numbers: Mapping[str, Any]) -> str:
    """One spelling for one set of numbers: sorted keys, no spaces, UTF-8 as it is; NaN and infinity are refused."""
    return json.dumps(numbers, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def sha256(numbers: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical_json(numbers).encode()).hexdigest()
