"""`python -m affiant.testing.simulator --port P`: prints one JSON line with its URL when it listens; ends on SIGTERM or Ctrl-C."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
from pathlib import Path

import uvloop

from affiant.testing.simulator.script import PLAIN, read_script
from affiant.testing.simulator.server import Simulator


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m affiant.testing.simulator", description="A stand-in for a model provider.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 chooses a free one")
    parser.add_argument("--state", type=Path, help="file in which counts are kept between starts")
    parser.add_argument("--account", action="append", default=[], metavar="LABEL=KEY", help="label of a key's account; may be repeated")
    parser.add_argument("--script", default="", help="what happens where a request names no script, such as slow:20")
    return parser.parse_args()


async def _main(options: argparse.Namespace) -> None:
    accounts = {key: label for label, _, key in (item.partition("=") for item in options.account)}
    script = read_script(options.script, "", "") if options.script else PLAIN
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with Simulator(options.port, host=options.host, accounts=accounts, state=options.state, script=script) as sim:
        print(json.dumps({"ready": True, "url": sim.url}), flush=True)  # noqa: T201 -- the ready line is this program's output
        await stop.wait()


if __name__ == "__main__":
    uvloop.run(_main(_arguments()))
