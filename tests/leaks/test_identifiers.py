"""A person with unmistakable names goes through the whole product; the names then stand in no log, task, mail, file name,
address or document property.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pypdf
import pytest

from tests.leaks.served import ROOT, Browser, Served, wait_until
from tests.places import lay_out

CANARIES = ("Quibbleworth", "Zebulon", "HN-0101-Q", "1960-05-17", "01632960123", "zq@example.net")
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
REDIS_DATABASE = 13
PERSON = {
    "given_name": "Zebulon", "family_name": "Quibbleworth", "birth_date": "1960-05-17", "local_id": "HN-0101-Q",
    "phone": "01632960123", "email": "zq@example.net", "sex_at_birth": "male", "enrolled_on": "2025-02-03",
    "consent-signed_on": "2025-02-03", "consent-version": "1.0", "consent-language": "English",
}  # fmt: skip
HEADINGS = "site,local_id,given_name,family_name,birth_date,sex,phone,email,enrolment_date,consent_version,consent_date"
ROW = "RIV,HN-0101-Q,Zebulon,Quibbleworth,1960-05-17,male,01632960123,zq@example.net,{day},1.0,2025-02-03"


@pytest.fixture(
    params=[
        pytest.param("embedded", marks=pytest.mark.embedded),
        pytest.param("redis", marks=pytest.mark.services),
    ]
)
def served(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Served]:
    extra = {"REDIS_URL": f"redis://127.0.0.1:6379/{REDIS_DATABASE}"} if request.param == "redis" else {}
    if extra:
        _redis().flushdb()
    place = Served(tmp_path / "data", **extra)
    lay_out(place.folder)
    place.manage("shell", "-v", "0", "-c", STAFF)
    place.start()
    yield place
    place.stop()


def _redis():
    import redis

    return redis.Redis.from_url(f"redis://127.0.0.1:6379/{REDIS_DATABASE}")


def go_through_everything(served: Served, folder: Path) -> list[str]:
    """The addresses of the pages a person would see on the way."""
    nora, seen = Browser(served), []
    nora.sign_in("nora")
    site = re.search(r'<option value="(\d+)"[^>]*>Riverside', nora.get("/patients/enrol/"))
    page = nora.post("/patients/enrol/", {**PERSON, "site": site[1] if site else "1"})
    assert "/patients/RIV-" in nora.address, re.findall(r"error[^<]*<[^>]*>[^<]*", page)
    patient_id = nora.address.split("/patients/")[1].strip("/")
    seen.append(nora.address)
    for path in ("", "visits/", "laboratory/", "consent/", "contacts/", "identity/edit/"):
        nora.get(f"/patients/{patient_id}/{path}")
    for words in ("Quibbleworth", "HN-0101-Q", "01632960123"):
        assert patient_id in nora.post("/patients/search/", {"q": words}, form_at="/patients/")
        seen.append(nora.address)
    nora.get(
        f"/patients/{quote('Quibbleworth')}/x/y"
    )  # a page that is not there; typed by hand, so only ours counts
    bad = f"{HEADINGS}\n{ROW.format(day='2025-02-30')}\n".encode()
    nora.upload("/data/imports/new/", {"kind": "patients"}, "Quibbleworth Zebulon.csv", bad)
    seen.append(nora.address)
    file = folder / "file.csv"
    file.write_bytes(bad)
    served.manage("import_patients", str(file), code=1)
    served.manage("export", str(folder / "export"))
    served.manage("sweep")
    served.manage("patient_report", patient_id, "--out", str(folder / "named.pdf"), "--by", "ines")
    nora.post(f"/reports/patients/{patient_id}/", {})
    seen.append(nora.address)
    nora.get("/reports/")
    return seen


@pytest.mark.slow
def test_no_name_stands_where_it_does_not_belong(served: Served, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    seen = go_through_everything(served, folder)
    wait_until(lambda: any((served.folder).rglob("*.pdf")) or served.process is None, 90)
    served.stop()
    hits = [
        f"log: {line}"
        for line in served.log.read_text(errors="replace").splitlines()
        if _names_somebody(line)
    ]
    hits = [
        line for line in hits if "/patients/Quibbleworth/x/y" not in line
    ]  # what a person typed as an address
    hits += [f"address: {address}" for address in seen if _names_somebody(address)]
    hits += [f"file name: {path}" for path in served.folder.rglob("*") if _names_somebody(path.name)]
    hits += list(_contents(served.folder))
    hits += list(_contents(folder / "export"))
    hits += [f"property: {value}" for pdf in (*served.folder.rglob("*.pdf"), folder / "named.pdf")
             for value in (pypdf.PdfReader(pdf).metadata or {}).values() if _names_somebody(str(value))]  # fmt: skip
    if "REDIS_URL" in served.environment:
        hits += [f"redis: {key!r}" for key in _redis().scan_iter() if _names_somebody(_stored_in_redis(key))]
    assert hits == []
    assert "Quibbleworth" in "".join(
        page.extract_text() for page in pypdf.PdfReader(folder / "named.pdf").pages
    )


def _names_somebody(text: str) -> bool:
    return any(canary.casefold() in text.casefold() for canary in CANARIES)


def _contents(folder: Path) -> Iterator[str]:
    """Every file but the database, documents asked for with names, and a refused upload that waits for its sender."""
    for path in folder.rglob("*"):
        is_kept_for_somebody = path.suffix == ".pdf" or path.parent.name == "imports"
        if not path.is_file() or is_kept_for_somebody or path.name.startswith("registry.sqlite3"):
            continue
        if _names_somebody(path.read_bytes().decode("latin-1")):
            yield f"content: {path.relative_to(folder)}"


def _stored_in_redis(key: bytes) -> str:
    return repr(_redis().dump(key)) + repr(key)


def test_the_checkout_is_not_written_to() -> None:
    """Everything the product keeps stays in DATA_DIR; a test that ran it must not find its own traces here."""
    assert not [path for path in (ROOT / "var", ROOT / "mail") if path.exists() and os.environ.get("CI")]
