from datetime import date
from decimal import Decimal
from statistics import mean, stdev

from followup.labs.models import LabResult
from followup.reports.cohort import Frame, load_cohort
from followup.reports.collect_glycaemia import glycaemia
from followup.schedule.models import FollowUpPlan, Timepoint, Visit
from tests.cast import NOW
from tests.followup.reports import people

CUT_OFF = date(2030, 12, 31)
INFUSED = date(2030, 1, 10)


def hba1c(who, on, value, **facts):
    LabResult.objects.create(
        patient=who, site=who.site, analyte="hba1c", collected_on=on, value_received=value, source="import",
        value=Decimal(value), canonical_value=Decimal(value), canonical_unit="%", **facts,
    )  # fmt: skip


def test_levels_and_changes_by_visit(riverside):
    plan = FollowUpPlan.objects.create(code="t", version=1, title="t", source="", sha256="0", loaded_at=NOW)
    month_3 = Timepoint.objects.create(
        plan=plan, code="M3", label="Month 3", position=1, anchor="first_infusion", offset_value=3, offset_unit="month",
        days_before=14, days_after=14, contact_mode="on_site", assessments="", reminder_steps="[]",
    )  # fmt: skip
    values = {"A": ("9.0", "8.0"), "B": ("8.0", "7.5"), "C": (None, "7.0")}
    for name, (before, after) in values.items():
        who = people.patient(riverside, name)
        people.infusion(who, INFUSED)
        Visit.objects.create(
            patient=who, site=riverside, timepoint=month_3, visit_code="M3", anchor="first_infusion",
            target_date=date(2030, 4, 10), window_opens=date(2030, 3, 27), window_closes=date(2030, 4, 24),
            created_on=INFUSED,
        )  # fmt: skip
        if before:
            hba1c(who, date(2030, 1, 2), before)
        hba1c(who, date(2030, 4, 11), after)
        hba1c(who, date(2030, 4, 20), "12.0")  # in the window, farther from the target
        hba1c(who, date(2030, 7, 1), "11.0")  # in no window
        hba1c(who, date(2030, 4, 10), "3.0", comparator="<")
    frame = Frame((riverside.pk,), date(2030, 1, 1), CUT_OFF, load_cohort([riverside.pk], CUT_OFF))
    baseline, visit = glycaemia(frame)
    assert (baseline["visit"], baseline["n"], baseline["mean"]) == ("Baseline", 2, 8.5)
    assert (visit["visit"], visit["n"], visit["mean"]) == ("Month 3", 3, mean([8, 7.5, 7]))
    assert visit["sd"] == stdev([8, 7.5, 7])
    assert (visit["n_change"], visit["mean_change"]) == (2, -0.75)
