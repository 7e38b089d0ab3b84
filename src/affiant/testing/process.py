"""Child processes that print one JSON line when they are ready, and are ended for certain. Leaves out: restarting them."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

from affiant.kit.errors import CouldNotLook

READY_S = 60.0
_END_S = 45.0


@dataclass
class Running:
    """A started process and its ready line."""

    process: subprocess.Popen[bytes]
    ready: dict[str, Any]

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Signal it, wait, and end it hard if it does not end; gives its exit code."""
        process = self.process
        if process.poll() is None:
            process.send_signal(number)
            try:
                process.wait(_END_S)
            except subprocess.TimeoutExpired:
                process.kill()
        code = process.wait()
        if process.stdout is not None:
            process.stdout.close()
        return code


def start_ready(command: Sequence[str], environment: Mapping[str, str], log: IO[bytes] | None = None, own_group: bool = True) -> Running:
    """Start a process and wait for its ready line on standard output.

    Args:
        log: where its standard error goes; None for this process's own.
        own_group: whether Ctrl-C in the terminal must not reach it, so that its starter ends it in order.

    Raises:
        CouldNotLook: it ended, or gave no ready line in time.
    """
    process = subprocess.Popen(
        list(command), env=dict(environment), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
        process_group=0 if own_group else None,
    )  # fmt: skip
    assert process.stdout is not None
    watchdog = threading.Timer(READY_S, process.kill)
    watchdog.start()
    try:
        line = process.stdout.readline()
    finally:
        watchdog.cancel()
    try:
        ready = json.loads(line)
    except ValueError:
        process.kill()
        code = process.wait()
        process.stdout.close()
        words = " ".join(command[1:6])
        raise CouldNotLook(f"`{words}` did not start (exit {code}).", f"See {log.name if log else 'its message above'}.") from None
    return Running(process, ready)


def wait_listening(port: int, timeout_s: float = 10.0) -> None:
    """Wait until something listens on a port of this machine.

    Raises:
        CouldNotLook: nothing does in time.
    """
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.01)
    raise CouldNotLook(f"Nothing listens on 127.0.0.1:{port}.", "See what the process wrote.")


def alive(pid: int) -> bool:
    """Whether a process exists (a zombie does not count)."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
