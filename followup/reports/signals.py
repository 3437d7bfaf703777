"""A report that was signed gets its signed copy, which the worker makes; one with the names of a person who was erased goes."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import transaction

from followup.reports import tasks
from followup.reports.actions import forget_erased
from followup.reports.signed_copies import ask_for_copies
from registry.exchange import nudge
from registry.patients.signals import identifiers_erased
from registry.signatures.signals import signatures_judged
from registry.signatures.watching import Judged


def listen() -> None:
    signatures_judged.connect(copy_signed, dispatch_uid="reports-copies-signed")
    identifiers_erased.connect(forget_named, dispatch_uid="named-reports-go-with-the-names")


def copy_signed(judged: Iterable[Judged], now: datetime, **_: Any) -> None:
    if ask_for_copies(judged, now=now):
        nudge.after_commit(tasks.make_waiting)


def forget_named(**_: Any) -> None:
    """Once the erasure is stored. Should it fail, the worker's next look does it."""
    transaction.on_commit(forget_erased, robust=True)
