"""The closed report of a blinded protocol: made, listed, read and signed by the safety officer alone."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from io import StringIO
from pathlib import Path
from typing import Any

import pypdf
import pytest
from django.core.exceptions import PermissionDenied
from django.core.management import CommandError, call_command
from django.urls import reverse

from followup.reports import actions
from followup.reports.making import Made
from followup.reports.models import ReportRun, SignedCopy
from followup.reports.signed_copies import make_copies, reports_to_sign
from registry.access.models import Registry, Site, User
from registry.audit.models import AuditEntry
from tests.cast import NOW, person
from tests.followup.reports import people
from tests.registry.signatures.records import signed

PERIOD = {"period_from": date(2030, 1, 1), "period_to": date(2030, 12, 31)}


@pytest.fixture
def blinded(acting: None) -> None:
    Registry.objects.create(blinded=True)


@pytest.fixture
def anna(riverside: Site) -> Any:
    who = people.patient(riverside, "RIV-0001")
    people.infusion(who, date(2029, 6, 1))
    return who


def quick(*, pdf: Path, numbers: Path, is_closed: bool = False, **_: Any) -> Made:
    """Files without drawing pages."""
    for path, text in ((pdf, "%PDF closed" if is_closed else "%PDF open"), (numbers, "{}")):
        path.write_text(text)
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (pdf, numbers)]
    return Made(*digests, 3)


@pytest.fixture
def closed(blinded: None, anna: Any, sami: User, monkeypatch: pytest.MonkeyPatch) -> ReportRun:
    monkeypatch.setattr(actions, "make_safety", quick)
    run = actions.request_safety(site=None, **PERIOD, form_token="c", by=sami, now=NOW, is_closed=True)
    actions.make_waiting(now=lambda: NOW)
    run.refresh_from_db()
    assert (run.state, run.message) == ("done", "")
    return run


def body(answer: Any) -> bytes:
    return b"".join(answer.streaming_content) if answer.streaming else answer.content


def test_the_safety_officer_alone_lists_and_downloads_it(
    closed: ReportRun, sami: User, riverside: Site, signed_in: Any
) -> None:
    names = ("report_run", "report_download", "numbers_download")
    urls = [reverse(f"reports:{name}", args=[closed.pk]) for name in names]
    for role, site in (
        ("coordinator", None), ("auditor", None), ("administrator", None), ("product", None), ("product", riverside),
        ("investigator", riverside), ("nurse", riverside), ("monitor", riverside), ("site_manager", riverside),
        ("data_entry", riverside), ("laboratory", riverside),
    ):  # fmt: skip
        browser = signed_in(person(f"{role}-{site or 'all'}", role, site))
        assert {browser.get(url).status_code for url in urls} <= {403, 404}, role
        assert b"Closed safety report" not in body(browser.get(reverse("reports:report_list"))), role
    browser = signed_in(sami)
    assert b"Closed safety report" in body(browser.get(reverse("reports:report_list")))
    assert body(browser.get(urls[1])) == b"%PDF closed"
    told = AuditEntry.objects.filter(row_id=str(closed.pk), action__startswith="report")
    assert set(told.values_list("action", flat=True)) == {"report", "report downloaded"}


def test_its_files_lie_apart_from_the_others(closed: ReportRun) -> None:
    folder = actions.reports_folder() / "closed"
    assert {path.name for path in folder.iterdir()} >= {closed.stored_as, closed.numbers_stored_as}
    assert not (actions.reports_folder() / closed.stored_as).exists()
    assert folder.stat().st_mode & 0o077 == 0


def test_the_safety_officer_signs_it_and_the_signed_copy_lies_with_it(
    closed: ReportRun, sami: User, cora: User, riverside: Site
) -> None:
    numbers = json.dumps(_numbers(riverside))
    path = actions.folder_of(closed) / closed.numbers_stored_as
    path.write_text(numbers, encoding="utf-8")
    closed.numbers_sha256 = hashlib.sha256(numbers.encode()).hexdigest()
    closed.save()
    assert reports_to_sign(sami) == [closed]
    assert reports_to_sign(cora) == []
    signed(closed, sami, meaning="approval")
    assert make_copies(now=lambda: NOW) == 1
    copy = SignedCopy.objects.get()
    assert (copy.state, copy.message) == ("done", "")
    reader = pypdf.PdfReader(actions.folder_of(closed) / copy.stored_as)
    assert all("CLOSED" in page.extract_text() for page in reader.pages), "marked on each page"
    assert "umbilical cord" in " ".join(page.extract_text() for page in reader.pages).lower()


def _numbers(site: Site) -> Any:
    from followup.reports.collect_safety import collect_safety  # the fixture replaces what makes reports

    return collect_safety(site=site, **PERIOD, is_closed=True)


def test_the_coordinator_makes_the_open_one_alone(
    blinded: None, anna: Any, cora: User, riverside: Site, signed_in: Any
) -> None:
    with pytest.raises(PermissionDenied):
        actions.request_safety(site=None, **PERIOD, form_token="x", by=cora, now=NOW, is_closed=True)
    browser = signed_in(cora)
    assert b"Closed report" not in body(browser.get(reverse("reports:report_list")))
    answers = {"period": "last_year", "site": "", "form_token": "y", "is_closed": "on"}
    browser.post(reverse("reports:report_list"), answers)
    assert ReportRun.objects.get().kind == "safety"


def test_in_an_open_label_protocol_nobody_makes_a_closed_one(anna: Any, sami: User, signed_in: Any) -> None:
    with pytest.raises(PermissionDenied):
        actions.request_safety(site=None, **PERIOD, form_token="x", by=sami, now=NOW, is_closed=True)
    assert b"Closed report" not in body(signed_in(sami).get(reverse("reports:report_list")))


def test_a_right_that_was_taken_away_stops_it_while_it_waits(blinded: None, anna: Any, sami: User) -> None:
    run = actions.request_safety(site=None, **PERIOD, form_token="c", by=sami, now=NOW, is_closed=True)
    sami.rolegrant_set.update(role="coordinator")
    actions.make_waiting(now=lambda: NOW)
    run.refresh_from_db()
    assert (run.state, run.stored_as) == ("failed", "")


def test_the_command_makes_it_for_a_safety_officer_by_name(
    blinded: None, anna: Any, sami: User, cora: User, tmp_path: Path
) -> None:
    people.infusion(anna, date(2023, 6, 1))
    out = [
        "safety_report",
        "--from",
        "2024-01-01",
        "--to",
        "2024-12-31",
        "--out",
        tmp_path / "closed.pdf",
        "--closed",
    ]
    with pytest.raises(CommandError, match="name one with --by"):
        call_command(*out)
    with pytest.raises(CommandError, match="may not make"):
        call_command(*out, "--by", "cora")
    call_command(*out, "--by", "sami", stdout=StringIO())
    reader = pypdf.PdfReader(tmp_path / "closed.pdf")
    assert all("CLOSED" in page.extract_text() for page in reader.pages)
    assert "LOT-1" in " ".join(page.extract_text() for page in reader.pages)
