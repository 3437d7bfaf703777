"""A file encrypted in parts under a passphrase, readable from any place in it.

Layout: a line that says what it is, 16 bytes of salt, 28 bytes that only the right passphrase opens, then parts of one
mebibyte under AES-256-GCM. Each part is bound to the head of the file, its number and whether it is the last, so that none
can be changed, moved, dropped or cut off unseen. The key comes from the passphrase by scrypt.
"""

import io
import secrets
from functools import lru_cache
from typing import Any, BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

MAGIC = b"MSC-REGISTRY-BACKUP-SEALED-1\n"
SALT, NONCE, TAG = 16, 12, 16
PROOF = NONCE + TAG
HEAD = len(MAGIC) + SALT + PROOF
PART = 1024 * 1024
SEALED_PART = PART + TAG
COST = 2**15  # 32 MiB of memory and about a tenth of a second a guess


class WrongPassphrase(Exception):
    """The passphrase does not open this file, or the head of the file is damaged."""


class DamagedPart(Exception):
    """A part of the file is not as it was written."""


def is_sealed(file: BinaryIO) -> bool:
    file.seek(0)
    found = file.read(len(MAGIC))
    file.seek(0)
    return found == MAGIC


@lru_cache(maxsize=4)
def _cipher(passphrase: str, salt: bytes) -> AESGCM:
    return AESGCM(Scrypt(salt=salt, length=32, n=COST, r=8, p=1).derive(passphrase.encode()))


def _nonce(number: int) -> bytes:
    return number.to_bytes(NONCE, "big")  # the key belongs to this file alone, so counting is enough


def _bound_to(head: bytes, number: int, *, last: bool) -> bytes:
    return head + number.to_bytes(8, "big") + (b"last" if last else b"more")


class SealingWriter(io.RawIOBase):
    """Write-only: what is written is encrypted into `file`; closing writes the last part."""

    def __init__(self, file: BinaryIO, passphrase: str) -> None:
        super().__init__()
        salt = secrets.token_bytes(SALT)
        self._file, self._cipher = file, _cipher(passphrase, salt)
        self._waiting, self._number = bytearray(), 1
        start = MAGIC + salt
        self._head = start + bytes(NONCE) + self._cipher.encrypt(_nonce(0), b"", start)
        file.write(self._head)

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        some = memoryview(data)
        self._waiting += some
        while len(self._waiting) > PART:  # the last part is never empty unless the file is
            self._put(bytes(self._waiting[:PART]), last=False)
            del self._waiting[:PART]
        return some.nbytes

    def close(self) -> None:
        if not self.closed:
            self._put(bytes(self._waiting), last=True)
            super().close()

    def _put(self, plain: bytes, *, last: bool) -> None:
        bound = _bound_to(self._head, self._number, last=last)
        self._file.write(self._cipher.encrypt(_nonce(self._number), plain, bound))
        self._number += 1


class OpenedReader(io.RawIOBase):
    """Read-only and seekable: the plain content of a sealed file."""

    def __init__(self, file: BinaryIO, passphrase: str) -> None:
        super().__init__()
        file.seek(0, io.SEEK_END)
        self._file, self._sealed = file, file.tell() - HEAD
        file.seek(0)
        self._head = file.read(HEAD)
        if len(self._head) < HEAD or self._sealed < TAG:
            raise DamagedPart("the file is cut off in its head")
        self._cipher = _cipher(passphrase, self._head[len(MAGIC) : len(MAGIC) + SALT])
        start, proof = self._head[: len(MAGIC) + SALT], self._head[-TAG:]
        try:
            self._cipher.decrypt(_nonce(0), proof, start)
        except InvalidTag as error:
            raise WrongPassphrase("the passphrase does not open this file, or its head is damaged") from error
        if self._head[len(start) : -TAG] != bytes(NONCE):
            raise DamagedPart("the head of the file is damaged")
        self.parts = -(-self._sealed // SEALED_PART)
        self._size = self._sealed - TAG * self.parts
        self._place, self._held, self._plain = 0, 0, b""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence]
        self._place = max(0, start + offset)
        return self._place

    def read(self, size: int | None = -1) -> bytes:
        left = max(0, self._size - self._place)
        wanted = left if size is None or size < 0 else min(size, left)
        found = bytearray()
        while len(found) < wanted:
            number, within = divmod(self._place, PART)
            some = self._part(number + 1)[within : within + wanted - len(found)]
            found += some
            self._place += len(some)
        return bytes(found)

    def check(self) -> None:
        """Opens every part; DamagedPart names the first that is not as it was written."""
        for number in range(1, self.parts + 1):
            self._part(number)

    def _part(self, number: int) -> bytes:
        if number != self._held:
            self._file.seek(HEAD + (number - 1) * SEALED_PART)
            sealed = self._file.read(SEALED_PART)
            bound = _bound_to(self._head, number, last=number == self.parts)
            try:
                self._plain = self._cipher.decrypt(_nonce(number), sealed, bound)
            except InvalidTag as error:
                raise DamagedPart(f"encrypted part {number} of {self.parts}") from error
            self._held = number
        return self._plain
