"""What nobody types and everybody may send: values, bodies and files that a form or an address must survive."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from urllib.parse import quote

Pairs = Sequence[tuple[str, str]]
Files = dict[str, tuple[str, bytes]]
BOUNDARY = "fuzz-boundary"
URLENCODED = "application/x-www-form-urlencoded"
SCRIPT = "<script>alert(1)</script>"

VALUES = {
    "100,000 letters": "x" * 100_000,
    "100,000 digits": "9" * 100_000,
    "100,000 brackets": "(" * 100_000,
    "beyond any column": "y" * 5_000,
    "NUL": "a\x00b",
    "NUL alone": "\x00",
    "lone surrogate": "a\ud800b",
    "right to left": "\u202egnp.exe\u2066",
    "zero width": "\u200b\u200d\ufeff",
    "beyond the basic plane": "\U0001f9ec\U0010fffd",
    "control characters": "\x1b[31m\x07\x0b\x85",
    "new lines": "a\r\nSet-Cookie: a=b\r\n\r\n",
    "1e400": "1e400",
    "1e-400": "1e-400",
    "exponent": "1E+999999999",
    "exponent of 15": "9.9e15",
    "NaN": "NaN",
    "signalling NaN": "sNaN",
    "Infinity": "Infinity",
    "-Infinity": "-Infinity",
    "negative": "-1",
    "zero": "0",
    "negative zero": "-0.0",
    "beyond 31 bits": "2147483648",
    "beyond 63 bits": "9223372036854775808",
    "beyond 64 bits": "184467440737095516160",
    "negative beyond 64 bits": "-184467440737095516160",
    "fraction": "0.123456789012345678901234567890",
    "comma": "7,1",
    "underscore": "1_000",
    "digits of another script": "٣٤",
    "a digit that is no number": "²",
    "first day": "0001-01-01",
    "last day": "9999-12-31",
    "no day": "2031-02-30",
    "day after the last": "10000-01-01",
    "year zero": "0000-00-00",
    "first year": "0001",
    "last year": "9999",
    "last month": "9999-12",
    "thirteenth month": "2031-13",
    "first moment": "0001-01-01T00:00",
    "last moment": "9999-12-31T23:59:59.999999",
    "an hour that is left out": "2031-03-30T01:30",
    "an hour that comes twice": "2031-10-26T01:30",
    "a moment with a zone": "9999-12-31T23:59-14:00",
    "no time": "24:61",
    "empty": "",
    "space": " ",
    "list": "[]",
    "object": '{"a": {"b": [null]}}',
    "null": "null",
    "formula": "=cmd|' /C calc'!A0",
    "page": SCRIPT,
    "template": "{{ 7*7 }}{% load x %}",
    "format": "%s%n{0.__class__}",
    "path": "../../../../etc/passwd",
    "address": "//evil.example/%00",
    "query": "'; DROP TABLE patients_patient; --",
    "pattern": "%_\\[a-z]*(a+)+$",
    "many commas": ",".join(["1"] * 3_000),
    "uuid": "00000000-0000-0000-0000-000000000000",
}
CHARSETS = ("utf-16", "utf-7", "unicode_escape", "base64", "idna", "no-such", "\xff", "undefined")
CONTENT_TYPES = (
    "multipart/form-data", 'multipart/form-data; boundary="\xff"', "application/json", "text/plain", "", "/;=;",
    *(f"{URLENCODED}; charset={name}" for name in CHARSETS),
    *(f"multipart/form-data; boundary={BOUNDARY}; charset={name}" for name in CHARSETS),
)  # fmt: skip
FILES: Files = {
    "nothing": ("a.csv", b""),
    "NUL": ("a\x00.csv", b"\x00" * 1_000),
    "no archive": ("a.xlsx", b"PK\x03\x04" + b"\xff" * 500),
    "no text": ("../../a.csv", bytes(range(256)) * 10),
    "long line": ("x" * 5_000 + ".csv", b"a," * 100_000),
    "lone quote": ("a.csv", b'patient_id,"' + b"x" * 200_000),
    "two bytes a letter": ("a.csv", "patient_id\nRIV-0001-X\n".encode("utf-16")),
    "page": (f"{SCRIPT}.csv", SCRIPT.encode()),
    "no name": ("", b"patient_id\n"),
}


def quoted(text: str) -> str:
    """Spaces as %20, which serves in paths too."""
    return quote(text, safe="", errors="surrogatepass")


def query_of(pairs: Iterable[tuple[str, str]]) -> str:
    return "&".join(f"{quoted(name)}={quoted(value)}" for name, value in pairs)


def multipart(pairs: Pairs, files: Files) -> bytes:
    parts = [(f'name="{name}"', value.encode("utf-8", "surrogatepass")) for name, value in pairs]
    parts += [
        (f'name="{name}"; filename="{given}"\r\nContent-Type: text/csv', content)
        for name, (given, content) in files.items()
    ]
    blocks = [
        f"--{BOUNDARY}\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode("utf-8", "surrogatepass")
        + content
        for head, content in parts
    ]
    return b"\r\n".join([*blocks, f"--{BOUNDARY}--\r\n".encode()])
