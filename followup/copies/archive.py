"""The copy as one file: everything in it is listed with its digest, and the same content gives the same bytes."""

from __future__ import annotations

import hashlib
import hmac
import importlib.util
import json
import tempfile
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from django.conf import settings

from followup.copies.clear import Opener
from followup.copies.collect import collect_person, row_keys
from followup.copies.trail import collect_trail
from followup.copies.wording import README
from followup.reports.making import make_patient
from registry.audit import seals
from registry.clock import local_date
from registry.patients.models import Patient

VERIFIER = Path(settings.BASE_DIR) / "docs" / "validation" / "verify_copy.py"
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Made:
    data: bytes
    rows: int
    entries: int


@cache
def verifier() -> ModuleType:
    """The very script that is handed out: what it packs and checks is what we pack and check."""
    spec = importlib.util.spec_from_file_location("verify_copy", VERIFIER)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(f"{VERIFIER} is missing: it belongs to the program.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def make_archive(*, patient: Patient, now: datetime, pdf: bytes) -> Made:
    """Reads under the transaction of its caller, so that rows and trail are of one moment. `pdf` is drawn before: nobody
    else could write meanwhile.
    """
    opener = Opener(patient)
    person = collect_person(patient, opener)
    keys = row_keys(person)
    trail = collect_trail(patient, keys, opener)
    counts = {table: len(ids) for table, ids in keys.items()}
    files = {
        "README.txt": _readme(patient, now, counts, len(trail["entries"])),
        "person.json": _json(person),
        "record.pdf": pdf,
        "trail.json": _json(trail),
        "verify_copy.py": VERIFIER.read_bytes(),
    }
    manifest = _manifest(patient, now, files, counts, trail)
    packed = verifier().packed([(MANIFEST, manifest), *sorted(files.items())])
    return Made(packed, sum(counts.values()), len(trail["entries"]))


def record_pdf(patient: Patient, now: datetime, *, folder: Path) -> bytes:
    """The patient report with names. Raises RenderFailed."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        path = Path(place) / "record.pdf"
        day = local_date(now, patient.site.time_zone)
        make_patient(patient=patient, cut_off=day, with_identifiers=True, pdf=path, numbers=None)
        return path.read_bytes()


def attestation_of(manifest: dict[str, Any]) -> str:
    """Who made it: only a registry that holds the audit key can say this of a manifest."""
    own = {name: value for name, value in manifest.items() if name != "attestation"}
    text = "person-copy\x1f" + verifier().canonical(own)
    return hmac.digest(settings.AUDIT_KEY.encode(), text.encode(), "sha256").hex()


def _manifest(
    patient: Patient, now: datetime, files: dict[str, bytes], rows: dict[str, int], trail: dict[str, Any]
) -> bytes:
    manifest: dict[str, Any] = {
        "what": "Copy of everything a registry holds about one person",
        "patient_id": patient.patient_id,
        "site": patient.site.name,
        "cut_off": now.isoformat(),
        "software": settings.VERSION,
        "files": {name: hashlib.sha256(data).hexdigest() for name, data in sorted(files.items())},
        "rows": rows,
        "trail": {"entries": len(trail["entries"]), "head": trail["head"]},
        "registry_seal": seals.head(),
    }
    check = verifier()
    manifest["manifest_sha256"] = check.digest(check.canonical(manifest).encode())
    manifest["attestation"] = attestation_of(manifest)
    return _json(manifest)


def _readme(patient: Patient, now: datetime, rows: dict[str, int], entries: int) -> bytes:
    text = README.format(
        patient_id=patient.patient_id,
        site=patient.site.name,
        made=f"{now:%d %B %Y, %H:%M} UTC",
        rows=sum(rows.values()),
        entries=entries,
        days=settings.PERSON_COPY_DAYS,
        intended_use=settings.INTENDED_USE,
    )
    return text.encode()


def _json(content: dict[str, Any]) -> bytes:
    return json.dumps(content, indent=1, ensure_ascii=False).encode()
