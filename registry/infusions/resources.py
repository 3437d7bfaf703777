"""Infusions as they come in from a file. Rows of one person and one moment are one infusion, each lot a dose."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, ClassVar

from registry.batches import batches
from registry.clock import local_date
from registry.exchange import cells
from registry.exchange.cells import Column
from registry.exchange.resources import CREATE, UNCHANGED, UPDATE, Row, StagedResource
from registry.infusions import rules
from registry.infusions.actions import announce, make_dose, settle_deviations
from registry.infusions.facts import lots_by_code, standings_of
from registry.infusions.judging import DoseGiven, deviation_queries, judge
from registry.infusions.models import Infusion, InfusionDose, Route
from registry.infusions.rules import Deviation
from registry.patients.models import Patient, Query
from registry.patients.queries import QueryFacts, open_queries, record_of
from registry.patients.reach import no_such_patient, patients_in_reach
from registry.products.actions import remaining_cells
from registry.products.models import CellType, DonorRelation, Lot, TissueSource

BATCH = 500
FROM_LOT = ("tissue_source", "donor_relation", "cell_type")
DOSE_COLUMNS = (*FROM_LOT, "cells_total", "viability_percent")
INFUSION_COLUMNS = ("route", "weight_kg")

Key = tuple[int, date | datetime]
FIRST = datetime.min.replace(tzinfo=UTC)


@dataclass
class Group:
    """The rows of one infusion, in the order of their lots, so that the order in the file does not matter."""

    patient: Patient
    on: date
    at: datetime | None
    infusion: Infusion  # the stored one, or one still to be stored
    is_new: bool = True
    rows: list[Row] = field(default_factory=list)
    deviations: list[Deviation] = field(default_factory=list)
    same_day: bool = False

    @property
    def order(self) -> tuple[date, datetime, str]:
        return self.on, self.at or FIRST, self.patient.patient_id

    def value(self, column: str) -> Any:
        """What the infusion takes from its rows: the first lot's route and weight."""
        return self.rows[0][column]

    def doses(self) -> list[DoseGiven]:
        return [DoseGiven(row["_lot"], row["cells_total"], row["viability_percent"]) for row in self.rows]


class InfusionResource(StagedResource):
    kind = "infusions"
    title = "Infusions"
    act = "import.infusions"
    columns: ClassVar[Sequence[Column]] = (
        Column("patient_id", cells.text(40), required=True),
        Column("infused_at", cells.moment, required=True),
        Column("lot", cells.text(60), required=True),
        Column("tissue_source", cells.one_of(TissueSource.values)),
        Column("donor_relation", cells.one_of(DonorRelation.values)),
        Column("cell_type", cells.one_of(CellType.values)),
        Column("route", cells.one_of(Route.values), required=True),
        Column("cells_total", cells.whole(low=1, high=10**14), required=True),
        Column("viability_percent", cells.number(low="0", high="100", decimals=2, unit="%"), required=True),
        Column("weight_kg", cells.number(low="20", high="400", decimals=1, unit="kg"), required=True),
        # Our own exports carry these; they are computed here and never taken over from a file.
        Column("viable_cells", cells.number()),
        Column("cells_per_kg", cells.number()),
        Column("sequence", cells.number()),
    )

    # Fetching

    def load(self, rows: list[Row]) -> None:
        self.patients = patients_in_reach((row["patient_id"] for row in rows), self.scope)
        self.lots = lots_by_code((row["lot"] for row in rows), self.scope)
        self.groups: dict[Key, Group] = {}
        for row in sorted(rows, key=lambda row: (row["lot"], row.number)):
            self._place(row)
        self._load_stored()
        self._judge_groups()

    def _place(self, row: Row) -> None:
        patient, lot = self.patients.get(row["patient_id"]), self.lots.get(row["lot"])
        if patient is None:
            row.refuse("patient_id", "unknown_patient", no_such_patient(row["patient_id"]))
        if lot is None:
            row.refuse("lot", "unknown_lot", f"no lot {row['lot']}: bring the lots in first")
        if patient is None or lot is None:
            return
        on, at = self._when(row, patient)
        self._check_typing(row, patient, on, at)
        if row.errors:
            return
        infusion = Infusion(patient=patient, site_id=patient.site_id, infused_on=on, infused_at=at)
        group = self.groups.setdefault((patient.pk, at or on), Group(patient, on, at, infusion))
        if any(other["lot"] == row["lot"] for other in group.rows):
            self._judge_repeat(row, next(other for other in group.rows if other["lot"] == row["lot"]))
            return
        row.values |= {"_lot": lot, "_group": group}
        for name in FROM_LOT:
            row.values[name] = row[name] or getattr(lot, name)
        group.rows.append(row)

    def _when(self, row: Row, patient: Patient) -> tuple[date, datetime | None]:
        zone = patient.site.time_zone
        moment: cells.LocalMoment = row["infused_at"]
        return moment.local_day(zone), moment.utc(zone)

    def _check_typing(self, row: Row, patient: Patient, on: date, at: datetime | None) -> None:
        errors = rules.typing_errors(
            on=on,
            today=local_date(self.context.now, patient.site.time_zone),
            birth_year=patient.birth_year,
            weight_kg=row["weight_kg"],
            doses=[(row["cells_total"], row["viability_percent"])],
        )
        if at and at > self.context.now and not errors:
            errors = [("infused_on", "This moment is in the future.")]
        for name, message in errors:
            row.refuse({"infused_on": "infused_at"}.get(name, name), "not_plausible", message)

    def _judge_repeat(self, row: Row, first: Row) -> None:
        if all(first.cells.get(name) == cell for name, cell in row.cells.items()):
            row.outcome = UNCHANGED
        else:
            row.refuse("lot", "duplicate_in_file", f"differs from row {first.number} about the same dose")

    def _load_stored(self) -> None:
        ids = sorted({group.patient.pk for group in self.groups.values()})
        days: dict[tuple[int, date], set[datetime | None]] = defaultdict(set)
        self.doses: dict[int, dict[int, InfusionDose]] = defaultdict(dict)
        for some in batches(ids):
            for infusion in Infusion.objects.select_related("order").filter(patient__in=some):
                days[(infusion.patient_id, infusion.infused_on)].add(infusion.infused_at)
                key = (infusion.patient_id, infusion.infused_at or infusion.infused_on)
                if key in self.groups:
                    self.groups[key].infusion, self.groups[key].is_new = infusion, False
            for dose in InfusionDose.objects.filter(infusion__patient__in=some):
                self.doses[dose.infusion_id][dose.lot_id] = dose
        for group in self.groups.values():
            days[(group.patient.pk, group.on)].add(group.at)
        for group in self.groups.values():
            moments = days[(group.patient.pk, group.on)]
            group.same_day = len(moments) > 1 and None in moments

    # Judging

    def _judge_groups(self) -> None:
        """In time order, so that of two infusions the later one overdraws the lot."""
        standings = standings_of(group.patient.pk for group in self.groups.values())
        left = remaining_cells(lot.pk for lot in self.lots.values())
        for group in sorted(self.groups.values(), key=lambda group: group.order):
            stored = self._stored_doses(group)
            order = None if group.is_new else group.infusion.order
            before = dict(left)
            for row in group.rows:
                lot: Lot = row["_lot"]
                before[lot.pk] += stored[lot.pk].cells_total if lot.pk in stored else 0
                left[lot.pk] = before[lot.pk] - row["cells_total"]
            group.deviations = judge(
                patient=group.patient,
                on=group.on,
                weight_kg=group.value("weight_kg"),
                doses=group.doses(),
                standing=standings[group.patient.pk],
                cells_left=before,
                prescribed=order.cells_ordered if order else None,
            )

    def _stored_doses(self, group: Group) -> dict[int, InfusionDose]:
        return {} if group.is_new else self.doses[group.infusion.pk]

    def judge(self, row: Row) -> None:
        if row.errors or row.outcome:
            return
        group: Group = row["_group"]
        dose = self._stored_doses(group).get(row["_lot"].pk)
        row.target = dose
        row.changes = self._changes(row, group, dose) if dose else {}
        row.outcome = CREATE if dose is None else UPDATE if row.changes else UNCHANGED
        if row.outcome != UNCHANGED:
            for deviation in group.deviations:
                row.flag(deviation.reason)
            for _, _, _, reason in self._questions(row, group):
                row.flag(reason)

    def _changes(self, row: Row, group: Group, dose: InfusionDose) -> dict[str, tuple[str, str]]:
        pairs = [(name, getattr(dose, name), row[name]) for name in DOSE_COLUMNS]
        pairs += [(name, getattr(group.infusion, name), group.value(name)) for name in INFUSION_COLUMNS]
        return {name: (str(old), str(new)) for name, old, new in pairs if old != new}

    def _questions(self, row: Row, group: Group) -> Iterator[tuple[str, str, str, str]]:
        """Contradictions that are taken in as they are, as (kind, rule, field, reason)."""
        lot: Lot = row["_lot"]
        for name in FROM_LOT:
            if row[name] != getattr(lot, name):
                yield (
                    Query.Kind.CONTRADICTION, "infusion_contradicts_lot", f"{name} of lot {lot}"[:60],
                    f"Lot {lot} is {getattr(lot, name)}; the infusion says {row[name]}",
                )  # fmt: skip
        for name in INFUSION_COLUMNS:
            if row[name] != group.value(name):
                yield (
                    Query.Kind.CONTRADICTION, "rows_of_one_infusion_disagree", f"{name} of lot {lot}"[:60],
                    f"{name} is {group.value(name)} for one lot of this infusion and {row[name]} for lot {lot}",
                )  # fmt: skip
        if group.same_day:
            yield (
                Query.Kind.DUPLICATE, "possible_duplicate_infusion", "infused_at",
                "Another infusion of the same day is recorded, one of them without a time",
            )  # fmt: skip
        yield from self._computed_differently(row, lot)

    def _computed_differently(self, row: Row, lot: Lot) -> Iterator[tuple[str, str, str, str]]:
        given = row["viable_cells"]
        ours = rules.viable_cells(row["cells_total"], row["viability_percent"])
        if given is not None and abs(given - ours) > 1:
            yield (
                Query.Kind.CONTRADICTION, "viable_cells_disagree", f"viable_cells of lot {lot}"[:60],
                f"The file says {given} viable cells; cells × viability gives {ours}",
            )  # fmt: skip

    # Writing

    def write(self, rows: list[Row]) -> None:
        groups = {id(row["_group"]): row["_group"] for row in rows}
        ordered = sorted(groups.values(), key=lambda group: group.order)
        changed = [group for group in ordered if self._take_over(group)]
        Infusion.objects.bulk_create([g.infusion for g in ordered if g.is_new], batch_size=BATCH)
        old = [group for group in changed if not group.is_new]
        fields = [*INFUSION_COLUMNS, "version"]
        Infusion.objects.bulk_update([g.infusion for g in old], fields, batch_size=BATCH)
        self._write_doses(rows, old)
        self._ask(rows, ordered)
        first_days: dict[int, date] = {}
        for group in ordered:
            first_days.setdefault(group.patient.pk, group.on)
        announce(first_days, now=self.context.now)

    def _take_over(self, group: Group) -> bool:
        """Gives the infusion what its rows say; true when that changes it."""
        differs = [name for name in INFUSION_COLUMNS if getattr(group.infusion, name) != group.value(name)]
        for name in differs:
            setattr(group.infusion, name, group.value(name))
        group.infusion.version += bool(differs and not group.is_new)
        return bool(differs)

    def _write_doses(self, rows: list[Row], reweighed: list[Group]) -> None:
        new: list[InfusionDose] = []
        changed: list[InfusionDose] = []
        for row in rows:
            group: Group = row["_group"]
            given = DoseGiven(row["_lot"], row["cells_total"], row["viability_percent"])
            dose = make_dose(group.infusion, given, row.target)
            for name in FROM_LOT:
                setattr(dose, name, row[name])
            (changed if row.target else new).append(dose)
        touched = {dose.pk for dose in changed}
        for group in reweighed:
            for dose in self.doses[group.infusion.pk].values():
                if dose.pk not in touched:
                    dose.viable_cells_per_kg = rules.cells_per_kg(dose.viable_cells, group.infusion.weight_kg)
                    changed.append(dose)
        computed = ["viable_cells", "viable_cells_per_kg", "formula_version"]
        InfusionDose.objects.bulk_create(new, batch_size=BATCH)
        InfusionDose.objects.bulk_update(changed, [*DOSE_COLUMNS, *computed], batch_size=BATCH)

    def _ask(self, rows: list[Row], groups: list[Group]) -> None:
        facts = [one for g in groups if g.is_new for one in deviation_queries(g.infusion, g.deviations)]
        facts += [one for row in rows for one in self._queries_of(row)]
        open_queries(facts, now=self.context.now)
        reason = self.context.reason or "Another dose of this infusion was brought in"
        for group in groups:
            if not group.is_new:
                settle_deviations(
                    group.infusion, group.deviations, reason=reason, by=self.context.by, now=self.context.now
                )

    def _queries_of(self, row: Row) -> list[QueryFacts]:
        group: Group = row["_group"]
        return [
            QueryFacts(
                kind=kind, rule=rule, record=record_of(group.infusion), field=name, reason=reason,
                patient_id=group.patient.pk, site_id=group.patient.site_id,
            )
            for kind, rule, name, reason in self._questions(row, group)
        ]  # fmt: skip
