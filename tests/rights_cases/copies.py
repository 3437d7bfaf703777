from followup.copies.models import PersonCopy
from tests.rights_world import Case, of_patient, of_row

CASES = {
    "copies:copy_make": Case(("people.export",), of_patient),
    "copies:copy_run": Case(("people.export",), of_row(PersonCopy)),
    "copies:copy_download": Case(("people.export",), of_row(PersonCopy), may_hide=True),
}
