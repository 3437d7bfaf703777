"""What signing an adverse event signs: the event as it stands, and every assessment of it."""

from __future__ import annotations

from django.urls import reverse

from followup.safety.models import AdverseEvent, EventAssessment
from registry.signatures.signable import Kind, Signable, register


def register_events() -> None:
    register(
        Signable(
            noun="adverse event",
            act="records.sign",
            view_act="events.view",
            related=("patient__site", "site", "infusion"),
            problem=lambda event: (
                "An event that was withdrawn as a mistake is not signed." if event.withdrawn_at else ""
            ),
            url=lambda event: reverse("safety:event", args=[event.pk]),
            patient_id=lambda event: event.patient.patient_id,
            kinds=[
                Kind(
                    AdverseEvent,
                    lambda pk: AdverseEvent.objects.filter(pk=pk),
                    lambda row: [int(row["id"])],
                    lambda row: f"Adverse event: {row['term']}",
                ),
                Kind(
                    EventAssessment,
                    lambda pk: EventAssessment.objects.filter(event=pk),
                    lambda row: [int(row["event_id"])],
                    lambda row: f"Assessment ({EventAssessment.Capacity(row['capacity']).label.lower()})",
                    heading="Assessments",
                    short=("relatedness_cells", "expectedness", "reason"),
                ),
            ],
        )
    )
