"""SIGKILL of any process at a random moment under load: nothing acknowledged is lost, and nothing is invented."""

import os
import random
import signal
import time
from pathlib import Path

import pytest

from affiant.testing.callers import BusyCallers
from affiant.testing.evidence import check_evidence
from affiant.testing.process import alive
from affiant.testing.world import World

ROLES = ("writer", "worker", "control", "supervisor")


def kill(world: World, role: str, rng: random.Random) -> None:
    """Kill one process of a role and see the home serve again."""
    pids = world.pids()
    pid = rng.choice(pids["workers"]) if role == "worker" else pids[role]
    os.kill(pid, signal.SIGKILL)
    if role == "supervisor":
        assert world.stop_serving(signal.SIGKILL) == -signal.SIGKILL
        everyone = [pids["writer"], pids["control"], *pids["workers"]]
        deadline = time.monotonic() + 30
        while any(alive(each) for each in everyone):
            assert time.monotonic() < deadline, "processes outlive their supervisor"
            time.sleep(0.05)
        world.start()
    world.wait_ready()


def run_kills(root: Path, workers: int, roles: list[str], seed: int) -> None:
    """Kill these roles one after another under load, then hold the ledger against the outside."""
    rng = random.Random(seed)
    with World(root, workers=workers) as world:
        with BusyCallers(world) as callers:
            callers.wait_for_whole(5)
            for role in roles:
                time.sleep(rng.uniform(0.05, 0.6))
                kill(world, role, rng)
                callers.wait_for_whole(10)
        assert world.stop_serving() == 0
        world.cli("ledger", "verify")
        # A producer that died just before the stop may still be in its grace: the next start ends it.
        world.start()
        assert world.chat("after it all").status == 200
        assert world.stop_serving() == 0
        found = check_evidence(world.home, world.seen(), callers.got)
        assert found.closed > 10 * len(roles)
        world.cli("ledger", "verify")


@pytest.mark.parametrize(("workers", "roles"), [(1, ["writer", "supervisor"]), (2, ["worker"])])
def test_three_kills(tmp_path: Path, workers: int, roles: list[str]) -> None:
    """After a kill the home serves again, and every answer, id and opening is accounted for."""
    run_kills(tmp_path, workers, roles, seed=workers)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("workers", [1, 2])
def test_fifteen_random_kills(tmp_path: Path, workers: int) -> None:
    """The same for any process, fifteen times in one life of a home."""
    count = 50 if os.environ.get("AFFIANT_TORTURE") else 15
    rng = random.Random(100 + workers)
    run_kills(tmp_path, workers, [rng.choice(ROLES) for _ in range(count)], seed=workers)
