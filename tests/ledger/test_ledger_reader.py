"""Reading: entries, proofs, the index, exports; while the ledger is written and after."""

from __future__ import annotations

import json
import multiprocessing
import threading
from pathlib import Path

import pytest
from ledger_world import NOW, check, copy_home, create, note, open_writer, put

from affiant.kit.clock import FixedClock
from affiant.kit.errors import BadInput, CouldNotLook, NotFound
from affiant.kit.home import Home
from affiant.ledger import LedgerReader
from affiant.proof.hashes import leaf_hash, root_of, verify_consistency, verify_inclusion
from affiant.proof.tlogproof import TlogProof


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """1,000 signed entries and 30 that no head covers."""
    home = create(tmp_path_factory.mktemp("reader") / "h")
    with open_writer(home, segment_bytes=30_000) as writer:
        for first in range(0, 998, 50):
            put(writer, "n1/gateway/a", first, [note(f"e{n}", ref=f"r{n % 7}") for n in range(first, min(first + 50, 998))])
        writer.checkpoint()
        put(writer, "n1/gateway/a", 998, [note(f"e{n}", ref="tail") for n in range(998, 1028)])
    return home


def test_roots_and_proofs_at_every_kind_of_size(home: Home) -> None:
    """Roots, inclusion and consistency agree with the plain definition, beyond the signed head too."""
    reader = LedgerReader(home)
    assert reader.size == 1030 and reader.checkpoint().size == 1000
    leaves = [leaf_hash(entry) for entry in reader.entries(0, reader.size)]
    sizes = [1, 2, 3, 255, 256, 257, 511, 512, 513, 999, 1000, 1001, 1023, 1024, 1025, 1030]
    for size in sizes:
        root = reader.root(size)
        assert root == root_of(leaves[:size])
        assert reader.compact_range(size).root() == root
        for index in {0, size // 2, size - 1}:
            verify_inclusion(index, size, reader.leaf_hash(index), reader.inclusion(index, size), root)
        for smaller in sizes:
            if smaller <= size:
                verify_consistency(smaller, size, reader.consistency(smaller, size), reader.root(smaller), root)


def test_a_copy_reads_the_same(home: Home, tmp_path: Path) -> None:
    """Without the published size, as on another machine, the segments are read to their end."""
    copy = copy_home(home, tmp_path / "copy")
    (copy.run / "durable").unlink()
    reader = LedgerReader(copy)
    assert reader.size == 1030
    assert list(reader.entries(0, 1030)) == list(LedgerReader(home).entries(0, 1030))


def test_proofs_are_files_that_verify(home: Home) -> None:
    """A tlog-proof leads from the entry to the signed head; what no head covers has none yet."""
    reader = LedgerReader(home)
    proof = TlogProof.parse(reader.prove(700).encode())
    assert proof.verify(reader.entry(700)).size == 1000
    with pytest.raises(CouldNotLook):
        reader.prove(1010)
    with pytest.raises(NotFound):
        reader.prove(5000)


def test_ranges_that_are_not_there(home: Home) -> None:
    """Asking beyond the end is bad input, never an empty answer."""
    reader = LedgerReader(home)
    with pytest.raises(BadInput):
        list(reader.entries(0, 1031))
    with pytest.raises(NotFound):
        reader.entry(1030)
    with pytest.raises(NotFound):
        reader.entry(-1)
    with pytest.raises(BadInput):
        reader.consistency(0, 10)
    with pytest.raises(BadInput):
        reader.root(2000)


def test_find_and_types(home: Home) -> None:
    """References and types give indexes in order."""
    reader = LedgerReader(home)
    assert reader.find("r3") == [index for index in range(2, 1000) if (index - 2) % 7 == 3]
    assert reader.find("nothing") == []
    assert [index for index, _ in reader.of_types("ledger.created", "producer.started")] == [0, 1]
    assert [index for index, _ in reader.of_types("job.run", start=1025)] == list(range(1025, 1030))
    assert reader.counts() == {"job.run": 1028, "ledger.created": 1, "producer.started": 1}


def test_broken_index_is_rebuilt(home: Home, tmp_path: Path) -> None:
    """A damaged index, or one of another history, is made again."""
    copy = copy_home(home, tmp_path / "copy")
    assert len(LedgerReader(copy).find("tail")) == 30
    (copy.derived / "index.db").write_bytes(b"no database at all" * 100)
    assert len(LedgerReader(copy).find("tail")) == 30
    other = create(tmp_path / "other")
    (other.derived / "index.db").write_bytes((copy.derived / "index.db").read_bytes())
    assert LedgerReader(other).find("tail") == []


def _find(root: Path, results: multiprocessing.Queue[int]) -> None:
    from affiant.kit.home import open_home

    results.put(len(LedgerReader(open_home(root)).find("tail")))


def test_index_made_by_several_processes_at_once(home: Home, tmp_path: Path) -> None:
    """Processes that catch the index up together agree."""
    copy = copy_home(home, tmp_path / "copy")
    for path in copy.derived.glob("index.db*"):
        path.unlink()
    context = multiprocessing.get_context("spawn")
    results: multiprocessing.Queue[int] = context.Queue()
    processes = [context.Process(target=_find, args=(copy.root, results)) for _ in range(3)]
    for process in processes:
        process.start()
    assert [results.get(timeout=30) for _ in processes] == [30, 30, 30]
    for process in processes:
        process.join(10)
    results.close()


def test_export_by_time(tmp_path: Path) -> None:
    """An export holds the entries of a half-open time, with index, leaf hash and stored bytes."""
    home = create(tmp_path / "h")
    clock = FixedClock(NOW)
    with open_writer(home, clock=clock) as writer:
        for _ in range(5):
            clock.value_us += 1_000_000
            writer.append([note("x")])
        writer.checkpoint()
    reader = LedgerReader(home)
    lines = [json.loads(line) for line in reader.export(NOW + 2_000_000, NOW + 4_000_000)]
    assert [line["entry"]["at"] for line in lines] == [NOW + 2_000_000, NOW + 3_000_000]
    assert all(line["leaf"] == reader.leaf_hash(line["index"]).hex() for line in lines)


def test_tail_follows(tmp_path: Path) -> None:
    """Following gives new entries as they come, until told to stop."""
    home = create(tmp_path / "h")
    seen: list[int] = []
    done = threading.Event()

    def follow() -> None:
        for index in LedgerReader(home).tail(0, follow=True, stopped=done.is_set, poll_s=0.01):
            seen.append(index)

    with open_writer(home) as writer:
        thread = threading.Thread(target=follow)
        thread.start()
        for number in range(20):
            put(writer, "n1/gateway/a", number, [note("x")])
        while len(seen) < 22:
            assert thread.is_alive()
            done.wait(0.01)
        done.set()
        thread.join()
        writer.checkpoint()
    assert seen == list(range(22))
    assert list(LedgerReader(home).tail()) == list(range(12, 22))


def test_reading_beside_a_writer(tmp_path: Path) -> None:
    """A reader beside a busy writer always sees a prefix that goes with the signed head."""
    home = create(tmp_path / "h")
    stop = threading.Event()
    faults: list[BaseException] = []

    def read() -> None:
        reader = LedgerReader(home)
        try:
            while not stop.is_set():
                head = reader.checkpoint()
                assert reader.root(head.size) == head.root
                size = reader.size
                assert reader.event(size - 1) is not None
                assert len(list(reader.entries(max(0, size - 300), size))) == min(size, 300)
        except BaseException as error:
            faults.append(error)

    threads = [threading.Thread(target=read) for _ in range(2)]
    with open_writer(home, segment_bytes=20_000) as writer:
        for thread in threads:
            thread.start()
        for turn in range(150):
            put(writer, "n1/gateway/a", turn * 7, [note("x" * 50) for _ in range(7)])
            if turn % 3 == 0:
                writer.checkpoint()
        stop.set()
        for thread in threads:
            thread.join()
        writer.checkpoint()
    assert faults == []
    check(home, 2 + 150 * 7)
