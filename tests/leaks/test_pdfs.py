"""A report opens no address and no file, whatever people wrote into the record, and says nothing about the inside."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pypdf
import pytest

from followup.reports.making import make_patient, make_safety
from tests.followup.reports.test_render import counting_listener
from tests.leaks.hostile import HostileWorld, fill, hostile_world

ADDRESSES = (
    '<img src="{at}/a.png">', '<img src={at}/b>', "<image href='{at}/c'>", '<link rel=stylesheet href="{at}/d.css">',
    '<link rel=attachment href="{at}/e">', '<a rel=attachment href="{at}/f">x</a>', "<style>@import '{at}/g.css'</style>",
    "<style>p{{background:url({at}/h)}}</style>", '<p style="background:url({at}/i)">', '<object data="{at}/j">',
    '<embed src="{at}/k">', '<iframe src="{at}/l"></iframe>', '<svg><image xlink:href="{at}/m"/></svg>',
    '<svg><use href="{at}/n#x"/></svg>', '<base href="{at}/">', '<meta http-equiv=refresh content="0;url={at}/o">',
    '<script src="{at}/p"></script>', '"><img src="{at}/q">', "'><img src='{at}/r'>", "]]><img src='{at}/s'>",
)  # fmt: skip
FILES = (
    '<img src="file:///etc/hostname">', '<link rel=attachment href="file:///etc/hostname">',
    "<style>@import 'file:///etc/passwd'</style>", '<object data="file:///etc/hostname">', '<img src="/etc/hostname">',
    '<a rel=attachment href="file:///etc/passwd">x</a>', '<svg><image href="file:///etc/hostname"/></svg>',
    "url(file:///etc/hostname)", '"><link rel=attachment href="file:///etc/hostname">', "<!--><img src=file:///etc/passwd>",
)  # fmt: skip
ROUNDS = 3


Listener = tuple[str, list[str]]


@pytest.fixture
def listener() -> Iterator[Listener]:
    with counting_listener() as (port, hits):
        yield f"http://127.0.0.1:{port}", hits


@pytest.fixture
def world(acting: None, listener: Listener) -> HostileWorld:
    payloads = [payload.format(at=listener[0]) for payload in ADDRESSES] + list(FILES)
    assert len(payloads) == 30
    world = hostile_world(payloads)
    fill(world, rounds=ROUNDS)
    return world


def assert_is_closed(pdf: Path) -> None:
    reader = pypdf.PdfReader(pdf)
    assert not reader.attachments
    assert set(reader.metadata or {}) <= {"/Title", "/Producer"}
    text = "".join(page.extract_text() for page in reader.pages)
    assert "root:x:" not in text
    names = reader.trailer["/Root"].get("/Names", {})
    assert "/EmbeddedFiles" not in names
    assert "/JavaScript" not in names


def test_a_patient_report_opens_nothing(world: HostileWorld, listener: Listener, tmp_path: Path) -> None:
    pdf = tmp_path / "patient.pdf"
    make_patient(
        patient=world.patient, cut_off=date(2031, 3, 14), with_identifiers=True, pdf=pdf, numbers=None
    )
    assert_is_closed(pdf)
    text = "".join(page.extract_text() for page in pypdf.PdfReader(pdf).pages)
    assert "127.0.0.1" in text, "no payload reached the report: the test shows nothing"
    assert listener[1] == []


def test_a_safety_report_opens_nothing(world: HostileWorld, listener: Listener, tmp_path: Path) -> None:
    pdf = tmp_path / "safety.pdf"
    make_safety(
        site=None,
        period_from=date(2025, 1, 1),
        period_to=date(2031, 3, 14),
        pdf=pdf,
        numbers=tmp_path / "n.json",
    )
    assert_is_closed(pdf)
    assert "127.0.0.1" in "".join(page.extract_text() for page in pypdf.PdfReader(pdf).pages)
    assert listener[1] == []
