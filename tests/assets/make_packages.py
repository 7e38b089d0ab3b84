"""Packages of the museum: small receipts with one defect each, deterministic; written by `make_assets`.

The good one has eleven entries of one tenant in a log of twenty, its end signed by the log and cosigned by a witness.
"""

from __future__ import annotations

import hashlib
import io
import struct
import warnings
import zipfile
from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from affiant.proof import canonical, hashes
from affiant.proof.note import ALG_COSIGNATURE, ALG_ED25519, Checkpoint, Note, Signature, VerifierKey, sign_note_text, signature_line
from affiant.proof.tlogproof import TlogProof

Files = dict[str, bytes]
ORIGIN, TENANT, SIZE = "example.com/log", "acme", 20
_LOG, _WITNESS = (Ed25519PrivateKey.from_private_bytes(letter * 32) for letter in (b"l", b"w"))
LOG = VerifierKey(ORIGIN, ALG_ED25519, _LOG.public_key().public_bytes_raw())
WITNESS = VerifierKey("example.com/witness", ALG_COSIGNATURE, _WITNESS.public_key().public_bytes_raw())
TRUST = f"log {LOG}\nwitness w {WITNESS}\nquorum w\n"
_TIME = (1980, 1, 1, 0, 0, 0)


def _entries(changed: int = -1) -> list[bytes]:
    rows = []
    for number in range(SIZE):
        kind = "exchange.opened" if number % 2 == 0 else "exchange.closed"
        body = {"surface": "chat.completions" if number != changed else "embeddings"}
        rows.append(canonical.dumps({
            "v": 1, "type": kind, "tv": 1, "producer": "n1/gateway/1", "seq": number, "at": 1_790_000_000_000_000 + number, "mono": number,
            "tenant": TENANT if number < 11 else "other", "ref": f"xc_{number // 2}", "body": body,
        }))  # fmt: skip
    return rows


def _head(size: int, root: bytes) -> bytes:
    note = sign_note_text(Checkpoint(ORIGIN, size, root).text(), LOG, _LOG.sign)
    return _cosigned(note)


def _cosigned(note: bytes) -> bytes:
    parsed = Note.parse(note)
    return parsed.with_line(signature_line(parsed.text, WITNESS, _WITNESS.sign, 1_790_000_100)).to_bytes()


def good_files(entries: list[bytes] | None = None) -> Files:
    """Files of the good receipt, its manifest left out."""
    rows = entries or _entries()
    leaves = [hashes.leaf_hash(row) for row in rows]
    get, end = hashes.levels_of(leaves), _head(SIZE, hashes.root_of(leaves))
    files: Files = {"ledger/end.checkpoint": end}
    for index in range(11):
        files[f"entries/{index}.json"] = rows[index]
        files[f"entries/{index}.tlog-proof"] = TlogProof(index, tuple(hashes.inclusion_proof(index, SIZE, get)), end).to_bytes()
    return files


def sealed(files: Files, **changes: object) -> Files:
    """The files with the manifest that lists them as they are."""
    listed = [{"path": name, "sha256": hashlib.sha256(files[name]).hexdigest(), "size": len(files[name])} for name in sorted(files)]
    manifest = {
        "format": "affiant-affidavit", "format_version": 1, "mode": "receipt", "id": "rc_1", "origin": ORIGIN, "log": str(LOG), "demo": 0,
        "built_at": 1_790_000_200_000_000, "by": "", "software": "0", "tenant": TENANT, "witnesses": [], "controls": [],
        "period": {"from": 1_790_000_000_000_000, "to": 1_790_000_100_000_000},
        "range": {"start_size": 0, "view_from": 0, "end_size": SIZE}, "files": listed, **changes,
    }  # fmt: skip
    return {**files, "manifest.json": canonical.dumps(manifest)}


def archived(files: Files, *more: tuple[zipfile.ZipInfo | str, bytes]) -> bytes:
    """The files as an archive, then further ones just as they are."""
    out = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in [*files.items(), *more]:
                info = name if isinstance(name, zipfile.ZipInfo) else _info(name)
                archive.writestr(info, data, info.compress_type)
    return out.getvalue()


def _info(name: str, method: int = zipfile.ZIP_DEFLATED, mode: int = 0o100644) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _TIME)
    info.create_system, info.external_attr, info.compress_type = 3, mode << 16, method
    return info


def _edited(change: Callable[[Files], None]) -> bytes:
    files = good_files()
    change(files)
    return archived(sealed(files))


def _proofs_to(files: Files, end: bytes) -> Files:
    """The same entries and paths, leading to another checkpoint note."""
    found = {"ledger/end.checkpoint": end}
    for name, data in files.items():
        if name.endswith(".tlog-proof"):
            old = TlogProof.parse(data)
            found[name] = TlogProof(old.index, old.path, end).to_bytes()
        elif name.startswith("entries/"):
            found[name] = data
    return found


def _with_end(end: bytes, **changes: object) -> bytes:
    return archived(sealed(_proofs_to(good_files(), end), **changes))


def _flip(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def _path_changed(change: Callable[[tuple[bytes, ...]], tuple[bytes, ...]]) -> bytes:
    def edit(files: Files) -> None:
        old = TlogProof.parse(files["entries/3.tlog-proof"])
        files["entries/3.tlog-proof"] = TlogProof(old.index, change(old.path), old.checkpoint).to_bytes()

    return _edited(edit)


def _swapped(files: Files) -> None:
    files["entries/3.json"], files["entries/4.json"] = files["entries/4.json"], files["entries/3.json"]


def _duplicated(files: Files) -> None:
    files["entries/4.json"], files["entries/4.tlog-proof"] = files["entries/3.json"], files["entries/3.tlog-proof"]


def _fork() -> bytes:
    """Another history of the same size under the log's real key; the witness's line is the one for the true one."""
    files = good_files(_entries(changed=19))
    true = Note.parse(good_files()["ledger/end.checkpoint"])
    other = sign_note_text(Note.parse(files["ledger/end.checkpoint"]).text, LOG, _LOG.sign)
    return archived(sealed(_proofs_to(files, Note.parse(other).with_line(true.signatures[-1].line()).to_bytes())))


def _unknown_only() -> bytes:
    text = Note.parse(good_files()["ledger/end.checkpoint"]).text
    strange = VerifierKey(ORIGIN, 0x06, b"m" * 1312)
    return _with_end(Note(text, (Signature(ORIGIN, strange.id, b"s" * 2420),)).to_bytes())


def _wrong_key_id() -> bytes:
    note = Note.parse(good_files()["ledger/end.checkpoint"])
    first = note.signatures[0]
    return _with_end(Note(note.text, (Signature(first.name, bytes(4), first.data), *note.signatures[1:])).to_bytes())


def _too_many() -> bytes:
    note = Note.parse(good_files()["ledger/end.checkpoint"])
    strange = tuple(Signature(f"example.com/s{number}", bytes(4), b"s" * 64) for number in range(100))
    return _with_end(Note(note.text, (*note.signatures, *strange)).to_bytes())


def _declared(data: bytes, field: int, value: int) -> bytes:
    """One field of the last directory entry, changed."""
    changed = bytearray(data)
    struct.pack_into("<I" if field != 8 else "<H", changed, changed.rfind(b"PK\x01\x02") + field, value)
    return bytes(changed)


def packages() -> dict[str, bytes]:
    """Name -> archive with one defect each; `good` has none."""
    good, end = archived(sealed(good_files())), good_files()["ledger/end.checkpoint"]
    flipped_entry = {**sealed(good_files())}
    flipped_entry["entries/3.json"] = _flip(flipped_entry["entries/3.json"], 40)

    def sealed_flip(files: Files) -> None:
        files["entries/3.json"] = files["entries/3.json"].replace(b"chat", b"chit")

    return {
        "good": good,
        "entry_flipped": archived(flipped_entry),
        "entry_changed_and_listed_anew": _edited(sealed_flip),
        "entry_not_canonical": _edited(lambda files: files.update({"entries/3.json": files["entries/3.json"].replace(b",", b", ", 1)})),
        "entry_without_proof": _edited(lambda files: files.pop("entries/3.tlog-proof") and None),
        "entry_of_another_tenant": archived(sealed(good_files(), tenant="other")),
        "entries_swapped": _edited(_swapped),
        "index_twice": _edited(_duplicated),
        "index_with_leading_zero": _edited(lambda files: files.update({"entries/03.json": files["entries/3.json"]})),
        "proof_truncated": _path_changed(lambda path: path[:-1]),
        "proof_oversized": _path_changed(lambda path: (*path, bytes(32))),
        "proof_far_too_long": _path_changed(lambda path: path * 20),
        "proof_reversed": _path_changed(lambda path: path[::-1]),
        "proof_flipped": _path_changed(lambda path: (_flip(path[0], 0), *path[1:])),
        "checkpoint_flipped": _with_end(end.replace(b"\n20\n", b"\n21\n")),
        "checkpoint_of_size_0": _with_end(_head(0, hashes.EMPTY_ROOT), range={"start_size": 0, "view_from": 0, "end_size": 0}),
        "checkpoint_not_utf8": archived(sealed({**good_files(), "ledger/end.checkpoint": b"\xff" + end})),
        "checkpoint_key_id_wrong": _wrong_key_id(),
        "checkpoint_101_signatures": _too_many(),
        "checkpoint_unknown_signature_type_only": _unknown_only(),
        "checkpoint_equal_size_fork": _fork(),
        "checkpoint_without_cosignature": _with_end(sign_note_text(Note.parse(end).text, LOG, _LOG.sign)),
        "manifest_missing": archived(good_files()),
        "manifest_of_unknown_mode": archived(sealed(good_files(), mode="summary")),
        "manifest_of_newer_version": archived(sealed(good_files(), format_version=2)),
        "file_added": archived({**sealed(good_files()), "more.txt": b"x"}),
        "file_missing": archived({name: data for name, data in sealed(good_files()).items() if name != "entries/3.json"}),
        "name_twice": archived(sealed(good_files()), ("entries/3.json", b"{}")),
        "name_twin_by_case": archived(sealed(good_files()), ("Entries/3.json", b"{}")),
        "path_upwards": archived(sealed(good_files()), ("../../outside", b"x")),
        "path_absolute": archived(sealed(good_files()), ("/etc/outside", b"x")),
        "path_backslash": archived(sealed(good_files()), ("entries\\\\3", b"x")),
        "symbolic_link": archived(sealed(good_files()), (_info("link", mode=0o120777), b"/etc/passwd")),
        "device": archived(sealed(good_files()), (_info("device", mode=0o060666), b"")),
        "compressed_otherwise": archived(sealed(good_files()), (_info("more", zipfile.ZIP_LZMA), b"x" * 99)),
        "encrypted": _declared(archived(sealed(good_files()), ("more", b"x")), 8, 1),
        "bomb_by_ratio": archived(sealed(good_files()), ("bomb", bytes(4 << 20))),
        "bomb_by_declaration": _declared(archived(sealed(good_files()), ("bomb", b"x")), 24, 0xFFFFFFF0),
        "size_understated": _declared(archived(sealed(good_files()), ("more", b"x" * 500)), 24, 3),
        "overlapping": _declared(good, 42, 0),
        "archive_truncated": good[:-25],
        "archive_prefixed": b"#!/bin/sh\n" + good,
        "archive_flipped": _flip(good, 200),
    }
