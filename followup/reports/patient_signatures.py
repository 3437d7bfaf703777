"""The signatures under one person's visits, events and neoplasia outcomes, for the patient report."""

from __future__ import annotations

from datetime import UTC, date, datetime

from followup.reports.layout import Block, num, table, text
from followup.reports.patient_numbers import PatientNumbers, SignedRecordRow
from followup.reports.wording import count, day, utc
from registry.clock import local_date
from registry.patients.models import Patient
from registry.signatures.models import Signature
from registry.signatures.signable import signables
from registry.signatures.states import SignatureState, standing_of

STATES = {"valid": "valid", "void": "no longer valid", "broken": "broken"}


def collect_signatures(patient: Patient, cut_off: date) -> list[SignedRecordRow]:
    """In the order in which they were given, to the cut-off."""
    rows: list[tuple[datetime, SignedRecordRow]] = []
    for signable in signables():
        pks = Signature.objects.filter(record=signable.label, patient_id=patient.patient_id).order_by(
            "row_pk"
        )
        found = signable.model._base_manager.filter(
            pk__in=dict.fromkeys(pks.values_list("row_pk", flat=True))
        )
        for record in found.order_by("pk"):
            rows += [
                _row(signable.noun, str(record), state, patient.site_id)
                for state in standing_of(record).states
            ]
    zone = patient.site.time_zone
    kept = [row for moment, row in rows if local_date(moment, zone) <= cut_off]
    return sorted(kept, key=lambda row: (row["signed_at"], row["noun"], row["record"], row["meaning"]))


def _row(noun: str, record: str, state: SignatureState, site_id: int) -> tuple[datetime, SignedRecordRow]:
    signature = state.signature
    return signature.signed_at, {
        "noun": noun,
        "record": record,
        "printed_name": signature.printed_name,
        "role": signature.role,
        "meaning": signature.get_meaning_display(),
        "signed_at": signature.signed_at.astimezone(UTC).isoformat(),
        "state": state.word,
        "voided_on": state.voided_at.astimezone(UTC).date().isoformat() if state.voided_at else None,
        "new_since": len(state.late),
        "signed_at_site": signature.site.name if signature.site and signature.site_id != site_id else "",
    }


def signature_table(numbers: PatientNumbers) -> Block:
    columns = [
        text("Record"), text("Printed name"), text("Role"), text("Meaning"), text("Signed at"), text("State"),
        num("New since"),
    ]  # fmt: skip
    rows = [
        (
            f"{one['noun'].capitalize()}: {one['record']}", one["printed_name"], _role_words(one), one["meaning"],
            utc(one["signed_at"]), _state_words(one), count(one["new_since"]),
        )
        for one in numbers["signatures"]
    ]  # fmt: skip
    notes = [
        "A change of what was signed makes the signature invalid. Results that came later are counted as new since and void "
        "nothing."
    ]
    return table("Signatures under the record", columns, rows, empty="Nothing in this record is signed.", notes=notes,
                 width="dense")  # fmt: skip


def _role_words(row: SignedRecordRow) -> str:
    """With the site it was signed at, where the person has moved since."""
    elsewhere = row.get("signed_at_site", "")
    return f"{row['role']}, signed at {elsewhere}" if elsewhere else row["role"]


def _state_words(row: SignedRecordRow) -> str:
    since = f" since {day(row['voided_on'])}" if row["voided_on"] else ""
    return STATES[row["state"]] + since
