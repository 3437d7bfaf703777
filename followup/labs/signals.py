"""News from other rooms: a treatment or an enrolment changes what an insulin result may be read for."""

from datetime import datetime
from typing import Any

from followup.labs.recomputing import recompute
from followup.treatment.signals import treatments_changed
from registry.patients.signals import patient_enrolled


def listen() -> None:
    treatments_changed.connect(work_out_again, dispatch_uid="labs.treatments_changed")
    patient_enrolled.connect(work_out_again, dispatch_uid="labs.patient_enrolled")


def work_out_again(sender: Any, *, patients: list[int], now: datetime, **kwargs: Any) -> None:
    recompute(patients, now=now)
