"""What signing the outcome of a suspicion signs: the case as closed and each step of its work-up. A check held at a
visit belongs to what is signed of that visit. The safety officer's assessment is that officer's own statement.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.urls import reverse

from followup.neoplasia.actions.assessing import VERDICT
from followup.neoplasia.models import CheckItem, NeoplasiaCheck, Neoplasm, WorkUpNote
from followup.schedule.models import Visit
from registry.partial_dates import in_words
from registry.signatures.signable import Kind, Signable, Values, contribute, register


def register_outcomes() -> None:
    register(
        Signable(
            noun="neoplasia outcome",
            act="neoplasia.close",
            view_act="neoplasia.view",
            related=("patient__site", "site", "adverse_event", "closed_by"),
            problem=lambda case: "The outcome is signed once the case is closed." if case.is_open else "",
            url=lambda case: reverse("neoplasia:case", args=[case.pk]),
            patient_id=lambda case: case.patient.patient_id,
            kinds=[
                Kind(
                    Neoplasm,
                    lambda pk: Neoplasm.objects.filter(pk=pk),
                    lambda row: [int(row["id"])],
                    lambda row: f"Case {row['case_ref']}",
                    left_out=dict.fromkeys(VERDICT, "the safety officer's own statement, not the signer's"),
                ),
                Kind(
                    WorkUpNote,
                    lambda pk: WorkUpNote.objects.filter(neoplasm=pk),
                    lambda row: [int(row["neoplasm_id"])],
                    lambda row: (
                        f"Step of {in_words(str(row['on_date']))}: {WorkUpNote.Kind(row['kind']).label.lower()}"
                    ),
                    heading="Work-up",
                    short=("text",),
                ),
            ],
        )
    )


def contribute_checks() -> None:
    visit = Visit._meta.label_lower
    contribute(
        visit,
        Kind(
            NeoplasiaCheck,
            lambda pk: NeoplasiaCheck.objects.filter(visit=pk),
            lambda row: [int(row["visit_id"])] if row["visit_id"] else [],
            lambda row: f"Neoplasia check of {in_words(str(row['on_date']))}",
            heading="Neoplasia check",
            short=("outcome", "contact_mode", "note"),
        ),
    )
    contribute(
        visit,
        Kind(
            CheckItem,
            lambda pk: CheckItem.objects.filter(check_form__visit=pk),
            _visit_of_item,
            lambda row: f"Neoplasia check, {str(row['item']).replace('_', ' ')}",
            heading="Answers of the neoplasia check",
            short=("status", "result"),
        ),
    )


def _visit_of_item(row: Values) -> Iterable[int]:
    found = NeoplasiaCheck.objects.filter(pk=row["check_form_id"]).exclude(visit=None)
    return [pk for pk in found.values_list("visit_id", flat=True) if pk]
