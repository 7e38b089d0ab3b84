"""Building a package. Each control is recomputed in SQLite from the entries that travel, by the code that the verifier runs, before
anything is written; where that differs from what the ledger records, there is no package.

Leaves out: what goes in (`gather`), how pages look (`pages`).
"""

from __future__ import annotations

import base64
import hashlib
import os
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from affiant import __version__
from affiant.affidavit.gather import Scope, gather
from affiant.affidavit.pages import Facts, Shown, render_pages
from affiant.catalog import Catalog
from affiant.kit.errors import BadInput, LedgerFault, NotFound
from affiant.kit.home import Home
from affiant.kit.ids import new_id
from affiant.ledger import Draft, LedgerReader, log_vkey
from affiant.proof import canonical
from affiant.proof.anchors import Anchor, anchor_bytes, check_anchors, longest_gap_s, parse_anchor_file
from affiant.proof.errors import ProofError
from affiant.proof.expected import Adoptions
from affiant.proof.grammar import check as check_grammar
from affiant.proof.hashes import CompactRange
from affiant.proof.note import VerifierKey, sign_note_text
from affiant.proof.package import FORMAT, FORMAT_VERSION, MANIFEST, SIGNATURE, manifest_text
from affiant.proof.pledges import Pledges
from affiant.proof.rebuild import Range, bundle_name, bundles_in, load_tables, rebuild
from affiant.proof.recompute import Definition, Outcome, Recorded, recompute
from affiant.proof.recorded import find_recorded, result_files
from affiant.proof.tiles import TILE_WIDTH, pack_bundle
from affiant.proof.views import SqliteEvidence, Views

_TIME = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Built:
    """A package that was written.

    Args:
        id: of the affidavit.
        path: of the file.
        manifest: hex SHA-256 of its manifest.
        sha256: hex SHA-256 of the file.
        results: control id -> control result.
        cosigned: whether its end checkpoint carries an outside cosignature.
        draft: the `affidavit.built` event that the caller appends to the ledger.
    """

    id: str
    path: Path
    manifest: str
    sha256: str
    results: Mapping[str, str]
    cosigned: bool
    draft: Draft


def build(
    home: Home, reader: LedgerReader, log_seed: bytes, catalog: Catalog, from_us: int, to_us: int, out: Path, principal: str, now_us: int
) -> Built:
    """Write a full package for [from_us, to_us).

    Args:
        home: whose ledger it is.
        reader: of that ledger.
        log_seed: of the log's signing key; the manifest is signed with it.
        catalog: gives definitions whose hash the ledger holds, and the words around them.
        from_us: first instant, µs UTC.
        to_us: instant after the last.
        out: path of the file; it must not exist.
        principal: who builds it, such as `person:ana`.
        now_us: wall time.

    Raises:
        Conflict: an adopted control was not run for exactly this period.
        CouldNotLook: no signed checkpoint covers the runs yet.
        LedgerFault: what the ledger records is not what comes out of its entries.
        BadInput: the file exists or cannot be written, or the range is too large.
    """
    if out.exists():
        raise BadInput(f"{out} exists.", "Choose another name; a package is never replaced.")
    scope = gather(home, reader, from_us, to_us)
    vkey = log_vkey(home, log_seed)
    try:
        found = _pass_over(reader, scope)
        definitions = {listed.id: _definition(home, catalog, listed.id, listed.sha) for listed in scope.controls}
        period = {"from": from_us, "to": to_us}
        recorded = {
            listed.id: find_recorded(found, listed.id, {"id": listed.id, "run": listed.run}, period)[0] for listed in scope.controls
        }
        outcomes = _recompute_all(reader, scope, found, catalog.views, definitions, recorded)
        facts = _facts(home, scope, vkey, principal, period, now_us, found)
    except ProofError as error:
        raise LedgerFault(
            f"The package cannot be built: {error.message}", "Run `affiant ledger verify`, then the control again."
        ) from error
    shown = tuple(Shown(outcomes[name], recorded[name], catalog.controls.get(name), found.leaf) for name in sorted(outcomes))
    writer = _Files()
    with _replacing(out) as temporary:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
            writer.archive = archive
            _write_ledger(writer, reader, scope)
            writer.add("views.json", [catalog.views])
            for name, (definition, data) in definitions.items():
                writer.add(f"controls/{definition.id}.json", [data])
                for file, lines in result_files(outcomes[name], recorded[name]).items():
                    writer.add(f"results/{name}/{file}", lines)
            for page, text in render_pages(facts, shown, catalog).items():
                writer.add(page, [text])
            manifest = _manifest(facts, scope, writer.listed)
            _write_small(archive, MANIFEST, manifest)
            note_text = manifest_text(home.origin, hashlib.sha256(manifest).hexdigest())
            _write_small(archive, SIGNATURE, sign_note_text(note_text, vkey, Ed25519PrivateKey.from_private_bytes(log_seed).sign))
        sha256 = _file_sha256(temporary)
    digest = hashlib.sha256(manifest).hexdigest()
    body: dict[str, Any] = {
        "from": from_us, "to": to_us, "manifest": digest, "start_size": scope.start_size, "end_size": scope.end.size, "by": principal,
    }  # fmt: skip
    results = {name: outcome.result for name, outcome in outcomes.items()}
    return Built(facts.id, out, digest, sha256, results, facts.cosigned, Draft("affidavit.built", body, ref=facts.id, actor=principal))


def _entries(reader: LedgerReader, scope: Scope) -> Iterator[tuple[int, bytes]]:
    return enumerate(reader.entries(scope.start_size, scope.end.size), scope.start_size)


def _pass_over(reader: LedgerReader, scope: Scope) -> Range:
    found = Range(scope.start_size, scope.end.size, scope.view_from)
    edge = reader.compact_range(scope.start_size) if scope.start_size else CompactRange()
    rebuild(_entries(reader, scope), found, edge, {}, scope.end.root)
    found.check_carried()
    return found


def _definition(home: Home, catalog: Catalog, control: str, sha: str) -> tuple[Definition, bytes]:
    """The control version with this hash: kept in `HOME/files/`, or the catalog's own."""
    kept = home.files / sha
    data = kept.read_bytes() if kept.is_file() else b""
    if not data and control in catalog.controls:
        data = catalog.controls[control].canonical
    if hashlib.sha256(data).hexdigest() != sha:
        raise NotFound(
            f"The definition of {control} with the hash {sha[:16]}… is neither in {home.files} nor in the catalog.",
            "Use the catalog that was adopted, or adopt the new version and run the control again.",
        )
    return Definition.parse(data), data


def _recompute_all(
    reader: LedgerReader,
    scope: Scope,
    found: Range,
    views_bytes: bytes,
    definitions: Mapping[str, tuple[Definition, bytes]],
    recorded: Mapping[str, Recorded],
) -> dict[str, Outcome]:
    views = Views.parse(views_bytes)
    words: set[str] = set()
    for definition, _ in definitions.values():
        for _, text in definition.queries():
            words |= check_grammar(text).words
    adoptions, pledges = Adoptions(), Pledges()
    outcomes: dict[str, Outcome] = {}
    with SqliteEvidence(views.only(words)) as evidence:

        def add(idx: int, envelope: Mapping[str, Any]) -> None:
            evidence.add(idx, envelope)
            pledges.add(idx, envelope)

        entries = load_tables(_entries(reader, scope), found, add, adoptions)
        position = scope.start_size
        for name in sorted(recorded, key=lambda control: (int(recorded[control].body["end_size"]), control)):
            body = recorded[name].body
            while position < body["end_size"]:
                position = next(entries) + 1
            evidence.flush()
            evidence.replace("expected", adoptions.rows(body["from"], body["to"]))
            evidence.replace("pledge", pledges.rows())
            outcomes[name] = recompute(definitions[name][0], recorded[name], evidence, found.leaf)
    return outcomes


def _facts(home: Home, scope: Scope, vkey: VerifierKey, principal: str, period: dict[str, int], now_us: int, found: Range) -> Facts:
    keys = [VerifierKey.parse(witness.vkey) for witness in home.witnesses]
    notes = parse_anchor_file(anchor_bytes([*scope.anchors, scope.end.note]))
    anchors: list[Anchor] = [anchor for anchor in check_anchors(notes, home.origin, keys)[0] if anchor.size <= scope.end.size]
    return Facts(
        id=new_id("af", now_us), origin=home.origin, demo=home.demo, log=str(vkey), witnesses=tuple(str(key) for key in keys), by=principal,
        built_us=now_us, software=__version__, from_us=period["from"], to_us=period["to"], start_size=scope.start_size,
        view_from=scope.view_from, end_size=scope.end.size, end_root=scope.end.root.hex(), counts=dict(found.counts),
        last_at_us=found.last_at, anchors=tuple(anchors), longest_gap_s=longest_gap_s(anchors, period["from"], min(period["to"], now_us)),
        cosigned=any(anchor.size == scope.end.size for anchor in anchors),
    )  # fmt: skip


class _Files:
    """Writes files into the archive and keeps what the manifest lists of each."""

    archive: zipfile.ZipFile

    def __init__(self) -> None:
        self.listed: dict[str, dict[str, str | int]] = {}

    def add(self, path: str, parts: Iterable[bytes]) -> None:
        hash_, size = hashlib.sha256(), 0
        info = _info(path)
        with self.archive.open(info, "w", force_zip64=True) as file:
            for part in _joined(parts):
                hash_.update(part)
                size += len(part)
                file.write(part)
        self.listed[path] = {"path": path, "sha256": hash_.hexdigest(), "size": size}


def _joined(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Short parts put together, so that each write is worth its cost."""
    waiting = iter(parts)
    while True:
        some = b"".join(islice(waiting, 2_000))
        if not some:
            return
        yield some


def _info(path: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(path, _TIME)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.create_system = 3
    info.external_attr = 0o100644 << 16
    return info


def _write_small(archive: zipfile.ZipFile, path: str, data: bytes) -> None:
    archive.writestr(_info(path), data)


def _write_ledger(files: _Files, reader: LedgerReader, scope: Scope) -> None:
    files.add("ledger/end.checkpoint", [scope.end.note])
    if scope.start:
        files.add("ledger/start.checkpoint", [scope.start.note])
        peaks = reader.compact_range(scope.start.size).peaks
        files.add("ledger/left-edge", [peak.hex().encode() + b"\n" for peak in peaks])
        proof = reader.consistency(scope.start.size, scope.end.size)
        files.add("ledger/consistency", [base64.b64encode(hash_) + b"\n" for hash_ in proof])
    if scope.anchors:
        files.add("ledger/anchors.json", [anchor_bytes(scope.anchors)])
    entries = reader.entries(scope.start_size, scope.end.size)
    for number in range(bundles_in(scope.start_size, scope.end.size)):
        files.add(bundle_name(number), [pack_bundle(islice(entries, TILE_WIDTH))])


def _manifest(facts: Facts, scope: Scope, listed: Mapping[str, dict[str, str | int]]) -> bytes:
    return canonical.dumps(
        {
            "format": FORMAT, "format_version": FORMAT_VERSION, "mode": "full", "id": facts.id, "origin": facts.origin, "log": facts.log,
            "demo": int(facts.demo), "built_at": facts.built_us, "by": facts.by, "software": facts.software,
            "period": {"from": facts.from_us, "to": facts.to_us}, "witnesses": list(facts.witnesses),
            "range": {"start_size": facts.start_size, "view_from": facts.view_from, "end_size": facts.end_size},
            "controls": [{"id": c.id, "version": c.version, "sha": c.sha, "run": c.run} for c in scope.controls],
            "files": [listed[path] for path in sorted(listed)],
        }
    )  # fmt: skip


@contextmanager
def _replacing(out: Path) -> Iterator[Path]:
    """A temporary file beside `out` that takes its name when all is written and on disk, and is removed when not."""
    temporary = out.with_name(out.name + ".part")
    try:
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.link(temporary, out)
    except OSError as error:
        raise BadInput(f"{out} cannot be written: {error.strerror}.", "Choose a folder that you may write and that has room.") from error
    finally:
        temporary.unlink(missing_ok=True)


def _file_sha256(path: Path) -> str:
    hash_ = hashlib.sha256()
    with open(path, "rb") as file:
        read: Callable[[], bytes] = lambda: file.read(1 << 20)  # noqa: E731 - iter() wants a callable
        for data in iter(read, b""):
            hash_.update(data)
    return hash_.hexdigest()
