"""Bringing treatments in, and writing them out."""

from collections.abc import Iterable, Sequence
from typing import Any

from followup.treatment.models import DrugClass, Treatment
from followup.treatment.signals import treatments_changed
from registry import clock
from registry.batches import batches
from registry.exchange import cells
from registry.exchange.cells import Column
from registry.exchange.exporting import ExportTable, Scope
from registry.exchange.resources import CREATE, UNCHANGED, UPDATE, Row, StagedResource
from registry.partial_dates import certainly_before, earliest
from registry.patients.models import Patient, Query
from registry.patients.queries import QueryFacts, open_queries, record_of
from registry.patients.reach import no_such_patient, patients_in_reach

FIELDS = {
    "class": "drug_class",
    "dose": "dose",
    "unit": "unit",
    "per": "per",
    "stop_date": "stop_date",
    "reason": "reason",
    "prescribed_or_taken": "prescribed_or_taken",
}
CLASS_NAMES = {
    "sulphonylurea": "sulfonylurea",
    "dpp4": "dpp4_inhibitor",
    "dpp4i": "dpp4_inhibitor",
    "glp1": "glp1_agonist",
    "glp1ra": "glp1_agonist",
    "sglt2": "sglt2_inhibitor",
    "sglt2i": "sglt2_inhibitor",
    "biguanide": "metformin",
    "thiazolidinedione": "pioglitazone",
    **{value: value for value in DrugClass.values},
    **{label.casefold().replace("-", "").replace(" ", "_"): value for value, label in DrugClass.choices},
}
Key = tuple[str, str, str]


class TreatmentResource(StagedResource):
    kind = "treatments"
    title = "Treatments"
    act = "import.treatments"
    columns = (
        Column("patient_id", cells.text(40), required=True),
        Column("drug", cells.text(120), required=True),
        Column("class", cells.text(60)),
        Column("dose", cells.number(low="0", high="1000000", decimals=3)),
        Column("unit", cells.text(20)),
        Column("per", cells.text(20)),
        Column("start_date", cells.partial_day, required=True),
        Column("stop_date", cells.partial_day),
        Column("reason", cells.text(300)),
        Column("prescribed_or_taken", cells.one_of(["prescribed", "taken"])),
    )

    def load(self, rows: list[Row]) -> None:
        self.patients = patients_in_reach((row["patient_id"] for row in rows), self.scope)
        ids = [patient.pk for patient in self.patients.values()]
        self.stored: dict[Key, Treatment] = {}
        for batch in batches(ids, 2000):
            some = Treatment.objects.filter(patient_id__in=batch, withdrawn_at=None)
            for treatment in some.select_related("patient"):
                key = (treatment.patient.patient_id, treatment.drug, treatment.start_date)
                self.stored[key] = treatment
        self.seen: dict[Key, int] = {}

    def judge(self, row: Row) -> None:
        patient = self.patients.get(row["patient_id"])
        if patient is None:
            row.refuse("patient_id", "unknown_patient", no_such_patient(row["patient_id"]))
            return
        if earliest(row["start_date"]) > clock.local_date(self.context.now, patient.site.time_zone):
            row.refuse("start_date", "in_future", "lies in the future")
            return
        key = (row["patient_id"], row["drug"], row["start_date"])
        if first := self.seen.get(key):
            row.refuse("drug", "duplicate", f"the same patient, drug and start stand in row {first}")
            return
        self.seen[key] = row.number
        self._note_doubts(row)
        self._compare(row, patient, self.stored.get(key))

    def _note_doubts(self, row: Row) -> None:
        if row["stop_date"] and certainly_before(row["stop_date"], row["start_date"]):
            row.flag(f"{row['drug']} stops on {row['stop_date']}, before its start on {row['start_date']}")
        if row["class"] and drug_class(row["class"]) is None:
            row.flag(f"the class “{row['class']}” of {row['drug']} is not one of ours; stored as other")

    def _compare(self, row: Row, patient: Patient, stored: Treatment | None) -> None:
        facts = {field: row[column] for column, field in FIELDS.items()}
        facts["drug_class"] = (drug_class(row["class"]) or DrugClass.OTHER) if row["class"] else ""
        facts = {name: value if value is not None or name == "dose" else "" for name, value in facts.items()}
        if stored is None:
            row.target = Treatment(
                patient=patient,
                site_id=patient.site_id,
                drug=row["drug"],
                start_date=row["start_date"],
                **facts,
            )
            row.outcome = CREATE
            return
        row.target = stored
        for column, name in FIELDS.items():
            if getattr(stored, name) != facts[name]:
                row.changes[column] = (str(getattr(stored, name) or ""), str(facts[name] or ""))
                setattr(stored, name, facts[name])
        row.outcome = UPDATE if row.changes else UNCHANGED

    def write(self, rows: list[Row]) -> None:
        Treatment.objects.bulk_create([row.target for row in rows if row.outcome == CREATE])
        changed = [row.target for row in rows if row.outcome == UPDATE]
        for treatment in changed:
            treatment.version += 1
        Treatment.objects.bulk_update(changed, [*FIELDS.values(), "version"], batch_size=500)
        open_queries((_query(row, why) for row in rows for why in row.flags), now=self.context.now)
        patients = sorted({row.target.patient_id for row in rows})
        if patients:
            treatments_changed.send(sender=Treatment, patients=patients, now=self.context.now)


def drug_class(text: str) -> str | None:
    """Our code for what a file calls a class of drugs; None when we do not know it."""
    return CLASS_NAMES.get(text.casefold().replace("-", "").replace(" ", "_"))


def _query(row: Row, why: str) -> QueryFacts:
    treatment: Treatment = row.target
    field = "stop_date" if "stops on" in why else "class"
    return QueryFacts(
        kind=Query.Kind.CONTRADICTION,
        rule=f"treatment_{field}",
        record=record_of(treatment),
        reason=why,
        patient_id=treatment.patient_id,
        site_id=treatment.site_id,
        field=field,
    )


def _rows(scope: Scope) -> Iterable[Sequence[Any]]:
    rows = Treatment.objects.filter(withdrawn_at=None, **scope.filter())
    return rows.order_by("patient__patient_id", "start_date", "drug", "pk").values_list(
        "patient__patient_id", "drug", "drug_class", "dose", "unit", "per",
        "start_date", "stop_date", "reason", "prescribed_or_taken",
    ).iterator()  # fmt: skip


TREATMENTS = ExportTable("treatments", [column.name for column in TreatmentResource.columns], _rows)
