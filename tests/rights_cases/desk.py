from registry.access.policy import ACTS
from tests.rights_world import Case, of_patient

CASES = {
    "desk:home": Case(tuple(ACTS)),
    "desk:today": Case(("worklist.view",)),
    "desk:overview": Case(("patients.view",)),
    "desk:data": Case(tuple(ACTS)),
    "desk:patient_record": Case(("patients.view",), of_patient),
    "desk:patient_events": Case(("events.view",), of_patient),
    "desk:patient_neoplasia": Case(("neoplasia.view",), of_patient),
    "desk:patient_infusions": Case(("infusions.view",), of_patient),
    "desk:patient_consent": Case(("consent.view",), of_patient),
}
