"""A ledger of either kind with old entries and a period that opened lately, and how it is pruned: as the API and the command do."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from server_world import ServerWorld, World, closed, note, opened

from affiant.kit.clock import Clock, ClockFile
from affiant.kit.home import Home
from affiant.ledger import Draft, LedgerClientSync, period_open_drafts
from affiant.ledger.opening import holdings_of
from affiant.ledger.pruning import Taken, appending, take_away
from affiant.ledger.retention import check_plan, plan_prune

DAY = 86_400_000_000
OLD = 1_700_000_000_000_000
NEW = OLD + 700 * DAY
OLD_EVENTS, NEW_EVENTS = 1_400, 400


def client(world: World, clock: Clock, role: str = "control", home: Home | None = None) -> LedgerClientSync:
    at = home or world.home
    return LedgerClientSync(at.run / "writer.sock", at.node, role, clock, 20.0)


def age(world: World, clock: ClockFile, now: Clock) -> None:
    """Old events of several kinds, then a period that opens now and events in it. The world's writer runs, under `now`.

    On servers, storage has caught up with the old ones when this returns.
    """
    clock.fix(OLD)
    with client(world, now, "gateway") as link:
        link.append([opened("ex_old"), closed("ex_old")])
    with client(world, now) as link:
        for first in range(0, OLD_EVENTS, 200):
            clock.fix(OLD + first * 60_000_000)
            link.append([note(f"old {first + n}", f"job_{first + n}") for n in range(200)])
        link.append([Draft("subject_key.destroyed", {"by": "fay", "why": "x", "values": 1, "reapplied": 0}, ref="person/x")])
        link.append([note(f"last {n}") for n in range(300)])
        link.checkpoint()
        clock.fix(NEW)
        with world.reader() as reader:
            link.append(period_open_drafts(reader, "2", NEW))
        link.append([note(f"new {n}", f"new_{n}") for n in range(NEW_EVENTS)])
        link.checkpoint()
    deadline = time.monotonic() + 30
    while isinstance(world, ServerWorld) and int(str(world.sql("SELECT archived FROM @.ledger")[0][0])) < OLD_EVENTS // 256 + 1:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def decide(world: World, now: Clock, before_us: int = OLD + 30 * DAY) -> int:
    """Prune as the API does: copies, the entry, the minimum index. Gives that index."""
    with world.reader() as reader:
        plan = plan_prune(reader, holdings_of(reader), before_us, now.now_us(), [])
        check_plan(plan)
        holdings = holdings_of(reader)
        holdings.keep(plan.lasting)
        with client(world, now) as link:
            body = {"minimum": plan.minimum, "before": before_us, "root": plan.root, "by": "bo"}
            link.append([Draft("ledger.pruned", body, ref=str(plan.minimum), actor="person:bo")])
            link.checkpoint()
        holdings.publish(plan.minimum)
    return plan.minimum


def take(
    world: World, now: Clock, folder: Path | None = None, holds: Callable[[], Sequence[str]] = tuple,
    told: Callable[[str], None] = lambda step: None,
) -> Taken:  # fmt: skip
    """Take away what was decided, as the command does."""
    if world.kind == "embedded":
        with appending(world.home, now) as append:
            return take_away(world.home, append, folder, "person:bo", holds, told=told)
    from affiant.ledger.serverhome import pruning

    with pruning.leading(world.home, now) as lead, world.reader() as reader:
        return pruning.take_away(reader, lead, folder, "person:bo", holds, told)  # type: ignore[arg-type]
