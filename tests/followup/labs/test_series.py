from datetime import date, timedelta
from decimal import Decimal

from followup.labs.actions import Collection, Entry, record_results
from followup.labs.series import Point, baselines, series, treatment_starts
from registry.infusions.models import Infusion
from tests.cast import NOW, TODAY

TREATED = date(2030, 6, 1)


def point(code: str, days_before: int, value: str, **facts: str) -> Point:
    return Point(1, code, TREATED - timedelta(days=days_before), Decimal(value), "", **facts)


def test_series_holds_results_and_indices_in_order(rosa, nora):
    for day, value in ((TODAY, "7.2"), (TODAY - timedelta(days=90), "8.4")):
        entries = [
            Entry("hba1c", value, "%"),
            Entry("insulin_daily_dose", "42", "IU/day"),
            Entry("weight", "84", "kg"),
        ]
        record_results(
            patient=rosa, visit=None, collection=Collection(on=day), entries=entries, by=nora, now=NOW
        )
    points = series([rosa.pk], ["hba1c", "insulin_iu_per_kg_day"])
    assert [(one.code, one.value) for one in points] == [
        ("hba1c", Decimal("8.4")), ("hba1c", Decimal("7.2")),
        ("insulin_iu_per_kg_day", Decimal("0.5")), ("insulin_iu_per_kg_day", Decimal("0.5")),
    ]  # fmt: skip


def test_treatment_starts_with_the_first_infusion(rosa):
    for day in (date(2030, 9, 1), TREATED):
        Infusion.objects.create(
            patient=rosa, site=rosa.site, infused_on=day, route="iv_peripheral", weight_kg=80
        )
    assert treatment_starts([rosa.pk]) == {rosa.pk: TREATED}


def test_the_baseline_is_the_latest_value_that_is_recent_enough():
    points = [point("hba1c", 60, "8.8"), point("hba1c", 5, "8.4"), point("hba1c", -30, "7.0")]
    assert baselines(points, {1: TREATED}) == {(1, "hba1c"): Decimal("8.4")}


def test_an_older_value_is_no_baseline():
    points = [point("hba1c", 91, "8.8"), point("fasting_c_peptide", 61, "0.5"), point("homa_ir", 61, "4")]
    assert baselines(points, {1: TREATED}) == {}


def test_a_value_that_must_not_be_read_is_no_baseline():
    points = [point("homa_ir", 5, "4", status="not_interpretable"), point("cea", 5, "0.5", comparator="<")]
    assert baselines(points, {1: TREATED}) == {}


def test_the_insulin_baseline_is_the_mean_of_the_seven_days_before():
    points = [point("insulin_daily_dose", days, dose) for days, dose in ((9, "90"), (6, "40"), (2, "44"))]
    assert baselines(points, {1: TREATED}) == {(1, "insulin_daily_dose"): Decimal(42)}
