from celery import shared_task

from followup.copies import actions
from registry import clock


@shared_task
def make_waiting() -> None:
    """Go and look: copies to make, and old ones to remove."""
    actions.make_waiting(now=clock.now)
