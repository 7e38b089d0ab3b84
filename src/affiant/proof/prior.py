"""Opening balances against the affidavit of the period before: what this period carries in is what that one's entries leave.

The prior package is a full one of the same log. Its history must be a beginning of this one's, each carried record must be the entry that it
names there, and a record that the prior period leaves and this one does not carry must have been ended by a later entry about it.
Leaves out: whether the prior package's own results hold (verify it by itself).
"""

from __future__ import annotations

import json
from typing import Any, Dict, List, Mapping, Tuple

from .errors import Lie, Malformed
from .hashes import CompactRange, leaf_hashes, root_of
from .note import Checkpoint, Note
from .package import MANIFEST, Manifest, Package
from .rebuild import Range, bundle_name, bundles_in
from .tiles import unpack_bundle

_ENDINGS = ("removed", "withdrawn", "left", "revoked", "ended")
Carried = Tuple[int, Mapping[str, Any]]


def prior_head(prior: Package, origin: str) -> Checkpoint:
    """The end of the prior package, whose root is to be compared with this history's at that size.

    Raises:
        Malformed: it is no full package of this log.
    """
    manifest = Manifest.parse(prior.read(MANIFEST))
    if manifest.raw["mode"] != "full" or manifest.raw["origin"] != origin:
        raise Malformed("The prior affidavit is no full package of this log.", "Give the full package of the period before.")
    return Checkpoint.parse(Note.parse(prior.read("ledger/end.checkpoint", 1 << 20)).text)


def check_prior(prior: Package, found: Range) -> str:
    """Compare opening balances with the prior package's entries; gives a line that says what was found.

    Raises:
        Lie: a balance is another than the entry that it names, or a record was dropped.
    """
    manifest = Manifest.parse(prior.read(MANIFEST))
    bounds = manifest.raw["range"]
    entries = _entries(prior, bounds["start_size"], bounds["end_size"])
    carried = found.carried()
    wanted = {(body["of"], envelope.get("ref", "")): body for _, envelope in carried for body in (envelope["body"],)}
    kinds = {kind for kind, _ in wanted}
    last: Dict[Tuple[str, str], int] = {}
    ended: Dict[str, List[Tuple[int, str]]] = {}
    inside = 0
    for idx, entry in entries:
        if idx >= found.view_from:
            break
        envelope = json.loads(entry)
        kind, ref, body = envelope["type"], envelope.get("ref", ""), envelope.get("body", {})
        if kind == "state.carried":
            kind, body = body["of"], body["body"]
        if kind in kinds:
            last[kind, ref] = idx
        if kind.rpartition(".")[2] in _ENDINGS:
            ended.setdefault(ref, []).append((idx, kind))
        balance = wanted.get((kind, ref))
        if balance is not None and balance["origin"] == idx:
            if balance["body"] != body:
                raise Lie(f"The opening balance of {ref} ({kind}) is another than entry {idx} of the prior affidavit leaves.")
            inside += 1
    _check_dropped(last, wanted, ended, manifest.raw["period"]["to"])
    return f"{inside:,} of {len(carried):,} opening balances are entries of the prior affidavit; none was dropped"


def _check_dropped(
    last: Mapping[Tuple[str, str], int], wanted: Mapping[Tuple[str, str], Any], ended: Mapping[str, List[Tuple[int, str]]], to_us: int
) -> None:
    for (kind, ref), idx in last.items():
        noun = kind.partition(".")[0]
        if (kind, ref) not in wanted and not any(at > idx and other.startswith(noun + ".") for at, other in ended.get(ref, ())):
            raise Lie(f"The record {ref} ({kind}, entry {idx}) was live at the end of the prior affidavit and is not carried.")


def _entries(prior: Package, start: int, end: int) -> List[Tuple[int, bytes]]:
    """Entries of the prior package, hashed onto its left edge up to its end's root."""
    found: List[Tuple[int, bytes]] = []
    lines = prior.read("ledger/left-edge").decode("ascii").split() if start else []
    tree = CompactRange(start, [bytes.fromhex(line) for line in lines])
    for number in range(bundles_in(start, end)):
        entries = unpack_bundle(prior.read(bundle_name(number), 256 * 65_537))
        tree.extend(leaf_hashes(entries))
        found += list(enumerate(entries, start + number * 256))
    head = Checkpoint.parse(Note.parse(prior.read("ledger/end.checkpoint", 1 << 20)).text)
    if tree.root() != head.root or len(found) != end - start or head.size != end:
        raise Lie("The prior affidavit's entries do not give the root that it signs.")
    return found


assert root_of
