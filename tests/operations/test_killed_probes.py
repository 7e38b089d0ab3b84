"""A probe whose control is killed in the middle: done again within its day, and what was left of the first try stays to be seen."""

import asyncio
import contextlib
import json
import os
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from affiant.kit.clock import ClockFile
from affiant.kit.home import open_home
from affiant.kit.keyring import open_keyring
from affiant.testing.demo.control import Control
from affiant.testing.evidence import read_events
from affiant.testing.world import World

HOUR = 3_600_000_000
START = int(datetime(2026, 3, 2, tzinfo=UTC).timestamp()) * 1_000_000
MINUTE_OF_PROBE = 187


def _pids(world: World) -> dict[str, Any]:
    """Process ids, as the supervisor has them."""
    return dict(json.loads((world.home / "run" / "supervisor.json").read_text())["pids"])


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _pledges(world: World) -> list[str]:
    return [event.ref for event in read_events(world.home) if event.type == "probe.pledged"]


async def _tick(world: World, token: str, timeout_s: float) -> None:
    control = Control(world.home / "run" / "control.sock", token)
    try:
        await asyncio.wait_for(control.tick(), timeout_s)
    finally:
        await control.close()


def test_a_probe_cut_short_is_done_again_and_its_first_pledge_stays_a_deviation(tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    """SIGKILL between pledge and answer: the next control probes once more for that due time; nothing is opened that was not seen."""
    clock = ClockFile(tmp_path / "clock")
    clock.fix(START)
    monkeypatch.setenv("AFFIANT_UNLOCK", f"file:{tmp_path / 'w' / 'unlock'}")
    with World(tmp_path / "w", environment={"AFFIANT_CLOCK_FILE": str(tmp_path / "clock")}) as world:
        world.cli("key", "create", "--probes", "--models", "*", "--owner", "cat", "--tenant", "acme", "--as", "ann")
        token = open_keyring(open_home(world.home)).local_token
        asyncio.run(_tick(world, token, 30))
        clock.fix(START + MINUTE_OF_PROBE * 60_000_000 + 1_000_000)
        before = _pids(world)
        for pid in before["workers"]:
            os.kill(pid, signal.SIGSTOP)
        with contextlib.suppress(TimeoutError, OSError):
            asyncio.run(_tick(world, token, 3))
        _until(lambda: len(_pledges(world)) == 1)
        os.kill(before["control"], signal.SIGKILL)
        for pid in before["workers"]:
            os.kill(pid, signal.SIGCONT)
        _until(lambda: _pids(world)["control"] != before["control"])
        _until(lambda: world.cli("status", check=False).returncode == 0)
        asyncio.run(_tick(world, token, 30))
        for hour in (8, 11, 16, 25):  # the other probes of the day, and a look after it
            clock.fix(START + hour * HOUR)
            asyncio.run(_tick(world, token, 30))
        done = world.cli("control", "run", "AUD-4.1", "--period", "2026-03-02..2026-03-02", check=False)
        result = json.loads(done.stdout.splitlines()[0])
        assert world.stop_serving() == 0
    events = read_events(world.home)
    first, second = [event for event in events if event.type == "probe.pledged"][:2]
    opened = [event for event in events if event.type == "probe.opened"]
    assert first.ref not in [event.ref for event in opened] and opened[0].ref == second.ref and opened[0].body["matched"] == 1
    assert opened[0].body["due"] == START + MINUTE_OF_PROBE * 60_000_000
    notes = [event.body["note"] for event in events if event.type == "job.run" and event.ref.startswith("probe.")]
    assert len(notes) == 4 and notes[0].startswith("Begun 2 times, not finished before. expected ")
    assert result["result"] == "deviations noted", result
    assert [item["why"] for item in result["deviations"]] == [f"The pledge {first.ref} was never opened."], result
