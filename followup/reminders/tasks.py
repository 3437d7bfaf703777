"""What the beat asks for: go and look. No argument, no result; the rows hold the work."""

from celery import shared_task
from django.conf import settings

from followup.reminders import actions
from registry import clock


# One that nobody took before the next was sent has nothing to add.
@shared_task(ignore_result=True, expires=settings.SWEEP_SECONDS)
def sweep() -> None:
    now = clock.now()
    actions.run_sweep(now=now, as_of=now)
