"""The limited process in which a PDF is made: one JSON job on stdin, one JSON answer on stdout.

Imports no Django and nothing else of this project. Started by `render.py`; the only files it touches are the
job's own output file and a scratch folder that the parent removes.
"""

import base64
import io
import json
import os
import resource
import signal
import sys
from pathlib import Path
from typing import Any

VEGA_LITE_VERSION = "6.4"
LARGEST_PDF_BYTES = 200 * 1024 * 1024


def limit_this_process(*, data_bytes: int, cpu_seconds: int) -> None:
    """Ask the kernel to stop us if we grow or spin; RLIMIT_AS is left alone because V8 reserves terabytes."""
    resource.setrlimit(resource.RLIMIT_DATA, (data_bytes, data_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST_PDF_BYTES, LARGEST_PDF_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.alarm(cpu_seconds + 5)  # even if the parent is gone


def needed_fonts(fonts: list[dict[str, Any]], text: str) -> list[dict[str, Any]]:
    """The fonts that draw a character no earlier font draws, each with the characters it has.

    Cutting a font costs most of a second, so one that would not be seen is left out.
    """
    from fontTools.ttLib import TTFont

    wanted = {ord(character) for character in text}
    needed = []
    for font in fonts:
        drawn = set(TTFont(io.BytesIO(base64.b64decode(font["base64"]))).getBestCmap())
        if drawn & wanted:
            needed.append(font | {"range": ", ".join(f"U+{code:04X}" for code in sorted(drawn & wanted))})
        wanted -= drawn
    return needed


def static_fonts(fonts: list[dict[str, Any]], folder: Path) -> list[dict[str, Any]]:
    """Each variable font cut to the weights used, as files the chart renderer can measure and the PDF can embed.

    The family is renamed so that a font of the same name on this machine can never take its place.
    """
    return [
        {
            "family": font["family"],
            "weight": weight,
            "range": font["range"],
            "path": folder / f"{n}-{weight}.ttf",
        }
        for n, font in enumerate(fonts)
        for weight in font["weights"]
        if _cut_font(font, weight, folder / f"{n}-{weight}.ttf")
    ]


def _cut_font(font: dict[str, Any], weight: int, path: Path) -> bool:
    from fontTools.ttLib import TTFont
    from fontTools.varLib import instancer

    face = TTFont(io.BytesIO(base64.b64decode(font["base64"])), recalcTimestamp=False)
    if "fvar" in face:
        face = instancer.instantiateVariableFont(face, {"wght": weight}, updateFontNames=False)
    for record in face["name"].names:
        if record.nameID in (1, 4, 16):
            record.string = font["family"]
    face["OS/2"].usWeightClass = weight
    face.flavor = None
    face.save(path)
    return True


def font_css(faces: list[dict[str, Any]]) -> str:
    rules = []
    for face in faces:
        encoded = base64.b64encode(face["path"].read_bytes()).decode()
        rules.append(
            f"@font-face {{ font-family: '{face['family']}'; font-weight: {face['weight']}; "
            f"unicode-range: {face['range']}; src: url(data:font/ttf;base64,{encoded}) format('truetype'); }}"
        )
    return "\n".join(rules)


def with_charts(html: str, charts: dict[str, Any], folder: Path) -> str:
    """Each `src="chart:NAME"` becomes an SVG inside a data URL."""
    if charts:
        import vl_convert

        vl_convert.register_font_directory(str(folder))
        for name, spec in charts.items():
            svg = vl_convert.vegalite_to_svg(spec, vl_version=VEGA_LITE_VERSION, allowed_base_urls=[])
            encoded = base64.b64encode(svg.encode()).decode()
            html = html.replace(f'src="chart:{name}"', f'src="data:image/svg+xml;base64,{encoded}"')
    missing = html.find('src="chart:')
    if missing >= 0:
        raise ValueError(f"the figure {html[missing + 11 : missing + 51].split(chr(34))[0]} was not supplied")
    return html


def write_pdf(html: str, css: str, out: Path, title: str) -> int:
    """Write the PDF and return its number of pages; only `data:` addresses are ever opened."""
    from weasyprint import CSS, HTML
    from weasyprint.text.fonts import FontConfiguration
    from weasyprint.urls import URLFetcher

    fetcher = URLFetcher(allowed_protocols=["data"], allow_redirects=False)
    fonts = FontConfiguration()
    sheet = CSS(string=css, font_config=fonts, url_fetcher=fetcher)
    document = HTML(string=html, url_fetcher=fetcher).render(font_config=fonts, stylesheets=[sheet])
    _keep_only_the_title(document.metadata, title)
    document.write_pdf(target=str(out), pdf_tags=True)
    return len(document.pages)


def _keep_only_the_title(metadata: Any, title: str) -> None:
    """The file says what it is and which program made it; no author, no clock, no attachment."""
    metadata.title = title
    metadata.authors, metadata.keywords, metadata.attachments = [], [], []
    metadata.description = metadata.generator = metadata.created = metadata.modified = None
    metadata.custom = {}


def main() -> int:
    job = json.load(sys.stdin.buffer)
    answer = os.dup(1)
    os.dup2(2, 1)  # whatever a library prints must not mix with the answer
    limit_this_process(data_bytes=job["data_bytes"], cpu_seconds=job["cpu_seconds"])
    scratch = Path(job["scratch"])
    try:
        faces = static_fonts(needed_fonts(job["fonts"], job["html"] + str(job["charts"])), scratch)
        html = with_charts(job["html"], job["charts"], scratch)
        result: dict[str, Any] = {"pages": write_pdf(html, font_css(faces), Path(job["out"]), job["title"])}
    except MemoryError:
        result = {"error": "the document needs more memory than is allowed"}
    except Exception as error:
        result = {"error": f"{type(error).__name__}: {error}"[:500]}
    os.write(answer, json.dumps(result).encode())
    return 1 if "error" in result else 0


if __name__ == "__main__":
    sys.exit(main())
