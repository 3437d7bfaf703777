"""News for rooms further up."""

from django.dispatch import Signal

identified_export_made = Signal()  # run, rows, now
