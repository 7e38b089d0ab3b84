"""Processes of a home notice the end of their supervisor, and the next start waits for the last of them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from affiant.app_life import Lifeline, alone
from affiant.kit.errors import Conflict
from affiant.kit.home import Home, create_home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return create_home(tmp_path / "home", "test/life", 1)


def test_ready_reaches_the_supervisor() -> None:
    """A child says once that it does its work."""
    ours, theirs = socket.socketpair()
    with ours:
        line = Lifeline(theirs.detach())
        line.ready()
        assert ours.recv(64) == b"ready\n"
        line.close()
        assert ours.recv(64) == b""


CHILD = """
import os, sys, time
from affiant.app_life import Lifeline
line = Lifeline(int(sys.argv[1]))
line.watch(lambda: (sys.stdout.write("gone"), sys.stdout.flush(), os._exit(0)), last_after=int(sys.argv[2]))
line.ready()
time.sleep(30)
"""


def test_a_child_ends_when_its_supervisor_is_gone() -> None:
    """End-of-file on the lifeline ends the child; nobody has to signal it."""
    ours, theirs = socket.socketpair()
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(theirs.fileno()), "-1"], pass_fds=[theirs.fileno()], stdout=subprocess.PIPE)
    theirs.close()
    assert ours.recv(64) == b"ready\n"
    ours.close()
    out, _ = child.communicate(timeout=10)
    assert (child.returncode, out) == (0, b"gone")


def test_the_writer_is_the_last_to_end() -> None:
    """With the supervisor gone the writer still waits until every sibling is gone too."""
    ours, theirs = socket.socketpair()
    reading, writing = os.pipe()
    command = [sys.executable, "-c", CHILD, str(theirs.fileno()), str(reading)]
    child = subprocess.Popen(command, pass_fds=[theirs.fileno(), reading], stdout=subprocess.PIPE)
    theirs.close()
    os.close(reading)
    assert ours.recv(64) == b"ready\n"
    ours.close()
    with pytest.raises(subprocess.TimeoutExpired):
        child.wait(0.5)
    os.close(writing)
    out, _ = child.communicate(timeout=10)
    assert (child.returncode, out) == (0, b"gone")


def test_two_cannot_hold_a_home(home: Home) -> None:
    """A second holder is refused at once, in words."""
    with alone(home), pytest.raises(Conflict, match="in use by another process"), alone(home):
        pass


def test_a_start_waits_for_processes_of_an_earlier_run(home: Home, capfd: pytest.CaptureFixture[str]) -> None:
    """A child that outlives its supervisor holds the next start up, and only that long."""
    with alone(home) as handle:
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], pass_fds=[handle])
    with pytest.raises(Conflict, match="earlier run"), alone(home, wait_s=0.2):
        pass
    threading.Timer(0.5, child.kill).start()
    begin = time.monotonic()
    with alone(home, wait_s=10):
        assert time.monotonic() - begin > 0.3
    child.wait()
    assert "waiting for processes of an earlier run" in capfd.readouterr().err
