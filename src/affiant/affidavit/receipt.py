"""Receipts: one tenant's own entries of a period, each with its proof, and no byte of another tenant's.

Only files of the home are read, and nothing is signed here: the proofs lead to a checkpoint that the log signed and witnesses cosigned.
Leaves out: checking one (`proof.receipt`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from affiant import __version__
from affiant.affidavit.archive import Files, file_sha256, replacing
from affiant.affidavit.gather import best_end
from affiant.kit.errors import BadInput, NotFound
from affiant.kit.home import Home
from affiant.kit.ids import new_id
from affiant.ledger import LedgerReader
from affiant.ledger.anchorstore import AnchorStore
from affiant.proof import canonical
from affiant.proof.logkeys import KEYS, statements_bytes
from affiant.proof.package import FORMAT, FORMAT_VERSION, MANIFEST

MAX_ENTRIES = 25_000


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt that was written: its id, number of entries and exchanges, and the file's SHA-256 (hex)."""

    id: str
    entries: int
    exchanges: int
    sha256: str


def build_receipt(home: Home, reader: LedgerReader, tenant: str, from_us: int, to_us: int, out: Path, now_us: int) -> Receipt:
    """Write a receipt of a tenant's entries: those of [from_us, to_us), and the outcomes of exchanges opened in it.

    Raises:
        BadInput: the file exists or cannot be written, no tenant is named, or there are too many entries.
        NotFound: the tenant has no entry in the period.
        CouldNotLook: no signed checkpoint covers them yet.
    """
    if out.exists():
        raise BadInput(f"{out} exists.", "Choose another name; a receipt is never replaced.")
    if not tenant:
        raise BadInput("A receipt is about one tenant.", "Name it.")
    indexes, exchanges = _indexes(reader, tenant, from_us, to_us)
    if not indexes:
        raise NotFound(f"The ledger has no entry of the tenant {tenant} in that period.", "Compare the tenant's id and the period.")
    end = best_end(reader, AnchorStore(home.anchors_db).all(), indexes[-1] + 1)
    receipt_id = new_id("rc", now_us)
    with replacing(out) as temporary:
        with Files(temporary) as files:
            files.add("ledger/end.checkpoint", [end.note])
            keys, statements = reader.log_keys(), reader.key_statements()
            if statements:
                files.add(KEYS, [statements_bytes(statements)])
            for index in indexes:
                files.add(f"entries/{index}.json", [reader.entry(index)])
                files.add(f"entries/{index}.tlog-proof", [reader.prove(index, end).encode()])
            manifest: dict[str, Any] = {
                "format": FORMAT, "format_version": FORMAT_VERSION, "mode": "receipt", "id": receipt_id, "origin": home.origin,
                "log": str(keys.current), "demo": int(home.demo), "built_at": now_us, "by": "", "software": __version__, "tenant": tenant,
                "period": {"from": from_us, "to": to_us}, "witnesses": [witness.vkey for witness in home.witnesses], "controls": [],
                "range": {"start_size": 0, "view_from": 0, "end_size": end.size},
                "files": [files.listed[path] for path in sorted(files.listed)],
            }  # fmt: skip
            files.write_unlisted(MANIFEST, canonical.dumps(manifest))
        sha256 = file_sha256(temporary)
    return Receipt(receipt_id, len(indexes), exchanges, sha256)


def _indexes(reader: LedgerReader, tenant: str, from_us: int, to_us: int) -> tuple[list[int], int]:
    """Indexes of the tenant's entries, ascending, and how many exchanges they open."""
    wanted = b'"tenant":' + canonical.dumps(tenant)
    decode = msgspec.json.Decoder().decode
    found: set[int] = set()
    refs: set[str] = set()
    for line in reader.export(from_us, to_us):
        if wanted not in line:
            continue
        raw = decode(line)
        if raw["entry"].get("tenant") == tenant:
            found.add(raw["index"])
            if raw["entry"]["type"] == "exchange.opened":
                refs.add(raw["entry"]["ref"])
        if len(found) > MAX_ENTRIES:
            raise BadInput(f"The tenant has more than {MAX_ENTRIES:,} entries in that period.", "Choose a shorter period.")
    for ref in refs:
        for index in reader.find(ref):
            event = reader.event(index)
            # The writer ends an exchange whose producer died without naming a tenant; the entry is about this tenant's exchange alone.
            if event.tenant == tenant or (event.type == "exchange.interrupted" and event.ref == ref):
                found.add(index)
    return sorted(found), len(refs)
