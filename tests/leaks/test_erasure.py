"""Two people, one enrolled by hand and one brought in by file, go through the whole product and are erased. Afterwards
no name of theirs, and no key that could open one, stands anywhere: database, log of the database, files, mails, logs, Redis.
"""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pypdf
import pytest

from tests.leaks.served import Browser, Served, wait_until

BY_FORM = {
    "given_name": "Zebulonius", "family_name": "Quibbleworthy", "previous_names": "Ombersleigh",
    "birth_date": "1951-07-29", "local_id": "HN-7731-QX", "phone": "01632960777", "email": "zq@canary.example",
}  # fmt: skip
CONTACTS = {"address": "Wimblecote Terrace 9", "phone": "01632960888", "email": "sister@canary.example"}
BY_FILE = {
    "given_name": "Philomenica", "family_name": "Trundlethwaite", "birth_date": "1949-11-03",
    "local_id": "HN-8842-TW", "phone": "01632960999", "email": "pt@canary.example",
}  # fmt: skip
LATER = "Fotheringill"  # the name of the first after a correction
CANARIES = (*BY_FORM.values(), *CONTACTS.values(), *BY_FILE.values(), LATER)
STAFF = """
from datetime import timedelta
from registry import clock
from registry.access.models import RoleGrant, Site, User
from registry.audit.acting import acting_as
now = clock.now()
with acting_as("system:command"):
    site = Site.objects.create(code="RIV", name="Riverside", country="GB", time_zone="Europe/London")
    for name, role, place in (("nora", "nurse", site), ("ines", "investigator", site), ("cora", "coordinator", None)):
        user = User.objects.create(username=name, full_name=name, email=f"{name}@example.org", date_joined=now)
        user.set_password("correct-horse-battery")
        user.save()
        RoleGrant.objects.create(user=user, role=role, site=place, starts_on=now.date() - timedelta(days=1))
"""
KEYS = """
from registry.patients.models import PatientKey
print("KEYS", *PatientKey.objects.order_by("pk").values_list("wrapped", flat=True))
"""
HEADINGS = "site,local_id,given_name,family_name,birth_date,sex,phone,email,enrolment_date,consent_version,consent_date"
REDIS_DATABASE = 12
IDS = re.compile(r"RIV-\d{4}-\w")


def _postgresql() -> str:
    """A database of this test's own, beside that of the other tests."""
    parts = urlsplit(os.environ.get("TEST_DATABASE_URL", ""))
    return urlunsplit(parts._replace(path=f"{parts.path}_erasure"))


@pytest.fixture(
    params=[
        pytest.param("embedded", marks=pytest.mark.embedded),
        pytest.param("services", marks=pytest.mark.services),
    ]
)
def served(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Served]:
    extra = {}
    if request.param == "services":
        extra = {"REDIS_URL": f"redis://127.0.0.1:6379/{REDIS_DATABASE}", "DATABASE_URL": _postgresql()}
        _again(extra["DATABASE_URL"])
        _redis().flushdb()
    place = Served(tmp_path / "data", **extra)
    place.manage("migrate", "-v", "0")
    place.manage("shell", "-v", "0", "-c", STAFF)
    place.start()
    yield place
    place.stop()


def _again(url: str) -> None:
    import psycopg

    parts = urlsplit(url)
    name = parts.path.strip("/")
    with psycopg.connect(urlunsplit(parts._replace(path="/postgres")), autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        connection.execute(f'CREATE DATABASE "{name}"')


def _redis():
    import redis

    return redis.Redis.from_url(f"redis://127.0.0.1:6379/{REDIS_DATABASE}")


def signed_in(served: Served, name: str) -> Browser:
    browser = Browser(served)
    browser.sign_in(name)
    return browser


# Both go through everything ----------------------------------------------------------------------------------


def enrol_by_form(nora: Browser) -> str:
    site = re.search(r'<option value="(\d+)"[^>]*>Riverside', nora.get("/patients/enrol/"))
    facts = {
        **BY_FORM, "sex_at_birth": "male", "enrolled_on": "2025-02-03", "consent-signed_on": "2025-02-03",
        "consent-version": "1.0", "consent-language": "English", "site": site[1] if site else "1",
    }  # fmt: skip
    page = nora.post("/patients/enrol/", facts)
    assert "/patients/RIV-" in nora.address, re.findall(r"error[^<]*<[^>]*>[^<]*", page)
    patient_id = nora.address.split("/patients/")[1].strip("/")
    for kind, value in CONTACTS.items():
        contact = {
            "person": "relative",
            "kind": kind,
            "value": value,
            "valid_from": "2025-02-03",
            "may_use": "on",
        }
        assert value in nora.post(f"/patients/{patient_id}/contacts/", contact)
    return patient_id


def bring_in_by_file(served: Served, nora: Browser) -> str:
    row = "RIV,{local_id},{given_name},{family_name},{birth_date},female,{phone},{email},{day},1.0,2025-02-03"
    bad = f"{HEADINGS}\n{row.format(day='2025-02-30', **BY_FILE)}\n".encode()
    nora.upload("/data/imports/new/", {"kind": "patients"}, f"{BY_FILE['family_name']}.csv", bad)
    refused = urlsplit(nora.address).path
    wait_until(lambda: "Refused" in nora.get(refused))
    good = f"{HEADINGS}\n{row.format(day='2025-02-03', **BY_FILE)}\n".encode()
    nora.upload("/data/imports/new/", {"kind": "patients"}, "file.csv", good)
    waiting = urlsplit(nora.address).path
    wait_until(lambda: "confirm" in nora.get(waiting) and "Being checked" not in nora.get(waiting))
    nora.post(f"{waiting}confirm/", {}, form_at=waiting)
    wait_until(lambda: "Stored" in nora.get(waiting))
    found = IDS.findall(nora.post("/patients/search/", {"q": BY_FILE["family_name"]}, form_at="/patients/"))
    assert found
    # One more lies about, checked and not confirmed.
    nora.upload("/data/imports/new/", {"kind": "patients"}, "again.csv", good)
    again = urlsplit(nora.address).path
    wait_until(lambda: "waiting for your confirmation" in nora.get(again))
    return found[0]


def use_the_product(served: Served, nora: Browser, ines: Browser, patient_id: str) -> None:
    for tab in ("", "visits/", "laboratory/", "consent/", "contacts/", "identity/edit/"):
        nora.get(f"/patients/{patient_id}/{tab}")
    nora.post("/patients/search/", {"q": "01632960777"}, form_at="/patients/")
    report = {"with_identifiers": "on", "reason": "The person asked"}
    wait_for(ines, ines_asks(ines, f"/reports/patients/{patient_id}/", report), "Download the PDF")
    copy = ines_asks(ines, f"/copies/patients/{patient_id}/", {"reason": "The person asked"})
    wait_for(ines, copy, "Download the ZIP")
    assert ines.get(f"{copy}download/")


def ines_asks(ines: Browser, path: str, answers: dict[str, str]) -> str:
    ines.post(path, answers)
    return urlsplit(ines.address).path


def wait_for(browser: Browser, path: str, words: str) -> None:
    wait_until(lambda: words in browser.get(path), 120)


def export_names(ines: Browser) -> None:
    site = re.search(r'<option value="(\d+)"[^>]*>Riverside', ines.get("/data/exports/names/"))
    answers = {"site": site[1] if site else "1", "reason": "Letters", "with_birth_dates": "on"}
    wait_for(ines, ines_asks(ines, "/data/exports/names/", answers), "Download")


def correct_the_name(nora: Browser, patient_id: str) -> None:
    path = f"/patients/{patient_id}/identity/edit/"
    version = re.search(r'name="version" value="(\d+)"', nora.get(path))
    facts = BY_FORM | {"family_name": LATER, "reason": "Married", "version": version[1] if version else "1"}
    nora.post(path, facts)
    assert LATER in nora.get(f"/patients/{patient_id}/")


def withdraw(ines: Browser, patient_id: str) -> None:
    step = {"status": "withdrawn", "on_date": "2026-01-05", "scope": "erase", "reason": "Letter"}
    assert "Erase identifiers" in ines.post(f"/patients/{patient_id}/status/new/", step)


def erase(ines: Browser, cora: Browser, patient_id: str) -> None:
    path = f"/patients/{patient_id}/erase/"
    assert "asked for this erasure" in ines.post(
        path, {"legal_basis": "consent", "reason": "Letter", "texts_read": "on"}
    )
    listed = cora.get("/patients/erasures/")
    request = re.search(rf'href="(/patients/erasures/\d+/)">{patient_id}', listed)
    assert request
    done = cora.post(f"{request[1]}carry-out/", {"typed_id": patient_id}, form_at=request[1])
    assert "Identifiers erased" in done
    assert "Identifiers erased" in ines.get(path)


# Afterwards --------------------------------------------------------------------------------------------------


def counts_of(served: Served, folder: Path) -> object:
    numbers = folder / "numbers.json"
    served.manage(
        "safety_report", "--from", "2025-01-01", "--to", "2025-12-31", "--out", str(folder / "safety.pdf"),
        "--numbers", str(numbers),
    )  # fmt: skip
    content = json.loads(numbers.read_text())
    # The query that the erasure waits closes with it, and the cover names the newest seal.
    return {name: part for name, part in content.items() if name not in ("cover", "queries")}


def traces(served: Served, wanted: tuple[str, ...]) -> list[str]:
    found = []
    for name, content in _everything(served):
        found += [f"{name}: {one}" for one in wanted if one.encode().lower() in content.lower()]
    return found


def _everything(served: Served) -> Iterator[tuple[str, bytes]]:
    for path in [served.log, *served.folder.rglob("*")]:
        if not path.is_file() or path.name in ("secret_key", "field_keys", "audit_key"):
            continue
        yield f"name of {path.name}", path.name.encode()
        content = path.read_bytes()
        yield path.name, content
        if path.suffix == ".pdf":
            pages = pypdf.PdfReader(io.BytesIO(content)).pages
            yield f"text of {path.name}", "".join(page.extract_text() for page in pages).encode()
        if path.suffix == ".zip":
            with zipfile.ZipFile(io.BytesIO(content)) as packed:
                yield from ((f"{path.name}/{name}", packed.read(name)) for name in packed.namelist())
    if "DATABASE_URL" in served.environment:
        dump = subprocess.run(
            ["pg_dump", served.environment["DATABASE_URL"]], capture_output=True, check=True
        )
        yield "dump of the database", dump.stdout
        for key in _redis().scan_iter():
            yield f"redis {key!r}", key + (_redis().dump(key) or b"")


@pytest.mark.slow
def test_erased_people_leave_no_name_and_no_key(served: Served, tmp_path: Path) -> None:
    nora, ines, cora = (signed_in(served, name) for name in ("nora", "ines", "cora"))
    people = [enrol_by_form(nora), bring_in_by_file(served, nora)]
    correct_the_name(nora, people[0])
    for patient_id in people:
        use_the_product(served, nora, ines, patient_id)
    export_names(ines)
    for patient_id in people:
        withdraw(ines, patient_id)
    served.manage("sweep")
    served.manage("seal")
    before = counts_of(served, tmp_path)
    keys = tuple(served.manage("shell", "-v", "0", "-c", KEYS).split("KEYS")[1].split())
    assert len(keys) == 2
    assert traces(served, CANARIES), "names must stand somewhere before, or the search finds nothing"
    for patient_id in people:
        erase(ines, cora, patient_id)
    served.manage("sweep")
    for words in CANARIES:
        assert not IDS.findall(nora.post("/patients/search/", {"q": words}, form_at="/patients/"))
    assert counts_of(served, tmp_path) == before
    served.manage("audit_verify")
    assert traces(served, (*CANARIES, *keys)) == []
    served.stop()
    assert traces(served, (*CANARIES, *keys)) == []
