"""Writing the archive of a package: fixed times, sorted by nobody but the caller, each file with its hash for the manifest.

Leaves out: which files there are (`build`).
"""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from affiant.kit.errors import BadInput

_TIME = (1980, 1, 1, 0, 0, 0)
_CHUNK = 1 << 20


class Files:
    """An archive that is being written; a context manager. `listed` is what the manifest says of each file."""

    def __init__(self, path: Path) -> None:
        self._archive = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=6)
        self.listed: dict[str, dict[str, str | int]] = {}

    def add(self, path: str, parts: Iterable[bytes]) -> None:
        """Write one file from its parts."""
        hash_, size = hashlib.sha256(), 0
        with self._archive.open(_info(path), "w", force_zip64=True) as file:
            for part in _joined(parts):
                hash_.update(part)
                size += len(part)
                file.write(part)
        self.listed[path] = {"path": path, "sha256": hash_.hexdigest(), "size": size}

    def add_file(self, path: str, source: Path) -> None:
        """Write one file from a file on disk."""
        with open(source, "rb") as file:
            self.add(path, iter(lambda: file.read(_CHUNK), b""))

    def write_unlisted(self, path: str, data: bytes) -> None:
        """Write manifest or signature, which the manifest cannot list."""
        self._archive.writestr(_info(path), data)

    def __enter__(self) -> Files:
        return self

    def __exit__(self, *_: object) -> None:
        self._archive.close()


def _joined(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Short parts put together, so that each write is worth its cost."""
    waiting = iter(parts)
    while some := b"".join(islice(waiting, 2_000)):
        yield some


def _info(path: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(path, _TIME)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.create_system = 3
    info.external_attr = 0o100644 << 16
    return info


@contextmanager
def replacing(out: Path) -> Iterator[Path]:
    """A temporary file beside `out` that takes its name when all is written and on disk, and is removed when not.

    Raises:
        BadInput: it cannot be written.
    """
    temporary = out.with_name(out.name + ".part")
    try:
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.link(temporary, out)
    except OSError as error:
        raise BadInput(f"{out} cannot be written: {error.strerror}.", "Choose a folder that you may write and that has room.") from error
    finally:
        temporary.unlink(missing_ok=True)


def file_sha256(path: Path) -> str:
    """Hex SHA-256 of a file."""
    hash_ = hashlib.sha256()
    with open(path, "rb") as file:
        for data in iter(lambda: file.read(_CHUNK), b""):
            hash_.update(data)
    return hash_.hexdigest()
