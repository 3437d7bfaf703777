"""What leaves is pseudonymised and limited to the sites asked for."""

import csv
from datetime import date
from pathlib import Path

import pytest

from registry.access.models import Site, SiteScope
from registry.exchange.exporting import Scope, export_to
from registry.patients.actions import ConsentFacts, EnrolmentFacts, NewPatient, enrol_patients
from registry.patients.identity import IdentityFacts
from tests.cast import NOW


@pytest.fixture
def out(tmp_path: Path, riverside: Site, harbour: Site):
    people = [
        NewPatient(
            site=site, enrolment=EnrolmentFacts(date(2031, 3, 1)), eligibility={"hiv": True},
            identity=IdentityFacts("Anna", "Berg", birth_date="1970-05-06", local_id="X4711", phone="0301234567"),
            consent=ConsentFacts(date(2031, 2, 27), "2.0"),
        )
        for site in (riverside, harbour)
    ]  # fmt: skip
    enrol_patients(entries=people, now=NOW)

    def export(scope: SiteScope) -> Path:
        export_to(tmp_path / "out", scope=Scope(sites=scope, now=NOW))
        return tmp_path / "out"

    return export


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_no_identifier_leaves(out) -> None:
    folder = out(SiteScope(everywhere=True))
    for path in folder.glob("*.csv"):
        written = path.read_text(encoding="utf-8")
        assert not any(secret in written for secret in ("Anna", "Berg", "05-06", "X4711", "0301234567"))
    first = rows(folder / "patients.csv")[0]
    assert (first["birth_date"], first["consent_version"], first["enrolment_date"]) == (
        "1970",
        "2.0",
        "2031-03-01",
    )


def test_only_the_sites_in_scope_leave(out, riverside: Site) -> None:
    folder = out(SiteScope(site_ids=frozenset([riverside.pk])))
    assert [row["code"] for row in rows(folder / "sites.csv")] == ["RIV"]
    assert [row["site"] for row in rows(folder / "patients.csv")] == ["RIV"]
    for name in ("status", "consents", "eligibility", "queries"):
        assert all(row["patient_id"][:3] in ("RIV", "") for row in rows(folder / f"{name}.csv"))


def test_nowhere_means_nothing(out) -> None:
    folder = out(SiteScope())
    assert all(not rows(path) for path in folder.glob("*.csv"))
