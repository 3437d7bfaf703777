import hashlib
import io
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pypdf
import pytest

from followup import charts
from followup.reports import render
from followup.reports.render import RenderFailed, render_pdf

pytestmark = pytest.mark.embedded

PAGE = (
    "<html lang='en'><head><title>Trial</title><style>body {{ font-family: 'Registry Sans' }}</style>{head}</head>"
    "<body><p>Kind words</p>{body}</body></html>"
)
POINTS = [
    {"date": "2029-01-05", "value": 8.1, "comparator": ""},
    {"date": "2029-06-05", "value": 7.0, "comparator": "<"},
]


def page(*, head: str = "", body: str = "") -> str:
    return PAGE.format(head=head, body=body)


@contextmanager
def counting_listener() -> Iterator[tuple[int, list[str]]]:
    """A loopback port that writes down everybody who connects."""
    hits: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        over = threading.Event()

        def listen() -> None:
            while not over.is_set():
                try:
                    connection, address = server.accept()
                except TimeoutError:
                    continue
                hits.append(str(address))
                connection.close()

        thread = threading.Thread(target=listen)
        thread.start()
        yield server.getsockname()[1], hits
        over.set()
        thread.join()


def test_same_input_gives_the_same_bytes(tmp_path):
    html = page(body='<img src="chart:hba1c" alt="HbA1c">')
    specs = {
        "hba1c": charts.hba1c_chart(POINTS, [{"date": "2029-01-20", "label": "Infusion 1"}], baseline=8.1)
    }
    made = [render_pdf(html=html, charts=specs, out=tmp_path / f"{n}.pdf", title="Trial") for n in (1, 2)]
    assert made[0].sha256 == made[1].sha256
    assert made[0].sha256 == hashlib.sha256((tmp_path / "1.pdf").read_bytes()).hexdigest()
    assert made[0].pages == 1


def test_metadata_is_title_and_producer_only_and_fonts_are_ours(tmp_path):
    out = tmp_path / "a.pdf"
    head = (
        "<meta name='author' content='Dr Who'><meta name='keywords' content='a'><meta name='generator' content='b'>"
        "<meta name='description' content='c'><meta name='dcterms.created' content='2031-01-01'>"
        "<meta name='dcterms.modified' content='2031-01-01'>"
    )
    render_pdf(html=page(head=head), charts={}, out=out, title="Trial")
    reader = pypdf.PdfReader(io.BytesIO(out.read_bytes()))
    assert set(reader.metadata) == {"/Title", "/Producer"}
    assert reader.metadata["/Title"] == "Trial"
    assert reader.xmp_metadata is None
    assert list(tmp_path.iterdir()) == [out], "scratch files must be gone"
    fonts = {str(f.get_object()["/BaseFont"]) for f in reader.pages[0]["/Resources"]["/Font"].values()}
    assert all("Registry-Sans" in name for name in fonts)


def test_nothing_but_data_addresses_is_ever_opened(tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("do not embed me")
    with counting_listener() as (port, hits):
        remote = f"http://127.0.0.1:{port}"
        head = (
            f"<style>@import url({remote}/a.css); @font-face {{ font-family: x; src: url({remote}/f.woff2) }} "
            f"body {{ background: url({remote}/b.png); font-family: x }}</style>"
            f"<link rel='stylesheet' href='{remote}/c.css'><link rel='attachment' href='{remote}/d'>"
            f"<link rel='attachment' href='{secret.as_uri()}'>"
        )
        svg = f"<svg xmlns='http://www.w3.org/2000/svg'><image href='{remote}/e.png'/></svg>".replace(
            "#", "%23"
        )
        body = (
            f"<img src='{remote}/g.png'><img src='//127.0.0.1:{port}/h.png'><object data='{remote}/i'></object>"
            f'<img src="data:image/svg+xml,{svg}"><img src="{secret.as_uri()}"><a rel="attachment" href="{remote}/j">x</a>'
        )
        out = tmp_path / "a.pdf"
        render_pdf(html=page(head=head, body=body), charts={}, out=out, title="Trial")
    assert hits == []
    reader = pypdf.PdfReader(out)
    assert not reader.attachments
    assert b"do not embed me" not in out.read_bytes()


def test_a_figure_cannot_fetch_its_numbers(tmp_path):
    with counting_listener() as (port, hits):
        spec = charts.hba1c_chart(POINTS, []) | {"data": {"url": f"http://127.0.0.1:{port}/x.json"}}
        spec["layer"] = [{"mark": "point"}]
        with pytest.raises(RenderFailed, match="not allowed"):
            render_pdf(
                html=page(body='<img src="chart:x" alt="">'),
                charts={"x": spec},
                out=tmp_path / "a.pdf",
                title="Trial",
            )
    assert hits == []


def test_a_missing_figure_is_named(tmp_path):
    with pytest.raises(RenderFailed, match="insulin was not supplied"):
        render_pdf(
            html=page(body='<img src="chart:insulin" alt="">'),
            charts={},
            out=tmp_path / "a.pdf",
            title="Trial",
        )
    assert not (tmp_path / "a.pdf").exists()


def test_too_slow_is_stopped_and_keeps_the_old_file(tmp_path):
    out = tmp_path / "a.pdf"
    out.write_bytes(b"the old report")
    rows = "<table>" + "<tr><td>1</td><td>2</td></tr>" * 40_000 + "</table>"
    with pytest.raises(RenderFailed, match="was stopped"):
        render_pdf(html=page(body=rows), charts={}, out=out, title="Trial", timeout_seconds=2)
    assert out.read_bytes() == b"the old report"
    assert list(tmp_path.iterdir()) == [out]


def test_too_much_resident_memory_is_stopped(tmp_path):
    rows = "<p>word</p>" * 20_000
    with pytest.raises(RenderFailed, match="more than 60 MiB of memory"):
        render_pdf(
            html=page(body=rows),
            charts={},
            out=tmp_path / "a.pdf",
            title="Trial",
            resident_limit_bytes=60 * render.MEBIBYTE,
        )


def test_the_data_limit_is_kept_by_the_kernel(tmp_path):
    rows = "<p>word</p>" * 30_000
    with pytest.raises(RenderFailed):
        render_pdf(
            html=page(body=rows),
            charts={},
            out=tmp_path / "a.pdf",
            title="Trial",
            data_limit_bytes=90 * render.MEBIBYTE,
        )
    assert not (tmp_path / "a.pdf").exists()


def test_the_child_needs_neither_django_nor_our_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("SECRET_KEY", "must not reach the child")
    assert "SECRET_KEY" not in render._minimal_environment(tmp_path)
    code = "import sys, followup.reports.render_child; sys.exit('django' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=render.PROJECT, check=False).returncode == 0


def test_missing_pango_is_said_in_one_line_with_the_remedy(monkeypatch, tmp_path):
    broken = tmp_path / "weasyprint.py"
    broken.write_text("raise OSError('cannot load library libpango')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    render.weasyprint_problem.cache_clear()
    try:
        assert not render.weasyprint_available()
        problem = render.weasyprint_problem()
        assert problem is not None
        assert "apt-get install libpango-1.0-0" in problem
        assert "\n" not in problem
    finally:
        render.weasyprint_problem.cache_clear()
    monkeypatch.delenv("PYTHONPATH")
    assert render.weasyprint_available()


def test_text_outside_the_first_font_is_drawn_by_the_second(tmp_path):
    out = tmp_path / "a.pdf"
    body = "<p style=\"font-family: 'Registry Sans', 'Registry Sans Extended'\">Łódź Ağrı</p>"
    render_pdf(html=page(body=body), charts={}, out=out, title="Trial")
    first = pypdf.PdfReader(Path(out)).pages[0]
    assert "Łódź Ağrı" in first.extract_text()
    fonts = {
        str(font.get_object()["/BaseFont"]).split("+")[1] for font in first["/Resources"]["/Font"].values()
    }
    assert fonts == {"Registry-Sans", "Registry-Sans-Extended"}
