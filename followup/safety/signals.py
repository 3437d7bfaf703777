"""News that travels upward: the neoplasia room listens for reported neoplasms."""

from django.dispatch import Signal

events_recorded = Signal()  # events: list of ids; now
