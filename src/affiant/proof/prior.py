"""Opening balances against the affidavit of the period before: what this period carries in is what that one's entries leave.

The prior package is a full one of the same log. Its history must be a beginning of this one's, each carried record must be the entry
that it names there, and a record that the prior period leaves and this one does not carry must have been ended by a later entry about
it. Leaves out: whether the prior package's own results hold (verify it by itself).
"""

from __future__ import annotations

import json
from typing import Any, Dict, Iterator, List, Mapping, Tuple

from .errors import Lie, Malformed
from .hashes import CompactRange, leaf_hashes
from .note import Checkpoint, Note
from .package import MANIFEST, Manifest, Package
from .rebuild import Range, bundle_name, bundles_in
from .tiles import TILE_WIDTH, unpack_bundle

_ENDINGS = (b"removed", b"withdrawn", b"left", b"revoked", b"ended")
_CARRIED = b"state.carried"
Key = Tuple[str, str]


def prior_head(prior: Package, origin: str) -> Checkpoint:
    """The end of the prior package, whose root is to be compared with this history's at that size.

    Raises:
        Malformed: it is no full package of this log.
    """
    raw = Manifest.parse(prior.read(MANIFEST)).raw
    if raw["mode"] != "full" or raw["origin"] != origin:
        raise Malformed("The prior affidavit is no full package of this log.", "Give the full package of the period before.")
    return Checkpoint.parse(Note.parse(prior.read("ledger/end.checkpoint", 1 << 20)).text)


def check_prior(prior: Package, found: Range) -> str:
    """Compare opening balances with the prior package's entries; gives what was found, in words.

    Raises:
        Lie: a balance is another than the entry that it names, or a record was dropped.
    """
    bounds = Manifest.parse(prior.read(MANIFEST)).raw["range"]
    carried = found.carried()
    wanted: Dict[Key, Mapping[str, Any]] = {(e["body"]["of"], e.get("ref", "")): e["body"] for _, e in carried}
    opened_us = found.kept["period.opened"][found.view_from]["body"].get("from", 0)
    last: Dict[Key, int] = {}
    ended: Dict[str, List[Tuple[int, str]]] = {}
    inside = 0
    for idx, envelope in _events(prior, bounds["start_size"], bounds["end_size"], {kind.encode() for kind, _ in wanted}):
        kind, at, ref, body = envelope["type"], envelope["at"], envelope.get("ref", ""), envelope.get("body", {})
        if kind == "state.carried":
            kind, at, body = body["of"], body["origin_at"], body["body"]
        if idx >= found.view_from or at >= opened_us:
            continue
        balance = wanted.get((kind, ref))
        if balance is not None and balance["origin"] == idx:
            if balance["body"] != body:
                raise Lie(f"The opening balance of {ref} ({kind}) is another than entry {idx} of the prior affidavit leaves.")
            inside += 1
        if any(kind == one for one, _ in wanted):
            last[kind, ref] = idx
        else:
            ended.setdefault(ref, []).append((idx, kind))
    words = f"{inside:,} of {len(carried):,} opening balances are entries of the prior affidavit"
    dropped = [key for key, idx in last.items() if key not in wanted and not _was_ended(key, idx, ended)]
    if not dropped:
        return f"{words}; no live record was dropped"
    if bounds["end_size"] < found.view_from:
        between = found.view_from - bounds["end_size"]
        return f"{words}; {len(dropped):,} records may have ended in the {between:,} entries between, which are in neither"
    raise Lie(f"The record {dropped[0][1]} ({dropped[0][0]}) was live at the end of the prior period and is not carried into this one.")


def _was_ended(key: Key, idx: int, ended: Mapping[str, List[Tuple[int, str]]]) -> bool:
    noun = key[0].partition(".")[0] + "."
    return any(at > idx and kind.startswith(noun) for at, kind in ended.get(key[1], ()))


def _events(prior: Package, start: int, end: int, kinds: "set[bytes]") -> "Iterator[Tuple[int, Mapping[str, Any]]]":
    """Entries of these types, opening balances and endings; all entries are hashed onto the left edge and give the end's root.

    Raises:
        Lie: they do not.
    """
    lines = prior.read("ledger/left-edge").decode("ascii").split() if start else []
    tree = CompactRange(start, [bytes.fromhex(line) for line in lines])
    for number in range(bundles_in(start, end)):
        entries = unpack_bundle(prior.read(bundle_name(number), TILE_WIDTH * 65_537))
        tree.extend(leaf_hashes(entries))
        for idx, entry in enumerate(entries, start + number * TILE_WIDTH):
            kind = entry[entry.rfind(b'"type":"') + 8 :].partition(b'"')[0]
            if kind in kinds or kind == _CARRIED or kind.rpartition(b".")[2] in _ENDINGS:
                yield idx, json.loads(entry)
    head = Checkpoint.parse(Note.parse(prior.read("ledger/end.checkpoint", 1 << 20)).text)
    if tree.root() != head.root or tree.size != end or head.size != end:
        raise Lie("The prior affidavit's entries do not give the root that it signs.")
