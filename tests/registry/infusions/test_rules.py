from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.infusions.rules import (
    InfusionFacts,
    LotFacts,
    cells_per_kg,
    default_limits,
    difference_from_prescription_percent,
    dmso_g,
    dmso_limit_g_per_day,
    dose_volume_ml,
    endotoxin_limit_eu_per_dose,
    endotoxin_limit_eu_per_ml,
    ordering_refusals,
    recording_deviations,
    viable_cells,
)

ON = date(2027, 5, 10)
LOT = LotFacts(
    code="UC-7",
    state="released",
    released_on=date(2027, 1, 1),
    expires_on=date(2028, 1, 1),
    cells_left=500_000_000,
    cells_used=100_000_000,
    donor_relation="allogeneic_unrelated",
)
FACTS = InfusionFacts(
    on=ON,
    patient_id="RIV-0042-J",
    enrolled_on=date(2027, 4, 1),
    consented_on=date(2027, 3, 30),
    consent_withdrawn_on=None,
    lots=(LOT,),
    viable_cells=92_000_000,
    weight_kg=Decimal(80),
    prescribed_viable_cells=92_000_000,
)


def with_lot(**changes: object) -> InfusionFacts:
    return replace(FACTS, lots=(replace(LOT, **changes),))


def test_worked_dose_of_100_million_at_92_percent_for_80_kg() -> None:
    assert viable_cells(100_000_000, Decimal(92)) == 92_000_000
    assert cells_per_kg(92_000_000, Decimal(80)) == Decimal("1150000.00")


def test_worked_volume_for_one_million_per_kg() -> None:
    assert dose_volume_ml(Decimal(1_000_000), Decimal("78.4"), Decimal(5_000_000)) == Decimal("15.68")


def test_worked_endotoxin_limits() -> None:
    assert endotoxin_limit_eu_per_dose(Decimal(70), Decimal(1)) == 350
    assert endotoxin_limit_eu_per_dose(Decimal(70), Decimal("0.5")) == 175
    assert endotoxin_limit_eu_per_ml(Decimal(70), Decimal(1), Decimal(50)) == 7


def test_worked_dmso() -> None:
    assert dmso_g(Decimal(20), Decimal(10)) == Decimal("2.2")
    assert dmso_limit_g_per_day(Decimal(70)) == 70


@pytest.mark.parametrize(
    "calculation",
    [
        lambda: viable_cells(0, Decimal(90)),
        lambda: viable_cells(10, Decimal(101)),
        lambda: viable_cells(10, Decimal(-1)),
        lambda: cells_per_kg(10, Decimal(0)),
        lambda: dose_volume_ml(Decimal(1), Decimal(70), Decimal(0)),
        lambda: endotoxin_limit_eu_per_dose(Decimal(70), Decimal(0)),
        lambda: endotoxin_limit_eu_per_ml(Decimal(70), Decimal(1), Decimal(0)),
        lambda: dmso_g(Decimal(20), Decimal(120)),
        lambda: dmso_limit_g_per_day(Decimal(0)),
        lambda: difference_from_prescription_percent(1, 0),
    ],
)
def test_impossible_quantities_are_refused(calculation: object) -> None:
    with pytest.raises(ValueError, match="expected"):
        calculation()


@given(st.integers(1, 10**12), st.decimals(0, 100, places=2))
def test_never_more_viable_cells_than_cells(cells: int, viability: Decimal) -> None:
    assert 0 <= viable_cells(cells, viability) <= cells


def test_an_infusion_by_the_book_is_neither_refused_nor_a_deviation() -> None:
    assert ordering_refusals(FACTS) == []
    assert recording_deviations(FACTS) == []


REFUSED = [
    ("consent_unknown", replace(FACTS, consented_on=None)),
    ("consent_not_yet_given", replace(FACTS, consented_on=ON + timedelta(days=1))),
    ("consent_withdrawn", replace(FACTS, consent_withdrawn_on=ON)),
    ("lot_not_released", with_lot(state="quarantine")),
    ("lot_not_released", with_lot(state="rejected")),
    ("lot_expired", with_lot(expires_on=ON - timedelta(days=1))),
    ("lot_used_up", with_lot(cells_left=99_999_999)),
    ("wrong_autologous_recipient", with_lot(donor_relation="autologous", donor_patient_id="RIV-0001-X")),
    ("autologous_donor_unknown", with_lot(donor_relation="autologous")),
    ("dose_over_hard_limit", replace(FACTS, viable_cells=2_080_000_001, prescribed_viable_cells=None)),
    ("open_hold", replace(FACTS, open_holds=("suspected neoplasm of 2 May 2027",))),
]


@pytest.mark.parametrize(("code", "facts"), REFUSED)
def test_an_order_is_refused_and_the_same_infusion_given_is_recorded_as_a_deviation(
    code: str, facts: InfusionFacts
) -> None:
    refusals = ordering_refusals(facts)
    assert [refusal.code for refusal in refusals] == [code]
    assert refusals[0].message
    assert [deviation.kind for deviation in recording_deviations(facts)] == [code]


DEVIATES_ONLY = [
    ("before_enrolment", replace(FACTS, enrolled_on=ON + timedelta(days=1))),
    ("not_enrolled", replace(FACTS, enrolled_on=None)),
    ("dose_unusually_low", replace(FACTS, viable_cells=23_999_999, prescribed_viable_cells=None)),
    ("dose_unusually_high", replace(FACTS, viable_cells=800_000_001, prescribed_viable_cells=None)),
    ("dose_differs_from_prescription", replace(FACTS, prescribed_viable_cells=83_000_000)),
    ("lot_not_released", with_lot(released_on=ON + timedelta(days=1))),
]


@pytest.mark.parametrize(("kind", "facts"), DEVIATES_ONLY)
def test_what_only_a_record_can_show(kind: str, facts: InfusionFacts) -> None:
    assert ordering_refusals(facts) == []
    assert [deviation.kind for deviation in recording_deviations(facts)] == [kind]


@pytest.mark.parametrize(
    "facts",
    [
        with_lot(expires_on=ON),
        with_lot(state="conditional", released_on=None),
        with_lot(cells_left=None),
        with_lot(donor_relation="autologous", donor_patient_id="RIV-0042-J"),
        replace(FACTS, viable_cells=2_080_000_000, prescribed_viable_cells=None, weight_kg=Decimal(208)),
        replace(FACTS, prescribed_viable_cells=100_000_000, viable_cells=110_000_000),
        replace(FACTS, prescribed_viable_cells=100_000_000, viable_cells=90_000_000),
        replace(FACTS, consent_withdrawn_on=ON + timedelta(days=1)),
    ],
)
def test_the_edge_still_allowed(facts: InfusionFacts) -> None:
    assert ordering_refusals(facts) == []
    assert recording_deviations(facts) == []


def test_a_lot_recalled_later_is_no_deviation_of_the_day_but_cannot_be_ordered_again() -> None:
    facts = with_lot(state="recalled")
    assert recording_deviations(facts) == []
    assert [refusal.code for refusal in ordering_refusals(facts)] == ["lot_not_released"]


def test_a_dose_at_the_hard_limit_is_not_over_it() -> None:
    facts = replace(FACTS, viable_cells=2_080_000_000, prescribed_viable_cells=None)
    assert ordering_refusals(facts) == []
    assert [deviation.kind for deviation in recording_deviations(facts)] == ["dose_unusually_high"]


def test_every_reason_is_told_and_an_unknown_lot_is_one_of_them() -> None:
    facts = replace(FACTS, lots=(), consented_on=None, enrolled_on=None)
    assert {deviation.kind for deviation in recording_deviations(facts)} == {
        "lot_unknown",
        "consent_unknown",
        "not_enrolled",
    }


def test_each_lot_of_an_infusion_is_judged() -> None:
    expired = replace(LOT, code="UC-6", expires_on=date(2027, 1, 1))
    refusals = ordering_refusals(replace(FACTS, lots=(LOT, expired)))
    assert [refusal.message for refusal in refusals] == ["Lot UC-6 expired on 1 Jan 2027"]


def test_limits_are_the_ones_of_the_file() -> None:
    limits = default_limits()
    assert limits.hard_high_cells_per_kg == 26_000_000
    tight = replace(limits, hard_high_cells_per_kg=1_000_000)
    assert [refusal.code for refusal in ordering_refusals(FACTS, tight)] == ["dose_over_hard_limit"]
