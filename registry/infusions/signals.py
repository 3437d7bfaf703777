"""News that travels upward, like `registry.patients.signals`."""

from django.dispatch import Signal

infusions_recorded = Signal()  # patients: list of ids; now
day_correction_changed = Signal()  # correction: DayCorrection, just asked for or decided; now
patient_unblinded = Signal()  # unblinding: the row; now
