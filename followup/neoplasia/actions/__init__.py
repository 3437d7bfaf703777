"""Everything that changes neoplasia records, by topic: the check, the case, and what follows from a case."""

from followup.neoplasia.actions.assessing import assess_neoplasm
from followup.neoplasia.actions.cases import (
    add_work_up_note,
    close_neoplasm,
    record_case_event,
    reopen,
    report_neoplasm,
    update_workup,
)
from followup.neoplasia.actions.checking import last_examined_on, record_check, status_known_on
from followup.neoplasia.actions.follow_on import needs_event
from followup.neoplasia.actions.listening import report_from_events, review_incidence

__all__ = [
    "add_work_up_note",
    "assess_neoplasm",
    "close_neoplasm",
    "last_examined_on",
    "needs_event",
    "record_case_event",
    "record_check",
    "reopen",
    "report_from_events",
    "report_neoplasm",
    "review_incidence",
    "status_known_on",
    "update_workup",
]
