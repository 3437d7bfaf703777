"""The frozen numbers behind one patient's report; the same rules as in `numbers.py`."""

from typing import NotRequired, TypedDict

from followup.reports.numbers import Cover

PATIENT_SCHEMA = "patient_numbers/2"


class Identity(TypedDict):
    full_name: str
    birth_date: str
    local_id: str
    phone: str


class PatientBlock(TypedDict):
    patient_id: str
    site: str
    sex: str
    birth_year: int | None
    identity: Identity | None  # None when the reader has no right to it
    status: str
    status_since: str
    enrolled_on: str | None
    diabetes_since: str | None
    last_contact: str | None
    next_visit: str | None


class ConsentRow(TypedDict):
    version: str
    language: str
    signed_on: str
    tiers: list[str]
    withdrawn_on: str | None
    scope: str | None


class InfusionRow(TypedDict):
    number: int
    infused_on: str
    lot: str | None  # None where a blinded protocol hides it
    tissue_source: str | None
    route: str
    cells_total_million: float | None
    viability_percent: float | None
    weight_kg: float | None
    viable_million_cells_per_kg: float | None
    reaction: str
    deviations: list[str]


class SeriesPoint(TypedDict):
    date: str
    value: float | None
    comparator: str


class Series(TypedDict):
    baseline: float | None
    baseline_on: str | None
    points: list[SeriesPoint]


class DerivedRow(TypedDict):
    code: str
    unit: str
    at: str
    value: float | None
    baseline: float | None
    status: str  # ok | not_interpretable | not_computable
    reason: str
    formula_version: str


class ScheduleRow(TypedDict):
    visit_code: str
    label: str
    sequence: int
    target_date: str
    window_opens: str
    window_closes: str
    status: str
    actual_date: str | None
    days_late: int | None


class PatientEventRow(TypedDict):
    event_ref: str
    term: str
    grade: str | None
    is_serious: bool
    onset_date: str
    end_date: str | None
    outcome: str
    relatedness_cells: str | None


class NeoplasiaCheckRow(TypedDict):
    on_date: str
    visit_code: str
    contact_mode: str
    completeness: str  # complete | partial
    result: str


class OpenMatter(TypedDict):
    kind: str
    text: str
    since: str
    due_on: str | None


class SignedRecordRow(TypedDict):
    noun: str  # visit | adverse event | neoplasia outcome
    record: str
    printed_name: str
    role: str
    meaning: str
    signed_at: str  # ISO, UTC
    state: str  # valid | void | broken
    voided_on: str | None
    new_since: int  # results that came after it
    signed_at_site: NotRequired[str]  # where the person has moved since


class PatientNumbers(TypedDict):
    schema: str
    cover: Cover
    patient: PatientBlock
    status_history: list[dict[str, str]]  # status, on_date, reason
    consents: list[ConsentRow]
    infusions: list[InfusionRow]
    hba1c_percent: Series
    c_peptide_nmol_l: Series
    insulin_iu_per_day: Series
    insulin_iu_per_kg_day: Series
    derived: list[DerivedRow]
    schedule: list[ScheduleRow]
    events: list[PatientEventRow]
    neoplasia_checks: list[NeoplasiaCheckRow]
    open_matters: list[OpenMatter]
    signatures: list[SignedRecordRow]
    versions: dict[str, str]
    masked: NotRequired[list[str]]  # the series a blinded protocol masks
    product_hidden: NotRequired[bool]
