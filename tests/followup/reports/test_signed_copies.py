"""A signed report is printed again with name, UTC time and meaning; the unsigned original stays as it is (C3, P-08, P-29)."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pypdf
import pytest

from followup.reports.actions import reports_folder
from followup.reports.documents import safety_document
from followup.reports.models import ReportRun, SignedCopy
from followup.reports.numbers import canonical_json
from followup.reports.signed_copies import make_copies, row_of
from registry.access.models import User
from registry.signatures.models import Signature
from tests.cast import NOW, person
from tests.followup.reports.sample_numbers import safety_numbers
from tests.registry.signatures.records import a_report, signed
from tests.sizes import size

RENDERED = size(short=1, full=2)
DIGEST = "0" * 64


@pytest.fixture
def run(riverside: Any, sami: User) -> ReportRun:
    """Made, with the sample's numbers beside it."""
    made = a_report(riverside, sami)
    text = canonical_json(safety_numbers())
    (reports_folder() / made.numbers_stored_as).write_text(text, encoding="utf-8")
    made.numbers_sha256 = hashlib.sha256(text.encode()).hexdigest()
    made.save()
    return made


def clock() -> datetime:
    return NOW


def words_of(path: Path) -> str:
    return " ".join(" ".join(page.extract_text().split()) for page in pypdf.PdfReader(path).pages)


@pytest.mark.figures
def test_the_signed_copy_prints_name_time_and_meaning_and_keeps_the_original(
    run: ReportRun, sami: User, signed_in: Any
) -> None:
    original = (reports_folder() / run.stored_as).read_bytes()
    signature = signed(run, sami, meaning="approval")
    copy = SignedCopy.objects.get()
    digests = set()
    for _ in range(RENDERED):
        SignedCopy.objects.update(state="waiting", attempts=0)
        assert make_copies(now=clock) == 1
        copy.refresh_from_db()
        assert (copy.state, copy.message) == ("done", "")
        digests.add(copy.pdf_sha256)
    assert len(digests) == 1
    pdf = reports_folder() / copy.stored_as
    assert hashlib.sha256(pdf.read_bytes()).hexdigest() == copy.pdf_sha256
    words = words_of(pdf)
    for printed in ("Sami", "Safety officer", "Approval", "14 Mar 2031, 08:30 UTC", "final, signed"):
        assert printed in words
    for digest in (signature.content_sha256, run.pdf_sha256):
        assert digest in words.replace(" ", "")
    assert "draft" not in words
    assert (reports_folder() / run.stored_as).read_bytes() == original
    assert copy.original_sha256 == hashlib.sha256(original).hexdigest()
    answer = signed_in(sami).get(f"/reports/{run.pk}/signed/")
    assert hashlib.sha256(b"".join(answer.streaming_content)).hexdigest() == copy.pdf_sha256
    assert answer.headers["Content-Disposition"].endswith('-signed.pdf"')
    page = signed_in(sami).get(f"/reports/{run.pk}/").content.decode()
    assert copy.pdf_sha256 in page
    assert run.pdf_sha256 in page


def test_an_unsigned_report_says_that_it_is_a_draft() -> None:
    assert "draft, not signed" in safety_document(safety_numbers())[0]


def test_the_same_numbers_and_signatures_give_the_same_document(run: ReportRun, sami: User) -> None:
    row = row_of(signed(run, sami))
    first, second = (
        safety_document(safety_numbers(), signatures=[row], original_sha256=DIGEST) for _ in range(2)
    )
    assert first == second
    assert first != safety_document(safety_numbers())


def test_a_second_signature_gets_a_copy_of_its_own(run: ReportRun, sami: User) -> None:
    signed(run, sami)
    signed(run, person("sol", "safety", None), form="two")
    assert SignedCopy.objects.count() == 2


def test_no_copy_is_made_of_other_files_than_those_signed(run: ReportRun, sami: User) -> None:
    signed(run, sami)
    (reports_folder() / run.numbers_stored_as).write_text("{}")
    make_copies(now=clock)
    copy = SignedCopy.objects.get()
    assert (copy.state, copy.stored_as) == ("failed", "")
    assert "not the one that was signed" in copy.message


def test_no_copy_is_made_of_a_signature_that_no_longer_holds(run: ReportRun, sami: User) -> None:
    signed(run, sami)
    ReportRun.objects.filter(pk=run.pk).update(message="Edited")
    make_copies(now=clock)
    assert "no longer valid" in SignedCopy.objects.get().message


def test_one_signed_copy_per_signature(run: ReportRun, sami: User, signed_in: Any) -> None:
    signed(run, sami)
    assert Signature.objects.count() == SignedCopy.objects.count() == 1
    assert signed_in(sami).get(f"/reports/{run.pk}/signed/").status_code == 404
    assert SignedCopy.objects.get().asked_at.astimezone(UTC).tzinfo == UTC
