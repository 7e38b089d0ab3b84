"""C2SP signed notes, checkpoints and Ed25519 cosignatures (signed-note, tlog-checkpoint, tlog-cosignature).

A note is text ending in a newline, an empty line, then lines `- <name> base64(key id || signature)` with an em dash. Signatures by
unknown keys are ignored; a bad signature by a known key makes the note a lie. Signing is done by a callable given by the caller.
Leaves out: other algorithms (their signatures count as unknown), and which keys are to be trusted (`trust`).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import struct
from dataclasses import dataclass
from typing import Callable, Iterable, List, Optional, Tuple

from . import ed25519
from .errors import Lie, Malformed

ALG_ED25519 = 0x01
ALG_COSIGNATURE = 0x04
MAX_NOTE_BYTES = 1_000_000
MAX_SIGNATURES = 100
_DASH = "\u2014 "
Sign = Callable[[bytes], bytes]
Verify = Callable[[bytes, bytes, bytes], bool]


def _base64(text: str, what: str) -> bytes:
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (ValueError, binascii.Error):
        raise Malformed(f"{what} is not base64.") from None
    if base64.b64encode(data).decode() != text:
        raise Malformed(f"{what} is not canonical base64.")
    return data


def _check_name(name: str) -> str:
    if not name or "+" in name or any(c.isspace() or ord(c) < 32 for c in name):
        raise Malformed(f"{name!r} cannot be the name of a key.", "Names have no spaces and no plus sign.")
    return name


def key_id(name: str, alg: int, public: bytes) -> bytes:
    """The four bytes that stand for a key in a signature line."""
    return hashlib.sha256(name.encode("utf-8") + b"\n" + bytes([alg]) + public).digest()[:4]


@dataclass(frozen=True)
class VerifierKey:
    """A public key as notes name it: key name, algorithm byte and public key."""

    name: str
    alg: int
    public: bytes

    @property
    def id(self) -> bytes:
        return key_id(self.name, self.alg, self.public)

    def __str__(self) -> str:
        """The `vkey` text: name+hash+key."""
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(bytes([self.alg]) + self.public).decode()}"

    @classmethod
    def parse(cls, text: str) -> "VerifierKey":
        """Read a `vkey`.

        Raises:
            Malformed: it is none, or its key id does not belong to it.
        """
        parts = text.split("+", 2)
        if len(parts) != 3 or not re.fullmatch(r"[0-9a-f]{8}", parts[1]):
            raise Malformed(f"{text[:60]!r} is no verifier key.", "It has the form name+hash+key.")
        name, data = _check_name(parts[0]), _base64(parts[2], "A verifier key")
        if len(data) < 2:
            raise Malformed("A verifier key is too short.")
        key = cls(name, data[0], data[1:])
        if key.alg in (ALG_ED25519, ALG_COSIGNATURE) and len(key.public) != 32:
            raise Malformed("An Ed25519 verifier key does not have 32 bytes.")
        if key.id.hex() != parts[1]:
            raise Malformed(f"The key id of {name} does not belong to its key.", "Copy the whole verifier key again.")
        return key


@dataclass(frozen=True)
class Signature:
    """One signature line: name, four bytes of key id, and the rest."""

    name: str
    key_id: bytes
    data: bytes

    def line(self) -> str:
        return f"{_DASH}{self.name} {base64.b64encode(self.key_id + self.data).decode()}\n"

    @property
    def time_s(self) -> int:
        """Witness time of an Ed25519 cosignature, seconds since the epoch."""
        return int(struct.unpack(">Q", self.data[:8])[0])


@dataclass(frozen=True)
class Signed:
    """A signature that holds: by which key and, for a cosignature, at what time (s, else 0)."""

    key: VerifierKey
    time_s: int


def _cosigned_message(text: str, time_s: int) -> bytes:
    return f"cosignature/v1\ntime {time_s}\n{text}".encode()


def signature_line(text: str, key: VerifierKey, sign: Sign, time_s: Optional[int] = None) -> str:
    """One signature line over a note's text; `time_s` is needed for a cosignature key.

    Args:
        text: the note's text, ending in a newline.
        key: the public half; its algorithm says what is signed.
        sign: makes a 64-byte Ed25519 signature over the bytes given.
        time_s: witness time, seconds since the epoch.
    """
    if key.alg == ALG_ED25519:
        return Signature(key.name, key.id, sign(text.encode("utf-8"))).line()
    if key.alg != ALG_COSIGNATURE or time_s is None:
        raise Malformed(f"Cannot sign with algorithm {key.alg} and time {time_s}.")
    return Signature(key.name, key.id, struct.pack(">Q", time_s) + sign(_cosigned_message(text, time_s))).line()


def sign_note_text(text: str, key: VerifierKey, sign: Sign, time_s: Optional[int] = None) -> bytes:
    """A whole note over `text` with one signature."""
    _check_text(text)
    return (text + "\n" + signature_line(text, key, sign, time_s)).encode("utf-8")


def _check_text(text: str) -> None:
    if not text.endswith("\n") or text.startswith("\n\n") or any(ord(c) < 32 and c != "\n" for c in text):
        raise Malformed("A note's text must end in a newline and have no control characters.")


@dataclass(frozen=True)
class Note:
    """Text and its signature lines."""

    text: str
    signatures: Tuple[Signature, ...]

    @classmethod
    def parse(cls, data: bytes) -> "Note":
        """Read a note; says nothing about its signatures.

        Raises:
            Malformed: it is none, or has more than 100 signatures.
        """
        if len(data) > MAX_NOTE_BYTES:
            raise Malformed("A note is larger than a megabyte.")
        try:
            whole = data.decode("utf-8")
        except UnicodeDecodeError:
            raise Malformed("A note is not UTF-8.") from None
        head, separator, tail = whole.rpartition("\n\n")
        text = head + "\n"
        if not separator or not tail.endswith("\n"):
            raise Malformed("A note has no signatures.")
        _check_text(text)
        lines = tail[:-1].split("\n")
        if len(lines) > MAX_SIGNATURES:
            raise Malformed(f"A note has more than {MAX_SIGNATURES} signatures.")
        return cls(text, tuple(_parse_signature(line) for line in lines))

    def verify(self, keys: Iterable[VerifierKey], by: Verify = ed25519.verify) -> List[Signed]:
        """The signatures by `keys` that hold, at most one a key; others are ignored.

        Args:
            by: checks one Ed25519 signature; the ledger gives a faster one than the plain Python of this room.

        Raises:
            Lie: a signature by one of `keys` does not hold.
        """
        by_id = {(key.name, key.id): key for key in keys}
        found: "dict[VerifierKey, Signed]" = {}
        for signature in self.signatures:
            key = by_id.get((signature.name, signature.key_id))
            if key is not None and key not in found:
                found[key] = self._verify_one(key, signature, by)
        return list(found.values())

    def _verify_one(self, key: VerifierKey, signature: Signature, by: Verify) -> Signed:
        if key.alg == ALG_ED25519:
            good, time_s = by(key.public, self.text.encode("utf-8"), signature.data), 0
        elif key.alg == ALG_COSIGNATURE and len(signature.data) == 72:
            time_s = signature.time_s
            good = by(key.public, _cosigned_message(self.text, time_s), signature.data[8:])
        else:
            good, time_s = False, 0
        if not good:
            raise Lie(f"The signature of {key.name} on a note does not hold.")
        return Signed(key, time_s)

    def with_line(self, line: str) -> "Note":
        """The note with one more signature line (with or without its newline)."""
        return Note(self.text, (*self.signatures, _parse_signature(line.rstrip("\n"))))

    def to_bytes(self) -> bytes:
        return (self.text + "\n" + "".join(signature.line() for signature in self.signatures)).encode("utf-8")


def _parse_signature(line: str) -> Signature:
    parts = line[len(_DASH) :].split(" ")
    if not line.startswith(_DASH) or len(parts) != 2:
        raise Malformed(f"{line[:60]!r} is no signature line.")
    data = _base64(parts[1], "A signature")
    if len(data) < 5:
        raise Malformed("A signature is too short.")
    return Signature(_check_name(parts[0]), data[:4], data[4:])


@dataclass(frozen=True)
class Checkpoint:
    """A tree head: origin of the log, number of entries, root hash, and extension lines if any."""

    origin: str
    size: int
    root: bytes
    extensions: Tuple[str, ...] = ()

    def text(self) -> str:
        """The note text that is signed."""
        lines = (self.origin, str(self.size), base64.b64encode(self.root).decode(), *self.extensions)
        return "".join(line + "\n" for line in lines)

    @classmethod
    def parse(cls, text: str) -> "Checkpoint":
        """Read a checkpoint's text.

        Raises:
            Malformed: it is none, or its size is written with leading zeros.
        """
        lines = text.split("\n")
        if len(lines) < 4 or lines.pop() != "" or not all(lines):
            raise Malformed("A checkpoint needs an origin, a size and a root, and no empty line.")
        origin, size, root = lines[:3]
        if not re.fullmatch(r"0|[1-9][0-9]{0,18}", size):
            raise Malformed(f"{size[:30]!r} is no tree size.")
        hash_ = _base64(root, "A checkpoint's root")
        if len(hash_) != 32:
            raise Malformed("A checkpoint's root does not have 32 bytes.")
        return cls(origin, int(size), hash_, tuple(lines[3:]))
