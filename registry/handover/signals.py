"""News that travels upward: the schedule raises and closes matters on Today, the reminders send notices."""

from django.dispatch import Signal

transfer_asked = Signal()  # transfer; now
transfer_decided = Signal()  # transfer; by; now. Accepted, declined or withdrawn
transfer_checked = Signal()  # transfer; by; now
record_opened = Signal()  # opening; now
opening_seen = Signal()  # opening; by; now
