"""A registry of seven people small enough to count by hand; every figure below was worked out on paper.

Period 1 Jan to 31 Dec 2030. Time since first infusion, last day not counted:
  A  infused 1 Jan 2029, followed to the cut-off 31 Dec 2030     729 days, 364 of them in the period
  B  infused 1 Jan 2030, died 1 Apr 2030                          90 days, all in the period
  C  infused 1 Jul 2029 and 1 Jul 2030, followed to the cut-off  548 days, 364 in the period
"""

from datetime import UTC, date, datetime

import pytest
from scipy.stats import chi2

from followup.reports.collect_safety import collect_safety
from followup.reports.numbers import canonical_json
from followup.reports.rules import numbers_add_up
from followup.reports.safety_events import neoplasia_blocks
from followup.reports.safety_sections import safety_sections
from followup.schedule.models import Visit
from registry.access.models import Site
from registry.handover.models import Transfer
from tests.followup.reports import people

FROM, TO = date(2030, 1, 1), date(2030, 12, 31)
A_DAYS = (TO - date(2029, 1, 1)).days
B_DAYS = (date(2030, 4, 1) - date(2030, 1, 1)).days
C_DAYS = (TO - date(2029, 7, 1)).days
YEARS = (A_DAYS + B_DAYS + C_DAYS) / 365.25


@pytest.fixture
def small(riverside, harbour):
    """A, B, C infused at Riverside; D never infused; E withdrawn; F enrolled after the cut-off; G at Harbour, infused later."""
    a = people.patient(riverside, "A", birth_year=1960)
    people.infusion(a, date(2029, 1, 1), reaction="fever")
    b = people.patient(riverside, "B", sex_at_birth="male", birth_year=1985)
    people.infusion(b, date(2030, 1, 1), reaction="none", per_kg=800_000)
    people.status(b, "deceased", "2030-04-01")
    c = people.patient(riverside, "C", birth_year=None)
    people.infusion(c, date(2029, 7, 1))
    people.infusion(c, date(2030, 7, 1), route="ia_splenic", per_kg=2_000_000, reaction="fever")
    d = people.patient(riverside, "D")
    people.status(d, "enrolled", "2028-01-01")
    e = people.patient(riverside, "E")
    people.status(e, "withdrawn", "2029-05", scope="no_contact")
    people.patient(riverside, "F", enrolled=date(2031, 2, 1))
    g = people.patient(harbour, "G")
    people.infusion(g, date(2031, 1, 15))
    return {"a": a, "b": b, "c": c, "d": d, "e": e, "g": g}


def test_the_days_of_the_heading():
    assert (A_DAYS, B_DAYS, C_DAYS) == (729, 90, 548)


def collect(site=None):
    return collect_safety(site=site, period_from=FROM, period_to=TO)


def disposition(numbers):
    return {row["status"]: row["patient_ids"] for row in numbers["disposition"] if row["patient_ids"]}


def test_everybody_stands_in_one_row_of_the_disposition(small, riverside):
    numbers = collect()
    assert numbers["persons_in_registry"] == 7
    assert disposition(numbers) == {
        "enrolled": ["D", "G"],
        "in_follow_up": ["A", "C"],
        "withdrawn": ["E"],
        "deceased": ["B"],
        "enrolled_after_cut_off": ["F"],
    }
    assert numbers["withdrawals"] == [{"scope": "no_contact", "persons": 1}]
    assert numbers_add_up(numbers) == []
    assert collect(riverside)["persons_in_registry"] == 6


def test_who_came_and_went_in_the_period_is_counted_by_the_day_of_acceptance(small, riverside, harbour, nora):
    hill = Site.objects.create(code="HIL", name="Hill", country="GB", time_zone="Europe/London")
    moves = [
        (riverside, harbour, datetime(2030, 12, 31, 10, tzinfo=UTC)),  # 23:00 at Harbour
        (
            riverside,
            harbour,
            datetime(2030, 12, 31, 12, tzinfo=UTC),
        ),  # 1 January 2031 at Harbour: after the period
        (harbour, riverside, datetime(2030, 6, 1, tzinfo=UTC)),
        (hill, riverside, datetime(2030, 6, 1, tzinfo=UTC)),
        (hill, riverside, datetime(2029, 12, 31, tzinfo=UTC)),
    ]
    for origin, to, at in moves:
        Transfer.objects.create(
            patient=small["a"], from_site=origin, to_site=to, moves_on=at.date(), reason="Moved", state="accepted",
            asked_by=nora, asked_at=at, decided_by=nora, decided_at=at,
        )  # fmt: skip
    Transfer.objects.create(
        patient=small["a"], from_site=riverside, to_site=harbour, moves_on=TO, reason="Asked only", asked_by=nora,
        asked_at=datetime(2030, 6, 1, tzinfo=UTC),
    )  # fmt: skip
    assert collect(riverside)["transfers"] == {"came": 2, "went": 1, "between": 0}
    numbers = collect(None)
    assert numbers["transfers"] == {"came": 0, "went": 0, "between": 3}
    words = " ".join(block.get("text", "") for block in safety_sections(numbers)[0]["blocks"])
    assert "3 moved between its sites" in words


def test_exposure_is_counted_by_hand(small):
    exposure = collect()["exposure"]
    assert (exposure["persons"], exposure["infusions"], exposure["infusions_in_period"]) == (3, 4, 2)
    rows = {row["route"]: row for row in exposure["rows"]}
    assert rows["iv_peripheral"]["by_band"] == {"lt1": 1, "1to2": 2, "2to5": 0, "ge5": 0, "unknown": 0}
    assert rows["ia_splenic"]["by_band"]["2to5"] == 1, "a band holds its lower end"
    assert exposure["persons_by_infusions"] == [
        {"infusions": 1, "persons": 2},
        {"infusions": 2, "persons": 1},
    ]
    time = {row["label"]: row for row in exposure["person_time"]}
    assert time["All persons infused"]["years_cumulative"] == pytest.approx(YEARS, abs=1e-6)
    in_period = (364 + 90 + 364) / 365.25
    assert time["All persons infused"]["years_in_period"] == pytest.approx(in_period, abs=1e-6)
    assert time["40 to 49 years"]["persons"] == 1
    assert time["60 to 69 years"]["persons"] == 1
    assert time["age unknown"]["persons"] == 1


def test_reactions_are_shares_of_observed_infusions(small):
    reactions = collect()["infusion_reactions"]
    assert (reactions["infusions"], reactions["observed_infusions"]) == (4, 3)
    (fever,) = reactions["rows"]
    assert (fever["infusions"], fever["persons"]) == (2, 2)
    assert fever["percent_of_infusions"] == pytest.approx(66.6667, abs=1e-3)
    assert fever["low_percent"] == pytest.approx(9.4299, abs=1e-3)  # Clopper–Pearson 2 of 3
    assert fever["high_percent"] == pytest.approx(99.1596, abs=1e-3)


def test_events_by_kind_and_what_is_left_out(small):
    people.event(small["a"], "Fever", "2029-01-02", severity_grade=1, relatedness_cells="probable")
    people.event(small["a"], "Fever", "2030-05-01", severity_grade=2, relatedness_cells="unlikely")
    people.event(small["b"], "Stroke", "2030-03-30", severity_grade=5, outcome="fatal", is_serious=False)
    people.event(small["c"], "Lung infection", "2029", severity_grade=3)
    people.event(small["c"], "Fever", "2029-06")
    people.event(small["a"], "Fever", "2031-01-01")
    people.event(small["d"], "Fever", "2030-01-01")
    people.event(small["g"], "Fever", "2030-06-01", is_serious=True)
    numbers = collect()
    kinds = {row["kind"]: row for row in numbers["event_overview"]}
    counts = {kind: (row["persons"], row["events"], row["events_in_period"]) for kind, row in kinds.items()}
    assert counts == {
        "any": (3, 4, 2),
        "related": (2, 2, 1),  # one judged probable; the stroke because nobody has judged it yet
        "grade_3_or_higher": (2, 2, 1),
        "serious": (1, 1, 1),
        "special_interest": (0, 0, 0),
        "fatal": (1, 1, 1),
    }
    assert kinds["any"]["rate_per_100_person_years"] == pytest.approx(400 / YEARS, abs=1e-3)
    fever = next(row for row in numbers["event_terms"] if row["term"] == "Fever")
    assert (fever["persons"], fever["events"], fever["worst"]["2"]) == (1, 2, 1)
    (stroke,) = numbers["serious_events"]
    assert stroke["is_contradictory"], "marked not serious, yet fatal"
    assert (stroke["days_since_last_infusion"], stroke["last_lot"], stroke["age_years"]) == (88, "LOT-1", 45)
    row = next(row for row in numbers["reconciliation"] if row["record"] == "adverse events")
    assert row["in_registry"] == 8
    assert row["excluded"] == {
        "onset before the first infusion": 1,
        "onset after the cut-off": 1,
        "person never infused": 2,
    }


def test_an_event_entered_by_mistake_is_left_out_by_rule(small, acting):
    wrong = people.event(small["a"], "Fever", "2030-01-02")
    wrong.withdrawn_at, wrong.withdrawn_because = "2030-02-01T00:00:00Z", "other patient"
    wrong.save()
    row = next(r for r in collect()["reconciliation"] if r["record"] == "adverse events")
    assert row["excluded"] == {"entered by mistake": 1}


def rates(numbers):
    return {row["definition"]: row for row in numbers["neoplasia"]["rates"]}


def listing(numbers):
    return {row["case_ref"]: row["why_not_counted"] for row in numbers["neoplasia"]["listing"]}


def malignant(who, ref, on, **facts):
    return people.case(
        who, ref, "malignant", on, diagnosed_on=on, closed_on=date(2030, 12, 1), behaviour="3", **facts
    )


def test_neoplasia_time_ends_when_the_status_was_last_known(small):
    people.check(small["a"], date(2030, 1, 1))
    malignant(small["c"], "N-1", "2029-12-28", topography="C18.7", morphology="8140/3")
    numbers = collect()
    found = rates(numbers)
    known = (
        (date(2030, 1, 1) - date(2029, 1, 1)).days + (date(2029, 12, 28) - date(2029, 7, 1)).days
    ) / 365.25
    main = found["status_known"]
    assert (main["cases"], main["persons"]) == (1, 3)
    assert main["person_years"] == pytest.approx(known, abs=1e-6)
    assert main["low"] == pytest.approx(100 * chi2.ppf(0.025, 2) / 2 / known, rel=1e-6)
    assert main["high"] == pytest.approx(100 * chi2.ppf(0.975, 4) / 2 / known, rel=1e-6)
    until_cut_off = (A_DAYS + B_DAYS + (date(2029, 12, 28) - date(2029, 7, 1)).days) / 365.25
    assert found["to_cut_off"]["person_years"] == pytest.approx(until_cut_off, abs=1e-6)
    assert main["unascertained_years"] == pytest.approx(until_cut_off - known, abs=2e-6)
    assert found["without_first_6_months"]["cases"] == 0, "found within six months of the infusion"
    bands = numbers["neoplasia"]["by_time_since_infusion"]
    assert [row["cases"] for row in bands] == [1, 0, 0, 0]
    assert sum(row["person_years"] for row in bands) == pytest.approx(known, abs=1e-5)


def test_each_case_is_listed_with_why_it_does_not_count(small):
    a, c = small["a"], small["c"]
    people.case(a, "N-SUSPECTED", "suspected", "2030-06-01")
    malignant(a, "N-SKIN", "2030-02-01", topography="C44.3", morphology="8090/3")
    malignant(a, "N-MELANOMA", "2030-03-01", topography="C44.3", morphology="8720/3")
    malignant(a, "N-SECOND", "2030-04-01", topography="C50.9", morphology="8500/3")
    malignant(c, "N-BEFORE", "2029-06", topography="C61.9", morphology="8140/3")
    people.case(c, "N-BENIGN", "benign", "2030-01-01", closed_on=date(2030, 2, 1))
    malignant(small["d"], "N-NEVER", "2030-01-01", topography="C18.7", morphology="8140/3")
    people.case(
        c, "N-REPORTED", "suspected", "2030-08", diagnosed_on="2030-08", morphology="8000/3", behaviour="3"
    )
    people.case(
        c, "N-LATER", "malignant", "2031-01-02", diagnosed_on="2031-01-02", closed_on=date(2031, 2, 1)
    )
    numbers = collect()
    assert listing(numbers) == {
        "N-SUSPECTED": "suspected, work-up open",
        "N-SKIN": "basal- or squamous-cell skin cancer",
        "N-MELANOMA": "",
        "N-SECOND": "second in the same person",
        "N-BEFORE": "present before the first infusion",
        "N-BENIGN": "benign",
        "N-NEVER": "person never infused",
        "N-REPORTED": "",
    }
    assert rates(numbers)["status_known"]["cases"] == 2
    row = next(row for row in numbers["reconciliation"] if row["record"] == "neoplasia cases")
    assert (row["in_registry"], row["counted"]) == (9, 2)


def test_the_safety_officers_assessment_stands_beside_each_case(small):
    people.case(
        small["a"], "N-JUDGED", "suspected", "2030-06-01", relatedness_cells="unlikely", relatedness_procedure="possible"
    )  # fmt: skip
    people.case(small["c"], "N-OPEN", "suspected", "2030-07-01")
    numbers = collect()
    table = next(
        block for block in neoplasia_blocks(numbers) if block.get("caption") == "All suspicions and cases"
    )
    said = {row["cells"][0]["text"]: row["cells"][8]["text"] for row in table["rows"]}
    assert said == {"N-JUDGED": "unlikely / possible", "N-OPEN": "not assessed / not assessed"}


def test_a_conclusion_after_the_cut_off_is_not_known_yet(small):
    people.case(
        small["a"], "N-1", "malignant", "2030-11-01",
        diagnosed_on="2031-01-10", closed_on=date(2031, 1, 20), topography="C18.7", morphology="8140/3",
    )  # fmt: skip
    (row,) = collect()["neoplasia"]["listing"]
    assert (row["status"], row["diagnosed_on"], row["topography"], row["is_counted"]) == (
        "suspected",
        None,
        "",
        False,
    )


def visit(who, code, opens, target, closes, **facts):
    return Visit.objects.create(
        patient=who, site=who.site, visit_code=code, anchor="first_infusion", target_date=target,
        window_opens=opens, window_closes=closes, created_on=date(2029, 1, 1), **facts,
    )  # fmt: skip


def test_follow_up_as_it_stood_at_the_cut_off(small):
    a, c = small["a"], small["c"]
    spring = (date(2030, 3, 1), date(2030, 4, 1), date(2030, 5, 1))
    visit(a, "M12", *spring, state="done", actual_date=date(2030, 4, 2))
    visit(a, "M18", *spring, state="done", actual_date=date(2030, 6, 1))
    visit(a, "M24", *spring, state="done", actual_date=date(2031, 1, 2))
    visit(c, "M12", *spring, state="missed", state_reason="abroad")
    visit(c, "M18", *spring)
    visit(c, "M24", date(2030, 12, 1), date(2030, 12, 20), date(2031, 1, 20))
    follow_up = collect()["follow_up"]
    outcomes = {
        row["visit_code"]: {k: n for k, n in row["outcomes"].items() if n}
        for row in follow_up["completeness"]
    }
    assert outcomes == {
        "M12": {"done in window": 1, "missed": 1},
        "M18": {"done outside window": 1, "overdue": 1},
        "M24": {"overdue": 1},
    }
    assert [(row["patient_id"], row["visit_code"], row["days_late"]) for row in follow_up["overdue"]] == [
        ("A", "M24", 244),
        ("C", "M18", 244),
    ]
    assert follow_up["overdue_by_site"][1] == {
        "site": "RIV", "persons_followed": 3, "persons_overdue": 2, "visits_overdue": 2,
    }  # fmt: skip
    assert follow_up["persons_under_follow_up"] == 4  # A, C, D and G
    assert follow_up["persons_seen_within_12_months"] == 1


def test_facts_after_the_cut_off_change_nothing(small):
    before = canonical_json(collect())
    people.infusion(small["a"], date(2031, 1, 5))
    people.status(small["a"], "lost", "2031-02-01")
    numbers = collect()
    row = next(row for row in numbers["reconciliation"] if row["record"] == "infusions")
    assert row["excluded"] == {"given after the cut-off": 2}
    assert disposition(numbers)["in_follow_up"] == ["A", "C"]
    row["excluded"], row["in_registry"] = {"given after the cut-off": 1}, row["in_registry"] - 1
    assert canonical_json(numbers) == before


def test_the_number_of_queries_does_not_grow_with_the_people(small, riverside, django_assert_max_num_queries):
    for n in range(40):
        people.infusion(people.patient(riverside, f"X{n}"), date(2030, 2, 1))
    with django_assert_max_num_queries(45):
        collect()
