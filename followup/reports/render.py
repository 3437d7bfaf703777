"""HTML and chart specifications in, one PDF file out, made in a fresh and limited subprocess."""

import base64
import contextlib
import functools
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]
VENDORED_FONTS = PROJECT / "config" / "static" / "vendor" / "inter"

FONT_WEIGHTS = (400, 600)
# Families of our own: no machine has them, so none can take their place; two files never share a name.
FONT_FILES = {
    "Registry Sans": "inter-latin-wght-normal.woff2",
    "Registry Sans Extended": "inter-latin-ext-wght-normal.woff2",
}

MEBIBYTE = 1024 * 1024
DATA_LIMIT_BYTES = 2048 * MEBIBYTE
RESIDENT_LIMIT_BYTES = 1536 * MEBIBYTE
POLL_SECONDS = 0.05

PANGO_HINT = (
    "PDFs need the pango text library, which is missing on this machine. "
    "On Debian or Ubuntu: apt-get install libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0; on macOS: brew install pango."
)


class RenderFailed(Exception):
    """The PDF was not made; the message says why in plain words."""


@dataclass(frozen=True)
class RenderResult:
    sha256: str
    pages: int
    seconds: float


@functools.cache
def weasyprint_problem() -> str | None:
    """Why PDFs cannot be made here, in one line with the remedy; None when they can."""
    probe = subprocess.run(  # a failed load of a native library must not reach this process
        [sys.executable, "-c", "import weasyprint"], capture_output=True, timeout=60, check=False
    )
    return None if probe.returncode == 0 else PANGO_HINT


def weasyprint_available() -> bool:
    return weasyprint_problem() is None


def render_pdf(
    *,
    html: str,
    charts: dict[str, dict[str, Any]],
    out: Path,
    title: str,
    timeout_seconds: int = 120,
    data_limit_bytes: int = DATA_LIMIT_BYTES,
    resident_limit_bytes: int = RESIDENT_LIMIT_BYTES,
) -> RenderResult:
    """Write the PDF of `html` to `out`, whole or not at all.

    `charts` are Vega-Lite specifications placed where the page says `<img src="chart:NAME">`. The same input gives
    the same bytes. Raises RenderFailed with a reason a person can act on.
    """
    started = time.monotonic()
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".render-", dir=out.parent) as folder:
        scratch = Path(folder)
        made = scratch / "document.pdf"
        job = {
            "html": html,
            "title": title,
            "charts": charts,
            "fonts": _fonts(),
            "out": str(made),
            "scratch": folder,
            "data_bytes": data_limit_bytes,
            "cpu_seconds": timeout_seconds,
        }
        answer = _run_child(
            job, scratch, timeout_seconds=timeout_seconds, resident_limit_bytes=resident_limit_bytes
        )
        sha256 = hashlib.sha256(made.read_bytes()).hexdigest()
        _move_into_place(made, out)
    return RenderResult(sha256=sha256, pages=answer["pages"], seconds=round(time.monotonic() - started, 2))


def _fonts() -> list[dict[str, Any]]:
    return [
        {
            "family": family,
            "weights": FONT_WEIGHTS,
            "base64": base64.b64encode((VENDORED_FONTS / name).read_bytes()).decode(),
        }
        for family, name in FONT_FILES.items()
    ]


def _minimal_environment(scratch: Path) -> dict[str, str]:
    """Nothing of ours leaks in, and nothing that could change the bytes: clock zone, locale, hash seed, font dates."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(scratch),
        "XDG_CACHE_HOME": str(scratch),
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "SOURCE_DATE_EPOCH": "0",
    }


def _run_child(
    job: dict[str, Any], scratch: Path, *, timeout_seconds: int, resident_limit_bytes: int
) -> dict[str, Any]:
    job_file, answer_file, log_file = scratch / "job", scratch / "answer", scratch / "log"
    job_file.write_text(json.dumps(job), encoding="utf-8")
    with job_file.open("rb") as stdin, answer_file.open("wb") as stdout, log_file.open("wb") as stderr:
        child = subprocess.Popen(
            [sys.executable, "-s", "-m", "followup.reports.render_child"],
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            cwd=PROJECT,
            env=_minimal_environment(scratch),
            start_new_session=True,
        )
        try:
            _watch(child, timeout_seconds=timeout_seconds, resident_limit_bytes=resident_limit_bytes)
        finally:
            _kill_group(child)
    return _read_answer(child, answer_file, log_file)


def _watch(child: subprocess.Popen[bytes], *, timeout_seconds: int, resident_limit_bytes: int) -> None:
    deadline = time.monotonic() + timeout_seconds
    while child.poll() is None:
        if time.monotonic() > deadline:
            raise RenderFailed(f"The PDF was not finished within {timeout_seconds} seconds and was stopped.")
        if _resident_bytes(child.pid) > resident_limit_bytes:
            limit = resident_limit_bytes // MEBIBYTE
            raise RenderFailed(f"The PDF needed more than {limit} MiB of memory and was stopped.")
        time.sleep(POLL_SECONDS)


def _resident_bytes(pid: int) -> int:
    """Resident memory of a process; 0 where the system does not tell (then RLIMIT_DATA alone holds)."""
    try:
        fields = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()
    except OSError:
        return 0
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")


def _kill_group(child: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):  # already gone
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _read_answer(child: subprocess.Popen[bytes], answer_file: Path, log_file: Path) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = json.loads(answer_file.read_bytes())
    except ValueError:
        raise RenderFailed(_why_it_died(child.returncode, log_file)) from None
    if "error" in answer:
        raise RenderFailed(f"The PDF could not be made: {answer['error']}")
    return answer


def _why_it_died(returncode: int, log_file: Path) -> str:
    log = log_file.read_text(encoding="utf-8", errors="replace").strip()
    if problem := weasyprint_problem():
        return problem
    if returncode == -signal.SIGXCPU:
        return "The PDF used up its processor time and was stopped."
    return f"The PDF process ended without an answer (status {returncode}): {log[-300:] or 'it said nothing'}"


def _move_into_place(made: Path, out: Path) -> None:
    """Readers see the whole file or the old one, also after a power cut."""
    with made.open("rb") as pdf:
        os.fsync(pdf.fileno())
    made.replace(out)
    folder = os.open(out.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
