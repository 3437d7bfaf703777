"""A report of one site: those of another site must not see it, and a file not made yet is not there."""

from typing import Any

from followup.reports.models import ReportRun
from tests.rights_world import Case, World, of_patient, of_row

READERS = ("reports.view", "reports.make_patient")


def of_report(world: World) -> dict[str, Any]:
    return of_row(ReportRun, kind="safety", site=world.riverside)(world)


CASES = {
    "reports:report_list": Case(READERS),
    "reports:report_run": Case(READERS, of_report),
    "reports:report_download": Case(READERS, of_report, may_hide=True),
    "reports:numbers_download": Case(READERS, of_report, may_hide=True),
    "reports:signed_download": Case(READERS, of_report, may_hide=True),
    "reports:report_cancel": Case(READERS, of_report),
    "reports:patient_report_make": Case(("reports.make_patient",), of_patient),
}
