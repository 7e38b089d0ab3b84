"""Writes the museum of bad artefacts beside this file: one file a defect, named for it. Run it again after changing it.

python tests/assets/make_assets.py
"""

from __future__ import annotations

import base64
import json
from pathlib import Path

import make_packages

from affiant.proof import hashes
from affiant.proof.note import ALG_COSIGNATURE, ALG_ED25519, VerifierKey

HERE = Path(__file__).parent
ROOT = base64.b64encode(b"r" * 32).decode()
SIGNATURE = "— example.com/log " + base64.b64encode(b"s" * 68).decode() + "\n"


def notes() -> dict[str, bytes]:
    """A checkpoint note with one defect each."""
    text = f"example.com/log\n42\n{ROOT}\n"
    good = text + "\n" + SIGNATURE
    return {
        "no_signature": f"{text}\n".encode(),
        "no_blank_line": (text + SIGNATURE).encode(),
        "leading_zero": good.replace("\n42", "\n042").encode(),
        "negative_size": good.replace("\n42", "\n-42").encode(),
        "plus_size": good.replace("\n42", "\n+42").encode(),
        "huge_size": good.replace("\n42", "\n" + "9" * 30).encode(),
        "short_root": good.replace(ROOT, "AAAA").encode(),
        "root_not_base64": good.replace(ROOT, "!" * 44).encode(),
        "root_base64_not_canonical": good.replace(ROOT, ROOT[:-2] + "J=").encode(),
        "missing_root": ("example.com/log\n42\n\n" + SIGNATURE).encode(),
        "control_character": good.replace("com/log\n", "com/l\x07g\n").encode(),
        "carriage_returns": good.replace("\n", "\r\n").encode(),
        "hyphen_for_dash": good.replace("—", "-").encode(),
        "signature_too_short": f"{text}\n— example.com/log AAAA\n".encode(),
        "signature_not_base64": f"{text}\n— example.com/log ????\n".encode(),
        "name_with_plus": (text + "\n" + SIGNATURE.replace("log", "l+g")).encode(),
        "no_final_newline": good[:-1].encode(),
        "not_utf8": b"\xff" + good.encode(),
        "too_many_signatures": (text + "\n" + SIGNATURE * 101).encode(),
        "empty": b"",
    }


def trust() -> dict[str, str]:
    """A trust file with one defect each."""
    log = f"log {VerifierKey('example.com/log', ALG_ED25519, b'l' * 32)}"
    key = VerifierKey("example.com/w", ALG_COSIGNATURE, b"w" * 32)
    witness = f"witness w {key}"
    return {
        "empty": "",
        "no_quorum": f"{log}\n",
        "two_quorums": f"{log}\nquorum none\nquorum none\n",
        "no_log": f"{witness}\nquorum w\n",
        "unknown_keyword": f"{log}\nlogs x\nquorum none\n",
        "log_with_bad_key": f"{log[:-4]}\nquorum none\n",
        "log_with_witness_algorithm": f"log {key}\nquorum none\n",
        "witness_with_log_algorithm": f"{log}\nwitness w {log[4:]}\nquorum w\n",
        "witness_named_twice": f"{log}\n{witness}\n{witness}\nquorum w\n",
        "witness_key_twice": f"{log}\n{witness}\nwitness v {key}\nquorum w\n",
        "witness_named_none": f"{log}\nwitness none {key}\nquorum none\n",
        "quorum_of_a_stranger": f"{log}\nquorum w\n",
        "quorum_before_its_witness": f"{log}\nquorum w\n{witness}\n",
        "group_of_strangers": f"{log}\n{witness}\ngroup g 1 w x\nquorum g\n",
        "group_of_itself": f"{log}\n{witness}\ngroup g 1 g w\nquorum g\n",
        "group_with_a_member_twice": f"{log}\n{witness}\ngroup g 2 w w\nquorum g\n",
        "group_needs_none": f"{log}\n{witness}\ngroup g 0 w\nquorum g\n",
        "group_needs_too_many": f"{log}\n{witness}\ngroup g 2 w\nquorum g\n",
    }


def proofs() -> dict[str, object]:
    """A proof with one defect each."""
    leaves = [hashes.leaf_hash(b"%d" % number) for number in range(9)]
    get, root = hashes.levels_of(leaves), hashes.root_of(leaves)
    path = [hash_.hex() for hash_ in hashes.inclusion_proof(5, 9, get)]
    inclusion = {"kind": "inclusion", "index": 5, "size": 9, "leaf": leaves[5].hex(), "proof": path, "root": root.hex()}
    steps = [hash_.hex() for hash_ in hashes.consistency_proof(6, 9, get)]
    old = hashes.root_of(leaves[:6]).hex()
    consistency = {"kind": "consistency", "size1": 6, "size2": 9, "proof": steps, "root1": old, "root2": root.hex()}
    return {
        "inclusion_index_beyond_size": {**inclusion, "index": 9},
        "inclusion_negative_index": {**inclusion, "index": -1},
        "inclusion_other_index": {**inclusion, "index": 4},
        "inclusion_other_size": {**inclusion, "size": 8},
        "inclusion_empty_proof": {**inclusion, "proof": []},
        "inclusion_reversed": {**inclusion, "proof": path[::-1]},
        "inclusion_trailing_root": {**inclusion, "proof": [*path, root.hex()]},
        "inclusion_swapped_leaf_and_root": {**inclusion, "leaf": root.hex(), "root": leaves[5].hex()},
        "inclusion_short_hash": {**inclusion, "proof": [path[0][:40], *path[1:]]},
        "inclusion_in_an_empty_tree": {**inclusion, "index": 0, "size": 0, "proof": [], "root": hashes.EMPTY_ROOT.hex()},
        "consistency_from_size_0": {**consistency, "size1": 0, "root1": hashes.EMPTY_ROOT.hex(), "proof": []},
        "consistency_from_size_0_any_root": {**consistency, "size1": 0, "root1": "ab" * 32, "proof": []},
        "consistency_backwards": {**consistency, "size1": 9, "size2": 6},
        "consistency_same_size_other_root": {**consistency, "size1": 9, "size2": 9, "proof": []},
        "consistency_same_size_with_proof": {**consistency, "size1": 9, "root1": root.hex()},
        "consistency_empty_proof": {**consistency, "proof": []},
        "consistency_reversed": {**consistency, "proof": steps[::-1]},
        "consistency_trailing": {**consistency, "proof": [*steps, old]},
        "consistency_swapped_roots": {**consistency, "root1": root.hex(), "root2": old},
        "consistency_other_size1": {**consistency, "size1": 5},
    }


def bundles() -> dict[str, bytes]:
    """An entry bundle with one defect each."""
    entry = b'{"a":1}'
    good = len(entry).to_bytes(2, "big") + entry
    return {
        "ends_inside_a_length": good + b"\x00",
        "ends_inside_an_entry": good + b"\x00\x09" + entry,
        "length_beyond_the_end": b"\xff\xff" + entry,
        "length_little_endian": len(entry).to_bytes(2, "little") + entry,
    }


def main() -> None:
    """Write everything."""
    for folder in ("notes", "trust", "proofs"):
        (HERE / folder).mkdir(exist_ok=True)
    for name, data in notes().items():
        (HERE / "notes" / f"{name}.txt").write_bytes(data)
    for name, text in trust().items():
        (HERE / "trust" / f"{name}.policy").write_text(text)
    for name, case in proofs().items():
        (HERE / "proofs" / f"{name}.json").write_text(json.dumps(case, indent=1) + "\n")
    (HERE / "packages").mkdir(exist_ok=True)
    (HERE / "packages" / "trust.policy").write_text(make_packages.TRUST)
    for name, data in make_packages.packages().items():
        (HERE / "packages" / f"{name}.affidavit").write_bytes(data)
    (HERE / "bundles").mkdir(exist_ok=True)
    for name, data in bundles().items():
        (HERE / "bundles" / f"{name}.bin").write_bytes(data)


if __name__ == "__main__":
    main()
