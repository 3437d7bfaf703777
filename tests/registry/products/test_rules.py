import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.products.rules import (
    LOT_TRANSITIONS,
    cells_remaining,
    donation_number_check_character,
    isct_identity,
    lot_may_be_released,
    lot_may_become,
)

MSC = {
    "cd73_percent": "99.1",
    "cd90_percent": "98.7",
    "cd105_percent": "97.9",
    "cd45_percent": "0.4",
    "cd34_percent": "0.3",
    "cd14_percent": "0.5",
    "cd19_percent": "0.2",
    "hla_dr_percent": "0.9",
}
RELEASED = MSC | {
    "viability_percent": "91",
    "sterility": "no_growth",
    "mycoplasma": "negative",
    "endotoxin_eu_ml": "0.2",
    "karyotype": "normal",
}


def test_cells_that_fit_the_criteria() -> None:
    verdict = isct_identity("msc", MSC)
    assert verdict.overall == "pass"
    assert verdict.markers["cd73_percent"] == "pass"
    assert verdict.markers["cd11b_percent"] == "incomplete"


@pytest.mark.parametrize(
    ("marker", "result", "overall"),
    [
        ("cd73_percent", "95", "pass"),
        ("cd73_percent", "94.9", "fail"),
        ("cd73_percent", ">95", "pass"),
        ("cd73_percent", ">90", "incomplete"),
        ("cd73_percent", "<95", "fail"),
        ("cd73_percent", "<97", "incomplete"),
        ("cd45_percent", "2", "pass"),
        ("cd45_percent", "2.1", "fail"),
        ("cd45_percent", "<2", "pass"),
        ("cd45_percent", "<5", "incomplete"),
        ("cd45_percent", ">2", "fail"),
        ("cd45_percent", ">1", "incomplete"),
        ("cd45_percent", "", "incomplete"),
        ("cd45_percent", None, "incomplete"),
        ("cd45_percent", "low", "incomplete"),
        ("hla_dr_percent", "8", "fail"),
    ],
)
def test_each_marker_against_its_limit(marker: str, result: str | None, overall: str) -> None:
    assert isct_identity("msc", MSC | {marker: result}).overall == overall


@pytest.mark.parametrize(
    ("first", "second"), [("cd14_percent", "cd11b_percent"), ("cd19_percent", "cd79a_percent")]
)
def test_either_marker_of_a_pair_is_enough(first: str, second: str) -> None:
    assert isct_identity("msc", MSC | {first: "", second: "1"}).overall == "pass"
    assert isct_identity("msc", MSC | {first: "", second: ""}).overall == "incomplete"
    assert isct_identity("msc", MSC | {first: "5", second: ""}).overall == "fail"
    both = isct_identity("msc", MSC | {first: "5", second: "1"})
    assert (both.overall, both.markers[first]) == ("pass", "fail")


@pytest.mark.parametrize("cell_type", ["bm_mnc", "other"])
def test_mononuclear_cells_are_not_judged_by_the_criteria_for_stromal_cells(cell_type: str) -> None:
    assert isct_identity(cell_type, {"cd45_percent": "80"}).overall == "not_applicable"


def test_a_lot_with_every_test_passed_may_be_released() -> None:
    verdict = lot_may_be_released(RELEASED)
    assert (verdict.decision, verdict.failed, verdict.pending) == ("released", (), ())


@pytest.mark.parametrize(
    ("changes", "decision", "failed", "pending"),
    [
        ({"viability_percent": "70"}, "released", (), ()),
        ({"viability_percent": "69.9"}, "no", ("viability_percent",), ()),
        ({"sterility": "pending"}, "conditional", (), ("sterility",)),
        ({"sterility": "growth"}, "no", ("sterility",), ()),
        ({"mycoplasma": "positive"}, "no", ("mycoplasma",), ()),
        ({"sterility": "pending", "mycoplasma": "pending"}, "conditional", (), ("sterility", "mycoplasma")),
        ({"karyotype": "not_done"}, "conditional", (), ("karyotype",)),
        ({"karyotype": "abnormal"}, "no", ("karyotype",), ()),
        ({"endotoxin_eu_ml": None}, "not_yet", (), ("endotoxin_eu_ml",)),
        ({"endotoxin_eu_ml": "<0.05"}, "released", (), ()),
        ({"viability_percent": ""}, "not_yet", (), ("viability_percent",)),
        ({"cd90_percent": ""}, "not_yet", (), ("identity",)),
        ({"cd90_percent": "60"}, "no", ("identity",), ()),
        ({"sterility": "growth", "karyotype": ""}, "no", ("sterility",), ("karyotype",)),
    ],
)
def test_what_one_test_does_to_release(
    changes: dict[str, str | None], decision: str, failed: tuple[str, ...], pending: tuple[str, ...]
) -> None:
    verdict = lot_may_be_released(RELEASED | changes)
    assert (verdict.decision, verdict.failed, verdict.pending) == (decision, failed, pending)


def test_mononuclear_cells_need_neither_stromal_markers_nor_karyotype() -> None:
    results = {
        "viability_percent": "95",
        "sterility": "no_growth",
        "mycoplasma": "negative",
        "endotoxin_eu_ml": "0.1",
    }
    assert lot_may_be_released(results, "bm_mnc").decision == "released"
    assert lot_may_be_released(results, "msc").decision == "not_yet"


@given(st.sets(st.sampled_from(sorted(RELEASED))))
def test_a_missing_result_never_releases_a_lot(missing: set[str]) -> None:
    results = {kind: result for kind, result in RELEASED.items() if kind not in missing}
    assert (lot_may_be_released(results).decision == "released") == (not missing)


def test_the_life_of_a_lot() -> None:
    allowed = {
        (state, after)
        for state in LOT_TRANSITIONS
        for after in LOT_TRANSITIONS
        if lot_may_become(state, after)
    }
    assert allowed == {
        ("quarantine", "conditional"),
        ("quarantine", "released"),
        ("quarantine", "rejected"),
        ("conditional", "released"),
        ("conditional", "rejected"),
        ("conditional", "recalled"),
        ("released", "recalled"),
    }


def test_overdrawn_lots_show_it() -> None:
    assert cells_remaining(100, [60, 30]) == 10
    assert cells_remaining(100, [60, 60]) == -20


def test_check_character_of_a_donation_number() -> None:
    assert donation_number_check_character("G123498654321") == "H"


@pytest.mark.parametrize("text", ["", "G12349865432", "g123498654321", "G12349865432*", "G1234986543210"])
def test_other_texts_are_not_donation_numbers(text: str) -> None:
    with pytest.raises(ValueError, match="donation number"):
        donation_number_check_character(text)
