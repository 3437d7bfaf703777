"""What other rooms have to do once a backup was put back, and how the whole is checked. They stand above this one and register
here when they start.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Restored:
    """`data_from` is the moment of the backup, `at` that of the restore: what was done in between is not known here."""

    data_from: datetime
    at: datetime
    erased: frozenset[str]  # pseudonymous ids from the ledger of erasures


AfterRestore = Callable[[Restored], dict[str, Any]]
Check = Callable[[datetime], list[str]]

_after_restore: dict[str, AfterRestore] = {}
_checks: dict[str, Check] = {}


def after_restore(name: str, action: AfterRestore) -> None:
    """Called inside `acting_as`, in the order of the names; its figures are printed and kept in the trail."""
    _after_restore[name] = action


def check(name: str, question: Check) -> None:
    """Answers what is not as it should be; nothing when all is well."""
    _checks[name] = question


def run_after_restore(restored: Restored) -> dict[str, Any]:
    return {name: _after_restore[name](restored) for name in sorted(_after_restore)}


def run_checks(now: datetime) -> dict[str, list[str]]:
    return {name: _checks[name](now) for name in sorted(_checks)}
