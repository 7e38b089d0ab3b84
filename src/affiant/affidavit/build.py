"""Building a package. Each control is recomputed in SQLite from the entries themselves, by the code that the verifier runs, before
anything is written; where that differs from what the ledger records, there is no package.

Leaves out: what goes in (`gather`), the recomputation (`recalculate`), the archive (`archive`), how pages look (`pages`).
"""

from __future__ import annotations

import base64
import hashlib
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from affiant import __version__
from affiant.affidavit.archive import Files, file_sha256, replacing
from affiant.affidavit.gather import MODES, Scope, gather
from affiant.affidavit.pages import Facts, Shown, render_pages
from affiant.affidavit.recalculate import Recalculated, recalculate
from affiant.affidavit.sampling import write_sample_parts
from affiant.catalog import Catalog
from affiant.kit.errors import BadInput, CouldNotLook, LedgerFault
from affiant.kit.home import Home
from affiant.kit.ids import new_id
from affiant.ledger import Draft, LedgerReader, LogKey
from affiant.proof import canonical
from affiant.proof import errors as proof_errors
from affiant.proof.anchors import Anchor, anchor_bytes, check_anchors, longest_gap_s, parse_anchor_file
from affiant.proof.logkeys import KEYS, statements_bytes
from affiant.proof.note import VerifierKey
from affiant.proof.package import FORMAT, FORMAT_VERSION, MANIFEST, SIGNATURE, manifest_text
from affiant.proof.rebuild import bundle_name, bundles_in
from affiant.proof.tiles import TILE_WIDTH, pack_bundle


@dataclass(frozen=True, slots=True)
class Built:
    """A package that was written.

    Args:
        id: of the affidavit.
        path: of the file.
        manifest: hex SHA-256 of its manifest.
        sha256: hex SHA-256 of the file.
        mode: full or sample.
        results: control id -> control result.
        cosigned: whether its end checkpoint carries an outside cosignature.
        draft: the `affidavit.built` event that the caller appends to the ledger.
    """

    id: str
    path: Path
    manifest: str
    sha256: str
    mode: str
    results: Mapping[str, str]
    cosigned: bool
    draft: Draft


def build(
    home: Home, reader: LedgerReader, log_key: bytes | LogKey, catalog: Catalog, from_us: int, to_us: int, out: Path, principal: str,
    now_us: int, mode: str = "auto",
) -> Built:  # fmt: skip
    """Write a package for [from_us, to_us).

    Args:
        home: whose ledger it is.
        reader: of that ledger.
        log_key: the log's key in force, or its seed; the manifest is signed with it.
        catalog: gives definitions whose hash the ledger holds, and the words around them.
        from_us: first instant, µs UTC.
        to_us: instant after the last.
        out: path of the file; it must not exist.
        principal: who builds it, such as `person:ana`.
        now_us: wall time.
        mode: full (every entry travels), sample (samples with their proofs travel), or auto: sample above 5,000,000 entries.

    Raises:
        Conflict: an adopted control was not run for exactly this period.
        CouldNotLook: no signed checkpoint covers the runs yet.
        LedgerFault: what the ledger records is not what comes out of its entries.
        BadInput: the file exists or cannot be written, or the range is too large for the mode.
    """
    if out.exists():
        raise BadInput(f"{out} exists.", "Choose another name; a package is never replaced.")
    if mode not in MODES:
        raise BadInput(f"There is no mode {mode!r}.", f"Modes are: {', '.join(MODES)}.")
    scope = gather(home, reader, from_us, to_us, mode)
    key = LogKey(home.origin, log_key) if isinstance(log_key, bytes) else log_key
    vkey = key.vkey
    with tempfile.TemporaryDirectory(prefix="affiant-affidavit-") as folder, replacing(out) as temporary:
        try:
            done = recalculate(home, reader, scope, catalog, {"from": from_us, "to": to_us}, Path(folder))
            facts = _facts(home, scope, vkey, principal, (from_us, to_us), now_us, done)
        except proof_errors.CouldNotLook as error:
            raise CouldNotLook(f"The package cannot be built: {error.message}", error.next_step or "Try again.") from error
        except proof_errors.ProofError as error:
            raise LedgerFault(
                f"The package cannot be built: {error.message}", "Run `affiant ledger verify`, then the control again."
            ) from error
        manifest = _write(home, reader, scope, catalog, facts, done, key, temporary)
        sha256 = file_sha256(temporary)
    digest = hashlib.sha256(manifest).hexdigest()
    body: dict[str, Any] = {
        "from": from_us, "to": to_us, "manifest": digest, "start_size": scope.start_size, "end_size": scope.end.size, "by": principal,
    }  # fmt: skip
    results = {name: one.outcome.result for name, one in done.controls.items()}
    draft = Draft("affidavit.built", body, ref=facts.id, actor=principal)
    return Built(facts.id, out, digest, sha256, scope.mode, results, facts.cosigned, draft)


def _write(
    home: Home, reader: LedgerReader, scope: Scope, catalog: Catalog, facts: Facts, done: Recalculated, key: LogKey, path: Path
) -> bytes:  # fmt: skip
    """Write every file; gives the manifest."""
    with Files(path) as files:
        _write_heads(files, reader, scope)
        if scope.mode == "full":
            _write_entries(files, reader, scope)
        else:
            write_sample_parts(files, reader, scope, done)
        statements = reader.key_statements()
        if statements:
            files.add(KEYS, [statements_bytes(statements)])
        files.add("views.json", [catalog.views])
        shown = []
        for name in sorted(done.controls):
            one = done.controls[name]
            files.add(f"controls/{name}.json", [one.definition_bytes])
            for file in sorted(one.outcome.files):
                if scope.mode == "full" or file not in ("population.csv", "items.csv"):
                    files.add_file(f"results/{name}/{file}", one.folder / file)
            shown.append(Shown(one.outcome, one.recorded, catalog.controls.get(name), one.look))
        for page, data in render_pages(facts, shown, catalog).items():
            files.add(page, [data])
        manifest = _manifest(facts, scope, files.listed)
        files.write_unlisted(MANIFEST, manifest)
        text = manifest_text(home.origin, hashlib.sha256(manifest).hexdigest())
        files.write_unlisted(SIGNATURE, key.sign_text(text))
    return manifest


def _facts(home: Home, scope: Scope, vkey: VerifierKey, principal: str, period: tuple[int, int], now_us: int, done: Recalculated) -> Facts:
    keys = [VerifierKey.parse(witness.vkey) for witness in home.witnesses]
    notes = parse_anchor_file(anchor_bytes([*scope.anchors, scope.end.note]))
    anchors: list[Anchor] = [anchor for anchor in check_anchors(notes, home.origin, keys)[0] if anchor.size <= scope.end.size]
    return Facts(
        id=new_id("af", now_us), origin=home.origin, demo=home.demo, mode=scope.mode, log=str(vkey),
        witnesses=tuple(str(key) for key in keys), by=principal, built_us=now_us, software=__version__, from_us=period[0],
        to_us=period[1], start_size=scope.start_size, view_from=scope.view_from, end_size=scope.end.size,
        end_root=scope.end.root.hex(), counts=dict(done.found.counts), last_at_us=done.found.last_at, anchors=tuple(anchors),
        longest_gap_s=longest_gap_s(anchors, period[0], min(period[1], now_us)),
        cosigned=any(anchor.size == scope.end.size for anchor in anchors),
    )  # fmt: skip


def _write_heads(files: Files, reader: LedgerReader, scope: Scope) -> None:
    files.add("ledger/end.checkpoint", [scope.end.note])
    if scope.start:
        files.add("ledger/start.checkpoint", [scope.start.note])
        peaks = reader.compact_range(scope.start.size).peaks
        files.add("ledger/left-edge", [peak.hex().encode() + b"\n" for peak in peaks])
        proof = reader.consistency(scope.start.size, scope.end.size)
        files.add("ledger/consistency", [base64.b64encode(hash_) + b"\n" for hash_ in proof])
    if scope.anchors:
        files.add("ledger/anchors.json", [anchor_bytes(scope.anchors)])
    for stamp in scope.stamps:
        files.add(f"stamps/{stamp.size}-{stamp.name}.note", [stamp.note])
        files.add(f"stamps/{stamp.size}-{stamp.name}.tsr", [stamp.response])


def _write_entries(files: Files, reader: LedgerReader, scope: Scope) -> None:
    def bundle(at: int) -> Iterator[bytes]:
        yield pack_bundle(reader.entries(at, min(at + TILE_WIDTH, scope.end.size)))

    for number in range(bundles_in(scope.start_size, scope.end.size)):
        files.add(bundle_name(number), bundle(scope.start_size + number * TILE_WIDTH))


def _manifest(facts: Facts, scope: Scope, listed: Mapping[str, dict[str, str | int]]) -> bytes:
    return canonical.dumps(
        {
            "format": FORMAT, "format_version": FORMAT_VERSION, "mode": scope.mode, "id": facts.id, "origin": facts.origin,
            "log": facts.log, "demo": int(facts.demo), "built_at": facts.built_us, "by": facts.by, "software": facts.software,
            "period": {"from": facts.from_us, "to": facts.to_us}, "witnesses": list(facts.witnesses),
            "range": {"start_size": facts.start_size, "view_from": facts.view_from, "end_size": facts.end_size},
            "controls": [{"id": c.id, "version": c.version, "sha": c.sha, "run": c.run} for c in scope.controls],
            "files": [listed[path] for path in sorted(listed)],
        }
    )  # fmt: skip
