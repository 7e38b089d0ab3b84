"""RFC 9162 trees: well-known vectors, another implementation, and proofs that must be refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymerkle import InmemoryTree

from affiant.proof import hashes
from affiant.proof.errors import Lie, Malformed
from affiant.proof.tlogproof import TlogProof

ASSETS = Path(__file__).parent.parent / "assets" / "proofs"
# The eight leaves and roots that RFC 6962 implementations share.
LEAVES = [bytes.fromhex(text) for text in (
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
)]  # fmt: skip
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def test_roots_are_those_that_every_rfc_6962_log_gives() -> None:
    """The shared test tree has the shared roots at each size."""
    for size, root in enumerate(ROOTS, 1):
        assert hashes.root_of(hashes.leaf_hash(leaf) for leaf in LEAVES[:size]).hex() == root
    assert hashes.root_of([]).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_roots_equal_another_implementation() -> None:
    """pymerkle gives the same root at each size up to 300."""
    tree, mine = InmemoryTree(algorithm="sha256"), hashes.CompactRange()
    for number in range(300):
        data = b"entry %d" % number
        tree.append_entry(data)
        mine.append(hashes.leaf_hash(data))
        assert mine.root() == tree.get_root()


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 200), st.data())
def test_proofs_that_are_built_verify_and_altered_ones_do_not(size: int, data: st.DataObject) -> None:
    """Any inclusion or consistency proof holds as built, and falls with a hash changed, dropped or added, or at another place."""
    leaves = [hashes.leaf_hash(b"%d" % number) for number in range(size)]
    get, root = hashes.levels_of(leaves), hashes.root_of(leaves)
    index, earlier = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    path = hashes.inclusion_proof(index, size, get)
    hashes.verify_inclusion(index, size, leaves[index], path, root)
    old = hashes.root_of(leaves[:earlier])
    proof = hashes.consistency_proof(earlier, size, get)
    hashes.verify_consistency(earlier, size, proof, old, root)
    assert hashes.CompactRange(size, hashes.peaks_of(size, get)).root() == root == hashes.tree_root(size, get)
    for wrong in _altered(path):
        with pytest.raises(Lie):
            hashes.verify_inclusion(index, size, leaves[index], wrong, root)
    for wrong in _altered(proof):
        with pytest.raises(Lie):
            hashes.verify_consistency(earlier, size, wrong, old, root)
    with pytest.raises(Lie):
        hashes.verify_inclusion(index + 1, size, leaves[index], path, root)


def _altered(path: list[bytes]) -> list[list[bytes]]:
    bad = [[*path, b"\x00" * 32], [*path, b"short"]]
    for number in range(len(path)):
        bad.append([*path[:number], bytes(32), *path[number + 1 :]])
        bad.append(path[:number] + path[number + 1 :])
    return bad


@pytest.mark.parametrize("path", sorted(ASSETS.glob("*.json")), ids=lambda path: path.stem)
def test_bad_proofs_are_refused(path: Path) -> None:
    """Each file of the museum holds one defect, and is refused."""
    case = json.loads(path.read_text())
    proof = [bytes.fromhex(hash_) for hash_ in case["proof"]]
    with pytest.raises(Lie):
        if case["kind"] == "consistency":
            hashes.verify_consistency(case["size1"], case["size2"], proof, bytes.fromhex(case["root1"]), bytes.fromhex(case["root2"]))
        else:
            hashes.verify_inclusion(case["index"], case["size"], bytes.fromhex(case["leaf"]), proof, bytes.fromhex(case["root"]))


def test_nothing_is_proved_from_size_0() -> None:
    """Neither builder nor verifier deals with an empty tree."""
    with pytest.raises(Malformed):
        hashes.consistency_proof(0, 5, lambda level, index: b"")
    with pytest.raises(Lie):
        hashes.verify_consistency(0, 5, [], hashes.EMPTY_ROOT, bytes(32))
    with pytest.raises(Malformed):
        hashes.inclusion_proof(0, 0, lambda level, index: b"")


def test_a_range_goes_on_from_its_peaks() -> None:
    """Peaks and size are all that has to be kept to append further, and subtrees are reported as they close."""
    leaves = [hashes.leaf_hash(b"%d" % number) for number in range(77)]
    first = hashes.CompactRange()
    first.extend(leaves[:50])
    second = hashes.CompactRange(first.size, first.peaks)
    seen: list[tuple[int, int]] = []
    for leaf in leaves[50:]:
        second.append(leaf, lambda level, index, _: seen.append((level, index)))
    assert second.root() == hashes.root_of(leaves)
    assert (1, 25) in seen and (6, 0) in seen
    with pytest.raises(Malformed):
        hashes.CompactRange(5, first.peaks)


def test_a_tlog_proof_is_written_and_read_back() -> None:
    """A proof file carries index, path and checkpoint, proves its entry, and refuses another."""
    entries = [b"%d" % number for number in range(20)]
    leaves = [hashes.leaf_hash(entry) for entry in entries]
    import base64

    note = f"log\n20\n{base64.b64encode(hashes.root_of(leaves)).decode()}\n\n— log {base64.b64encode(b'x' * 68).decode()}\n".encode()
    proof = TlogProof(7, tuple(hashes.inclusion_proof(7, 20, hashes.levels_of(leaves))), note, b"extra")
    again = TlogProof.parse(proof.to_bytes())
    assert again == proof
    assert again.verify(entries[7]).size == 20
    with pytest.raises(Lie):
        again.verify(entries[8])
    with pytest.raises(Malformed):
        TlogProof.parse(proof.to_bytes().replace(b"index 7", b"index 07"))
