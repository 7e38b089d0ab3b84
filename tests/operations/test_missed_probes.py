"""Probes in a running home under an injected clock: done as traffic, and missed visibly when the scheduler stands still."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

from affiant.kit.clock import ClockFile
from affiant.kit.home import open_home
from affiant.kit.keyring import open_keyring
from affiant.testing.demo.control import Control
from affiant.testing.evidence import read_events
from affiant.testing.world import World

HOUR = 3_600_000_000
DAY = 24 * HOUR
START = int(datetime(2026, 3, 2, tzinfo=UTC).timestamp()) * 1_000_000
STOPPED_DAYS = 40


async def tick_hours(world: World, token: str, clock: ClockFile, first: int, hours: int) -> None:
    """Let scheduled work look once an hour."""
    control = Control(world.home / "run" / "control.sock", token)
    for number in range(hours):
        clock.fix(START + (first + number) * HOUR + HOUR // 2)
        await control.tick()
    await control.close()


def test_forty_days_without_a_scheduler_show_as_missed_probes(tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    """Two days with probes, forty without, one more with: 40 days of 4 probes are deviations, and nothing is made up for."""
    clock = ClockFile(tmp_path / "clock")
    clock.fix(START)
    monkeypatch.setenv("AFFIANT_UNLOCK", f"file:{tmp_path / 'w' / 'unlock'}")
    with World(tmp_path / "w", environment={"AFFIANT_CLOCK_FILE": str(tmp_path / "clock")}) as world:
        world.cli("key", "create", "--probes", "--models", "*", "--owner", "cat", "--tenant", "acme", "--as", "ann")
        token = open_keyring(open_home(world.home)).local_token
        asyncio.run(tick_hours(world, token, clock, 0, 48))
        after = (2 + STOPPED_DAYS) * 24
        clock.fix(START + after * HOUR)
        asyncio.run(tick_hours(world, token, clock, after, 24))
        clock.fix(START + (after + 24) * HOUR)
        last = datetime.fromtimestamp((START + (after + 23) * HOUR) / 1e6, UTC).date()
        done = world.cli("control", "run", "AUD-4.1", "--period", f"2026-03-02..{last}", check=False)
        assert done.returncode == 1, done.stderr
        result = json.loads(done.stdout.splitlines()[0])
        assert world.stop_serving() == 0
    events = read_events(world.home)
    pledged = [event for event in events if event.type == "probe.pledged"]
    opened = [event.body for event in events if event.type == "probe.opened"]
    assert len(pledged) == len(opened) == 3 * 4
    assert all(body["matched"] == 1 for body in opened), [(b["probe"], b["expected"], b["seen"]) for b in opened]
    assert len({body["request"] for body in opened}) == len(opened)
    assert result["result"] == "deviations noted"
    assert len(result["deviations"]) == STOPPED_DAYS * 4
    hours = [event.body for event in events if event.type == "service.hour"]
    assert {body["served"] for body in hours} <= {30, 60} and len(hours) < 3 * 24 + 3
