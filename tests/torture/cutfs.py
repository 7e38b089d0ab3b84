"""A file system in memory whose power can be cut: `python cutfs.py MOUNT` (needs fuse3 and mfusepy).

Each inode keeps two views: what programs see, and what the disk holds. A file's bytes reach the disk by fsync or fdatasync of it, a
name by fsync of its directory; nothing else does. Each directory at the top is a world of its own. Commands are extended attributes:

    setxattr MOUNT/w user.settle ""         all that programs see is on disk now
    setxattr MOUNT/w user.arm "N MODE SEED" cut at the Nth change from now on (0: at once)
    getxattr MOUNT/w user.changes           changes since it was settled, and 1 if the power is cut: "57 0"
    setxattr MOUNT/w user.dump PATH         write what a cut left on the disk to a directory that is not there yet

A cut freezes what the disk holds; every later call in that world fails with EIO. MODE `drop` loses all that was not synced; `some` lets
an arbitrary part of it through: single pages of single writes, lengths, whole directories' names, as disks and kernels do.
Leaves out: reservation of blocks, which such a file system refuses, and torn sectors within 512 bytes.
"""

from __future__ import annotations

import errno
import os
import random
import stat
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mfusepy

PAGE = 512
_CHANGE_LIMIT = 1 << 60


@dataclass(eq=False)
class Node:
    """An inode. `pending` holds writes (offset, bytes) and lengths (length, None) that the disk has not seen."""

    mode: int
    data: bytearray = field(default_factory=bytearray)
    disk: bytearray = field(default_factory=bytearray)
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)
    names: dict[str, Node] = field(default_factory=dict)
    disk_names: dict[str, Node] = field(default_factory=dict)
    target: str = ""
    mtime: float = field(default_factory=time.time)

    @property
    def is_dir(self) -> bool:
        return stat.S_ISDIR(self.mode)

    def sync(self) -> None:
        """What programs see reaches the disk: a file's bytes or a directory's names."""
        for offset, data in self.pending:
            apply(self.disk, offset, data)
        self.pending.clear()
        self.disk_names = dict(self.names)

    def settle(self) -> None:
        self.sync()
        for child in self.names.values():
            child.settle()


def apply(disk: bytearray, offset: int, data: bytes | None) -> None:
    """Carry out one write, or set a length."""
    if data is None:
        del disk[offset:]
        disk.extend(bytes(offset - len(disk)))
        return
    if len(disk) < offset:
        disk.extend(bytes(offset - len(disk)))
    disk[offset : offset + len(data)] = data


@dataclass(eq=False)
class World:
    """A directory at the top: how many changes it saw, when its power goes, and what was on disk then."""

    changes: int = 0
    cut_at: int = _CHANGE_LIMIT
    mode: str = "drop"
    seed: int = 0
    frozen: dict[str, Any] | None = None


def freeze(node: Node, some: random.Random | None) -> Any:
    """What the disk holds of a node, as plain values: bytes of a file, dict of a directory, None of anything else."""
    if node.is_dir:
        names = node.names if some is not None and some.random() < 0.5 else node.disk_names
        return {name: freeze(child, some) for name, child in names.items()}
    if not stat.S_ISREG(node.mode):
        return None
    disk = bytearray(node.disk)
    for offset, data in node.pending if some is not None else ():
        assert some is not None
        if data is None:
            if some.random() < 0.5:
                apply(disk, offset, None)
            continue
        if some.random() < 0.5 and len(disk) < offset + len(data):
            apply(disk, offset + len(data), None)
        at = offset
        while at < offset + len(data):
            end = min(offset + len(data), (at // PAGE + 1) * PAGE)
            if some.random() < 0.5:
                apply(disk, at, data[at - offset : end - offset])
            at = end
    return bytes(disk)


def dump(frozen: dict[str, Any], to: Path) -> None:
    """Write a frozen directory out."""
    to.mkdir(parents=True)
    for name, value in frozen.items():
        if isinstance(value, dict):
            dump(value, to / name)
        elif value is not None:
            (to / name).write_bytes(value)


class CutFS(mfusepy.Operations):  # type: ignore[misc]
    """The file system. One thread, so that a cut falls between two calls."""

    use_ns = True

    def __init__(self) -> None:
        self.root = Node(stat.S_IFDIR | 0o755)
        self.worlds: dict[str, World] = {}
        self.open_files: dict[int, Node] = {}
        self.paths: dict[int, str] = {}  # as opened: a file that was removed since has no other
        self._next = 0

    # -- finding

    def _node(self, path: str) -> Node:
        node = self.root
        for part in path.split("/"):
            if part:
                try:
                    node = node.names[part]
                except KeyError:
                    raise mfusepy.FuseOSError(errno.ENOENT) from None
        return node

    def _parent(self, path: str) -> tuple[Node, str]:
        head, _, name = path.rpartition("/")
        return self._node(head), name

    def _world(self, path: str) -> World:
        return self.worlds.setdefault(path.split("/")[1], World())

    def _alive(self, path: str) -> World:
        world = self._world(path)
        if world.frozen is not None:
            raise mfusepy.FuseOSError(errno.EIO)
        return world

    def _change(self, path: str) -> None:
        """Count a change about to happen; the power goes before the one that is due."""
        world = self._alive(path)
        world.changes += 1
        if world.changes >= world.cut_at:
            self._cut(path.split("/")[1], world)
            raise mfusepy.FuseOSError(errno.EIO)

    def _cut(self, name: str, world: World) -> None:
        some = random.Random(world.seed) if world.mode == "some" else None
        node = self.root.names[name]
        names = node.disk_names
        world.frozen = {child: freeze(found, some) for child, found in names.items()}

    def _handle(self, node: Node, path: str) -> int:
        self._next += 1
        self.open_files[self._next] = node
        self.paths[self._next] = path
        return self._next

    def _closed(self, fh: int) -> int:
        self.open_files.pop(fh, None)
        self.paths.pop(fh, None)
        return 0

    # -- commands

    def setxattr(self, path: str, name: str, value: bytes, options: int, position: int = 0) -> int:
        world = self._world(path)
        word = name.removeprefix("user.")
        if word == "settle":
            self._node(path).settle()
            world.changes = 0
        elif word == "arm":
            at, world.mode, seed = value.decode().split()
            world.seed = int(seed)
            world.cut_at = world.changes + int(at)
            if int(at) == 0:
                self._cut(path.strip("/"), world)
        elif word == "dump":
            if world.frozen is None:
                raise mfusepy.FuseOSError(errno.EBUSY)
            dump(world.frozen, Path(value.decode()))
        elif word == "forget":
            del self.root.names[path.strip("/")]
            del self.worlds[path.strip("/")]
        else:
            raise mfusepy.FuseOSError(errno.ENOTSUP)
        return 0

    def getxattr(self, path: str, name: str, position: int = 0) -> bytes:
        if name == "user.changes":
            world = self._world(path)
            return f"{world.changes} {int(world.frozen is not None)}".encode()
        raise mfusepy.FuseOSError(errno.ENODATA)

    # -- looking

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        node = self.open_files[fh] if fh in self.open_files else self._node(path)
        now = int(node.mtime * 1e9)
        return {"st_mode": node.mode, "st_size": len(node.data), "st_nlink": 2 if node.is_dir else 1, "st_mtime": now,
                "st_ctime": now, "st_atime": now, "st_uid": os.getuid(), "st_gid": os.getgid()}  # fmt: skip

    def readdir(self, path: str, fh: int) -> list[str]:
        return [".", "..", *self._node(path).names]

    def readlink(self, path: str) -> str:
        return self._node(path).target

    def statfs(self, path: str) -> dict[str, int]:
        return {"f_bsize": 4096, "f_frsize": 4096, "f_blocks": 1 << 24, "f_bavail": 1 << 23, "f_bfree": 1 << 23, "f_namemax": 255}

    def read(self, path: str | None, size: int, offset: int, fh: int) -> bytes:
        self._alive(path or self.paths[fh])
        return bytes(self.open_files[fh].data[offset : offset + size])

    # -- names

    def _add(self, path: str, node: Node) -> Node:
        self._change(path)
        parent, name = self._parent(path)
        parent.names[name] = node
        return node

    def mkdir(self, path: str, mode: int) -> int:
        if path.count("/") == 1:
            self.root.names[path[1:]] = Node(stat.S_IFDIR | mode)
            return 0
        self._add(path, Node(stat.S_IFDIR | mode))
        return 0

    def create(self, path: str, mode: int, fi: Any = None) -> int:
        return self._handle(self._add(path, Node(stat.S_IFREG | (mode & 0o7777))), path)

    def mknod(self, path: str, mode: int, dev: int) -> int:
        self._add(path, Node(mode))
        return 0

    def symlink(self, target: str, source: str) -> int:
        self._add(target, Node(stat.S_IFLNK | 0o777, target=source))
        return 0

    def unlink(self, path: str) -> int:
        self._change(path)
        parent, name = self._parent(path)
        del parent.names[name]
        return 0

    def rmdir(self, path: str) -> int:
        self._change(path)
        parent, name = self._parent(path)
        if parent.names[name].names:
            raise mfusepy.FuseOSError(errno.ENOTEMPTY)
        del parent.names[name]
        return 0

    def rename(self, old: str, new: str) -> int:
        self._change(old)
        source, name = self._parent(old)
        to, fresh = self._parent(new)
        to.names[fresh] = source.names.pop(name)
        return 0

    # -- bytes

    def open(self, path: str, flags: int) -> int:
        self._alive(path)
        return self._handle(self._node(path), path)

    # `path` is None for a file that was removed while open.

    def write(self, path: str | None, data: bytes, offset: int, fh: int) -> int:
        self._change(path or self.paths[fh])
        node = self.open_files[fh]
        apply(node.data, offset, data)
        node.pending.append((offset, data))
        node.mtime = time.time()
        return len(data)

    def truncate(self, path: str | None, length: int, fh: int | None = None) -> int:
        self._change(path or self.paths[fh or 0])
        node = self.open_files[fh] if fh in self.open_files else self._node(path or "")
        apply(node.data, length, None)
        node.pending.append((length, None))
        return 0

    def fsync(self, path: str | None, datasync: int, fh: int) -> int:
        self._change(path or self.paths[fh])
        self.open_files[fh].sync()
        return 0

    def opendir(self, path: str) -> int:
        return self._handle(self._node(path), path)

    def fsyncdir(self, path: str | None, datasync: int, fh: int) -> int:
        self._change(path or self.paths[fh])
        self.open_files[fh].sync()
        return 0

    def release(self, path: str, fh: int) -> int:
        return self._closed(fh)

    def releasedir(self, path: str, fh: int) -> int:
        return self._closed(fh)

    def flush(self, path: str, fh: int) -> int:
        return 0

    def chmod(self, path: str, mode: int) -> int:
        node = self._node(path)
        node.mode = stat.S_IFMT(node.mode) | (mode & 0o7777)
        return 0

    def chown(self, path: str, uid: int, gid: int) -> int:
        return 0

    def utimens(self, path: str, times: Any = None) -> int:
        return 0


if __name__ == "__main__":
    # hard_remove: a file removed while open goes at once, instead of under another name.
    mfusepy.FUSE(CutFS(), sys.argv[1], foreground=True, nothreads=True, hard_remove=True, fsname="affiant-cutfs")
