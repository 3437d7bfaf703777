"""Everything that changes a plan on its way: writing it, and deciding on it."""

from followup.plans.actions.deciding import (
    approve,
    ask,
    checked,
    discard,
    put_in_force,
    refuse,
    take_back,
    wrote_it,
)
from followup.plans.actions.writing import (
    STARTS,
    Refused,
    begin,
    bring_in,
    remove_line,
    save_assessment,
    save_head,
    save_line,
)

__all__ = [
    "STARTS",
    "Refused",
    "approve",
    "ask",
    "begin",
    "bring_in",
    "checked",
    "discard",
    "put_in_force",
    "refuse",
    "remove_line",
    "save_assessment",
    "save_head",
    "save_line",
    "take_back",
    "wrote_it",
]
