"""News that travels upward, like `registry.patients.signals`."""

from django.dispatch import Signal

treatments_changed = Signal()  # patients: list of ids; now
