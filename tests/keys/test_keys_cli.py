"""`affiant ledger key`: on a home at rest and on one whose writer serves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from affiant.app import main
from affiant.kit.home import Home, open_home
from affiant.ledger import LedgerReader, verify_home

SERVE = """
import sys
from pathlib import Path
from affiant.kit.clock import open_clock
from affiant.kit.home import open_home
from affiant.kit.keyring import open_keyring
from affiant.ledger import run_writer
home = open_home(Path(sys.argv[1]))
run_writer(home, open_keyring(home), open_clock(), ready=lambda: print("ready", flush=True))
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Home:
    monkeypatch.setenv("AFFIANT_UNLOCK", f"file:{tmp_path / 'unlock'}")
    assert run("init", tmp_path / "home", "--origin", "test.example/cli-keys") == 0
    capsys.readouterr()
    return open_home(tmp_path / "home")


def run(*words: object) -> int:
    name, root, *rest = words
    return main([*str(name).split(), "--home", str(root), *map(str, rest)])


def last(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    found: dict[str, object] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return found


def test_show_rotate_revoke_at_rest(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """A key is shown, handed over, revoked; each is an entry; the unlock secret is replaced; the home still verifies."""
    assert run("ledger key rotate", home.root, "--overlap-days", 7) == 0
    made = last(capsys)
    assert run("ledger key show", home.root) == 0
    keys = last(capsys)["keys"]
    assert isinstance(keys, list)
    assert [key["private"] for key in keys] == ["keyring", "keyring"]
    assert keys[1]["vkey"] == made["vkey"]
    assert run("ledger key revoke", home.root, keys[1]["id"], "--why", "x") == 2
    assert "in force" in capsys.readouterr().err
    assert run("ledger key revoke", home.root, keys[0]["id"], "--why", "lost backup") == 0
    assert run("ledger key unlock", home.root) == 0
    run("doctor", home.root)
    assert "✓ ledger" in capsys.readouterr().err
    report = verify_home(home, str(made["vkey"]))
    assert report.good, report.lines()


def test_rotation_while_the_writer_serves(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """The writer that serves hands over between two groups, and goes on under the new key after a restart."""
    for turn in (1, 2):
        child = subprocess.Popen([sys.executable, "-c", SERVE, str(home.root)], stdout=subprocess.PIPE, env=os.environ.copy())
        try:
            assert child.stdout is not None
            assert child.stdout.readline() == b"ready\n"
            assert run("ledger key rotate", home.root) == 0
            vkey = last(capsys)["vkey"]
            deadline = time.monotonic() + 10
            while str(LedgerReader(home).log_keys().current) != vkey and time.monotonic() < deadline:
                time.sleep(0.05)
            assert len(LedgerReader(home).log_keys().keys) == turn + 1
        finally:
            child.send_signal(signal.SIGTERM)
            assert child.wait(20) == 0
            child.stdout.close()  # type: ignore[union-attr]
    report = verify_home(home)
    assert report.good, report.lines()
