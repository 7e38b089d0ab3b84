"""What a sample-mode package holds in place of every entry: the entries behind samples and runs, each with its C2SP proof; where each
drawn row stands in its population; and proofs that every anchored head lies on the same history as the end.

Leaves out: what it cannot show without the entries (`proof.sampled` says it).
"""

from __future__ import annotations

from affiant.affidavit.archive import Files
from affiant.affidavit.gather import Scope
from affiant.affidavit.recalculate import Control, Recalculated
from affiant.ledger import LedgerReader
from affiant.proof import canonical
from affiant.proof.note import Checkpoint, Note
from affiant.proof.population import parse_row, unmatched_line


def write_sample_parts(files: Files, reader: LedgerReader, scope: Scope, done: Recalculated) -> None:
    """Write entries, proofs and places."""
    indexes: set[int] = set()
    for name in sorted(done.controls):
        control = done.controls[name]
        indexes |= _recording(name, control, done)
        indexes |= {parse_row(one.row)[0] for one in control.outcome.sample}
        rows = [
            {"position": place.position, "row_path": [h.hex() for h in place.row_path], "item_path": [h.hex() for h in place.item_path]}
            for place in control.places
        ]
        files.add(f"results/{name}/places.json", [canonical.dumps({"rows": rows})])
        if control.outcome.definition.reconcile and control.recorded.freeze is not None:
            files.add(f"results/{name}/unmatched.jsonl", [unmatched_line(row) for row in control.outcome.unmatched])
    for index in sorted(indexes):
        files.add(f"entries/{index}.json", [reader.entry(index)])
        files.add(f"entries/{index}.tlog-proof", [reader.prove(index, scope.end).encode()])
    sizes = {Checkpoint.parse(Note.parse(note).text).size for note in scope.anchors} | {stamp.size for stamp in scope.stamps}
    proofs = [
        {"size": size, "proof": [hash_.hex() for hash_ in reader.consistency(size, scope.end.size)]}
        for size in sorted(sizes - {scope.end.size})
    ]
    files.add("ledger/anchor-proofs.json", [canonical.dumps({"proofs": proofs})])


def _recording(name: str, control: Control, done: Recalculated) -> set[int]:
    """Indexes of the entries that record a run: adoption, freeze, sample, run."""
    recorded = control.recorded
    adopted = [index for index, _ in done.found.adoptions().get(name, []) if index < recorded.run[0]]
    return {recorded.run[0], *adopted[-1:], *(entry[0] for entry in (recorded.freeze, recorded.sample) if entry is not None)}
