"""Sites as a file: created once, changed with a reason, refused by name."""

from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from registry.access.models import Site
from registry.exchange.actions import Report, import_file
from registry.exchange.resources import Context
from tests.cast import NOW


@pytest.fixture
def bring(tmp_path: Path, acting: None):
    def go(*lines: str, reason: str = "") -> Report:
        file = tmp_path / "sites.csv"
        file.write_text("\n".join(["code,name,country,time_zone", *lines]), encoding="utf-8")
        return import_file(kind="sites", path=file, context=Context(now=NOW, reason=reason), commit=True)

    return go


LINE = "701,Pilot centre,us,America/New_York"


def test_the_same_file_twice_creates_once(bring) -> None:
    assert bring(LINE).created == 1
    assert bring(LINE).unchanged == 1
    assert Site.objects.get().country == "US"


@pytest.mark.django_db
def test_a_report_that_cannot_be_written_is_said_before_anything_is_stored(tmp_path: Path) -> None:
    file = tmp_path / "sites.csv"
    file.write_text("code,name,country,time_zone\n" + LINE, encoding="utf-8")
    for nowhere in (tmp_path, tmp_path / "no" / "folder.json"):
        with pytest.raises(CommandError) as refused:
            call_command("import_sites", str(file), "--commit", "--report", str(nowhere))
        assert refused.value.returncode == 2
    assert not Site.objects.exists()


def test_a_change_needs_a_reason_and_keeps_the_serial(bring) -> None:
    bring(LINE)
    Site.objects.update(next_serial=7)
    changed = LINE.replace("Pilot", "Northern")
    assert bring(changed).errors[0].code == "reason_required"
    assert bring(changed, reason="Renamed").updated == 1
    site = Site.objects.get()
    assert (site.name, site.next_serial, site.version) == ("Northern centre", 7, 2)


@pytest.mark.parametrize(
    ("line", "column", "code"),
    [
        (LINE.replace("America/New_York", "EST5"), "time_zone", "unknown_time_zone"),
        (LINE.replace(",us,", ",USA,"), "country", "not_a_country"),
        (LINE.replace("701", "7/1"), "code", "not_a_code"),
        (f"{LINE}\n{LINE}", "code", "twice_in_file"),
    ],
)
def test_bad_rows_are_named(bring, line: str, column: str, code: str) -> None:
    error = bring(line).errors[0]
    assert (error.column, error.code) == (column, code)
    assert not Site.objects.exists()
