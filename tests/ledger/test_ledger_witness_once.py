"""A witness as a job: one visit at a time, its memory a text file, over HTTP against a ledger as it is served."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from ledger_world import ORIGIN, create, note, open_writer

from affiant.kit.clock import FixedClock
from affiant.kit.errors import BadInput, CouldNotLook, LedgerFault
from affiant.kit.home import Home
from affiant.ledger import LedgerReader
from affiant.ledger.anchorstore import AnchorStore
from affiant.ledger.checkpoints import parse_vkey
from affiant.ledger.witness import witness_vkey
from affiant.ledger.witnessonce import Visit, take_note, visit_once
from affiant.proof.errors import Lie
from affiant.proof.note import Checkpoint, Note
from affiant.proof.trust import TrustPolicy

SEED, NAME, NOW_S = b"w" * 32, "auditor.example/ci", 1_790_000_100


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return create(tmp_path / "home")


@pytest.fixture
def url(home: Home) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(home.ledger)))
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def grow(home: Home, count: int) -> None:
    writer = open_writer(home)
    try:
        writer.append([note(f"{count} {number}") for number in range(count)])
        writer.checkpoint()
    finally:
        writer.close()


def visit(home: Home, url: str, memory: Path, seed: bytes = SEED, name: str = NAME, at_s: int = NOW_S) -> Visit:
    vkey = str(LedgerReader(home).vkey)
    return visit_once(memory, name, seed, [vkey], url, FixedClock(at_s * 1_000_000), 2.0)


def test_each_visit_cosigns_what_extends_the_last_one(home: Home, url: str, tmp_path: Path) -> None:
    """Sizes grow from visit to visit over tiles of several levels; a head seen before gets its first cosignature back."""
    memory = tmp_path / "memory"
    sizes = []
    for number, count in enumerate((3, 300, 700)):
        grow(home, count)
        done = visit(home, url, memory, at_s=NOW_S + number)
        assert done.new and done.before == (sizes[-1] if sizes else 0)
        assert Note.parse(done.note).verify([parse_vkey(witness_vkey(NAME, SEED))])[0].time_s == NOW_S + number
        sizes.append(done.size)
    again = visit(home, url, memory, at_s=NOW_S + 50)
    assert not again.new and again.note == done.note
    assert len(memory.read_text().splitlines()) == 3 and sizes == sorted(sizes)


def test_a_ledger_that_forked_or_was_rolled_back_is_not_cosigned(home: Home, url: str, tmp_path: Path) -> None:
    """Another history, of whatever length, gets no cosignature, and the memory stays as it was."""
    memory = tmp_path / "memory"
    shutil.copytree(home.root, tmp_path / "before")
    grow(home, 300)
    visit(home, url, memory)
    kept = memory.read_text()
    for path in (home.segments, home.ledger, home.root / "checkpoints.log", home.derived):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        old = tmp_path / "before" / path.name
        shutil.copytree(old, path) if old.is_dir() else shutil.copy(old, path)
    with pytest.raises(LedgerFault, match="rolled back"):
        visit(home, url, memory)
    (home.run / "durable").unlink()
    grow(home, 400)
    with pytest.raises(LedgerFault, match="not cosigned"):
        visit(home, url, memory)
    assert memory.read_text() == kept


def test_a_memory_that_was_altered_or_is_anothers_is_refused(home: Home, url: str, tmp_path: Path) -> None:
    """A witness without its own memory must not sign."""
    memory = tmp_path / "memory"
    visit(home, url, memory)
    text = memory.read_text()
    for bad in (text.replace('"size": 2', '"size": 1'), text + "x\n", text.replace("\\u2014", "-").replace("—", "-"), "[]\n"):
        memory.write_text(bad)
        with pytest.raises(BadInput):
            visit(home, url, memory)
    memory.write_text(text)
    with pytest.raises(BadInput):
        visit(home, url, memory, seed=b"x" * 32)


def test_a_ledger_that_does_not_answer_could_not_be_looked_at(home: Home, url: str, tmp_path: Path) -> None:
    """No answer, no checkpoint, a missing tile: said to be so, and nothing is remembered."""
    memory = tmp_path / "memory"
    with pytest.raises(CouldNotLook):
        visit(home, "http://127.0.0.1:9", memory)
    with pytest.raises(CouldNotLook):
        visit(home, url + "/tile", memory)
    assert not memory.exists()


def test_a_company_keeps_what_others_witnesses_cosigned(home: Home, url: str, tmp_path: Path) -> None:
    """A note taken back is an anchor beside its own; one of another history, or without the cosignature, is not."""
    grow(home, 20)
    done = visit(home, url, tmp_path / "memory")
    reader, vkey = LedgerReader(home), witness_vkey(NAME, SEED)
    anchor = take_note(home, reader, done.note, vkey, 5)
    assert AnchorStore(home.anchors_db).newest() == anchor and anchor.time_s == NOW_S
    with pytest.raises(BadInput):
        take_note(home, reader, done.note, witness_vkey(NAME, b"x" * 32), 5)
    other = create(tmp_path / "other")
    with pytest.raises(LedgerFault):
        take_note(other, LedgerReader(other), done.note, vkey, 5)


def test_a_quorum_of_several_witnesses_is_met_by_their_cosignatures(home: Home, url: str, tmp_path: Path) -> None:
    """Two of three, nested with one that is always needed, over one head that each visited by itself."""
    seeds = {f"w{number}": bytes([number]) * 32 for number in range(4)}
    notes = {name: Note.parse(visit(home, url, tmp_path / name, seed, f"{name}.example").note) for name, seed in seeds.items()}
    log = LedgerReader(home).vkey
    keys = "".join(f"witness {name} {witness_vkey(name + '.example', seed)}\n" for name, seed in seeds.items())
    policy = TrustPolicy.parse(f"log {log}\n{keys}group some 2 w1 w2 w3\ngroup all-of all w0 some\nquorum all-of\n")

    def merged(*names: str) -> Note:
        whole = notes[names[0]]
        for name in names[1:]:
            whole = whole.with_line(notes[name].signatures[-1].line())
        return whole

    assert set(policy.check(merged("w0", "w1", "w3")).witnesses) == {"w0", "w1", "w3"}
    assert Checkpoint.parse(notes["w0"].text).origin == ORIGIN
    for short in (("w0", "w1"), ("w1", "w2", "w3"), ("w0",)):
        with pytest.raises(Lie, match="quorum"):
            policy.check(merged(*short))
