"""CPU time of process trees, read from /proc (Linux only)."""

from __future__ import annotations

import os
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")


def children() -> dict[int, list[int]]:
    """Parent -> children of every process."""
    found: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            fields = _fields(int(entry.name))
            if fields:
                found.setdefault(int(fields[1]), []).append(int(entry.name))
    return found


def tree(root: int) -> list[int]:
    """A process and all its descendants."""
    known = children()
    found, queue = [], [root]
    while queue:
        pid = queue.pop()
        found.append(pid)
        queue.extend(known.get(pid, ()))
    return found


def cpu_s(pids: list[int]) -> float:
    """User and system seconds of these processes so far, children that ended and were waited for included."""
    total = 0
    for pid in pids:
        fields = _fields(pid)
        if fields:
            total += sum(int(value) for value in fields[11:15])
    return total / _TICK


def _fields(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    except OSError:
        return []
