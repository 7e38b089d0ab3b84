"""Segment files: the authoritative bytes of a ledger.

`segments/<index of first entry, 20 digits>.seg` is a run of frames: u32 word, u32 check, bytes (big endian). The low 31
bits of the word are the length; its top bit says that the next frame belongs to the same batch. `check` is CRC-32 of the
bytes with the word as start value. A batch is there whole or not at all. No frame begins with four zero bytes: zeros behind the
data of the newest segment are room made ahead (`spare`), and its size is no sign of where the data ends. Every other segment ends with
its data. Where a prefix was pruned, the bytes before it are zeros (`floor`). Leaves out: what entries mean, the tree, who may write.
"""

from __future__ import annotations

import ctypes
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from affiant.kit.errors import LedgerFault, NoRoom
from affiant.ledger.envelope import MAX_ENTRY_BYTES
from affiant.ledger.fileops import NO_ROOM_ERRORS, FileOps
from affiant.ledger.spare import Spare

HEADER = struct.Struct(">II")
MORE = 0x8000_0000
SEGMENT_BYTES = 64 * 1024 * 1024
STEP_BYTES = 8 * 1024 * 1024
AHEAD_BYTES = 4 * 1024 * 1024
_HOLE = bytes(512)
_BLOCK = 4096
_HOLE_KEEPING_SIZE = 3
_header, _crc32 = HEADER.pack, zlib.crc32


class SyncError(Exception):
    """The system could not put bytes on disk. The page cache is no longer to be trusted: the writer must stop."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One entry as stored: its index, bytes, where the next frame starts, and whether its batch ends here."""

    index: int
    data: bytes
    end: int
    last: bool


@dataclass(frozen=True, slots=True)
class Place:
    """A position: the segment that begins with entry `first`, and a byte offset in it."""

    first: int
    offset: int


def segment_name(first: int) -> str:
    """File name of the segment whose first entry is `first`."""
    return f"{first:020d}.seg"


def segment_firsts(directory: Path) -> list[int]:
    """First indexes of the segments in a directory, ascending."""
    return sorted(int(name[:-4]) for name in (path.name for path in directory.iterdir()) if name.endswith(".seg") and name[:-4].isdigit())


def pack(batch: list[bytes]) -> bytes:
    """The frames of one batch."""
    parts: list[bytes] = []
    for data in batch[:-1]:
        word = len(data) | MORE
        parts += (_header(word, _crc32(data, word)), data)
    data = batch[-1]
    parts += (_header(len(data), _crc32(data, len(data))), data)
    return b"".join(parts)


def frames(data: bytes | memoryview, index: int, offset: int = 0) -> Iterator[Frame]:
    """Good frames from an offset on; stops at the first bytes that are none."""
    end = len(data)
    while offset + 8 <= end:
        word, check = HEADER.unpack_from(data, offset)
        length = word & ~MORE
        stop = offset + 8 + length
        if not 0 < length <= MAX_ENTRY_BYTES or stop > end:
            return
        entry = bytes(data[offset + 8 : stop])
        if zlib.crc32(entry, word) != check:
            return
        yield Frame(index, entry, stop, not word & MORE)
        index += 1
        offset = stop


def read_from(path: Path, offset: int, most: int = -1) -> bytes:
    """A segment's bytes from an offset on: all, or at most so many."""
    with open(path, "rb") as file:
        file.seek(offset)
        return file.read(most)


def place_of(data: bytes, first: int, index: int, begin: int = 0) -> int:
    """Byte offset of an entry in a segment, found by hopping from frame to frame.

    Args:
        data: the segment's bytes.
        first: index of the entry that lies at the byte offset `begin`.

    Returns:
        The offset; the end of the last frame where the entry does not lie in it.
    """
    offset = begin
    while first < index and offset + HEADER.size <= len(data):
        length = HEADER.unpack_from(data, offset)[0] & ~MORE
        if not length:
            break
        offset += HEADER.size + length
        first += 1
    return offset


def blank(path: Path, end: int, ops: FileOps) -> int:
    """Make a segment's bytes before `end` zeros and give their blocks back, while others may append behind.

    Returns:
        Bytes given back; 0 where the file system cannot make holes (they are zeros all the same).

    Raises:
        OSError: the disk fails; blanking again is safe.
    """
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        before = os.fstat(fd).st_blocks
        if not _punch(fd, end):
            zeros = bytes(1 << 20)
            for offset in range(0, end, len(zeros)):
                piece, written = zeros[: min(len(zeros), end - offset)], 0
                while written < len(piece):
                    written += ops.write(fd, piece[written:], offset + written)
        ops.sync(fd)
        return max(0, before - os.fstat(fd).st_blocks) * 512
    finally:
        os.close(fd)


def _punch(fd: int, end: int) -> bool:
    """Whether the system made a hole of the first `end` bytes."""
    try:
        function = ctypes.CDLL(None, use_errno=True).fallocate
    except (OSError, AttributeError):
        return False
    function.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_longlong, ctypes.c_longlong)
    return int(function(fd, _HOLE_KEEPING_SIZE, 0, end)) == 0


def batches(data: bytes, index: int, offset: int = 0) -> Iterator[list[Frame]]:
    """Whole batches from an offset on; an unfinished one at the end is not given."""
    batch: list[Frame] = []
    for frame in frames(data, index, offset):
        batch.append(frame)
        if frame.last:
            yield batch
            batch = []


def torn_only(data: bytes, bad: int) -> bool:
    """Whether everything from `bad` on can be what an unfinished write leaves: good frames, then none, or none but behind a hole.

    Zeros up to the end are room made ahead: no entry ends with one. A hole is what the file system shows of a sector whose write
    never arrived: 512 zero bytes, or, where a batch begins within a sector, the zero bytes from there to that sector's end.

    Args:
        data: a segment from its beginning.
        bad: where the last whole batch ends.
    """
    data, start = data[: max(bad, len(data.rstrip(b"\0")))], bad
    for frame in frames(data, 0, bad):
        bad = frame.end
    rest = -bad % len(_HOLE)
    first_lost = bad == start and rest > 0 and not any(data[bad : bad + rest])
    position = bad
    while True:
        position = data.find(b"\0\0", position)
        if position < 0 or position + 8 > len(data):
            return True
        if next(frames(data, 0, position), None) is not None and position != bad:
            return _HOLE in data[bad:position] or (first_lost and position >= bad + rest)
        position += 1


class SegmentWriter:
    """Appends batches to the newest segment. One owner, one call at a time.

    Args:
        directory: where segments lie.
        ops: system calls.
        place: where the next frame goes, as recovery found it.
        segment_bytes: size after which a new segment is begun.

    Attributes:
        spare: the next segment; the first one goes into use as soon as it is ready, however short the present segment is.
        appended: bytes since this segment was begun or opened.
    """

    def __init__(self, directory: Path, ops: FileOps, place: Place, segment_bytes: int = SEGMENT_BYTES) -> None:
        self.directory = directory
        self.first = place.first
        self.offset = place.offset
        self.appended = 0
        self.spare = Spare(directory, ops, -(-segment_bytes // _BLOCK) * _BLOCK)
        self._ops = ops
        self._limit = segment_bytes
        self._fd = os.open(directory / segment_name(place.first), os.O_RDWR | os.O_CLOEXEC)
        self._reserved = place.offset
        self._zeros = 0
        self._can_reserve = True
        try:
            self.reserve()
        except SyncError:
            os.close(self._fd)
            raise

    @classmethod
    def create(cls, directory: Path, ops: FileOps, first: int, segment_bytes: int = SEGMENT_BYTES) -> SegmentWriter:
        """Begin the first segment; its name is on disk when this returns."""
        os.close(_begin(directory, ops, first))
        return cls(directory, ops, Place(first, 0), segment_bytes)

    @property
    def ahead(self) -> int:
        """Bytes reserved beyond the data."""
        return max(0, self._reserved - self.offset) + (self.spare.size if self.spare.ready else 0)

    @property
    def reserves(self) -> bool:
        """Whether the file system can reserve blocks at all."""
        return self._can_reserve

    def reserve(self) -> bool:
        """Keep some blocks reserved ahead of the data.

        Returns:
            False if there is no room for that.

        Raises:
            SyncError: the disk fails.
        """
        if not self._can_reserve or self.ahead >= AHEAD_BYTES:
            return True
        step = min(STEP_BYTES, max(AHEAD_BYTES, self._limit - self.offset))
        try:
            self._can_reserve = self._ops.allocate(self._fd, self.offset, step)
        except OSError as error:
            if error.errno in NO_ROOM_ERRORS:
                return False
            raise SyncError(f"Reserving blocks for {segment_name(self.first)} failed: {error.strerror}") from error
        self._reserved = self.offset + step
        return True

    def append(self, data: bytes, index: int) -> None:
        """Write frames and put them on disk. `index` is that of their first entry.

        Raises:
            NoRoom: nothing was written.
            SyncError: unknown; stop and recover from the disk.
        """
        if self._full(len(data)):
            self._rotate(index)
        written = 0
        view = memoryview(data)
        try:
            while written < len(data):
                count = self._ops.write(self._fd, view[written:], self.offset + written)
                if count <= 0:
                    raise OSError(28, "short write")
                written += count
        except OSError as error:
            self._cut(f"Cutting {segment_name(self.first)} back failed")
            self.reserve()
            if error.errno in NO_ROOM_ERRORS:
                raise NoRoom(f"The disk has no room for {len(data)} bytes of evidence.", f"Free space under {self.directory}.") from error
            raise SyncError(f"Writing {segment_name(self.first)} failed: {error.strerror}") from error
        try:
            self._ops.datasync(self._fd)
        except OSError as error:
            raise SyncError(f"Syncing {segment_name(self.first)} failed: {error.strerror}") from error
        self.offset += written
        self.appended += written
        self.reserve()

    def _full(self, count: int) -> bool:
        """Whether a new segment is due before that many bytes: at the limit, where zeros end, or as the first that is made ahead."""
        if self._zeros:
            return self.offset >= self._limit or (self.offset > 0 and self.offset + count > self._zeros)
        return self.offset >= self._limit or (self.offset > 0 and self.spare.ready)

    def _rotate(self, index: int) -> None:
        """Begin a new segment; without room for one, the old one goes on beyond its size.

        Zeros behind the old one's data go, on disk, before there is a newer one: only the newest ends otherwise than with its data.
        """
        if self._zeros:
            self._cut(f"Ending {segment_name(self.first)} failed")
        zeros = self.spare.size if self.spare.ready else 0
        try:
            fd = self.spare.take(segment_name(index)) if zeros else _begin(self.directory, self._ops, index)
        except OSError as error:
            if error.errno in NO_ROOM_ERRORS:
                self._drop(index)
                self.reserve()
                return
            raise SyncError(f"Beginning {segment_name(index)} failed: {error.strerror}") from error
        try:
            if self._reserved > self.offset:
                self._ops.truncate(self._fd, self.offset)
        except OSError as error:
            os.close(fd)
            raise SyncError(f"Ending {segment_name(self.first)} failed: {error.strerror}") from error
        os.close(self._fd)
        self._fd, self.first, self.offset, self.appended = fd, index, 0, 0
        self._reserved = self._zeros = zeros
        self.reserve()

    def _cut(self, failed: str) -> None:
        """Let the file end with its data, on disk."""
        try:
            self._ops.truncate(self._fd, self.offset)
            self._ops.datasync(self._fd)
        except OSError as error:
            raise SyncError(f"{failed}: {error.strerror}") from error
        self._reserved, self._zeros = self.offset, 0

    def _drop(self, index: int) -> None:
        """Remove a segment that could not be begun, name and all, before its entries go elsewhere."""
        try:
            (self.directory / segment_name(index)).unlink(missing_ok=True)
            self._ops.sync_directory(self.directory)
        except OSError as error:
            raise SyncError(f"Removing the empty {segment_name(index)} failed: {error.strerror}") from error

    def close(self) -> None:
        """Give the reserved blocks back and close.

        Raises:
            SyncError: they could not be given back; nothing is lost.
        """
        if self._fd < 0:
            return
        self.spare.close()
        try:
            self._ops.truncate(self._fd, self.offset)
        except OSError as error:
            raise SyncError(f"Closing {segment_name(self.first)} failed: {error.strerror}") from error
        finally:
            os.close(self._fd)
            self._fd = -1


def _begin(directory: Path, ops: FileOps, first: int) -> int:
    """An empty segment, open, its name on disk."""
    fd = os.open(directory / segment_name(first), os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    try:
        ops.sync(fd)
        ops.sync_directory(directory)
    except BaseException:
        os.close(fd)
        raise
    return fd


def recover_tail(directory: Path, ops: FileOps, first: int, good_end: int) -> None:
    """Cut what an unfinished write left behind the last whole batch of the newest segment.

    Raises:
        LedgerFault: what lies there is not such a rest.
    """
    path = directory / segment_name(first)
    data = read_from(path, 0)
    if len(data) == good_end:
        return
    unfinished = good_end
    for frame in frames(data, 0, good_end):
        unfinished = frame.end
    if not torn_only(data, unfinished):
        raise LedgerFault(
            f"{path.name} is damaged at byte {unfinished}: whole entries follow bytes that are none.",
            "Do not edit it. Restore the segment from a backup and start again.",
        )
    fd = os.open(path, os.O_RDWR)
    try:
        ops.truncate(fd, good_end)
        ops.datasync(fd)
    finally:
        os.close(fd)
