"""The archive: older entry bundles, deflated, one pack for each run of bundles of a day (`HOME/archive`).

A pack `<first bundle, 12 digits>-<count>.pack` holds zlib streams back to back, one a bundle, then count + 1 u64 offsets (big endian),
the first bundle and the count as u64, and 16 bytes of magic. A pack is made beside, read back and held against the hash tiles before it
gets its name; only then do the plain bundles and the segments behind it go (`archiving`). The archive covers bundles without a gap, from 0
on, or from where a home that was pruned begins. Leaves out: serving (`cli.tileserver`), what is still published (`retention`), Parquet
(`columnar`).
"""

from __future__ import annotations

import os
import re
import struct
import threading
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from affiant.kit.errors import LedgerFault
from affiant.ledger.fileops import FileOps
from affiant.ledger.segment import pack
from affiant.proof.errors import ProofError
from affiant.proof.hashes import HASH_SIZE
from affiant.proof.tiles import TILE_WIDTH, unpack_bundle

ARCHIVE = "archive"
MAGIC = b"affiant-archive1"
LEVEL = 6
MAX_RUN = 4_096
MAX_RAW = TILE_WIDTH * (65_535 + 2)
_PRODUCER = re.compile(rb'"producer":"[^"]*"(?=,"(?:ref|seq)":)')
_FOOTER = struct.Struct(">QQ16s")
_RESTORE = "Restore archive/ from a backup or a mirror of the log."


@dataclass(frozen=True, slots=True)
class Pack:
    """One file: its path, first bundle and number of bundles."""

    path: Path
    first: int
    count: int

    @property
    def stop(self) -> int:
        """Bundle after its last."""
        return self.first + self.count


def pack_name(first: int, count: int) -> str:
    """File name of a pack."""
    return f"{first:012d}-{count}.pack"


def bundle_number(path: str) -> int:
    """Number of the full bundle at a path such as `tile/entries/x001/234`; -1 for anything else."""
    parts = path.removeprefix("tile/entries/").split("/")
    digits = [part.removeprefix("x") for part in parts[:-1]] + parts[-1:]
    good = path.startswith("tile/entries/") and all(len(part) == 3 and part.isdigit() for part in digits)
    return int("".join(digits)) if good else -1


class PackWriter:
    """Writes one pack under a temporary name: `add` bundles, then `closed`, then `name`.

    Args:
        directory: `HOME/archive`.
        first: number of its first bundle.
        ops: system calls.
        level: of zlib, 1 (fast) to 9 (small).
    """

    def __init__(self, directory: Path, first: int, ops: FileOps, level: int = LEVEL) -> None:
        self.first = first
        self.offsets = [0]
        self._directory = directory
        self._ops = ops
        self._level = level
        directory.mkdir(exist_ok=True)
        self.temporary = directory / f"{first:012d}.tmp"
        self._fd = os.open(self.temporary, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644)

    @classmethod
    def resume(cls, directory: Path, first: int, offsets: list[int], ops: FileOps, level: int = LEVEL) -> PackWriter:
        """Go on with a temporary file that another process of the same command began."""
        writer = cls.__new__(cls)
        writer.first, writer.offsets = first, offsets
        writer._directory, writer._ops, writer._level = directory, ops, level
        writer.temporary = directory / f"{first:012d}.tmp"
        writer._fd = os.open(writer.temporary, os.O_RDWR)
        return writer

    def leave(self) -> None:
        """Close the temporary file for another process to `resume`."""
        os.close(self._fd)
        self._fd = -1

    @property
    def count(self) -> int:
        """Bundles so far."""
        return len(self.offsets) - 1

    def add(self, bundle: bytes) -> None:
        """Append one full bundle, as tlog-tiles lays it out."""
        self.add_deflated(zlib.compress(bundle, self._level))

    def add_deflated(self, data: bytes) -> None:
        """Append one full bundle that is deflated already."""
        self._write(data)
        self.offsets.append(self.offsets[-1] + len(data))

    def _write(self, data: bytes) -> None:
        offset, written = self.offsets[-1], 0
        while written < len(data):
            written += self._ops.write(self._fd, memoryview(data)[written:], offset + written)

    def closed(self, durable: bool = True) -> Pack:
        """Write the table and put everything on disk, under the temporary name still."""
        table = struct.pack(f">{len(self.offsets)}Q", *self.offsets)
        self._write(table + _FOOTER.pack(self.first, self.count, MAGIC))
        if durable:
            self._ops.sync(self._fd)
        os.close(self._fd)
        self._fd = -1
        return Pack(self.temporary, self.first, self.count)

    def name(self, durable: bool = True) -> Pack:
        """Give a closed pack its name."""
        path = self._directory / pack_name(self.first, self.count)
        os.replace(self.temporary, path)
        if durable:
            self._ops.sync_directory(self._directory)
        return Pack(path, self.first, self.count)

    def abandon(self) -> None:
        """Leave nothing behind."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        self.temporary.unlink(missing_ok=True)


class _Open:
    """An open pack and its table."""

    def __init__(self, pack: Pack) -> None:
        self.pack = pack
        self.fd = os.open(pack.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            size = os.fstat(self.fd).st_size
            length = (pack.count + 1) * 8 + _FOOTER.size
            data = os.pread(self.fd, length, max(0, size - length))
            good = len(data) == length and _FOOTER.unpack(data[-_FOOTER.size :]) == (pack.first, pack.count, MAGIC)
            self.offsets = struct.unpack(f">{pack.count + 1}Q", data[: -_FOOTER.size]) if good else ()
            if not good or self.offsets[0] != 0 or self.offsets[-1] != size - length:
                raise LedgerFault(f"{pack.path} is no archive of {pack.count} bundles.", _RESTORE)
        except BaseException:
            os.close(self.fd)
            raise

    def deflated(self, number: int) -> bytes:
        begin, end = self.offsets[number - self.pack.first : number - self.pack.first + 2]
        return os.pread(self.fd, max(0, end - begin), begin)

    def read(self, number: int) -> bytes:
        data = self.deflated(number)
        try:
            engine = zlib.decompressobj()
            raw = engine.decompress(data, MAX_RAW)
        except zlib.error as error:
            raise LedgerFault(f"Bundle {number} in {self.pack.path} is damaged: {error}.", _RESTORE) from error
        if not engine.eof or engine.unused_data:
            raise LedgerFault(f"Bundle {number} in {self.pack.path} is damaged.", _RESTORE)
        return raw

    def close(self) -> None:
        os.close(self.fd)


class Archive:
    """Reads `HOME/archive`. Safe for several threads; sees packs that other processes add.

    Args:
        directory: may be absent.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._lock = threading.Lock()
        self._stamp = -1
        self._packs: list[Pack] = []
        self._open: _Open | None = None

    def packs(self) -> list[Pack]:
        """All packs, by first bundle.

        Raises:
            LedgerFault: they overlap or leave a gap.
        """
        with self._lock:
            try:
                stamp = self.directory.stat().st_mtime_ns
            except FileNotFoundError:
                return []
            if stamp != self._stamp:
                self._packs = self._list()
                self._stamp = stamp
            return self._packs

    def _list(self) -> list[Pack]:
        found = self._found()
        # A pack that was cut lies beside the one that it was cut from until that one is gone.
        found = [each for n, each in enumerate(found) if n + 1 == len(found) or each.stop != found[n + 1].stop]
        for before, after in pairwise(found):
            if before.stop != after.first:
                raise LedgerFault(f"{after.path.name} follows bundle {before.stop - 1} in {self.directory}.", _RESTORE)
        return found

    @property
    def begin(self) -> int:
        """First bundle that is there."""
        packs = self.packs()
        return packs[0].first if packs else 0

    @property
    def stop(self) -> int:
        """Bundle after the last that is there; 0 for an empty archive."""
        packs = self.packs()
        return packs[-1].stop if packs else 0

    def bundle(self, number: int) -> bytes | None:
        """A bundle as tlog-tiles lays it out, or None where the archive has none of that number.

        Raises:
            LedgerFault: its pack is damaged.
        """
        packs = self.packs()
        low, high = 0, len(packs)
        while low < high:
            middle = (low + high) // 2
            if packs[middle].stop <= number:
                low = middle + 1
            else:
                high = middle
        if low == len(packs) or not packs[low].first <= number < packs[low].stop:
            return None
        with self._lock:
            if self._open is None or self._open.pack != packs[low]:
                if self._open is not None:
                    self._open.close()
                    self._open = None
                try:
                    self._open = _Open(packs[low])
                except OSError as error:
                    raise LedgerFault(f"{packs[low].path} cannot be read: {error.strerror}.", _RESTORE) from error
            return self._open.read(number)

    def cut(self, first: int, ops: FileOps) -> int:
        """Take away the packs below the bundle `first`; one that reaches beyond is made anew from there on. Gives their bytes."""
        gone = 0
        for each in self._found():
            if each.first >= first:
                continue
            size = each.path.stat().st_size
            if each.stop > first:
                size -= self._cut_one(each, first, ops).path.stat().st_size
            # One at a time and on disk: what is left after a power cut has no gap either.
            each.path.unlink()
            ops.sync_directory(self.directory)
            gone += size
        self.close()
        return gone

    def _cut_one(self, pack: Pack, first: int, ops: FileOps) -> Pack:
        """The rest of a pack from a bundle on, read back before it gets its name."""
        opened, writer = _Open(pack), PackWriter(self.directory, first, ops)
        try:
            for number in range(first, pack.stop):
                writer.add_deflated(opened.deflated(number))
            made = _Open(writer.closed())
            try:
                for number in range(first, pack.stop):
                    if made.read(number) != opened.read(number):
                        raise LedgerFault(f"Bundle {number} of {pack.path} could not be copied.", "Check the disk.")
            finally:
                made.close()
            return writer.name()
        except BaseException:
            writer.abandon()
            raise
        finally:
            opened.close()

    def _found(self) -> list[Pack]:
        """Every pack in the folder, those included from which another was cut."""
        try:
            names = [(path, path.stem.partition("-")) for path in self.directory.iterdir() if path.suffix == ".pack"]
        except FileNotFoundError:
            return []
        packs = [Pack(path, int(a), int(b)) for path, (a, _, b) in names if a.isdigit() and b.isdigit() and int(b)]
        return sorted(packs, key=lambda pack: (pack.first, pack.stop))

    def entries(self, number: int) -> list[bytes] | None:
        """The 256 entries of a bundle, or None as `bundle`.

        Raises:
            LedgerFault: its pack is damaged.
        """
        data = self.bundle(number)
        if data is None:
            return None
        try:
            entries = unpack_bundle(data)
        except ProofError as error:
            raise LedgerFault(f"Bundle {number} in {self.directory} is damaged: {error.message}", _RESTORE) from error
        if len(entries) != TILE_WIDTH:
            raise LedgerFault(f"Bundle {number} in {self.directory} has {len(entries)} entries.", _RESTORE)
        return entries

    def close(self) -> None:
        """Let go of the open pack."""
        with self._lock:
            if self._open is not None:
                self._open.close()
                self._open = None

    def __del__(self) -> None:
        if self._open is not None:
            self._open.close()


def check_pack(pack: Pack, leaves: Callable[[int], bytes], hashes: Callable[[list[bytes]], bytes]) -> None:
    """Read a pack back and hold every entry against the tree.

    Args:
        leaves: gives the 8,192 bytes of the level-0 tile of a number.
        hashes: leaf hashes of entries, joined.

    Raises:
        LedgerFault: a bundle is damaged, or its entries are not those of the tree.
    """
    opened = _Open(pack)
    try:
        for number in range(pack.first, pack.stop):
            try:
                entries = unpack_bundle(opened.read(number))
            except ProofError as error:
                raise LedgerFault(f"Bundle {number} in {pack.path} is damaged: {error.message}", _RESTORE) from error
            found = hashes(entries)
            if len(found) != TILE_WIDTH * HASH_SIZE or found != leaves(number):
                raise LedgerFault(f"Bundle {number} in {pack.path} is not that of the tree.", _RESTORE)
    finally:
        opened.close()


def archived_segments(archive: Archive, stop: int, start: int = 0) -> Iterator[tuple[int, bytes]]:
    """(first index, frames) of the archived entries [start, stop), a pack at a time, laid out as a segment would be.

    Entries of one producer that follow one another stand as one batch: where batches ended is not kept.

    Args:
        start: a multiple of 256.

    Raises:
        LedgerFault: one is not there.
    """
    start_bundle = start // TILE_WIDTH
    if archive.begin > start_bundle or archive.stop * TILE_WIDTH < stop:
        lacking = start_bundle if archive.begin > start_bundle else archive.stop
        raise LedgerFault(f"{archive.directory} lacks bundle {lacking}.", _RESTORE)
    for each in archive.packs():
        begin = max(each.first, start_bundle)
        first = begin * TILE_WIDTH
        if first >= stop:
            return
        if each.stop <= begin:
            continue
        parts: list[bytes] = []
        run: list[bytes] = []
        producer = b""
        for number in range(begin, min(each.stop, -(-stop // TILE_WIDTH))):
            for entry in (archive.entries(number) or [])[: stop - number * TILE_WIDTH]:
                found = _PRODUCER.search(entry)
                name = found[0] if found is not None else b""
                if name != producer or len(run) >= MAX_RUN:
                    if run:
                        parts.append(pack(run))
                    run, producer = [], name
                run.append(entry)
        parts.append(pack(run))
        yield first, b"".join(parts)
