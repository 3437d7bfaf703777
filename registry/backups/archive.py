"""The file of a backup: an ordinary ZIP with a manifest, every byte of it covered by a SHA-256.

The manifest holds the SHA-256 of each member; the comment at the very end of the ZIP holds that of everything before it.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from registry.backups import sealed_file

FORMAT = 1
MANIFEST = "manifest.json"
BLOCK = 1024 * 1024
LABEL = b"sha256:"
PLACEHOLDER = LABEL + b"0" * 64


class Damaged(Exception):
    """The file is not as it was written; `member` names the first part of it that is not."""

    def __init__(self, member: str, what: str) -> None:
        super().__init__(f"{member}: {what}")
        self.member = member


class _Hashing(io.RawIOBase):
    """Passes on what is written, and puts the digest of all before it in the place of the closing comment."""

    def __init__(self, file: BinaryIO | io.RawIOBase) -> None:
        super().__init__()
        self._file, self._digest, self._place = file, hashlib.sha256(), 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def write(self, data: Any) -> int:
        content = bytes(data)
        if content == PLACEHOLDER:
            content = LABEL + self._digest.hexdigest().encode()
        self._digest.update(content)
        self._file.write(content)
        self._place += len(content)
        return len(content)


class Writer:
    """Members go in one after the other; the manifest last."""

    def __init__(self, file: BinaryIO, passphrase: str = "") -> None:
        self._sealing = sealed_file.SealingWriter(file, passphrase) if passphrase else None
        self._zip = zipfile.ZipFile(
            cast(BinaryIO, _Hashing(self._sealing or file)), "w", zipfile.ZIP_DEFLATED, compresslevel=3
        )
        self.members: dict[str, dict[str, Any]] = {}

    @contextmanager
    def member(self, name: str) -> Iterator["Member"]:
        info = zipfile.ZipInfo(name)
        info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, 0o600 << 16
        with self._zip.open(info, "w", force_zip64=True) as file:
            made = Member(cast(BinaryIO, file))
            yield made
        self.members[name] = {"bytes": made.size, "sha256": made.digest.hexdigest()}

    def add_bytes(self, name: str, content: bytes) -> None:
        with self.member(name) as member:
            member.write(content)

    def add_stream(self, name: str, source: BinaryIO) -> None:
        with self.member(name) as member:
            while block := source.read(BLOCK):
                member.write(block)

    def close(self, manifest: dict[str, Any]) -> None:
        whole = {"format": FORMAT, **manifest, "members": self.members}
        self._zip.writestr(MANIFEST, json.dumps(whole, indent=1, sort_keys=True))
        self._zip.comment = PLACEHOLDER
        self._zip.close()
        if self._sealing:
            self._sealing.close()


class Member:
    def __init__(self, file: BinaryIO) -> None:
        self._file, self.digest, self.size = file, hashlib.sha256(), 0

    def write(self, block: Any) -> None:
        self._file.write(block)
        self.digest.update(block)
        self.size += memoryview(block).nbytes


@dataclass
class Reader:
    """A backup whose every byte was checked."""

    manifest: dict[str, Any]
    _zip: zipfile.ZipFile

    def open(self, name: str) -> BinaryIO:
        return cast(BinaryIO, self._zip.open(name))

    def names(self, folder: str) -> list[str]:
        return sorted(name for name in self.manifest["members"] if name.startswith(folder))

    def text(self, name: str) -> str:
        return self._zip.read(name).decode()


@contextmanager
def opened(path: Path, passphrase: str = "") -> Iterator[Reader]:
    """Damaged names what is wrong; sealed_file.WrongPassphrase where the passphrase does not fit. Nothing is written."""
    with path.open("rb") as file:
        source = _plain(file, passphrase)
        _check_whole(source)
        source.seek(0)
        with zipfile.ZipFile(source) as archive:
            manifest = _checked_manifest(archive)
            _check_members(archive, manifest)
            yield Reader(manifest, archive)


def _plain(file: BinaryIO, passphrase: str) -> BinaryIO:
    if not sealed_file.is_sealed(file):
        return file
    if not passphrase:
        raise sealed_file.WrongPassphrase("this backup is encrypted: give --passphrase-file")
    try:
        reader = sealed_file.OpenedReader(file, passphrase)
        reader.check()
    except sealed_file.DamagedPart as error:
        raise Damaged(str(error), "not as it was written") from error
    return cast(BinaryIO, reader)


def _check_whole(source: BinaryIO) -> None:
    """Compares the closing digest; where it differs, names the first member that does."""
    size = source.seek(0, io.SEEK_END)
    covered = size - len(PLACEHOLDER)
    if covered < 0:
        raise Damaged("the whole file", "too short to be a backup")
    source.seek(0)
    digest, left = hashlib.sha256(), covered
    while left:
        block = source.read(min(BLOCK, left))
        digest.update(block)
        left -= len(block)
    closing = source.read()
    if not closing.startswith(LABEL) or len(closing) != len(PLACEHOLDER):
        raise Damaged(
            "the closing digest", "missing or altered; the file may be cut off or no backup of this registry"
        )
    if closing != LABEL + digest.hexdigest().encode():
        raise Damaged(*_first_damage(source, covered))


def _first_damage(source: BinaryIO, size: int) -> tuple[str, str]:
    """By the place of each member in the file; only to say more than that something is wrong."""
    what = "its content is not as it was written"
    source.seek(0)
    try:
        with zipfile.ZipFile(source) as archive:
            for name in archive.namelist():
                if not _can_be_read(archive, name):
                    return name, what
            _check_members(archive, _checked_manifest(archive))
    except Damaged as found:
        return found.member, what
    except Exception as error:  # a damaged directory fails in many ways, and every one means the same
        return "the list of contents", f"it cannot be read ({type(error).__name__})"
    return "the list of contents", "it is not as it was written, though every member is whole"


def _can_be_read(archive: zipfile.ZipFile, name: str) -> bool:
    """Unlike `testzip`, also says which member it is when its compressed form makes no sense any more."""
    try:
        with archive.open(name) as file:
            while file.read(BLOCK):
                pass
    except Exception:
        return False
    return True


def _checked_manifest(archive: zipfile.ZipFile) -> dict[str, Any]:
    try:
        found = json.loads(archive.read(MANIFEST))
    except Exception as error:
        raise Damaged(MANIFEST, f"it cannot be read ({type(error).__name__})") from error
    if not isinstance(found, dict) or "members" not in found:
        raise Damaged(MANIFEST, "it is not the manifest of a backup")
    return found


def _check_members(archive: zipfile.ZipFile, manifest: dict[str, Any]) -> None:
    listed = set(archive.namelist()) - {MANIFEST}
    if odd := sorted(listed ^ manifest["members"].keys()):
        raise Damaged(odd[0], "in the manifest or in the file, but not in both")
    for name, known in sorted(manifest["members"].items()):
        digest = hashlib.sha256()
        try:
            with archive.open(name) as file:
                while block := file.read(BLOCK):
                    digest.update(block)
        except Exception as error:
            raise Damaged(name, f"it cannot be read ({type(error).__name__})") from error
        if digest.hexdigest() != known["sha256"]:
            raise Damaged(name, "its content differs from its SHA-256 in the manifest")
