"""Fixtures: memory instead of a disk where the disk's own speed says nothing, and a file system whose power can be cut."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "ledger")]
_MEMORY = Path("/dev/shm")


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Path]:
    """A directory in memory where there is such a file system: faults come from the seam here, not from the disk."""
    if not os.access(_MEMORY, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(prefix="affiant-torture-", dir=_MEMORY) as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def cutfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The mount of `cutfs.py`."""
    for missing, what in (
        (not os.access("/dev/fuse", os.R_OK | os.W_OK), "/dev/fuse cannot be opened"),
        (shutil.which("fusermount3") is None, "fusermount3 is missing: install the package fuse3"),
        (importlib.util.find_spec("mfusepy") is None, "the Python package mfusepy is missing"),
    ):
        if missing:
            pytest.skip(f"could not look: {what}")
    mount = tmp_path_factory.mktemp("cutfs")
    said = mount.with_name(mount.name + ".log")
    with open(said, "wb") as log:
        process = subprocess.Popen([sys.executable, str(HERE / "cutfs.py"), str(mount)], stderr=log)
    until = time.monotonic() + 15
    while not os.path.ismount(mount) and process.poll() is None and time.monotonic() < until:
        time.sleep(0.01)
    try:
        if not os.path.ismount(mount):
            process.kill()
            pytest.skip(f"could not look: no FUSE file system can be mounted here ({said.read_text().strip()[-200:]})")
        yield mount
    finally:
        subprocess.run(["fusermount3", "-u", "-z", str(mount)], check=False, capture_output=True)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
