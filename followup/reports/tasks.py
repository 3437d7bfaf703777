from celery import shared_task

from followup.reports import actions, signed_copies
from registry import clock


@shared_task
def make_waiting() -> None:
    """Go and look: reports to make, and signed copies of them."""
    actions.make_waiting(now=clock.now)
    signed_copies.make_copies(now=clock.now)
