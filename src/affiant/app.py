"""Reads arguments, opens stores, mounts the doors: the one place that knows every room, and the entry of every process.

`affiant …` (the command line) and `python -m affiant.app writer|control|worker|analytics …` (what the supervisor starts). Rooms are
imported only by the process that needs them. Leaves out: what each process does between start and end (`app_*`).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from affiant.kit.errors import AffiantError

if TYPE_CHECKING:
    import argparse
    from contextlib import AbstractContextManager

    from affiant.cli import LocalApi
    from affiant.kit.home import Home, Witness
    from affiant.ledger import Report


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; gives the exit code."""
    from affiant import cli

    return cli.main(argv, cli.Doors(init=_init, serve=_serve, local=_local, migrate=_migrate, join=_join))


def _init(root: Path, origin: str, node: str, witnesses: tuple[Witness, ...], servers: Path | None = None) -> tuple[Home, str]:
    from affiant.app_local import init

    return init(root, origin, node, witnesses, servers)


def _migrate(home: Home, servers: Path) -> Report:
    from affiant.app_local import migrate

    return migrate(home, servers)


def _join(root: Path, servers: Path) -> Home:
    from affiant.app_local import join

    return join(root, servers)


def _serve(home: Path, *, workers: int, gateway_port: int, console_port: int, host: str, console_host: str) -> None:
    from affiant.app_supervisor import ServeOptions, serve

    serve(ServeOptions(home, workers, gateway_port, console_port, host, console_host))


def _local(home: Home) -> AbstractContextManager[LocalApi]:
    from affiant.app_local import open_local

    return open_local(home)


# -- processes


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    import argparse

    parser = argparse.ArgumentParser(prog="python -m affiant.app", description="A process of a served home; started by `affiant serve`.")
    parser.add_argument("role", choices=("writer", "control", "worker", "analytics"))
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--lifeline", type=int, default=-1, help="descriptor of the socket pair to the supervisor")
    parser.add_argument("--siblings", type=int, default=-1, help="writer: descriptor that ends when every other process has ended")
    parser.add_argument("--socket", type=int, default=-1, help="descriptor of the listening socket")
    parser.add_argument("--slot", type=int, default=0, help="worker: its slot in run/unrecorded")
    parser.add_argument("--gateway", default="", help="control: base URL of the gateway")
    return parser.parse_args(argv)


def process(argv: Sequence[str]) -> int:
    """Be one process of a served home; expected errors are one line on standard error and an exit code."""
    import logging

    options = _arguments(argv)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format=f"affiant {options.role}[%(process)d]: %(message)s")
    for noisy in ("uvicorn", "uvicorn.error", "uvicorn.access", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    try:
        if options.role == "writer":
            _writer(options)
        elif options.role == "control":
            from affiant.app_control import run_control

            run_control(options.home, options.lifeline, options.socket, options.gateway)
        elif options.role == "worker":
            from affiant.app_worker import run_worker

            run_worker(options.home, options.lifeline, options.socket, options.slot)
        else:
            from affiant.app_analytics import run_analytics
            from affiant.app_runs import VERBS

            run_analytics(options.home, VERBS)
    except AffiantError as error:
        sys.stderr.write(f"affiant {options.role}: {error}\n")
        return error.exit_code
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        sys.stderr.write(f"affiant {options.role}: {where}{error.strerror or error}. Check room and permissions of the home.\n")
        return 3
    except KeyboardInterrupt:
        return 130
    return 0


def _writer(options: argparse.Namespace) -> None:
    import signal

    from affiant.app_life import Lifeline
    from affiant.kit.clock import open_clock
    from affiant.kit.home import open_home
    from affiant.kit.keyring import open_keyring
    from affiant.ledger import run_writer
    from affiant.ledger.where import is_server_home

    home = open_home(options.home)
    lifeline = Lifeline(options.lifeline)
    lifeline.watch(lambda: os.kill(os.getpid(), signal.SIGTERM), last_after=options.siblings)
    if is_server_home(home):
        from affiant.ledger.serverhome import run_node

        run_node(home, open_keyring(home), open_clock(), ready=lifeline.ready)
    else:
        run_writer(home, open_keyring(home), open_clock(), ready=lifeline.ready)


if __name__ == "__main__":
    sys.exit(process(sys.argv[1:]))
