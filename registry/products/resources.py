"""Lots of cells as they come in from a file and go out again."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, ClassVar

from registry.batches import batches
from registry.exchange import cells
from registry.exchange.cells import CellError, Column
from registry.exchange.exporting import ExportTable, Scope
from registry.exchange.resources import CREATE, UNCHANGED, UPDATE, Row, StagedResource
from registry.patients.models import Query
from registry.patients.queries import QueryFacts, open_queries, record_of
from registry.patients.reach import no_such_patient, patients_in_reach
from registry.products.actions import ENDED_STATES, codes_of_others, test_names
from registry.products.models import CellType, Donor, DonorRelation, Lot, ReleaseTest, TissueSource
from registry.products.rules import ReleaseVerdict, lot_may_be_released

BATCH = 500
STERILITY = ("no_growth", "growth", "pending")
MYCOPLASMA = ("negative", "positive", "pending")
KARYOTYPE = ("normal", "abnormal", "not_done")
LOT_COLUMNS = (
    "donor_relation", "tissue_source", "cell_type", "passage", "cryopreserved", "cells_total",
    "viability_percent", "released_on", "expires_on",
)  # fmt: skip

_RESULT = re.compile(r"[<>]?\s*\d+(\.\d+)?")


def measured(high: Decimal) -> Callable[[str], str]:
    """A result as it was received: a number from 0 to `high`, with `<` or `>` where the laboratory wrote one."""

    def parse(cell: str) -> str:
        if not _RESULT.fullmatch(cell):
            raise CellError("not_a_number", "is not a number; write 0.5 or <0.5")
        if Decimal(cell.lstrip("<> ")) > high:
            raise CellError("out_of_range", f"must lie between 0 and {high}")
        return cell

    return parse


def _test_column(kind: str) -> Column:
    words = {"sterility": STERILITY, "mycoplasma": MYCOPLASMA, "karyotype": KARYOTYPE}
    if kind in words:
        return Column(kind, cells.one_of(words[kind]))
    return Column(kind, measured(Decimal(100) if kind.endswith("_percent") else Decimal(100_000)))


class LotResource(StagedResource):
    kind = "lots"
    title = "Cell lots"
    act = "import.lots"
    columns: ClassVar[Sequence[Column]] = (
        Column("lot", cells.text(60), required=True),
        Column("donor", cells.text(40), required=True),
        Column("donor_relation", cells.one_of(DonorRelation.values), required=True),
        Column("tissue_source", cells.one_of(TissueSource.values), required=True),
        Column("cell_type", cells.one_of(CellType.values), required=True),
        Column("passage", cells.whole(low=0, high=50)),
        Column("cryopreserved", cells.yes_no),
        Column("cells_total", cells.whole(low=100_000, high=10**14), required=True),
        Column("viability_percent", cells.number(low="0", high="100", decimals=2, unit="%")),
        *(_test_column(kind) for kind in ReleaseTest.KINDS),
        Column("released_on", cells.day),
        Column("expires_on", cells.day),
    )

    def load(self, rows: list[Row]) -> None:
        codes = sorted({row["lot"] for row in rows})
        self.lots: dict[str, Lot] = {}
        self.mine: set[str] = set()
        self.tests: dict[int, dict[str, ReleaseTest]] = defaultdict(dict)
        for some in batches(codes):
            self.lots |= {lot.code: lot for lot in Lot.objects.select_related("donor").filter(code__in=some)}
            self.mine |= set(
                Lot.objects.in_scope(self.scope).filter(code__in=some).values_list("code", flat=True)
            )
            for test in ReleaseTest.objects.filter(lot__code__in=some):
                self.tests[test.lot_id][test.kind] = test
        self.seen: dict[str, Row] = {}
        self.patients = patients_in_reach((row["donor"] for row in rows), self.scope)
        self.of_others = codes_of_others((row["donor"] for row in rows), self.scope)

    # Judging

    def judge(self, row: Row) -> None:
        first = self.seen.setdefault(row["lot"], row)
        if first is not row:
            if first.values == row.values:
                row.outcome = UNCHANGED
            else:
                row.refuse("lot", "duplicate_in_file", f"differs from row {first.number} about the same lot")
            return
        self._check_dates(row)
        self._check_reach(row)
        if row.errors:
            return
        row.target = self.lots.get(row["lot"])
        row.changes = self._changes(row) if row.target else {}
        row.outcome = CREATE if row.target is None else UPDATE if row.changes else UNCHANGED
        if row.outcome != UNCHANGED:
            for _, _, reason in self._questions(row):
                row.flag(reason)

    def _check_dates(self, row: Row) -> None:
        if row["released_on"] and row["released_on"] > self.context.now.date():
            row.refuse("released_on", "in_future", "is in the future")

    def _check_reach(self, row: Row) -> None:
        if row["donor"] in self.of_others:
            row.refuse("donor", "unknown_patient", no_such_patient(row["donor"]))
        if row["lot"] in self.lots and row["lot"] not in self.mine:
            row.refuse("lot", "not_yours", "is a lot of cells you may not see; check the code")

    def _changes(self, row: Row) -> dict[str, tuple[str, str]]:
        """Columns the file gives otherwise than stored. A blank cell says nothing and changes nothing."""
        lot: Lot = row.target
        stored: dict[str, Any] = {name: getattr(lot, name) for name in LOT_COLUMNS}
        stored |= {"donor": lot.donor.code}
        stored |= {kind: test.result for kind, test in self.tests[lot.pk].items()}
        return {
            name: (str(stored.get(name) if stored.get(name) is not None else ""), str(value))
            for name, value in row.values.items()
            if name != "lot" and value is not None and value != stored.get(name)
        }

    def _verdict(self, row: Row) -> ReleaseVerdict:
        stored = self.tests[row.target.pk] if row.target else {}
        results = {
            kind: row[kind] or (stored[kind].result if kind in stored else None) for kind in ReleaseTest.KINDS
        }
        viability = row["viability_percent"]
        if viability is None and row.target:
            viability = row.target.viability_percent
        results["viability_percent"] = None if viability is None else str(viability)
        return lot_may_be_released(results, row["cell_type"])

    def _questions(self, row: Row) -> Iterator[tuple[str, str, str]]:
        """What is wrong about a lot that is taken in all the same, as (rule, field, reason)."""
        released, expires = row["released_on"], row["expires_on"]
        verdict = self._verdict(row)
        if released and verdict.failed:
            yield (
                "lot_released_with_failed_test",
                "released_on",
                (f"Lot {row['lot']} was released and failed: {test_names(verdict.failed)}"),
            )
        if released and verdict.decision == "not_yet":
            yield (
                "lot_released_without_test",
                "released_on",
                (f"Lot {row['lot']} was released and these are not known: {test_names(verdict.pending)}"),
            )
        if released and expires and released > expires:
            yield "lot_released_after_expiry", "expires_on", f"Lot {row['lot']} was released after it expired"
        if released and row.target and row.target.state in ENDED_STATES and "released_on" in row.changes:
            yield (
                "lot_state_contradicts",
                "released_on",
                (f"Lot {row['lot']} is {row.target.state} and the file says it was released"),
            )

    # Writing

    def write(self, rows: list[Row]) -> None:
        donors = self._donors(rows)
        lots = [self._lot_of(row, donors) for row in rows]
        old = [lot for lot in lots if lot.pk]
        Lot.objects.bulk_create([lot for lot in lots if not lot.pk], batch_size=BATCH)
        fields = ["donor", "state", "state_reason", "version", *LOT_COLUMNS]
        Lot.objects.bulk_update(old, fields, batch_size=BATCH)
        self._write_tests(list(zip(rows, lots, strict=True)))
        facts = [
            QueryFacts(
                kind=Query.Kind.DEVIATION, rule=rule, record=record_of(lot), field=field, reason=reason
            )
            for row, lot in zip(rows, lots, strict=True)
            for rule, field, reason in self._questions(row)
        ]
        open_queries(facts, now=self.context.now)

    def _donors(self, rows: list[Row]) -> dict[str, Donor]:
        """A donor named by a patient id is that patient."""
        codes = sorted({row["donor"] for row in rows})
        found = {donor.code: donor for donor in Donor.objects.filter(code__in=codes)}
        new = [Donor(code=code, patient=self.patients.get(code)) for code in codes if code not in found]
        Donor.objects.bulk_create(new, batch_size=BATCH)
        unlinked = [one for code, one in found.items() if one.patient_id is None and code in self.patients]
        for donor in unlinked:
            donor.patient = self.patients[donor.code]
        Donor.objects.bulk_update(unlinked, ["patient"], batch_size=BATCH)
        return found | {donor.code: donor for donor in new}

    def _lot_of(self, row: Row, donors: dict[str, Donor]) -> Lot:
        lot: Lot = row.target or Lot(code=row["lot"])
        lot.donor = donors[row["donor"]]
        for name in LOT_COLUMNS:
            if row[name] is not None:
                setattr(lot, name, row[name])
        lot.version += bool(lot.pk)
        if lot.released_on and lot.state == Lot.State.QUARANTINE:
            pending = self._verdict(row).pending
            lot.state = Lot.State.CONDITIONAL if pending else Lot.State.RELEASED
            lot.state_reason = f"Released with these not known: {test_names(pending)}" if pending else ""
        return lot

    def _write_tests(self, pairs: list[tuple[Row, Lot]]) -> None:
        new: list[ReleaseTest] = []
        changed: list[ReleaseTest] = []
        for row, lot in pairs:
            for kind in ReleaseTest.KINDS:
                stored = self.tests[lot.pk].get(kind)
                if row[kind] is None or (stored and stored.result == row[kind]):
                    continue
                test = stored or ReleaseTest(lot=lot, kind=kind)
                test.result = row[kind]
                (changed if stored else new).append(test)
        ReleaseTest.objects.bulk_create(new, batch_size=BATCH)
        ReleaseTest.objects.bulk_update(changed, ["result"], batch_size=BATCH)


# Going out ---------------------------------------------------------------------------------------------------


def export_rows(scope: Scope) -> Iterable[Sequence[Any]]:
    """Every lot for a person with all sites; otherwise the lots given at those sites."""
    lots = Lot.objects.in_scope(scope.sites)
    if not scope.sites.everywhere:
        lots = lots.filter(infusiondose__infusion__site__in=scope.sites.site_ids).distinct()
    results: dict[int, dict[str, str]] = defaultdict(dict)
    for lot, kind, result in ReleaseTest.objects.values_list("lot_id", "kind", "result").iterator():
        results[lot][kind] = result
    names = ("pk", "code", "donor__code", *LOT_COLUMNS)
    for values in lots.order_by("code", "pk").values_list(*names).iterator():
        pk, *own = values
        stored = dict(zip(("lot", "donor", *LOT_COLUMNS), own, strict=True)) | results[pk]
        yield [_written(stored.get(name)) for name in LOTS_TABLE.columns]


def _written(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


LOTS_TABLE = ExportTable(
    "lots", [column.name for column in LotResource.columns], export_rows, act="cells.view"
)
