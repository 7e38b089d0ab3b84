"""Reading a package that may be hostile: a zip file whose every name, size and byte is checked before it is used.

Nothing is ever extracted to disk. Refused: names that leave the package or differ only in case, links and other special files,
encryption, overlapping or nested archives' tricks, compression other than deflate, sizes and ratios beyond the limits, and files
that the manifest does not list or lists otherwise. Leaves out: what the files say (`verify`).
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import zipfile
import zlib
from dataclasses import dataclass
from typing import IO, Any, Dict, Iterator, List, Mapping, Optional

from . import canonical
from .errors import Lie, Malformed

MANIFEST = "manifest.json"
SIGNATURE = "manifest.note"
FORMAT = "affiant-affidavit"
FORMAT_VERSION = 1
MODES = ("full", "sample", "receipt")
MAX_FILES = 60_000
MAX_TOTAL_BYTES = 24 * 2**30
MAX_FILE_BYTES = 4 * 2**30
MAX_RATIO = 400
MAX_SMALL_BYTES = 64 * 2**20
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*){0,8}")
_CHUNK = 1 << 20
_ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, OSError, OverflowError)


@dataclass(frozen=True)
class Listed:
    """One file as the manifest lists it."""

    path: str
    sha256: str
    size: int


@dataclass(frozen=True)
class Member:
    """One listed file within the archive: where it begins, how it is stored, and what the manifest says of it."""

    path: str
    offset: int
    compressed: int
    method: int
    size: int
    sha256: str

    def read(self, file: IO[bytes]) -> bytes:
        """Its bytes, out of the open archive.

        Raises:
            Lie: they are not those that the manifest lists.
        """
        file.seek(self.offset)
        header = file.read(30)
        file.seek(int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little"), os.SEEK_CUR)
        data = file.read(self.compressed)
        if self.method == zipfile.ZIP_DEFLATED:
            try:
                data = zlib.decompressobj(-15).decompress(data, self.size + 1)
            except zlib.error as error:
                raise Lie(f"{self.path} was changed in the archive: {error}.") from None
        if len(data) != self.size or hashlib.sha256(data).hexdigest() != self.sha256:
            raise Lie(f"{self.path} was changed: its bytes are not those that the manifest lists.")
        return data


class Package:
    """An open package. Use as a context manager.

    Raises:
        Malformed: it is no zip file, or not one that may be read safely.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            if not stat.S_ISREG(os.stat(path).st_mode):
                raise Malformed(f"{path} is no file.")
            self._file: IO[bytes] = open(path, "rb")  # noqa: SIM115 - closed by close()
        except OSError as error:
            raise Malformed(f"{path} cannot be read: {error.strerror}.") from None
        try:
            self._infos = self._open(path)
        except Malformed:
            self._file.close()
            raise

    def _open(self, path: str) -> Dict[str, zipfile.ZipInfo]:
        if self._file.read(4) != b"PK\x03\x04":
            raise Malformed(f"{path} is no package (it does not begin as a zip file).")
        try:
            self._zip = zipfile.ZipFile(self._file)
        except _ZIP_ERRORS as error:
            raise Malformed(f"{path} is no package: {error}.") from None
        infos = self._zip.infolist()
        if len(infos) > MAX_FILES or self._zip.comment:
            raise Malformed(f"The package has {len(infos)} files or a comment.", f"At most {MAX_FILES} files are read.")
        _check_infos(infos, os.fstat(self._file.fileno()).st_size)
        return {info.filename: info for info in infos}

    @property
    def names(self) -> List[str]:
        return list(self._infos)

    def chunks(self, name: str, limit: Optional[int] = None) -> Iterator[bytes]:
        """A file's bytes in pieces.

        Args:
            name: its path.
            limit: most bytes that it may have; by default the size that the archive declares.

        Raises:
            Malformed: there is none, or it is larger.
            Lie: its bytes do not agree with the archive's own checksum.
        """
        info = self._infos.get(name)
        if info is None:
            raise Malformed(f"The package has no {name}.")
        left = info.file_size if limit is None else min(limit, info.file_size)
        if info.file_size > left:
            raise Malformed(f"{name} has {info.file_size} bytes; {left} are allowed.")
        try:
            with self._zip.open(info) as file:
                while True:
                    data = file.read(_CHUNK)
                    if not data:
                        break
                    left -= len(data)
                    if left < 0:
                        raise Malformed(f"{name} has more bytes than it declares.")
                    yield data
        except _ZIP_ERRORS as error:
            raise Lie(f"{name} was changed in the archive: {error}.") from None
        if left and limit is None:
            raise Malformed(f"{name} has fewer bytes than it declares.")

    def read(self, name: str, limit: int = MAX_SMALL_BYTES) -> bytes:
        """A whole file of at most `limit` bytes."""
        return b"".join(self.chunks(name, limit))

    def has(self, name: str) -> bool:
        return name in self._infos

    def check_names(self, listed: Mapping[str, Listed]) -> None:
        """Check that the package holds exactly the files that the manifest lists.

        Raises:
            Lie: a file is missing or added.
        """
        present = {name for name in self._infos if name not in (MANIFEST, SIGNATURE)}
        for name in sorted(set(listed) - present):
            raise Lie(f"{name} is listed in the manifest and missing from the package.")
        for name in sorted(present - set(listed)):
            raise Lie(f"{name} was added: the manifest does not list it.")

    def check_files(self, listed: Mapping[str, Listed], later: str = "") -> int:
        """Check the bytes of the files that the manifest lists; gives their total size.

        Args:
            listed: by the manifest; each is there.
            later: files whose paths begin so are only counted; whoever reads them compares their bytes (`Member`).

        Raises:
            Lie: a file was changed.
        """
        total = 0
        for name in sorted(listed):
            if later and name.startswith(later):
                total += listed[name].size
                continue
            hash_, size = hashlib.sha256(), 0
            for data in self.chunks(name):
                hash_.update(data)
                size += len(data)
            if size != listed[name].size or hash_.hexdigest() != listed[name].sha256:
                raise Lie(f"{name} was changed: its bytes are not those that the manifest lists.")
            total += size
        return total

    def member(self, listed: Listed) -> "Member":
        """Where a listed file's bytes lie, for a process that has only the archive's path."""
        info = self._infos[listed.path]
        return Member(listed.path, info.header_offset, info.compress_size, info.compress_type, listed.size, listed.sha256)

    def close(self) -> None:
        self._zip.close()
        self._file.close()

    def __enter__(self) -> "Package":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _check_infos(infos: List[zipfile.ZipInfo], file_size: int) -> None:
    total, seen = 0, set()
    for info in infos:
        name, kind = info.filename, stat.S_IFMT(info.external_attr >> 16)
        if info.orig_filename != name or not _NAME.fullmatch(name) or len(name) > 200:
            raise Malformed(f"The package has a file with an unsafe name: {info.orig_filename[:80]!r}.")
        if name.lower() in seen:
            raise Malformed(f"The package has {name} twice.")
        seen.add(name.lower())
        if kind not in (0, stat.S_IFREG):
            raise Malformed(f"{name} is a link or another special file.")
        if info.flag_bits & 0x1 or info.flag_bits & 0x40:
            raise Malformed(f"{name} is encrypted.")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise Malformed(f"{name} is compressed in a way that is not read here.")
        if info.file_size > MAX_FILE_BYTES or (info.file_size > 1 << 20 and info.file_size > MAX_RATIO * max(info.compress_size, 1)):
            raise Malformed(f"{name} would unpack to {info.file_size} bytes from {info.compress_size}.")
        total += info.file_size
    if total > MAX_TOTAL_BYTES:
        raise Malformed(f"The package would unpack to {total} bytes.")
    end = 0
    for info in sorted(infos, key=lambda info: info.header_offset):
        if info.header_offset < end or info.header_offset + 30 + info.compress_size > file_size:
            raise Malformed(f"{info.filename} overlaps another file in the archive.")
        end = info.header_offset + 30 + len(info.filename) + info.compress_size


@dataclass(frozen=True)
class Manifest:
    """What a package says it is; `raw` holds all of its fields, `digest` the hex SHA-256 of its bytes."""

    raw: Dict[str, Any]
    digest: str
    files: Dict[str, Listed]

    @classmethod
    def parse(cls, data: bytes) -> "Manifest":
        """Read a manifest.

        Raises:
            Malformed: it is none, or of a format that this verifier does not know.
        """
        raw = canonical.loads(data)
        try:
            if raw["format"] != FORMAT or raw["format_version"] != FORMAT_VERSION:
                raise Malformed(f"The package has the format {raw['format']} {raw['format_version']}.", "Use a newer verifier.")
            if raw["mode"] not in MODES:
                raise Malformed(f"The package has the mode {raw['mode']!r}, which this verifier does not know.", "Use a newer verifier.")
            files = {entry["path"]: Listed(entry["path"], entry["sha256"], entry["size"]) for entry in raw["files"]}
            if len(files) != len(raw["files"]) or [entry["path"] for entry in raw["files"]] != sorted(files):
                raise Malformed("The manifest's files are not in order, or one is listed twice.")
            for mapping, names in _SHAPE.items():
                for name, kind in names.items():
                    if type((raw[mapping] if mapping else raw)[name]) is not kind:
                        raise Malformed(f"The manifest's {mapping} {name} is no {kind.__name__}.")
            _check_controls(raw["controls"])
        except (KeyError, TypeError, AttributeError) as error:
            raise Malformed(f"The manifest lacks or mistypes {error}.") from None
        return cls(raw, hashlib.sha256(data).hexdigest(), files)


_SHAPE: Dict[str, Dict[str, type]] = {
    "": {"origin": str, "log": str, "demo": int, "id": str, "built_at": int, "by": str, "software": str, "witnesses": list},
    "period": {"from": int, "to": int},
    "range": {"start_size": int, "view_from": int, "end_size": int},
}


def _check_controls(controls: Any) -> None:
    ids = []
    for control in controls:
        if not _NAME.fullmatch(control["id"]) or "/" in control["id"] or type(control["run"]) is not int:
            raise Malformed(f"The manifest names the control {control['id']!r}.")
        ids.append(control["id"])
    if ids != sorted(set(ids)):
        raise Malformed("The manifest's controls are not in order, or one is named twice.")


def manifest_text(origin: str, digest: str) -> str:
    """The note text that is signed for a manifest. Two lines: it can never be read as a checkpoint, which has three or more."""
    return f"affiant affidavit v1 {origin}\nsha256 {digest}\n"
