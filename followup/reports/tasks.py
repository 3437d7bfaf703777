from celery import shared_task

from followup.reports import actions
from registry import clock


@shared_task
def make_waiting() -> None:
    """Go and look: reports to make."""
    actions.make_waiting(now=clock.now)
