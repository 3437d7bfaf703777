"""News that travels upward: signed records whose signatures no longer hold or do again, and requests to unlock."""

from django.dispatch import Signal

signatures_judged = Signal()  # judged: list of Judged; now
unlock_changed = Signal()  # request: UnlockRequest, just asked, decided, stopped or come into force; now
