"""News that travels upward. `followup` receives it; a nightly repair covers a lost one."""

from django.dispatch import Signal

patient_enrolled = Signal()  # patients: list of ids; now
status_changed = Signal()  # patients: list of ids; now
query_opened = Signal()  # queries: list of ids; now
query_closed = Signal()  # queries: list of ids; now
erasure_changed = Signal()  # patients: list of ids; now. Asked for, refused, taken back or carried out
identifiers_erased = Signal()  # patients: list of ids; now. Files that hold their names go
