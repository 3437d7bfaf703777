"""Where the protocol masks results, their values change nothing that anybody but the laboratory can get.

The same patient is shown twice: with one HbA1c and fasting glucose, and with others so high that a query asks for them and
every index follows. The laboratory sees the difference, and the safety officer in the closed report.
"""

from __future__ import annotations

import json
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from django.urls import reverse

from followup.copies.clear import Opener
from followup.copies.collect import collect_person, row_keys
from followup.copies.trail import collect_trail
from followup.labs.actions import Collection, Entry, correct_result, doubts_about, record_results
from followup.labs.models import DerivedValue, LabResult
from followup.labs.recomputing import recompute
from followup.labs.resources import LabResource
from followup.labs.units import UnitError
from followup.reports.collect_patient import collect_patient
from followup.reports.collect_safety import collect_safety
from followup.schedule.models import Visit
from registry import clock
from registry.access.models import Registry, User
from registry.audit.models import AuditEntry
from registry.exchange.models import ImportRun
from registry.exchange.reading import TableFile
from registry.exchange.resources import Context
from registry.infusions.models import Infusion
from registry.patients.models import Query
from registry.patients.queries import close_queries, open_queries
from registry.signatures.signable import content_of
from registry.trail.reach import visible_entries
from tests.cast import NOW, TODAY
from tests.journeys.test_blinding import (
    BLINDED,
    OWN_DOINGS,
    all_urls,
    exported,
    page,
    seen,
    without_trail,
)
from tests.journeys.test_site_separation import Place, fill, place_of
from tests.rights_world import make_world
from tests.sizes import size

READ_BY_NOBODY = [role for role in BLINDED if role != "laboratory"]
VALUES = {
    "first": {"hba1c": ("7.31", "%"), "fasting_glucose": ("6.17", "mmol/L")},
    "second": {"hba1c": ("17.93", "%"), "fasting_glucose": ("38.91", "mmol/L")},
}
GIVEN_AWAY = ("7.31", "17.93", "6.17", "38.91")
DAY = date(2030, 6, 1)


@pytest.fixture
def place(acting: None) -> Place:
    Registry.objects.create(blinded=True, masked_analytes="hba1c,fasting_glucose")
    world = make_world()
    made = place_of(world, world.riverside, world.patient)
    fill(made)
    LabResult.objects.filter(pk=made.kept[LabResult].pk).update(collected_on=DAY, fasting=True)
    for code, value, unit in (("fasting_glucose", "6.17", "mmol/L"), ("fasting_insulin", "9", "m[IU]/L")):
        LabResult.objects.create(
            patient=made.patient, site=made.riverside, analyte=code, value_received=value, unit_received=unit,
            value=Decimal(value), canonical_value=Decimal(value), canonical_unit=unit, collected_on=DAY, fasting=True,
            insulin_free=True, source="form",
        )  # fmt: skip
    Infusion.objects.update(infused_on=DAY - timedelta(days=40))
    return made


def tell(place: Place, which: str) -> None:
    """The masked values of one story, with every query and index that follows from them."""
    results = LabResult.objects.filter(analyte__in=VALUES[which])
    for result in results:
        value, unit = VALUES[which][result.analyte]
        result.value_received, result.unit_received = value, unit
        result.value = result.canonical_value = Decimal(value)
        result.canonical_unit = unit
        result.flag = "" if which == "first" else "critical_high"
        result.save()
    records = [f"labs.labresult:{result.pk}" for result in results]
    for rule in ("result_out_of_range", "masked_result_out_of_range"):
        close_queries(rule=rule, records=records, now=NOW, because="Another story")
    open_queries(doubts_about(list(results)), now=NOW)
    recompute([place.patient.pk], now=NOW)


@pytest.mark.figures
def test_masked_values_change_nothing_but_for_the_laboratory(place: Place) -> None:
    lists = [reverse("labs:laboratory_list"), reverse("desk:today"), reverse("patients:query_list")]
    own = [
        reverse("labs:patient_results", args=[place.patient.patient_id]),
        reverse("labs:patient_entry", args=[place.patient.patient_id]),
        reverse("desk:patient_record", args=[place.patient.patient_id]),
        *(reverse("labs:result_correct", args=[one.pk]) for one in LabResult.objects.order_by("pk")),
        *(reverse("audit:history", args=["labs.labresult", one.pk]) for one in LabResult.objects.order_by("pk")),
        *(reverse("audit:history", args=["labs.derivedvalue", one.pk]) for one in DerivedValue.objects.order_by("pk")),
        *(f"{url}?value=17.93&ordering=-canonical_value&q=17.93&flag=critical_high" for url in lists),
    ]  # fmt: skip
    tell(place, "first")
    urls = list(dict.fromkeys([*own, *all_urls(place)]))
    roles = READ_BY_NOBODY[: size(short=2, full=len(READ_BY_NOBODY))]
    before = {role: seen(place.own[role], urls) for role in roles}
    openly = seen(place.own["laboratory"], own[:1])
    tell(place, "second")
    wrong = []
    for role in roles:
        after = seen(place.own[role], urls)
        wrong += [
            f"{role} {url}"
            for url in urls
            if after[url] != before[role][url] and not url.startswith(OWN_DOINGS)
        ]
        wrong += [
            f"{role} {url} shows {value}"
            for url in urls
            for value in GIVEN_AWAY
            if value in after[url] and "?" not in url
        ]
    assert wrong == [], "\n".join(wrong)
    assert seen(place.own["laboratory"], own[:1]) != openly, "the laboratory reads what it enters"


def test_no_trail_of_the_blinded_holds_a_masked_value(place: Place) -> None:
    tell(place, "second")
    assert "17.93" in "".join(AuditEntry.objects.values_list("new", flat=True))
    for role in ("nurse", "investigator", "monitor", "safety", "coordinator", "auditor"):
        entries = visible_entries(place.own[role]).exclude(table_name="patients_query")
        told = "".join(f"{old}{new}" for old, new in entries.values_list("old", "new"))
        assert not any(value in told for value in GIVEN_AWAY), role
        assert "fasting_insulin" in told, "what is not masked stays in the trail"


@pytest.mark.parametrize("role", ["investigator", "safety", "coordinator", "server"])
def test_no_export_holds_a_masked_value(role: str, place: Place, tmp_path: Path) -> None:
    files = {}
    for which in VALUES:
        tell(place, which)
        user = place.own.get(role)
        files[which] = exported(User.objects.get(pk=user.pk) if user else None, place, tmp_path / which)
    assert files["first"] == files["second"]
    assert "fasting_insulin" in files["second"]["lab_results.csv"]
    assert "homa_ir" not in files["second"]["derived_values.csv"]


def test_no_open_report_and_no_copy_of_the_person_holds_a_masked_value(place: Place) -> None:
    def made() -> list[str]:
        opener = Opener(place.patient)
        person = collect_person(place.patient, opener)
        trail = collect_trail(place.patient, row_keys(person), opener)
        return [
            without_trail(collect_safety(site=None, period_from=date(2020, 1, 1), period_to=TODAY)),
            without_trail(collect_patient(patient=place.patient, cut_off=TODAY, with_identifiers=False)),
            json.dumps([one for one in person["tables"] if one["table"].startswith("labs_")]),
            json.dumps([one for one in trail["entries"] if one["table"].startswith("labs_labresult")]),
        ]

    with clock.set_to(NOW):
        tell(place, "first")
        first = made()
        tell(place, "second")
        assert made()[:2] == first[:2]
        told = "".join(made())
        assert not any(value in told for value in GIVEN_AWAY)
        assert "masked by the protocol" in made()[2]


def test_the_closed_report_says_what_was_given_and_measured(place: Place) -> None:
    tell(place, "second")
    LabResult.objects.filter(analyte="hba1c").update(collected_on=DAY - timedelta(days=41))
    url = reverse("infusions:unblind", args=[place.patient.patient_id])
    page(place.own["investigator"], url, reason="Anaphylaxis in intensive care", form_token="u1")
    with clock.set_to(NOW):
        closed = collect_safety(site=None, period_from=date(2020, 1, 1), period_to=TODAY, is_closed=True)
    assert closed["cover"]["report_title"] == "Closed safety report"
    part = closed["closed"]
    assert [one["persons"] for one in part["groups"]] == [1]
    assert part["products"][0]["patient_id"] == place.patient.patient_id
    assert {(one["row"]["measure"], one["row"]["mean"]) for one in part["masked"]} >= {
        ("Haemoglobin A1c", 17.93)
    }
    assert "Anaphylaxis in intensive care" in [one["reason"] for one in part["unblindings"]]


def test_only_the_laboratory_enters_and_corrects_what_is_masked(place: Place) -> None:
    result = LabResult.objects.get(pk=place.kept[LabResult].pk)
    nurse, laboratory = place.own["nurse"], place.own["laboratory"]
    entry = Entry("hba1c", "8.2", "%")
    with pytest.raises(UnitError, match="laboratory alone"):
        record_results(
            patient=place.patient,
            visit=None,
            collection=Collection(on=DAY),
            entries=[entry],
            by=nurse,
            now=NOW,
        )
    with pytest.raises(UnitError, match="laboratory alone"):
        correct_result(result=result, entry=entry, reason="typed", version=result.version, by=nurse, now=NOW)
    made = record_results(
        patient=place.patient,
        visit=None,
        collection=Collection(on=DAY),
        entries=[entry],
        by=laboratory,
        now=NOW,
    )
    assert made[0].canonical_value == Decimal("8.2")
    grid = reverse("labs:patient_entry", args=[place.patient.patient_id])
    assert "value-hba1c" not in page(nurse, grid)[1]
    assert "value-hba1c" in page(laboratory, grid)[1]
    posted = page(
        nurse, grid, **{"rows": "hba1c,fasting_insulin", "value-hba1c": "9.99", "value-fasting_insulin": "11",
        "unit-fasting_insulin": "m[IU]/L", "collected_on": f"{DAY}", "fasting": "yes", "form_token": "g1", "step": "check"},
    )[1]  # fmt: skip
    assert "HOMA" not in posted, "the check page works no index out of a stored masked glucose"


def file_of(analyte: str, value: str, place: Place) -> TableFile:
    line = {
        "patient_id": place.patient.patient_id,
        "collected_at": f"{DAY}",
        "analyte": analyte,
        "value": value,
        "unit": "%",
    }
    return TableFile("labs.csv", "", list(line), [list(line.values())])


@pytest.mark.parametrize("analyte", ["hba1c", "4548-4"])
def test_a_file_with_a_masked_result_is_refused_to_all_but_the_laboratory(analyte: str, place: Place) -> None:
    told = {}
    for value in ("7.31", "17.93"):
        [row] = LabResource(Context(now=NOW, by=place.own["data_entry"])).examine(
            file_of(analyte, value, place)
        )
        told[value] = (row.outcome, [str(one) for one in row.errors], row.flags, row.changes)
        assert row.outcome == "refused"
    assert told["7.31"] == told["17.93"], "no answer tells whether this value is stored"
    [row] = LabResource(Context(now=NOW, by=place.own["laboratory"])).examine(file_of(analyte, "8.1", place))
    assert row.outcome == "create"


def test_what_was_found_in_the_laboratory_s_file_is_not_shown_to_the_coordinator(place: Place) -> None:
    run = place.kept[ImportRun]
    ImportRun.objects.filter(pk=run.pk).update(
        requested_by=place.own["laboratory"],
        report='{"errors": [], "flags": [{"row": 2, "why": "17.93 is unusual"}]}',
    )
    url = reverse("exchange:import_run", args=[run.pk])
    assert page(place.own["coordinator"], url)[0] == 404
    assert page(place.own["laboratory"], url)[0] == 200
    Registry.objects.update(masked_analytes="")
    assert page(place.own["coordinator"], url)[0] == 200


def test_a_question_about_a_masked_result_is_the_laboratory_s(place: Place) -> None:
    tell(place, "second")
    asked = Query.objects.filter(rule="masked_result_out_of_range")
    assert asked.count() == 2
    for role in READ_BY_NOBODY:
        assert not asked.filter(pk__in=Query.objects.visible_to(place.own[role])).exists(), role
    assert Query.objects.visible_to(place.own["laboratory"]).filter(pk__in=asked).count() == 2


def test_a_signature_under_a_visit_neither_shows_nor_loses_a_masked_result(place: Place) -> None:
    visit = place.kept[Visit]
    LabResult.objects.update(visit=visit)
    before = content_of(visit)
    assert "hba1c" not in before.text
    assert "fasting_insulin" in before.text
    tell(place, "second")
    assert content_of(visit).sha256 == before.sha256


def test_open_label_masks_nothing(place: Place) -> None:
    Registry.objects.update(blinded=False, masked_analytes="")
    tell(place, "second")
    url = reverse("labs:patient_results", args=[place.patient.patient_id])
    for role in ("nurse", "investigator", "monitor", "coordinator"):
        assert "17.9" in page(place.own[role], url)[1], role
