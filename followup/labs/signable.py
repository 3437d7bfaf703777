"""Results are part of the signed content of their visit. One that comes later is new since signing and voids nothing;
a correction of one that was signed does. What the protocol masks is not signed: whoever signs does not read it.
"""

from __future__ import annotations

from followup.labs.catalogue import ANALYTES
from followup.labs.models import LabResult
from followup.schedule.models import Visit, VisitAssessment
from followup.schedule.resources import NOT_TOLD
from registry.access.masking import codes_of, unmasked
from registry.partial_dates import in_words
from registry.signatures.signable import Kind, Part, Values, contribute

State = VisitAssessment.State
AWAITED = (State.PENDING, State.AWAITING)


def contribute_results() -> None:
    kind = Kind(
        LabResult,
        lambda pk: unmasked(LabResult.objects.filter(visit=pk)),
        lambda row: [int(row["visit_id"])] if row["visit_id"] else [],
        _title,
        late=True,
        heading="Results",
        short=("comparator", "value_received", "unit_received"),
    )
    contribute(Visit._meta.label_lower, kind, follows=_answered_by_late_result)


def _title(row: Values) -> str:
    known = ANALYTES.get(str(row["analyte"]))
    return f"{known.label if known else row['analyte']} of {in_words(str(row['collected_on']))}"


def _answered_by_late_result(before: Part, now: Part, late: list[Part]) -> bool:
    """An assessment that waited for its result when it was signed, and is done because the result came; a masked one comes
    unseen.
    """
    if before.label != VisitAssessment._meta.label_lower or now.values["state"] != State.DONE:
        return False
    waited = before.values["state"] in AWAITED or (
        before.values["state"] == State.NOT_DONE and before.values["reason"] == NOT_TOLD
    )
    if not waited or now.values["reason"] or now.values["code"] != before.values["code"]:
        return False
    late_codes = {str(part.values.get("analyte")) for part in late} | codes_of(LabResult)
    came = {ANALYTES[code].assessment for code in late_codes if code in ANALYTES}
    return before.values["code"] in came
