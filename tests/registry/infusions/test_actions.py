"""Ordering is refused with every reason at once; what happened is recorded, whatever rule it broke."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction

from registry.access.models import Site, User
from registry.infusions import actions
from registry.infusions.judging import DoseGiven
from registry.infusions.models import Infusion, InfusionDose, InfusionHold, InfusionOrder
from registry.infusions.signals import infusions_recorded
from registry.patients.models import Consent, ConsentDocument, Enrolment, Patient, Query, Status, StatusEvent
from registry.products.actions import ReasonNeeded
from registry.products.models import Donor, Lot
from registry.saving import ChangedMeanwhile
from tests.cast import NOW, TODAY

pytestmark = pytest.mark.django_db


@pytest.fixture
def rosa(riverside: Site) -> Patient:
    return enrolled("RIV-0001-X", riverside)


def enrolled(patient_id: str, site: Site, on: date = date(2031, 1, 10)) -> Patient:
    patient = Patient.objects.create(
        patient_id=patient_id, site=site, created_at=NOW, birth_year=1973, status=Status.ENROLLED
    )
    document, _ = ConsentDocument.objects.get_or_create(version="1.0")
    Enrolment.objects.create(patient=patient, enrolled_on=on)
    Consent.objects.create(patient=patient, document=document, signed_on=on, recorded_at=NOW)
    return patient


@pytest.fixture
def lot(acting: None) -> Lot:
    return a_lot("UC-1")


def a_lot(code: str, **columns: Any) -> Lot:
    given = {
        "donor": Donor.objects.get_or_create(code="D-1")[0], "donor_relation": "allogeneic_unrelated",
        "tissue_source": "umbilical_cord", "cell_type": "msc", "cells_total": 1_000_000_000, "state": "released",
        "released_on": date(2031, 1, 1), "expires_on": date(2032, 1, 1), "viability_percent": Decimal(90),
    } | columns  # fmt: skip
    return Lot.objects.create(code=code, **given)


def order(patient: Patient, lot: Lot, by: User, **changes: Any) -> InfusionOrder:
    given = {
        "planned_on": TODAY, "route": "iv_peripheral", "weight_kg": Decimal(80), "cells_ordered": 80_000_000,
        "form_token": "a" * 32,
    } | changes  # fmt: skip
    return actions.order_infusion(patient=patient, lot=lot, by=by, now=NOW, **given)


def record(
    patient: Patient, *lots: Lot, cells: int = 100_000_000, by: User | None = None, **changes: Any
) -> Infusion:
    given = {
        "doses": [DoseGiven(lot, cells, Decimal(92)) for lot in lots], "infused_on": TODAY,
        "route": "iv_peripheral", "weight_kg": Decimal(80),
    } | changes  # fmt: skip
    return actions.record_infusion(patient=patient, by=by, now=NOW, **given)


def asked() -> set[str]:
    return set(Query.objects.exclude(status="closed").values_list("rule", flat=True))


# Ordering ----------------------------------------------------------------------------------------------------


def test_an_investigator_orders_and_the_same_form_twice_is_one_order(
    rosa: Patient, lot: Lot, ines: User
) -> None:
    assert order(rosa, lot, ines) == order(rosa, lot, ines)
    assert InfusionOrder.objects.get().ordered_by == ines


def test_an_order_is_refused_with_every_reason_at_once(riverside: Site, ines: User) -> None:
    stranger = Patient.objects.create(patient_id="RIV-0002-X", site=riverside, created_at=NOW)
    bad = a_lot(
        "OLD", state="quarantine", released_on=None, expires_on=date(2031, 1, 1), cells_total=1_000_000
    )
    actions.open_hold(patient=stranger, source="neoplasm:1", reason="Work-up open", now=NOW)
    with pytest.raises(actions.CannotOrder) as refused:
        order(stranger, bad, ines, cells_ordered=5_000_000_000)
    assert {one.code for one in refused.value.refusals} == {
        "consent_unknown", "open_hold", "dose_over_hard_limit", "lot_not_released", "lot_expired", "lot_used_up",
    }  # fmt: skip
    assert not InfusionOrder.objects.exists()


def test_an_autologous_lot_is_only_for_its_own_donor(rosa: Patient, riverside: Site, ines: User) -> None:
    other = enrolled("RIV-0002-X", riverside)
    own = a_lot(
        "AUTO", donor_relation="autologous", donor=Donor.objects.create(code="RIV-0001-X", patient=rosa)
    )
    with pytest.raises(actions.CannotOrder, match="belongs to another patient"):
        order(other, own, ines)
    assert order(rosa, own, ines).lot == own


def test_a_nurse_orders_nothing(rosa: Patient, lot: Lot, nora: User) -> None:
    with pytest.raises(PermissionDenied):
        order(rosa, lot, nora)


def test_an_order_is_cancelled_once_and_not_after_the_infusion(rosa: Patient, lot: Lot, ines: User) -> None:
    first = order(rosa, lot, ines)
    actions.cancel_order(order=first, reason="Fever", by=ines, now=NOW)
    with pytest.raises(actions.CannotCancel):
        actions.cancel_order(order=first, reason="Fever", by=ines, now=NOW)
    second = order(rosa, lot, ines, form_token="b" * 32)
    record(rosa, lot, order=second)
    with pytest.raises(actions.CannotCancel):
        actions.cancel_order(order=second, reason="Too late", by=ines, now=NOW)


def test_a_hold_ends_when_it_is_released(rosa: Patient, lot: Lot, ines: User) -> None:
    first = actions.open_hold(patient=rosa, source="neoplasm:1", reason="Work-up open", now=NOW)
    assert actions.open_hold(patient=rosa, source="neoplasm:1", reason="Work-up open", now=NOW) == first
    with pytest.raises(actions.CannotOrder, match="Work-up open"):
        order(rosa, lot, ines)
    assert actions.release_hold(patient=rosa, source="neoplasm:1", reason="Benign", by=ines, now=NOW) == 1
    assert order(rosa, lot, ines).pk


# Recording ---------------------------------------------------------------------------------------------------


def test_the_server_computes_the_dose_and_follow_up_starts(rosa: Patient, lot: Lot, nora: User) -> None:
    told: list[Any] = []

    def listen(**news: Any) -> None:
        told.append(news["patients"])

    infusions_recorded.connect(listen)
    try:
        infusion = record(rosa, lot, by=nora)
    finally:
        infusions_recorded.disconnect(listen)
    dose = infusion.doses.get()
    assert (dose.viable_cells, dose.viable_cells_per_kg) == (92_000_000, Decimal("1150000.00"))
    assert dose.formula_version == "dose-1"
    assert (dose.tissue_source, dose.cell_type) == ("umbilical_cord", "msc")
    rosa.refresh_from_db()
    assert rosa.status == Status.IN_FOLLOW_UP
    assert StatusEvent.objects.get(patient=rosa).on_date == "2031-03-14"
    assert told == [[rosa.pk]]
    assert asked() == set()


def test_nothing_that_happened_is_refused(riverside: Site) -> None:
    stranger = Patient.objects.create(
        patient_id="RIV-0002-X", site=riverside, created_at=NOW, birth_year=1973
    )
    bad = a_lot(
        "OLD", state="quarantine", released_on=None, expires_on=date(2031, 1, 1), cells_total=50_000_000
    )
    infusion = record(stranger, bad, cells=5_000_000_000)
    assert infusion.pk
    assert asked() == {
        "not_enrolled", "consent_unknown", "dose_over_hard_limit", "lot_not_released", "lot_expired", "lot_used_up",
    }  # fmt: skip
    assert {one.record for one in Query.objects.all()} == {f"infusions.infusion:{infusion.pk}"}
    assert {one.site for one in Query.objects.all()} == {riverside}


def test_cells_after_a_withdrawal_are_a_deviation_and_bring_nobody_back(rosa: Patient, lot: Lot) -> None:
    StatusEvent.objects.create(
        patient=rosa, status="withdrawn", on_date="2031-02-01", scope="no_cells", recorded_at=NOW
    )
    Patient.objects.filter(pk=rosa.pk).update(status="withdrawn")
    record(rosa, lot)
    assert asked() == {"consent_withdrawn"}
    rosa.refresh_from_db()
    assert rosa.status == Status.WITHDRAWN


def test_a_dose_off_its_order_is_asked_about(rosa: Patient, lot: Lot, ines: User) -> None:
    record(rosa, lot, order=order(rosa, lot, ines), cells=110_000_000)
    assert asked() == {"dose_differs_from_prescription"}


def test_an_unknown_product_is_recorded_without_a_dose(rosa: Patient) -> None:
    infusion = record(rosa, origin="product_unknown")
    assert not infusion.doses.exists()
    assert asked() == {"lot_unknown"}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"infused_on": TODAY + timedelta(days=1)}, "infused_on"),
        ({"infused_at": NOW + timedelta(hours=1)}, "infused_at"),
        ({"infused_on": date(1972, 5, 1)}, "infused_on"),
        ({"weight_kg": Decimal("7.5")}, "weight_kg"),
        ({"weight_kg": Decimal(750)}, "weight_kg"),
        ({"cells": 75}, "cells_total"),
        ({"cells": 10**13}, "cells_total"),
    ],
)
def test_slips_of_the_hand_are_asked_again(
    rosa: Patient, lot: Lot, changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(actions.NotPlausible) as error:
        record(rosa, lot, **changes)
    assert error.value.errors[0][0] == field
    assert not Infusion.objects.exists()


def test_the_same_form_twice_is_one_infusion_and_the_same_moment_is_said(rosa: Patient, lot: Lot) -> None:
    first = record(rosa, lot, form_token="t" * 32)
    assert record(rosa, lot, form_token="t" * 32) == first
    with pytest.raises(actions.AlreadyRecorded) as repeat:
        record(rosa, lot, form_token="u" * 32)
    assert repeat.value.infusion == first


def test_a_stranger_records_nothing(rosa: Patient, lot: Lot, hana: User) -> None:
    with pytest.raises(PermissionDenied):
        record(rosa, lot, by=hana)


# Correcting --------------------------------------------------------------------------------------------------


def correct(infusion: Infusion, *doses: DoseGiven, **changes: Any) -> Infusion:
    given = {"version": infusion.version, "reason": "Typed wrong"} | changes
    return actions.correct_infusion(infusion=infusion, doses=doses, by=None, now=NOW, **given)


def test_a_correction_recomputes_the_dose_and_settles_its_deviations(rosa: Patient, lot: Lot) -> None:
    infusion = record(rosa, lot, cells=1_000_000_000, weight_kg=Decimal(25))
    assert asked() == {"dose_over_hard_limit"}
    row = infusion.doses.get()
    correct(infusion, DoseGiven(lot, 100_000_000, Decimal(92)), weight_kg=Decimal(80))
    row.refresh_from_db()
    assert row.viable_cells_per_kg == Decimal("1150000.00")
    assert asked() == set()


def test_a_wrong_lot_is_corrected_in_its_own_row(rosa: Patient, lot: Lot) -> None:
    infusion, other = record(rosa, lot), a_lot("UC-2")
    row = infusion.doses.get()
    correct(infusion, DoseGiven(other, 100_000_000, Decimal(92)))
    row.refresh_from_db()
    assert row.lot == other


def test_a_correction_needs_a_reason_and_the_newest_version(rosa: Patient, lot: Lot) -> None:
    infusion, dose = record(rosa, lot), DoseGiven(lot, 90_000_000, Decimal(92))
    with pytest.raises(ReasonNeeded):
        correct(infusion, dose, reason=" ")
    correct(infusion, dose)
    with pytest.raises(ChangedMeanwhile), transaction.atomic():
        correct(Infusion.objects.get(), dose, version=1, weight_kg=Decimal(70))
    assert Infusion.objects.get().weight_kg == Decimal(80)


# Constraints -------------------------------------------------------------------------------------------------

Make = Callable[[Patient, Lot, Infusion, User], Any]


def a_row(patient: Patient, **changes: Any) -> Infusion:
    columns = {"infused_on": date(2031, 2, 1), "route": "other", "weight_kg": 70} | changes
    return Infusion.objects.create(patient=patient, site=patient.site, **columns)


def a_dose(infusion: Infusion, lot: Lot, **changes: Any) -> InfusionDose:
    columns = {
        "tissue_source": "other", "donor_relation": "autologous", "cell_type": "msc", "cells_total": 1,
        "viability_percent": 90, "viable_cells": 1, "viable_cells_per_kg": 1, "formula_version": "dose-1",
    } | changes  # fmt: skip
    return InfusionDose.objects.create(infusion=infusion, lot=lot, **columns)


def an_order(patient: Patient, lot: Lot, by: User, **changes: Any) -> InfusionOrder:
    columns = {
        "planned_on": TODAY, "route": "other", "weight_kg": 70, "cells_ordered": 1, "ordered_by": by,
        "ordered_at": NOW, "form_token": "x",
    } | changes  # fmt: skip
    return InfusionOrder.objects.create(patient=patient, site=patient.site, lot=lot, **columns)


def twice(make: Callable[[], Any]) -> None:
    make()
    make()


CONSTRAINTS: dict[str, tuple[Make, str]] = {
    "infusion_moment_once_per_patient": (
        lambda p, lot, i, u: [a_row(p, infused_at=datetime(2031, 2, 1, tzinfo=UTC), infused_on=d)
                              for d in (date(2031, 2, 1), date(2031, 2, 2))],
        "infusions_infusion.patient_id, infusions_infusion.infused_at",
    ),
    "infusion_day_once_per_patient": (
        lambda p, lot, i, u: twice(lambda: a_row(p)), "infusions_infusion.patient_id, infusions_infusion.infused_on",
    ),
    "one_infusion_per_form": (
        lambda p, lot, i, u: [a_row(p, form_token="f", infused_on=d) for d in (date(2031, 1, 1), date(2031, 1, 2))],
        "infusions_infusion.form_token",
    ),
    "infusion_weight_is_positive": (lambda p, lot, i, u: a_row(p, weight_kg=0), ""),
    "lot_once_per_infusion": (
        lambda p, lot, i, u: a_dose(i, lot), "infusions_infusiondose.infusion_id, infusions_infusiondose.lot_id",
    ),
    "dose_holds_cells": (lambda p, lot, i, u: a_dose(i, a_lot("UC-2"), cells_total=0), ""),
    "viability_is_a_percentage": (lambda p, lot, i, u: a_dose(i, a_lot("UC-2"), viability_percent=101), ""),
    "one_order_per_form": (
        lambda p, lot, i, u: twice(lambda: an_order(p, lot, u)), "infusions_infusionorder.form_token",
    ),
    "order_asks_for_cells": (lambda p, lot, i, u: an_order(p, lot, u, cells_ordered=0), ""),
    "one_open_hold_per_source": (
        lambda p, lot, i, u: twice(
            lambda: InfusionHold.objects.create(patient=p, source="s", reason="r", opened_at=NOW)
        ),
        "infusions_infusionhold.patient_id, infusions_infusionhold.source",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CONSTRAINTS)
def test_the_database_keeps_the_rule(name: str, rosa: Patient, lot: Lot, ines: User) -> None:
    """SQLite names the columns of a unique rule, PostgreSQL the rule."""
    make, columns = CONSTRAINTS[name]
    infusion = record(rosa, lot)
    with pytest.raises(IntegrityError) as error, transaction.atomic():
        make(rosa, lot, infusion, ines)
    assert name in str(error.value) or (columns and columns in str(error.value))
