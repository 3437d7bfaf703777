"""News that travels upward: signed records whose signatures no longer hold, and those that do again."""

from django.dispatch import Signal

signatures_judged = Signal()  # judged: list of Judged; now
