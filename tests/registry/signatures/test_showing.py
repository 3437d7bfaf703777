"""Where signatures are shown: the export, Today and the list of reports, and not to those who may not read the content."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from followup.neoplasia.models import NeoplasiaCheck
from followup.safety.models import AdverseEvent
from registry.access.models import SiteScope, User
from registry.exchange.exporting import Scope, export_to
from tests.cast import NOW, person
from tests.registry.signatures.records import MAKERS, an_event, signed


@pytest.fixture
def event(riverside: Any, ines: User) -> AdverseEvent:
    return an_event(riverside, ines)


def test_the_export_holds_each_signature_of_the_sites_in_reach(
    event: AdverseEvent, riverside: Any, harbour: Any, ines: User, sami: User, tmp_path: Path
) -> None:
    run = MAKERS["reports.reportrun"](riverside, sami)
    signed(event, ines)
    signed(run, sami, form="report")
    AdverseEvent.objects.filter(pk=event.pk).update(term="Chills")
    here, elsewhere, everywhere = (
        _exported(tmp_path / name, scope)
        for name, scope in (
            ("here", SiteScope(site_ids=frozenset({riverside.pk}))),
            ("elsewhere", SiteScope(site_ids=frozenset({harbour.pk}))),
            ("everywhere", SiteScope(everywhere=True)),
        )
    )
    assert elsewhere == []
    assert [(row["record"], row["signer"], row["role"], row["state"]) for row in here] == [
        ("safety.adverseevent", "ines", "Investigator", "void")
    ]
    assert here[0]["signed_at"].endswith("+00:00")
    assert {row["record"] for row in everywhere} == {"safety.adverseevent", "reports.reportrun"}


def _exported(folder: Path, sites: SiteScope) -> list[dict[str, str]]:
    export_to(folder, scope=Scope(sites, NOW))
    with (folder / "signatures.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_report_waits_on_today_until_it_is_signed(
    riverside: Any, sami: User, cora: User, signed_in: Any
) -> None:
    run = MAKERS["reports.reportrun"](riverside, sami)
    assert "Reports to sign" in signed_in(sami).get("/today/").content.decode()
    assert "Reports to sign" not in signed_in(cora).get("/today/").content.decode()
    assert "Not signed" in signed_in(cora).get("/reports/").content.decode()
    signed(run, sami)
    assert "Reports to sign" not in signed_in(sami).get("/today/").content.decode()
    type(run).objects.filter(pk=run.pk).update(pages=4)
    assert "To sign again" in signed_in(cora).get("/reports/").content.decode()
    assert "Reports to sign" in signed_in(sami).get("/today/").content.decode()


def test_the_laboratory_sees_that_a_visit_is_signed_but_not_what_it_may_not_read(
    riverside: Any, ines: User, signed_in: Any
) -> None:
    visit = MAKERS["schedule.visit"](riverside, ines)
    made = signed(visit, ines)
    NeoplasiaCheck.objects.filter(visit=visit).update(note="Lump in the neck")
    browser = signed_in(person("lars", "laboratory", riverside))
    page = browser.get(f"/visits/{visit.pk}/").content.decode()
    assert "Signature no longer valid" in page
    assert "Lump" not in page
    assert browser.get(f"/signatures/{made.pk}/").status_code == 403
