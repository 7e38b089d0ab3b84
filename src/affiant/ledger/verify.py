"""`affiant ledger verify`: everything in a home against everything else, as a numbered argument.

Reads each segment whole and rebuilds the tree; shares no state with the writer. Over entries that were pruned it rests on the hash tiles,
which the signed root covers, and on what the ledger recorded when they went. It may run while the home is served: it looks at what was on
disk when it began. Leaves out: outside parties (`anchors` fetches, this only checks what was kept).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from affiant.kit.crypto import signature_holds
from affiant.kit.errors import AffiantError, BadInput, CouldNotLook, LedgerFault
from affiant.kit.home import Home
from affiant.ledger.anchorstore import AnchorStore
from affiant.ledger.archive import ARCHIVE, Archive, archived_segments, bundle_number
from affiant.ledger.carried import check_opening
from affiant.ledger.checkpoints import SignedHead, open_head, parse_vkey, read_kept, read_note
from affiant.ledger.envelope import check_value
from affiant.ledger.floor import NOTHING_PRUNED, Floor, floor_path, read_floor
from affiant.ledger.reader import LedgerReader
from affiant.ledger.segment import Frame, batches, read_from, segment_firsts, segment_name, torn_only
from affiant.ledger.tiles import check_tiles_below, read_tile, root_in_tiles
from affiant.ledger.tree import Tree
from affiant.proof.canonical import loads
from affiant.proof.errors import ProofError
from affiant.proof.logkeys import KEY_EVENTS, LogKeys, parse_statement
from affiant.proof.note import Note, VerifierKey

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder(order="sorted").encode
_NEXT = "Keep the files as they are and compare with a backup or a package handed over earlier."


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the argument: `ok` is 1 shown, 0 contradicted, -1 could not look."""

    number: int
    what: str
    ok: int
    detail: str


@dataclass(slots=True)
class Report:
    """All steps, in order."""

    size: int = 0
    signed: int = 0
    steps: list[Step] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Whether no step was contradicted and all could be looked at."""
        return all(step.ok == 1 for step in self.steps)

    @property
    def exit_code(self) -> int:
        """0 good, 1 a contradiction, 3 could not look."""
        if any(step.ok == 0 for step in self.steps):
            return 1
        return 0 if self.good else 3

    def lines(self) -> list[str]:
        """The report as text."""
        words = {1: "ok", 0: "FAULT", -1: "could not look"}
        return [f"{step.number}. {step.what}: {words[step.ok]} · {step.detail}" for step in self.steps]


def _canonical(data: bytes) -> dict[str, Any]:
    """Read an entry, which must be written canonically: a quick look, then the strict reader where that does not settle it."""
    try:
        raw = _decode(data)
        if type(raw) is dict and _encode(raw) == data:
            check_value(raw)
            return raw
    except (msgspec.DecodeError, BadInput, ValueError, RecursionError):
        pass
    strict: dict[str, Any] = loads(data)
    return strict


class _Compare:
    """Compares the files that the rebuilt tree would have with those on disk, up to the signed size."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._archive = Archive(root.parent / ARCHIVE)
        self.files = 0
        self.bad: dict[str, list[str]] = {"tiles": [], "bundles": []}

    def put(self, relative: str, data: bytes, full: bool) -> None:
        self.files += 1
        if full and relative.startswith("tile/entries/") and self._archived(relative, data):
            return
        try:
            same = (self._root / relative).read_bytes() == data
        except OSError:
            same = False
            if not full:
                same = self._prefix(relative, data)
        if not same:
            self.bad["bundles" if relative.startswith("tile/entries/") else "tiles"].append(relative)

    def _archived(self, relative: str, data: bytes) -> bool:
        """Whether the archive holds this bundle; none may contradict it in `ledger/` then."""
        packed = self._archive.bundle(bundle_number(relative))
        if packed is None or (self._root / relative).exists():
            return False
        return packed == data

    def _prefix(self, relative: str, data: bytes) -> bool:
        """A partial file may be gone once the full one exists, which begins with the same bytes."""
        try:
            return (self._root / relative.partition(".p/")[0]).read_bytes()[: len(data)] == data
        except OSError:
            return False


class _Producers:
    """Gap-free numbers, and at most one end for each exchange."""

    def __init__(self, floor: Floor) -> None:
        live = floor.producers.get("live", ())
        self.last: dict[str, int] = {name: last for name, last, _, _ in live}
        self.open: dict[str, int] = {ref: index for _, _, opened, _ in live for ref, index in opened.items()}
        self.opened = len(self.open)
        self.ended = 0

    def see(self, index: int, raw: dict[str, Any]) -> None:
        producer, seq, kind, ref = raw["producer"], raw["seq"], raw["type"], raw.get("ref", "")
        due = self.last.get(producer, -1) + 1
        if seq != due:
            raise LedgerFault(f"Entry {index}: {producer} has number {seq}; {due} was due.", _NEXT)
        self.last[producer] = seq
        if kind == "exchange.opened":
            if ref in self.open:
                raise LedgerFault(f"Entry {index} opens exchange {ref} again.", _NEXT)
            self.open[ref] = index
            self.opened += 1
        elif kind in ("exchange.closed", "exchange.interrupted"):
            if self.open.pop(ref, None) is None:
                raise LedgerFault(f"Entry {index} ends exchange {ref}, which is not open.", _NEXT)
            self.ended += 1


class _Verification:
    def __init__(self, home: Home, vkey: VerifierKey | None) -> None:
        self.home = home
        self.vkey = vkey
        self.report = Report()
        self.reader = LedgerReader(home)
        self.roots: dict[int, bytes] = {}
        self.head: SignedHead | None = None
        self.heads: list[SignedHead] = []
        self.compare: _Compare | None = None
        self.floor = NOTHING_PRUNED
        self.keys: LogKeys | None = None
        self.key_entries: list[tuple[int, bytes]] = []

    def step(self, what: str, work: Callable[[], str]) -> None:
        number = len(self.report.steps) + 1
        try:
            detail, ok = work(), 1
        except CouldNotLook as error:
            detail, ok = str(error), -1
        except (AffiantError, ProofError) as error:
            detail, ok = str(error), 0
        except OSError as error:
            detail, ok = f"{error.filename or ''}: {error.strerror}", -1
        self.report.steps.append(Step(number, what, ok, detail))

    def run(self) -> Report:
        with contextlib.suppress(LedgerFault):  # the last step says so
            self.floor = read_floor(self.home)
        self.step("The signed head opens with the log's key", self._head)
        self.step("Kept heads are signed and grow", self._kept)
        self.step("Segments hold whole, canonical entries, and each producer's numbers have no gap", self._entries)
        self.step("The root over the entries is the signed one", self._root)
        self.step("Hash tiles are those of the entries", lambda: self._files("tiles"))
        self.step("Bundles hold the same bytes as the segments", lambda: self._files("bundles"))
        self.step("Kept and cosigned heads lie on the same history", self._history)
        self.step("Keys of the log follow one another as the entries say", self._key_history)
        self.step("Opening balances follow their periods", self._openings)
        if floor_path(self.home).exists():
            self.step("What was pruned is recorded, and lasting entries are kept", self._pruned)
        return self.report

    def _head(self) -> str:
        self.keys = keys = self.reader.log_keys()
        if self.vkey is not None and self.vkey not in keys.keys:
            raise LedgerFault(f"The key given, {self.vkey.id.hex()}, was never a key of this log.", "Compare it with its source.")
        source = "named by entry 0" if self.vkey is None else "given"
        if len(keys.keys) > 1:
            source += f", then {len(keys.keys) - 1} handed over to"
        head = open_head(read_note(self.home), keys, "ledger/checkpoint")
        self.head = head
        self.report.signed = head.size
        self.heads.append(head)
        return f"{head.size} entries, key {keys.at(head.size).id.hex()} ({source})"

    def _kept(self) -> str:
        newest = self._need_head()
        kept, before = read_kept(self.home), 0
        for number, line in enumerate(kept, 1):
            head = open_head(line.note, self.keys or self.reader.log_keys(), f"checkpoints.log line {number}")
            if (head.size, head.root) != (line.size, line.root) or not before < head.size <= newest.size:
                raise LedgerFault(f"checkpoints.log line {number} contradicts its note, its neighbours or the head.", _NEXT)
            before = head.size
            self.heads.append(head)
        return f"{len(kept)} kept"

    def _need_head(self) -> SignedHead:
        if self.head is None:
            raise CouldNotLook("The signed head did not open.", "See step 1.")
        return self.head

    def _batches(self) -> Iterator[list[Frame]]:
        firsts = segment_firsts(self.home.segments)
        index = self.floor.begin
        if firsts and firsts[0] > index and (self.home.root / ARCHIVE).exists():
            for begin, data in archived_segments(Archive(self.home.root / ARCHIVE), firsts[0], index):
                for batch in batches(data, begin):
                    index = batch[-1].index + 1
                    yield batch
        elif self.floor.segment in firsts:
            firsts = firsts[firsts.index(self.floor.segment) :]
        else:
            firsts = [first for first in firsts if first >= index]
        if not firsts:
            raise LedgerFault(f"{self.home.segments} lacks {segment_name(index)}.", _NEXT)
        for first in firsts:
            offset = self.floor.offset if first == self.floor.segment and index == self.floor.begin else 0
            if first != index and not offset:
                raise LedgerFault(
                    f"{self.home.segments} lacks {segment_name(index)}: {segment_name(first)} follows entry {index - 1}.", _NEXT
                )
            data = read_from(self.home.segments / segment_name(first), 0)
            good = 0
            for batch in batches(data, index, offset):
                good, index = batch[-1].end, batch[-1].index + 1
                yield batch
            if good != len(data) and (first != firsts[-1] or not torn_only(data, good)):
                raise LedgerFault(f"{segment_name(first)} is damaged at byte {good} (entry {index}).", _NEXT)

    def _entries(self) -> str:
        wanted = {head.size for head in self.heads}
        wanted |= {anchor.size for anchor in AnchorStore(self.home.anchors_db).all()}
        signed = self.report.signed
        self.compare = compare = _Compare(self.home.ledger)
        tree = self._below(compare, wanted)
        producers = _Producers(self.floor)
        for batch in self._batches():
            for frame in batch:
                try:
                    raw = _canonical(frame.data)
                    producers.see(frame.index, raw)
                    if raw["type"] in KEY_EVENTS:
                        self.key_entries.append((frame.index, str(raw["body"]["statement"]).encode()))
                except (ProofError, KeyError, TypeError, AttributeError) as error:
                    raise LedgerFault(f"Entry {frame.index} is no canonical envelope: {error}", _NEXT) from error
                if frame.index < signed:
                    tree.add([frame.data])
                    if tree.size in wanted:
                        self.roots[tree.size] = tree.root()
                    if tree.size == signed:
                        tree.put_partial()
                self.report.size = frame.index + 1
        if self.report.size < signed:
            raise LedgerFault(f"The segments end at entry {self.report.size}; {signed} are signed: they were truncated.", _NEXT)
        pruned = f"{self.floor.begin} pruned, " if self.floor.begin else ""
        return (
            f"{pruned}{self.report.size - self.floor.begin} entries by {len(producers.last)} producers; "
            f"{producers.opened} exchanges opened, {producers.ended} ended, {len(producers.open)} open"
        )

    def _below(self, compare: _Compare, wanted: set[int]) -> Tree:
        """The tree over entries that were pruned, out of hash tiles held against one another; empty where none were."""
        begin = self.floor.begin
        if not begin:
            return Tree(compare.put)

        def tile(level: int, number: int, width: int) -> list[bytes]:
            return read_tile(self.home.ledger, level, number, width)

        compare.files += check_tiles_below(tile, begin)
        for size in wanted:
            if 0 < size <= begin:
                self.roots[size] = root_in_tiles(self.home.ledger, size)
        for index, entry in self.reader.lasting().items():
            if index < begin and _canonical(entry)["type"] in KEY_EVENTS:
                self.key_entries.append((index, str(_canonical(entry)["body"]["statement"]).encode()))
        self.report.size = begin
        return Tree.resume(self.home.ledger, begin, compare.put)

    def _root(self) -> str:
        newest = self._need_head()
        found = self.roots.get(newest.size)
        if found is None:
            raise CouldNotLook("The entries could not be read up to the signed size.", "See step 3.")
        if found != newest.root:
            raise LedgerFault(f"The entries give {found.hex()}, the head says {newest.root.hex()}.", _NEXT)
        return found.hex()

    def _files(self, kind: str) -> str:
        if self.compare is None or self.report.size < self.report.signed:
            raise CouldNotLook("The entries could not be read.", "See step 3.")
        bad = self.compare.bad[kind]
        if bad:
            raise LedgerFault(
                f"{len(bad)} differ or are missing, first ledger/{bad[0]}.", "The segments hold the truth: starting rebuilds these files."
            )
        return f"{self.compare.files} files compared in all"

    def _history(self) -> str:
        newest = self._need_head()
        cosigned = AnchorStore(self.home.anchors_db).all()
        keys = {witness.name: parse_vkey(witness.vkey) for witness in self.home.witnesses}
        checked = 0
        if self.report.size < self.report.signed or newest.size not in self.roots:
            raise CouldNotLook("The entries could not be read up to the signed size.", "See step 3.")
        for head in self.heads:
            if self.roots.get(head.size) != head.root:
                raise LedgerFault(f"A head signed over {head.size} entries has another root than the entries.", _NEXT)
        for anchor in cosigned:
            if anchor.size > newest.size or self.roots.get(anchor.size) != anchor.root:
                raise LedgerFault(f"{anchor.witness} cosigned another history at {anchor.size} entries.", _NEXT)
            key = keys.get(anchor.witness)
            if key is not None:
                if not Note.parse(anchor.note).verify([key], signature_holds):
                    raise LedgerFault(f"The cosignature of {anchor.witness} at {anchor.size} entries is missing.", _NEXT)
                checked += 1
        words = "no outside anchor: a roll-back of everything could not be told" if not cosigned else f"{len(cosigned)} cosigned"
        return f"{len(self.heads)} signed; {words}, {checked} cosignatures checked"

    def _openings(self) -> str:
        found = list(self.reader.of_types("period.opened"))
        size = self.reader.size
        for index, event in found:
            check_opening(self.reader, index, event, size)
        return f"{len(found)} periods"

    def _key_history(self) -> str:
        """The statements used in step 1 are those that stand in the entries, each where it says that it stands."""
        if self.keys is None or self.report.size < self.report.signed:
            raise CouldNotLook("The keys or the entries could not be read.", "See steps 1 and 3.")
        covered = [(index, note) for index, note in self.key_entries if index < self.report.size]
        if [note for _, note in covered][: len(self.keys.notes)] != list(self.keys.notes):
            raise LedgerFault("The index names other entries about keys than the segments hold.", "Remove derived/ and verify again.")
        for index, note in covered:
            after = parse_statement(note).after
            if index < after or any(after < head.size <= index for head in self.heads):
                raise LedgerFault(f"Entry {index} speaks of a key for heads over more than {after} entries: it stands elsewhere.", _NEXT)
        return f"{len(self.keys.keys)} keys, {len(self.keys.hand_overs)} hand-overs, {len(self.keys.revoked)} revoked"

    def _pruned(self) -> str:
        """pruned.json is what an entry says of it, and every lasting entry below is kept and in the tree."""
        floor = read_floor(self.home)
        if self.report.size < self.report.signed or not self._need_head().size:
            raise CouldNotLook("The entries could not be read.", "See step 3.")
        if root_in_tiles(self.home.ledger, floor.begin).hex() != floor.root:
            raise LedgerFault(f"pruned.json names another root over the {floor.begin} pruned entries than the hash tiles give.", _NEXT)
        said = [event.body for _, event in self.reader.of_types("ledger.removed") if event.body.get("below") == floor.begin]
        recorded = next((body for body in said if (body.get("root"), body.get("state")) == (floor.root, floor.digest)), None)
        if recorded is None:
            raise LedgerFault(f"No entry says that the entries below {floor.begin} were pruned as pruned.json has it.", _NEXT)
        leaves = sum(1 for index in self.reader.lasting() if index < floor.begin)
        if leaves < recorded.get("lasting", 0):
            raise LedgerFault(f"{recorded['lasting']} lasting entries were kept when entries were pruned; {leaves} are here.", _NEXT)
        where = ", ".join(f"{part.start} to {part.stop - 1} {part.archived or 'for good'}" for part in floor.parts)
        return f"{where}; {leaves} lasting entries kept"


def verify_home(home: Home, vkey: str | None = None) -> Report:
    """Check a whole home.

    Args:
        vkey: the log's verifier key obtained elsewhere; without it the key that entry 0 names is used, which shows
            only that the home agrees with itself. Keys that it handed over to, or that handed over to it, are followed.

    Raises:
        BadInput: `vkey` is none.
    """
    return _Verification(home, parse_vkey(vkey) if vkey else None).run()
