from followup.neoplasia.models import NeoplasiaCheck, Neoplasm
from followup.schedule.models import Visit
from tests.rights_world import Case, of_patient, of_row

CASES = {
    "neoplasia:case_list": Case(("neoplasia.view",)),
    "neoplasia:check_add": Case(("neoplasia.record",), of_row(Visit)),
    "neoplasia:check_add_any": Case(("neoplasia.record",), of_patient),
    "neoplasia:case_report": Case(("neoplasia.record",), of_patient),
    "neoplasia:check": Case(("neoplasia.view",), of_row(NeoplasiaCheck)),
    "neoplasia:case": Case(("neoplasia.view",), of_row(Neoplasm)),
    "neoplasia:case_note": Case(("neoplasia.record",), of_row(Neoplasm)),
    "neoplasia:case_update": Case(("neoplasia.record",), of_row(Neoplasm)),
    "neoplasia:case_close": Case(("neoplasia.close",), of_row(Neoplasm)),
    "neoplasia:case_reopen": Case(("neoplasia.close",), of_row(Neoplasm)),
    "neoplasia:case_assess": Case(("neoplasia.assess",), of_row(Neoplasm)),
    "neoplasia:case_event": Case(("events.record",), of_row(Neoplasm)),
}
