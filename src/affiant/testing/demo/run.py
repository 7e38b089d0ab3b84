"""The demonstration from start to Ctrl-C: make it or find it, play its history once, show where to look.

A start after a history that was not played to its end begins anew; one after a whole history goes on where it was.
Leaves out: the environment (Makefile) and the processes' own work.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import uvloop

from affiant.kit.clock import ClockFile
from affiant.kit.errors import CouldNotLook
from affiant.kit.home import open_home
from affiant.kit.keyring import open_keyring
from affiant.operations.wire import Wire
from affiant.testing.demo import words
from affiant.testing.demo.caller import Callers
from affiant.testing.demo.control import Control
from affiant.testing.demo.history import History, Span
from affiant.testing.demo.layout import Layout, Memory
from affiant.testing.demo.progress import Progress
from affiant.testing.demo.stage import Stage
from affiant.testing.demo.story import Story


@dataclass(frozen=True, slots=True)
class Options:
    """How to run it.

    Args:
        root: where it lies.
        days: simulated days.
        exchanges: calls over all of them, about.
        wait: whether to keep running until Ctrl-C.
        gateway_port: wanted for the gateway, 0 for the remembered one.
        fresh: begin anew whatever is there.
    """

    root: Path = Path(".demo")
    days: int = 90
    exchanges: int = 3_000
    wait: bool = True
    gateway_port: int = 0
    fresh: bool = False


def run(options: Options) -> int:
    """Run the demonstration; gives the exit code.

    Raises:
        AffiantError: it could not be made or started; the message says what to do.
    """
    layout = Layout(options.root)
    memory = None if options.fresh else layout.load()
    progress = Progress()
    again = memory is not None and memory.finished
    if memory is None or not memory.finished:
        layout.load()  # refuses a directory that holds something else
        layout.begin()
        memory = Memory()
    clock = ClockFile(layout.clock)
    clock.follow()
    stage = Stage(layout, memory, options.gateway_port)
    try:
        tally: Counter[str] = Counter()
        if again:
            progress.step("starting where it was")
            stage.start_outside()
            stage.serve()
        else:
            tally = _make(options, stage, clock, progress)
        layout.save(memory)
        progress.end("the demonstration runs")
        words.show(layout, memory, _sign_in_link(stage), tally)
        return _until_stopped(stage) if options.wait else 0
    finally:
        stage.end()


def _make(options: Options, stage: Stage, clock: ClockFile, progress: Progress) -> Counter[str]:
    """Make the home and play its history."""
    memory = stage.memory
    span = Span.ending(time.time_ns() // 1000, options.days)
    memory.first_us, memory.last_us = span.first_us, span.first_us + span.hours * 3_600_000_000
    clock.fix(span.first_us)
    progress.step("starting the provider simulator and the witness")
    stage.start_outside()
    progress.step("creating the home")
    stage.init()
    ready = stage.serve()

    async def play() -> Counter[str]:
        control = _control_of(stage.layout)
        callers = Callers(str(ready["gateway"]), memory.keys, clock)
        try:
            progress.step("applying the company")
            await _apply(control, stage)
            story = Story(control, stage.simulator, stage.layout, memory.keys)
            tally = await History(span, options.exchanges, clock, control, callers, story, progress).play()
            clock.follow()
            await control.tick()
            memory.finished = True
            stage.layout.save(memory)
            progress.end(f"{options.days} days with {sum(tally.values())} exchanges were played")
            progress.step("running the controls over that time")
            first, last = (time.strftime("%Y-%m-%d", time.gmtime(us / 1e6)) for us in (memory.first_us, memory.last_us - 1))
            await control.post("/controls/run", {"controls": [], "period": f"{first}..{last}"}, "mara.lind")
            return tally
        finally:
            await callers.close()
            await control.close()

    return uvloop.run(play())


async def _apply(control: Control, stage: Stage) -> None:
    """Apply the company (the first apply after init is in force at once) and make a key for probes."""
    made = await control.call("POST", "/api/v1/apply?name=company.yaml", stage.company(), "mara.lind", "application/yaml")
    stage.memory.keys.update({each["key_id"]: each["secret"] for each in made["keys"]})
    made = await control.post("/keys", {"owner": "priya.nair", "tenant": "aurora", "models": ["*"], "probes": True}, "jonas.vik")
    stage.layout.save(stage.memory)
    await _until_known(f"http://127.0.0.1:{stage.memory.gateway_port}", str(made["secret"]))


async def _until_known(gateway: str, secret: str) -> None:
    """Wait until a worker knows a key that was just made.

    Raises:
        CouldNotLook: it does not within ten seconds.
    """
    wire = Wire(gateway)
    try:
        for _ in range(200):
            if (await wire.request("GET", "/v1/models", {"authorization": f"Bearer {secret}"})).status == 200:
                return
            await asyncio.sleep(0.05)
    finally:
        await wire.close()
    raise CouldNotLook("The gateway does not know the company's keys.", "See the demonstration's log.")


def _sign_in_link(stage: Stage) -> str:
    """A one-time link for the compliance lead."""

    async def ask() -> str:
        control = _control_of(stage.layout)
        try:
            return str((await control.post("/people/mara.lind/link"))["url"])
        finally:
            await control.close()

    return uvloop.run(ask())


def _control_of(layout: Layout) -> Control:
    os.environ["AFFIANT_UNLOCK"] = f"file:{layout.unlock}"
    home = open_home(layout.home)
    return Control(home.run / "control.sock", open_keyring(home).local_token)


def _until_stopped(stage: Stage) -> int:
    """Wait for Ctrl-C.

    Raises:
        CouldNotLook: a process that it started ended by itself.
    """

    async def wait() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        while not stop.is_set():
            try:
                await asyncio.wait_for(stop.wait(), 1.0)
            except TimeoutError:
                if not stage.running():
                    raise CouldNotLook("A process of the demonstration ended by itself.", f"See {stage.layout.log}.") from None

    uvloop.run(wait())
    words.stopping()
    return 0
