from followup.safety.models import AdverseEvent
from tests.rights_world import Case, of_patient, of_row

CASES = {
    "safety:event_list": Case(("events.view",)),
    "safety:grades": Case(("events.record",)),
    "safety:event_add": Case(("events.record",), of_patient),
    "safety:event": Case(("events.view",), of_row(AdverseEvent)),
    "safety:event_edit": Case(("events.record",), of_row(AdverseEvent)),
    "safety:event_assess": Case(("events.assess",), of_row(AdverseEvent)),
    "safety:event_withdraw": Case(("events.record",), of_row(AdverseEvent)),
}
