from followup.treatment.models import Treatment
from tests.rights_world import Case, of_patient, of_row

CASES = {
    "treatment:treatment_list": Case(("treatment.view",), of_patient),
    "treatment:treatment_add": Case(("treatment.record",), of_patient),
    "treatment:treatment_stop": Case(("treatment.record",), of_row(Treatment)),
    "treatment:treatment_correct": Case(("treatment.record",), of_row(Treatment)),
    "treatment:treatment_withdraw": Case(("treatment.record",), of_row(Treatment)),
}
