"""Deciding what a package holds: the range of entries, its two checkpoints, outside anchors, the run of each control.

Leaves out: recomputing (`proof.recompute`) and writing (`build`).
"""

from __future__ import annotations

from dataclasses import dataclass

from affiant.assurance import opening_of
from affiant.kit.errors import BadInput, Conflict, CouldNotLook
from affiant.kit.home import Home
from affiant.ledger import LedgerReader, SignedHead
from affiant.ledger.anchorstore import Anchor, AnchorStore
from affiant.ledger.timestamps import Stamp, StampStore
from affiant.proof.errors import ProofError
from affiant.proof.note import Note

MAX_ENTRIES = 5_000_000
MAX_ANCHORS = 20_000
MODES = ("auto", "full", "sample")


@dataclass(frozen=True, slots=True)
class Listed:
    """The run of one control that a package shows.

    Args:
        id: control id.
        run: index of its `procedure.run`.
        sha: hex SHA-256 of the control version's canonical bytes.
        version: of the control.
    """

    id: str
    run: int
    sha: str
    version: int


@dataclass(frozen=True, slots=True)
class Scope:
    """What a package covers.

    Args:
        start: signed head at or before the first entry that queries read; None where the range begins with the ledger.
        view_from: index of the `period.opened` whose opening balances the queries read; 0 where all history travels.
        end: signed head that covers every run; its note holds the cosignatures that there are.
        controls: one run a control, by id.
        anchors: notes of cosigned heads within the range, by size.
        mode: full (every entry travels) or sample.
        stamps: RFC 3161 time-stamps of heads within the range.
    """

    start: SignedHead | None
    view_from: int
    end: SignedHead
    controls: tuple[Listed, ...]
    anchors: tuple[bytes, ...]
    mode: str = "full"
    stamps: tuple[Stamp, ...] = ()

    @property
    def start_size(self) -> int:
        return self.start.size if self.start else 0


def gather(home: Home, reader: LedgerReader, from_us: int, to_us: int, mode: str = "auto") -> Scope:
    """Decide what a package for [from_us, to_us) holds.

    Args:
        mode: full, sample, or auto: sample where there are more entries than a full package carries.

    Raises:
        Conflict: an adopted control was not run for this period.
        CouldNotLook: no signed checkpoint covers the runs yet.
        BadInput: nothing was adopted, or there are more entries than a full package carries.
    """
    view_from = opening_of(reader, from_us)
    controls = _runs(reader, from_us, to_us)
    last = max(control.run for control in controls)
    anchors = AnchorStore(home.anchors_db).all()
    end = best_end(reader, anchors, last + 1)
    start = _start(reader, view_from)
    entries = end.size - (start.size if start else 0)
    if mode == "full" and entries > MAX_ENTRIES:
        raise BadInput(
            f"The period has {entries:,} entries; a full package carries {MAX_ENTRIES:,}.",
            "Choose a shorter period, open one (its opening balances shorten the range), or build with --mode sample.",
        )
    first = start.size if start else 0
    notes = {(a.size, a.witness): a.note for a in anchors if first < a.size <= end.size}
    if len(notes) > MAX_ANCHORS:
        notes = {key: notes[key] for key in [*sorted(notes)[: MAX_ANCHORS // 2], *sorted(notes)[-MAX_ANCHORS // 2 :]]}
    chosen = mode if mode != "auto" else "sample" if entries > MAX_ENTRIES else "full"
    stamps = tuple(StampStore(home.anchors_db).between(first, end.size))
    return Scope(start, view_from, end, controls, tuple(notes[key] for key in sorted(notes)), chosen, stamps)


def missing_runs(reader: LedgerReader, from_us: int, to_us: int) -> list[str]:
    """Adopted controls that have no recorded run for exactly this period, by id."""
    adopted, runs = _adopted_and_run(reader, from_us, to_us)
    return sorted(adopted - set(runs))


def _adopted_and_run(reader: LedgerReader, from_us: int, to_us: int) -> tuple[set[str], dict[str, Listed]]:
    adopted = {event.ref for _, event in reader.of_types("control.adopted")}
    adopted |= {event.ref for _, event in reader.of_types("state.carried") if event.body.get("of") == "control.adopted"}
    runs: dict[str, Listed] = {}
    for index, event in reader.of_types("procedure.run"):
        if event.body.get("from") == from_us and event.body.get("to") == to_us and event.body["control"] in adopted:
            runs[event.body["control"]] = Listed(event.body["control"], index, event.body["sha"], event.body["control_version"])
    return adopted, runs


def _runs(reader: LedgerReader, from_us: int, to_us: int) -> tuple[Listed, ...]:
    adopted, runs = _adopted_and_run(reader, from_us, to_us)
    if not adopted:
        raise BadInput("No control was adopted in this ledger.", "Adopt the catalog's controls, then run them for the period.")
    missing = sorted(adopted - set(runs))
    if missing:
        raise Conflict(
            f"{len(missing)} of {len(adopted)} controls were not run for exactly this period, such as {missing[0]}.",
            "Run them first: `affiant control run --all --period A..B`.",
        )
    return tuple(runs[control] for control in sorted(runs))


def best_end(reader: LedgerReader, anchors: list[Anchor], least: int) -> SignedHead:
    """Of the cosigned heads that cover `least` entries the one with most witnesses, of these the smallest; else the smallest signed one.

    A reader's quorum may want several witnesses, who need not come by at the same size.
    """
    by_size: dict[int, list[Anchor]] = {}
    for anchor in anchors:
        if anchor.size >= least:
            by_size.setdefault(anchor.size, []).append(anchor)
    if by_size:
        size = min(by_size, key=lambda size: (-len({anchor.witness for anchor in by_size[size]}), size))
        same = by_size[size]
        return SignedHead(same[0].at_us, size, same[0].root, merge_notes([anchor.note for anchor in same]))
    for head in reader.checkpoints():
        if head.size >= least:
            return head
    raise CouldNotLook(f"No signed checkpoint covers entry {least - 1} yet.", "Try again in a second.")


def merge_notes(notes: list[bytes]) -> bytes:
    """One note with the signatures of several over the same text.

    Raises:
        CouldNotLook: one is unreadable.
    """
    try:
        parsed = [Note.parse(note) for note in notes]
        merged = parsed[0]
        for note in parsed[1:]:
            if note.text == merged.text:
                for signature in note.signatures:
                    if signature not in merged.signatures:
                        merged = merged.with_line(signature.line())
        return merged.to_bytes()
    except ProofError as error:
        raise CouldNotLook(f"A cosigned checkpoint cannot be read: {error.message}", "Restore anchors.db from a backup.") from error


def _start(reader: LedgerReader, view_from: int) -> SignedHead | None:
    """The largest signed head of at most `view_from` entries."""
    found = [head for head in reader.checkpoints() if 0 < head.size <= view_from]
    return found[-1] if found else None
