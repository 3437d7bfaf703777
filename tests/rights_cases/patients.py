from typing import Any

from registry.patients.erasures import ErasureRequest
from registry.patients.models import ContactPoint, Query
from tests.rights_world import Case, World, of_patient, of_row


def of_contact(world: World) -> dict[str, Any]:
    return of_patient(world) | of_row(ContactPoint)(world)


CASES = {
    "patients:patient_list": Case(("patients.view",)),
    "patients:patient_search": Case(("patients.view",)),
    "patients:enrol": Case(("patients.enrol",)),
    "patients:query_list": Case(("queries.view",)),
    "patients:query": Case(("queries.view",), of_row(Query)),
    "patients:query_raise": Case(("queries.raise",), of_patient),
    "patients:query_answer": Case(("queries.answer",), of_row(Query)),
    "patients:query_close": Case(("queries.close",), of_row(Query)),
    "patients:enrolment_edit": Case(("patients.edit",), of_patient),
    "patients:identity_edit": Case(("identifiers.edit",), of_patient),
    "patients:eligibility_edit": Case(("patients.edit",), of_patient),
    "patients:consent_add": Case(("consent.record",), of_patient),
    "patients:status_add": Case(("consent.record",), of_patient),
    "patients:erase": Case(("erasure.ask",), of_patient),
    "patients:erasure_list": Case(("erasure.carry_out",)),
    "patients:erasure": Case(("erasure.carry_out",), of_row(ErasureRequest)),
    "patients:erasure_carry_out": Case(("erasure.carry_out",), of_row(ErasureRequest)),
    "patients:erasure_refuse": Case(("erasure.carry_out",), of_row(ErasureRequest)),
    "patients:erasure_take_back": Case(("erasure.ask",), of_row(ErasureRequest)),
    "patients:contact_list": Case(("identifiers.view",), of_patient),
    "patients:contact_verify": Case(("identifiers.edit",), of_contact),
    "patients:contact_end": Case(("identifiers.edit",), of_contact),
}
