"""A verifier that others wrote (Go's sumdb packages) reads a home in place."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import threading
from pathlib import Path

import pytest
from ledger_world import copy_home, create, flip, note, open_writer, put

from affiant.kit.home import Home
from affiant.ledger import LedgerReader

SOURCE = Path(__file__).parents[1] / "go" / "verify" / "main.go"
GOPATH = Path("/usr/share/gocode")


@pytest.fixture(scope="module")
def verifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built verifier."""
    if shutil.which("go") is None or not (GOPATH / "src/golang.org/x/mod/sumdb/tlog").is_dir():
        pytest.skip("needs Debian's golang-go and golang-golang-x-mod-dev")
    target = tmp_path_factory.mktemp("go")
    environ = os.environ | {"GO111MODULE": "off", "GOPATH": str(GOPATH), "GOFLAGS": "", "GOCACHE": str(target / "cache")}
    subprocess.run(["go", "build", "-o", str(target / "verify"), str(SOURCE)], env=environ, check=True, timeout=200)
    return target / "verify"


def run(verifier: Path, home: Home, *more: str, vkey: str = "") -> subprocess.CompletedProcess[str]:
    vkey = vkey or str(LedgerReader(home).vkey)
    return subprocess.run(
        [str(verifier), "-dir", str(home.ledger), "-vkey", vkey, *more], capture_output=True, text=True, check=False, timeout=60
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = create(tmp_path_factory.mktemp("gohome") / "h")
    with open_writer(home) as writer:
        for first in range(0, 66_300, 650):
            put(writer, "n1/gateway/a", first, [note(f"e{n}") for n in range(first, first + 650)])
            if first % 6_500 == 0:
                writer.checkpoint()
        writer.checkpoint()
    return home


def test_home_is_read_in_place(verifier: Path, home: Home, tmp_path: Path) -> None:
    """Every entry is authenticated, older heads are consistent, and a tlog-proof holds."""
    reader = LedgerReader(home)
    (tmp_path / "proof").write_text(reader.prove(40_000))
    (tmp_path / "entry").write_bytes(reader.entry(40_000))
    for head in reader.checkpoints()[:3]:
        old = f"{head.size}:{base64.b64encode(head.root).decode()}"
        result = run(verifier, home, "-old", old, "-proof", str(tmp_path / "proof"), "-entry", str(tmp_path / "entry"))
        assert result.returncode == 0, result.stderr
        assert f"{reader.checkpoint().size} entries" in result.stdout
    (tmp_path / "entry").write_bytes(reader.entry(40_001))
    assert run(verifier, home, "-proof", str(tmp_path / "proof"), "-entry", str(tmp_path / "entry")).returncode == 1
    wrong = f"{reader.checkpoints()[1].size}:{base64.b64encode(bytes(32)).decode()}"
    assert run(verifier, home, "-old", wrong).returncode == 1


@pytest.mark.parametrize(
    ("relative", "offset"),
    [
        ("checkpoint", 20),
        ("checkpoint", -20),
        ("tile/0/005", 64),
        ("tile/1/000", 40),
        ("tile/entries/005", 30),
        ("tile/entries/x000", 0),
    ],
)
def test_tampering_is_refused(verifier: Path, home: Home, tmp_path: Path, relative: str, offset: int) -> None:
    """One changed bit in a head, tile or bundle is found; so is a missing file."""
    copy = copy_home(home, tmp_path / "copy")
    path = copy.ledger / relative
    if path.exists():
        flip(path, offset % path.stat().st_size)
    else:
        (copy.ledger / "tile/entries/007").unlink()
    assert run(verifier, copy, vkey=str(LedgerReader(home).vkey)).returncode == 1


def test_home_is_read_while_it_grows(verifier: Path, tmp_path: Path) -> None:
    """Reading beside a writer that publishes all the time finds every file that its head needs."""
    home = create(tmp_path / "h")
    stop = threading.Event()

    def grow() -> None:
        with open_writer(home) as writer:
            first = 0
            while not stop.is_set():
                put(writer, "n1/gateway/a", first, [note(f"e{n}") for n in range(first, first + 37)])
                writer.checkpoint()
                first += 37

    thread = threading.Thread(target=grow)
    thread.start()
    try:
        results = [run(verifier, home) for _ in range(20)]
    finally:
        stop.set()
        thread.join()
    assert [result.stderr for result in results if result.returncode] == []
