#!/usr/bin/env python3
"""Checks a copy of everything about one person: python3 verify_copy.py COPY.zip

Needs Python 3.10 or newer and nothing else: none of the registry's own code. It says "whole" and ends with 0, or names each
file that is not as it was made and ends with 1. What it cannot say is who made the copy: for that the registry holds a
keyed code of the manifest, which its own command `manage.py verify_copy COPY.zip` checks.
"""

import hashlib
import io
import json
import sys
import zipfile
from pathlib import Path

MANIFEST = "manifest.json"
MADE_AT = (1980, 1, 1, 0, 0, 0)


def digest(data):
    return hashlib.sha256(data).hexdigest()


def canonical(value):
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def packed(files):
    """The one way a copy is packed: these names in this order, not compressed, without times. Every byte follows from it."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, data in files:
            info = zipfile.ZipInfo(name, MADE_AT)
            info.create_system, info.external_attr = 3, 0o600 << 16
            archive.writestr(info, data)
    return out.getvalue()


def read(raw):
    """The files in it, and what is wrong with how they are packed."""
    troubles, files = [], []
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            for info in archive.infolist():
                try:
                    files.append((info.filename, archive.read(info)))
                except Exception as error:  # whatever a damaged file raises
                    troubles.append(f"{info.filename}: cannot be read ({error})")
    except Exception as error:  # whatever a damaged archive raises
        return [], [f"the archive itself: cannot be opened ({error})"]
    if not troubles and packed(files) != raw:
        troubles.append(f"{where(raw, packed(files), files)}: its entry in the archive was altered")
    return files, troubles


def where(raw, expected, files):
    """The file whose part of the archive holds the first byte that differs."""
    pairs = enumerate(zip(raw, expected, strict=False))
    at = next((place for place, (one, other) in pairs if one != other), min(len(raw), len(expected)))
    end = 0
    for name, data in files:
        end += 30 + len(name.encode()) + len(data)
        if at < end:
            return name
    return "the list of files at the end of the archive"


def check(raw):
    """Everything that is wrong, in words; empty when the copy is whole."""
    files, troubles = read(raw)
    names = [name for name, _ in files]
    troubles += [f"{name}: it is there twice" for name in sorted(set(names)) if names.count(name) > 1]
    content = dict(files)
    try:
        manifest = json.loads(content[MANIFEST])
        listed, rows, chain = manifest["files"], manifest["rows"], manifest["trail"]
    except Exception as error:  # missing, not JSON, or not of this shape
        return [*troubles, f"{MANIFEST}: missing or cannot be read ({error})"]
    own = {key: value for key, value in manifest.items() if key not in ("manifest_sha256", "attestation")}
    if digest(canonical(own).encode()) != manifest.get("manifest_sha256"):
        troubles.append(f"{MANIFEST}: its content was altered")
    for name in sorted(set(listed) | set(content) - {MANIFEST}):
        if name not in content:
            troubles.append(f"{name}: it is missing")
        elif name not in listed:
            troubles.append(f"{name}: it does not belong to this copy")
        elif digest(content[name]) != listed[name]:
            troubles.append(f"{name}: its content was altered")
    try:
        troubles += check_content(
            json.loads(content["person.json"]), json.loads(content["trail.json"]), rows, chain
        )
    except Exception as error:  # already named above, or not of this shape
        troubles.append(f"person.json, trail.json: cannot be compared ({error})")
    return troubles


def check_content(person, trail, rows, chain):
    """Rows are all there, each has its entries, and the entries follow each other without a gap."""
    troubles = []
    here = {table["table"]: [row["id"] for row in table["rows"]] for table in person["tables"]}
    for table in sorted(set(rows) | set(here)):
        if len(here.get(table, [])) != rows.get(table):
            troubles.append(
                f"person.json: {table} holds {len(here.get(table, []))} rows, not {rows.get(table)}"
            )
    before, last = "", 0
    for number, entry in enumerate(trail["entries"], start=1):
        bare = {key: value for key, value in entry.items() if key != "digest"}
        if entry["number"] != number or entry["id"] <= last:
            troubles.append(
                f"trail.json: entry {entry['number']} is out of order, or one before it is missing"
            )
        if digest((before + canonical(bare)).encode()) != entry["digest"]:
            troubles.append(f"trail.json: entry {entry['number']} was altered, or one before it is missing")
        before, last = entry["digest"], entry["id"]
    if before != chain["head"] or len(trail["entries"]) != chain["entries"]:
        troubles.append("trail.json: entries are missing at its end")
    known = {(entry["table"], entry["row"]) for entry in trail["entries"] if entry["kind"] == "change"}
    for table, keys in here.items():
        gone = [key for key in keys if (table, key) not in known]
        if gone:
            troubles.append(f"trail.json: nothing says how {table} {', '.join(gone[:5])} came to be")
    return troubles


def main(arguments):
    if len(arguments) != 1:
        print("usage: python3 verify_copy.py COPY.zip")
        return 2
    raw = Path(arguments[0]).read_bytes()
    troubles = check(raw)
    for trouble in troubles:
        print(trouble)
    if troubles:
        print(f"NOT WHOLE: {len(troubles)} found in {arguments[0]}")
        return 1
    manifest = json.loads(zipfile.ZipFile(io.BytesIO(raw)).read(MANIFEST))
    counted = sum(manifest["rows"].values())
    print(
        f"whole: {len(manifest['files'])} files, {counted} rows, {manifest['trail']['entries']} entries of the trail, "
        f"made {manifest['cut_off']}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
