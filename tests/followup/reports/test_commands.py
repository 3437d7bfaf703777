import json
from datetime import date
from io import StringIO

import pypdf
import pytest
from django.core.management import CommandError, call_command

from followup.reports import making
from followup.reports.provenance import seal_data, trail_head
from followup.reports.render import RenderResult
from registry.audit import seals
from registry.audit.models import AuditEntry
from registry.patients.identity import IdentityFacts, save_identity
from tests.cast import NOW
from tests.followup.reports import people

PERIOD = ["--from", "2024-01-01", "--to", "2024-12-31"]


@pytest.fixture
def anna(riverside):
    who = people.patient(riverside, "RIV-0001", enrolled=date(2023, 5, 1))
    people.infusion(who, date(2023, 6, 1))
    save_identity(patient=who, facts=IdentityFacts("Anna", "Secretly", birth_date="1970-02-03"), by=None)
    return who


def pages(path):
    return " ".join(page.extract_text() for page in pypdf.PdfReader(path).pages)


def test_the_same_data_and_period_give_the_same_bytes(anna, tmp_path):
    for n in (1, 2):
        call_command(
            "safety_report", *PERIOD, "--out", tmp_path / f"{n}.pdf", "--numbers", tmp_path / f"{n}.json", stdout=StringIO()
        )  # fmt: skip
        seals.seal(now=NOW)  # the trail grows by the report's own entry; what the report says does not
    assert (tmp_path / "1.json").read_bytes() == (tmp_path / "2.json").read_bytes()
    assert (tmp_path / "1.pdf").read_bytes() == (tmp_path / "2.pdf").read_bytes()
    numbers = json.loads((tmp_path / "1.json").read_text())
    printed = "".join(pages(tmp_path / "1.pdf").split())
    assert numbers["cover"]["trail_head"] in printed
    assert "".join(numbers["cover"]["trail_seal"].split()) in printed
    assert AuditEntry.objects.filter(action="report").count() == 2
    people.event(anna, "Fever", "2024-02-01")
    seal_data(now=NOW)
    assert trail_head() != numbers["cover"]["trail_head"], "another state of the data has another head"


def test_a_patient_report_names_the_person_only_by_right(anna, ines, cora, tmp_path):
    for name in ("ines", "cora"):
        call_command(
            "patient_report", "RIV-0001", "--out", tmp_path / f"{name}.pdf", "--by", name, stdout=StringIO()
        )
    assert "Secretly" in pages(tmp_path / "ines.pdf")
    assert "Secretly" not in pages(tmp_path / "cora.pdf")
    reading = AuditEntry.objects.get(action="identifiers read")
    assert reading.actor == "ines"


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["safety_report", "--from", "2024-02-01", "--to", "2024-01-01"], 2, "ends .* before it begins"),
        (["safety_report", "--from", "2024-02-01", "--to", "2999-01-01"], 1, "in the future"),
        (["safety_report", *PERIOD, "--site", "NOWHERE"], 2, "There is no site NOWHERE"),
        (["safety_report", *PERIOD, "--by", "nobody"], 2, "no active account nobody"),
        (["safety_report", *PERIOD, "--by", "ines"], 1, "may not make"),
        (["patient_report", "RIV-9999"], 1, "no patient RIV-9999 in your sites"),
        (["patient_report", "RIV-0001", "--by", "hana"], 1, "no patient RIV-0001 in your sites"),
    ],
)
def test_refusals_say_why_and_write_nothing(anna, ines, hana, tmp_path, arguments, status, words):
    with pytest.raises(CommandError, match=words) as refusal:
        call_command(*arguments, "--out", tmp_path / "x.pdf")
    assert refusal.value.returncode == status
    assert list(tmp_path.iterdir()) == []


def test_a_missing_text_library_is_one_clear_line(anna, tmp_path, monkeypatch):
    monkeypatch.setattr(making, "weasyprint_problem", lambda: "PDFs need the pango text library")
    with pytest.raises(CommandError, match="pango") as refusal:
        call_command("safety_report", *PERIOD, "--out", tmp_path / "x.pdf", "--numbers", tmp_path / "x.json")
    assert refusal.value.returncode == 1
    assert list(tmp_path.iterdir()) == []


def test_without_a_person_the_report_is_pseudonymous(anna, tmp_path, monkeypatch):
    monkeypatch.setattr(making, "render_pdf", lambda **_: RenderResult("a" * 64, 1, 0.1))
    call_command(
        "patient_report", "RIV-0001", "--out", tmp_path / "x.pdf", "--numbers", tmp_path / "x.json", stdout=StringIO()
    )  # fmt: skip
    numbers = json.loads((tmp_path / "x.json").read_text())
    assert numbers["patient"]["identity"] is None
    assert numbers["cover"]["is_pseudonymised"]
