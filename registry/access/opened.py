"""One record of another site, open for reading in an emergency: what may be read then. Who may, and for how long, is
decided by `registry.handover`, which stands above this room.
"""

from __future__ import annotations

from dataclasses import dataclass

from registry.access import policy

LABEL = "emergency reading"
# Named one by one: an act that is added to the policy opens nothing here until somebody decides that it should.
READ_ACTS = frozenset(
    (
        *(
            "patients.view",
            "identifiers.view",
            "consent.view",
            "infusions.view",
            "infusions.product",
            "visits.view",
        ),
        *("labs.view", "treatment.view", "events.view", "neoplasia.view", "queries.view", "worklist.view"),
        "audit.view",
    )
)
READS_AS = "investigator"


@dataclass(frozen=True)
class Opened:
    """The person by primary key, and the site the person belongs to."""

    patient_id: int
    site_id: int

    def lets_read(self, act: str, *, blinded: bool) -> bool:
        """What an investigator of that site reads; in a blinded protocol no more than that one would."""
        return act in READ_ACTS and policy.scope_of(READS_AS, act, blinded=blinded) != "none"
