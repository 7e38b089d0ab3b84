"""The stand-in witness says what it is and starts before any log is known."""

import subprocess
import sys
from pathlib import Path

from affiant.testing.process import start_ready, wait_listening
from affiant.testing.world import http_call


def test_starts_without_a_log_and_announces_itself(tmp_path: Path) -> None:
    """It answers, knows no log, and says on standard error that it proves nothing."""
    with open(tmp_path / "log", "wb") as log:
        command = [sys.executable, "-m", "affiant.testing.witness", "--dir", str(tmp_path / "w")]
        running = start_ready(command, {"PATH": "/usr/bin"}, log)
        try:
            wait_listening(int(running.ready["url"].rpartition(":")[2]))
            assert b'"logs": []' in http_call(running.ready["url"], "GET", {}).body
        finally:
            running.end()
    assert b"stand-in" in (tmp_path / "log").read_bytes()


def test_the_simulator_announces_itself(tmp_path: Path) -> None:
    """The simulator's program says that it is a stand-in and ends on SIGTERM with 0."""
    with open(tmp_path / "log", "wb") as log:
        running = start_ready([sys.executable, "-m", "affiant.testing.simulator", "--state", str(tmp_path / "s")], {}, log)
        assert http_call(running.ready["url"] + "/sim/health", "GET", {}).status == 200
        assert running.end() == 0
    assert b"stand-in" in (tmp_path / "log").read_bytes()
    done = subprocess.run([sys.executable, "-m", "affiant.testing.demo", "--days", "0"], capture_output=True, check=False)
    assert done.returncode == 2
