"""The compiled scan beside a home, so that a process starts without compiling for a second.

One file below `HOME/derived`, which may be removed at any time: it names the patterns, the engine and the processor that it was made
for, and carries its own SHA-256. One that does not fit, or is damaged, is made again. Leaves out: what a scan is (`guards.scan`).
"""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Callable
from pathlib import Path

from affiant.guards.builtin import DETECTORS
from affiant.guards.scan import Scanner

FILE = "guards.scan"
_MAGIC = b"affiant-scan/1\n"


def _machine() -> bytes:
    """What of this machine a compiled scan depends on beside the processor's features, which the engine checks."""
    return f"{platform.system()} {platform.machine()}\n".encode()


def kept_scanner(place: Path, tell: Callable[[str], None]) -> Scanner:
    """The built-in detectors as one scan, from the file at `place` where it fits; else compiled and kept there.

    Args:
        tell: is told where it cannot be kept, so that the next start compiles again.
    """
    scan = Scanner(DETECTORS, _read(place / FILE))
    if scan.compiled:
        try:
            _write(place / FILE, scan.database)
        except OSError as error:
            tell(f"The compiled scan cannot be kept in {place}: {error.strerror}. Make it writable; until then every start compiles again.")
    return scan


def _read(path: Path) -> bytes:
    """What was kept; nothing where there is none, or it is damaged or of another machine: it is derived, and made again."""
    try:
        data = path.read_bytes()
    except OSError:
        return b""
    head = _MAGIC + _machine()
    digest, database = data[len(head) : len(head) + 32], data[len(head) + 32 :]
    return database if data.startswith(head) and hashlib.sha256(database).digest() == digest else b""


def _write(path: Path, database: bytes) -> None:
    whole = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        whole.write_bytes(_MAGIC + _machine() + hashlib.sha256(database).digest() + database)
        whole.replace(path)
    finally:
        whole.unlink(missing_ok=True)
