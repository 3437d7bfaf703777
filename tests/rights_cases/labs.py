from followup.labs.models import Laboratory, LabResult
from followup.schedule.models import Visit
from tests.rights_world import Case, of_patient, of_row

CASES = {
    "labs:result_entry": Case(("labs.record",)),
    "labs:visit_results": Case(("labs.record",), of_row(Visit)),
    "labs:patient_results": Case(("labs.view",), of_patient),
    "labs:patient_entry": Case(("labs.record",), of_patient),
    "labs:result_correct": Case(
        ("labs.record",), of_row(LabResult, analyte="hba1c", value_received="7.1", unit_received="%")
    ),
    "labs:result_withdraw": Case(
        ("labs.record",), of_row(LabResult, analyte="hba1c", value_received="7.1", unit_received="%")
    ),
    "labs:laboratory_list": Case(("settings.view",)),
    "labs:laboratory_edit": Case(("settings.sites",), of_row(Laboratory)),
}
