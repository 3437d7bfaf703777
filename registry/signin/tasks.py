from celery import shared_task

from registry import clock
from registry.signin import drafts, notices, recovery, sessions


@shared_task
def look_after_accounts() -> None:
    """Send what people are to be told about their accounts; remove what is over."""
    now = clock.now()
    recovery.digest_those_kept_otherwise()
    notices.send(now=now)
    drafts.forget_old(now)
    sessions.forget_over(now)
