"""Finding the patients a file names, without telling what lies beyond the reader's sites."""

from collections.abc import Iterable

from registry.access.models import SiteScope
from registry.batches import batches
from registry.patients.models import Patient

BATCH = 2000


def patients_in_reach(patient_ids: Iterable[str], scope: SiteScope) -> dict[str, Patient]:
    """By patient id, with their site. One that is absent and one at another site are both left out."""
    wanted = sorted(set(patient_ids))
    found: dict[str, Patient] = {}
    for batch in batches(wanted, BATCH):
        some = Patient.objects.filter(patient_id__in=batch).select_related("site")
        found.update((patient.patient_id, patient) for patient in some if scope.covers(patient.site_id))
    return found


def no_such_patient(patient_id: str) -> str:
    return f"no patient {patient_id} in your sites"
