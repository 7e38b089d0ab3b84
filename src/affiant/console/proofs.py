"""The proof of an entry for a page: which signed head covers it, the path to its root, and whether the path holds when recomputed.

Everything is recomputed from the bytes read for this page; nothing is taken from the index. Leaves out: markup.
"""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from affiant.console import words
from affiant.console.context import Context, CosignedHead
from affiant.console.model import Fact
from affiant.console.render import svg
from affiant.kit import charts
from affiant.kit.errors import LedgerFault
from affiant.proof.errors import ProofError
from affiant.proof.hashes import leaf_hash, verify_inclusion
from affiant.proof.note import Note


@dataclass(frozen=True, slots=True)
class EntryProof:
    """What covers one entry.

    Args:
        index: of the entry.
        leaf: its leaf hash, from the bytes as stored.
        size: of the tree that the proof leads to; 0 if no signed head covers the entry yet.
        root: of that tree.
        note: the signed head.
        path: hashes from leaf to root.
        anchors: of each witness the earliest cosigned head that covers the entry.
    """

    index: int
    leaf: bytes
    size: int
    root: bytes
    note: bytes
    path: tuple[bytes, ...]
    anchors: tuple[CosignedHead, ...]

    @property
    def signed(self) -> bool:
        """Whether a signed head covers the entry."""
        return self.size > 0


def prove(context: Context, index: int, data: bytes) -> EntryProof:
    """Prove an entry against the earliest cosigned head that covers it, else against the newest signed head.

    Raises:
        LedgerFault: the path does not lead to the signed root.
    """
    covering = sorted((head for head in context.anchors() if head.size > index), key=lambda head: (head.size, head.time_s))
    leaf = leaf_hash(data)
    newest = context.reader.checkpoint()
    size, root, note = (covering[0].size, covering[0].root, covering[0].note) if covering else (newest.size, newest.root, newest.note)
    if index >= size:
        return EntryProof(index, leaf, 0, b"", b"", (), ())
    path = tuple(context.reader.inclusion(index, size))
    try:
        verify_inclusion(index, size, leaf, path, root)
    except ProofError as error:
        raise LedgerFault(f"Entry {index} does not lead to the signed root of {size}.", "Run `affiant ledger verify`.") from error
    first: dict[str, CosignedHead] = {}
    for head in covering:
        first.setdefault(head.witness, head)
    return EntryProof(index, leaf, size, root, note, path, tuple(first.values()))


def siblings(index: int, size: int, path: tuple[bytes, ...]) -> tuple[charts.Sibling, ...]:
    """Which side each hash of an inclusion path stands on (RFC 9162 §2.1.3.2), and how many entries lie under it."""
    out = []
    node, last, level = index, size - 1, 0
    for hash_ in path:
        left = bool(node & 1) or node == last
        if left:
            while not node & 1 and node:
                node, last, level = node >> 1, last >> 1, level + 1
        begin = ((node - 1) if left else (node + 1)) << level
        out.append(charts.Sibling(hash_.hex(), left, max(min(1 << level, size - begin), 0)))
        node, last, level = node >> 1, last >> 1, level + 1
    return tuple(out)


def diagram(proof: EntryProof) -> Markup | None:
    """The path as a drawing; None where no signed head covers the entry."""
    if not proof.signed:
        return None
    tree = charts.Proof(
        proof.index, proof.size, siblings(proof.index, proof.size, proof.path), f"signed root of {words.number(proof.size)}"
    )
    title = f"Inclusion of entry {words.number(proof.index)} in the signed tree of {words.count(proof.size, 'entry', 'entries')}"
    return svg(charts.proof_tree(tree, title))


def signers(note: bytes) -> str:
    """Names on a note's signature lines."""
    return ", ".join(dict.fromkeys(signature.name for signature in Note.parse(note).signatures))


def cosignature_facts(proof: EntryProof) -> tuple[Fact, ...]:
    """Who cosigned a head that covers the entry, and when by their own clock."""
    return tuple(
        Fact(
            head.witness,
            words.when(head.time_s * 1_000_000),
            title=words.exact(head.time_s * 1_000_000),
            note=f"{words.number(head.size)} entries",
        )
        for head in proof.anchors
    )


def proof_facts(proof: EntryProof) -> tuple[Fact, ...]:
    """Leaf, root and what recomputing gave."""
    leaf = Fact("Leaf", words.groups(proof.leaf.hex()), mono=True, title=proof.leaf.hex())
    if not proof.signed:
        return (leaf, Fact("Signed", "not yet", note="a head is signed at most a second later; reload the page"))
    root = Fact("Root", words.groups(proof.root.hex()), mono=True, title=proof.root.hex())
    note = f"recomputed for this page from the stored bytes and {words.count(len(proof.path), 'hash', 'hashes')}"
    return (leaf, root, Fact("Computed", "equal to the signed root", note=note))
