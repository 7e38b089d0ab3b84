"""A full disk and a read-only home: nothing is served without evidence, the reason is said, nothing is lost."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from affiant.testing.evidence import check_evidence
from affiant.testing.world import World

MIB = 1024 * 1024


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 96 MiB, where this machine lets us mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", str(place)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"could not look: no small file system can be mounted here ({done.stderr.strip()})")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill(place: Path, leave: int) -> Path:
    """Fill a file system but for so many bytes."""
    free = os.statvfs(place)
    path = place / "filler"
    with open(path, "wb") as file:
        os.posix_fallocate(file.fileno(), 0, free.f_bavail * free.f_frsize - leave)
    return path


def test_a_full_disk_refuses_and_recovers(small_disk: Path, tmp_path: Path) -> None:
    """Without room new exchanges get 503 with a clear code and are not sent to the provider; with room again service resumes."""
    with World(tmp_path / "world", home=small_disk / "home") as world:
        assert world.chat("before").status == 200
        filler = fill(small_disk, 256 * 1024)
        codes = set()
        for number in range(40):
            answer = world.chat(f"during {number}")
            if answer.status != 200:
                error = json.loads(answer.body)["error"]
                codes.add((answer.status, error["code"]))
                assert "disk" in error["message"] or "record" in error["message"] or "room" in error["message"]
        assert codes and codes <= {(503, "evidence_no_room"), (503, "evidence_unavailable")}
        seen = len(world.seen())
        assert world.chat("still full").status == 503
        assert len(world.seen()) == seen
        filler.unlink()
        world.wait_ready()
        assert any(world.chat(f"after {number}").status == 200 for number in range(50))
        rows = world.seen()
        assert world.stop_serving() == 0
        check_evidence(world.home, rows, [])
        world.cli("ledger", "verify")


def test_a_read_only_home_does_not_start_and_loses_nothing(small_disk: Path, tmp_path: Path) -> None:
    """Serving a home that cannot be written ends with a reason and exit code 2 or 3; writable again it serves what it had."""
    with World(tmp_path / "world", home=small_disk / "home") as world:
        assert world.chat("before").status == 200
        assert world.stop_serving() == 0
        subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
        try:
            done = world.cli("serve", "--home", str(world.home), "--gateway-port", "0", "--console-port", "0", check=False)
            assert done.returncode in (2, 3)
            assert "Traceback" not in done.stderr and ("ead-only" in done.stderr or "writable" in done.stderr or "write" in done.stderr)
            looked = world.cli("doctor", "--json", check=False)
            assert looked.returncode in (1, 3) and "Traceback" not in looked.stderr
        finally:
            subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
        world.start()
        assert world.chat("after").status == 200
        assert world.stop_serving() == 0
        check_evidence(world.home, world.seen(), [])
