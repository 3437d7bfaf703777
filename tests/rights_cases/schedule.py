from followup.schedule.models import Visit, WorkItem
from tests.rights_world import Case, of_patient, of_row

CASES = {
    "schedule:notice": Case(
        ("worklist.view",), of_row(WorkItem, kind="person_copy", role="coordinator"), may_hide=True
    ),
    "schedule:visit": Case(("visits.view",), of_row(Visit)),
    "schedule:visit_record": Case(("visits.record",), of_row(Visit)),
    "schedule:visit_book": Case(("visits.record",), of_row(Visit)),
    "schedule:visit_missed": Case(("visits.excuse",), of_row(Visit)),
    "schedule:visit_not_required": Case(("visits.excuse",), of_row(Visit)),
    "schedule:visit_reopen": Case(("visits.excuse",), of_row(Visit)),
    "schedule:patient_schedule": Case(("visits.view",), of_patient),
    "schedule:unscheduled_add": Case(("visits.record",), of_patient),
    "schedule:contact_add": Case(("visits.record",), of_patient),
}
