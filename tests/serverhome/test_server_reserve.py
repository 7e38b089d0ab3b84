"""A full disk under PostgreSQL: exchanges are not opened, open ones are closed and refusals written, and it ends by itself."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

asyncpg = pytest.importorskip("asyncpg", reason="the package asyncpg is not installed")

from server_world import Postgres, ServerWorld, Storage, closed, note, opened, unused_name  # noqa: E402
from test_server_fencing import check  # noqa: E402

from affiant.kit.clock import SystemClock  # noqa: E402
from affiant.kit.errors import BadInput, NoRoom  # noqa: E402
from affiant.kit.home import Home  # noqa: E402
from affiant.ledger import Draft, LedgerClientSync  # noqa: E402
from affiant.ledger.serverhome import ServerConfig  # noqa: E402

pytestmark = pytest.mark.server
CLOCK = SystemClock()
RESERVE = 64 << 20


@pytest.fixture
def disk() -> Iterator[Path]:
    """A file system of 320 MiB, where this machine lets us mount one."""
    place = Path(tempfile.mkdtemp(prefix="affiant-disk-"))
    place.chmod(0o755)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=320m", "tmpfs", str(place)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        place.rmdir()
        pytest.skip(f"could not look: no small file system can be mounted here ({done.stderr.strip()})")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)
    place.rmdir()


@pytest.fixture
def world(disk: Path, tmp_path: Path, storage: Storage) -> Iterator[ServerWorld]:
    """A ledger whose PostgreSQL lies on a small disk, with a reserve."""
    server = Postgres(disk, "max_wal_size=64MB", "min_wal_size=64MB")
    try:
        yield ServerWorld(tmp_path, server, storage, unused_name(), reserve_mb=64)
    finally:
        (disk / "filler").unlink(missing_ok=True)
        server.stop()


def free(disk: Path) -> int:
    found = os.statvfs(disk)
    return found.f_bavail * found.f_frsize


def fill(disk: Path) -> None:
    """Somebody else's file takes all that is left of the disk."""
    with open(disk / "filler", "wb") as file:
        left = free(disk)
        while left > 0:
            os.posix_fallocate(file.fileno(), file.seek(0, os.SEEK_END), left)
            left = free(disk)
    assert free(disk) == 0


def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


def link(home: Home, role: str) -> LedgerClientSync:
    return LedgerClientSync(home.run / "writer.sock", home.node, role, CLOCK, 20.0)


def reserve(world: ServerWorld) -> int:
    [(size,)] = world.sql("SELECT COALESCE(pg_relation_size(to_regclass('@.reserve')), 0)")
    return int(str(size))


def short(world: ServerWorld) -> bool:
    return world.sql("SELECT short FROM @.ledger") == [(True,)]


def settle_wal(world: ServerWorld) -> None:
    """Let PostgreSQL have the WAL files that it goes on to use again, as one that has run for a while."""
    for _ in range(5):
        world.sql("CREATE TABLE IF NOT EXISTS public.some(text text)")
        world.sql("INSERT INTO public.some VALUES ('wal')")
        world.sql("SELECT pg_switch_wal()")
        world.sql("CHECKPOINT")


def refused(one: LedgerClientSync) -> bool:
    """Whether a new exchange cannot be opened for want of room; one that can is closed again. Large, so that files must grow."""
    ref = f"ex_{secrets.token_hex(8)}"
    try:
        one.append([Draft("exchange.opened", {"surface": "chat.completions", "note": "x" * 30_000}, ref=ref, tenant="t", actor="key:k")])
    except NoRoom:
        return True
    one.append([closed(ref)])
    return False


def refusal(number: int) -> Draft:
    return Draft("exchange.refused", {"surface": "chat.completions", "code": "evidence_no_room", "note": "x" * 2_000}, ref=f"ex_r{number}")


def test_on_a_full_disk_open_exchanges_are_closed_and_refusals_written(world: ServerWorld, disk: Path) -> None:
    """Openings are refused on all nodes, over a start, too; closings, refusals, places and heads go on in the reserve."""
    second = world.node("n2")
    with world.writer() as writer, link(world.home, "gateway") as one:
        with world.writer(home=second), link(second, "gateway") as two:
            until(lambda: reserve(world) >= RESERVE)
            for number in range(40):
                (one if number % 2 else two).append([opened(f"ex_{number}")])
            settle_wal(world)
            fill(disk)
            until(lambda: refused(one))
            until(lambda: refused(two))
            assert short(world) and reserve(world) == 0
            for number in range(40):
                (one if number % 2 else two).append([closed(f"ex_{number}")])
            for number in range(500):
                (one if number % 2 else two).append([refusal(number)])
            with link(second, "control") as control:
                assert control.status()["room"] == 0
                control.append([note("placed and signed on a full disk")])
                control.checkpoint()
            assert refused(one) and refused(two)
        writer.end()
    with world.writer(), link(world.home, "gateway") as one:
        until(lambda: refused(one))
        one.append([refusal(600)])
        (disk / "filler").unlink()
        until(lambda: not short(world) and reserve(world) >= RESERVE)
        until(lambda: not refused(one))
        with link(world.home, "control") as control:
            control.checkpoint()
            assert control.status()["room"] == 1
    check(world)
    with world.reader() as reader:
        done = {event.ref for _, event in reader.of_types("exchange.closed")}
        assert done >= {f"ex_{number}" for number in range(40)} and not list(reader.of_types("exchange.interrupted"))
        assert len(list(reader.of_types("exchange.refused"))) == 501


def test_a_database_that_fell_for_want_of_wal_comes_back_in_the_reserve(world: ServerWorld, disk: Path) -> None:
    """Where the WAL finds no room PostgreSQL falls; it empties the reserve, recovers in it, and closings and refusals go on."""
    with world.writer(), link(world.home, "gateway") as one:
        until(lambda: reserve(world) >= RESERVE)
        for number in range(10):
            one.append([opened(f"ex_{number}")])
        fill(disk)
        assert fall(world), (world.postgres.root / "log").read_text()[-2_000:]
        until(lambda: answers(world))
        for number in range(10):
            one.append([closed(f"ex_{number}")])
        one.append([refusal(1)])
        until(lambda: refused(one))
        with link(world.home, "control") as control:
            control.checkpoint()
        (disk / "filler").unlink()
        until(lambda: not refused(one))
    check(world)


def fall(world: ServerWorld) -> bool:
    """Use up WAL until PostgreSQL wants a new file and finds no room; whether it fell."""

    async def use() -> bool:
        connection = await asyncpg.connect(world.postgres.dsn)
        try:
            for _ in range(20):
                await connection.execute("CREATE TEMPORARY TABLE IF NOT EXISTS t(n int); SELECT pg_switch_wal()")
                await connection.execute("SELECT txid_current()")
        except (asyncpg.PostgresError, OSError):
            return True
        finally:
            connection.terminate()
        return False

    return asyncio.run(use())


def answers(world: ServerWorld) -> bool:
    try:
        world.sql("SELECT 1")
    except (asyncpg.PostgresError, OSError):
        return False
    return True


def test_a_reserve_that_is_none_is_refused(world: ServerWorld, disk: Path) -> None:
    """Less than four WAL files is no reserve; none at all may be asked for."""
    for size in (1, 63, 5_000):
        with pytest.raises(BadInput, match="cannot be kept"):
            ServerConfig("env:X", "http://s3:1", "evidence", "env:K", "env:S", reserve_mb=size)
    assert ServerConfig("env:X", "http://s3:1", "evidence", "env:K", "env:S", reserve_mb=0).reserve_mb == 0
    assert ServerConfig("env:X", "http://s3:1", "evidence", "env:K", "env:S").reserve_mb == 64
    assert shutil.disk_usage(disk).total == 320 << 20
