from registry.infusions.models import DayCorrection, Infusion, InfusionOrder
from tests.rights_world import Case, of_patient, of_row

CASES = {
    "infusions:infusion": Case(("infusions.view",), of_row(Infusion)),
    "infusions:correct": Case(("infusions.correct",), of_row(Infusion)),
    "infusions:day_correction_list": Case(("infusions.approve_date",)),
    "infusions:day_correction": Case(("infusions.approve_date",), of_row(DayCorrection)),
    "infusions:day_correction_take_back": Case(("infusions.correct_date",), of_row(DayCorrection)),
    "infusions:date_request": Case(("infusions.request_date",), of_patient),
    "infusions:unblind": Case(("unblinding.emergency",), of_patient, may_hide=True),
    "infusions:unblinding_list": Case(("unblinding.view",)),
    "infusions:order_cancel": Case(("infusions.order",), of_row(InfusionOrder)),
    "infusions:order": Case(("infusions.order",), of_patient),
    "infusions:record": Case(("infusions.record",), of_patient),
    "infusions:sheet": Case(("infusions.record",), of_patient),
}
