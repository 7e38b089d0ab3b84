"""The argument over a sample-mode package: what follows from drawn rows, their proofs and what the ledger records of each run.

    1–4 as in full mode: files, manifest's signature, checkpoints, trust
    5   every anchored head, and the start, lie on the same history as the end (consistency proofs)
    6   every entry that travels is in the tree of the end (C2SP proofs), and is canonical
    7   every control listed is in the version hashed in an entry, by a run recorded for this period; its queries lie in the grammar
    8   one step a control: drawn rows stand in the frozen population, their items among the run's items; the sample is as large as
        the control's rule asks; figures and result are those of the run
    9   the pages show those results

Without the entries much is not shown; `NOT_SHOWN` says what, and the verifier prints it. With the published log (`--ledger`) the whole
argument of `verify` runs instead. Leaves out: the argument in full mode (`verify`).
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from functools import partial
from typing import Any, Callable, Dict, Iterable, Iterator, List, Mapping, Optional, Tuple

from . import canonical
from .errors import Lie, Malformed
from .hashes import leaf_hash, root_of, verify_consistency, verify_inclusion
from .note import Checkpoint, Note
from .package import Package
from .population import COULD_NOT_TEST, DEVIATION, MET, item_line, parse_row, row_bytes
from .recompute import Definition, Recorded, same
from .recorded import check_sample_size, check_seed
from .results import DESIGN_GAP, NOT_IMPLEMENTED, Counts, control_result
from .scan import check_envelope
from .tlogproof import TlogProof
from .verify import Steps, Verifier, check_queries

MAX_PROOF_BYTES = 1 << 20
NOT_SHOWN = (
    "that a population holds all rows of its period and no other, or that its figures are right: only drawn rows travel",
    "that the drawn rows are those that the seed draws",
    "cells of a drawn row other than its entry, ordinal, item and reason",
    "that producers' numbers have no gap, and that opening balances are those announced",
    "that no adopted control, and no later run, was left out",
)
_ENTRY = re.compile(r"entries/(0|[1-9][0-9]{0,15})\.json")


@dataclass(frozen=True)
class _Place:
    """Where a drawn row stands, with audit paths to the population's root and to the root over its items."""

    position: int
    row_path: List[bytes]
    item_path: List[bytes]


class SampleVerifier(Verifier):
    """Runs the argument over a sample-mode package; arguments as `Verifier`."""

    def _steps(self) -> Steps:
        return (
            ("The package can be read safely, and every file is the one that its manifest lists", self._files, False),
            ("The manifest is signed by the log's key", self._signature, False),
            ("Both checkpoints are signed by that key, for one log", self._checkpoints, True),
            ("The trust file names the log, and its witnesses cosigned the end", self._trust, False),
            ("Start and every anchored head lie on the same history as the end", self._heads, True),
            ("Every entry that travels is in the tree of the end", self._proofs, True),
            ("Every control listed is in a version hashed in the ledger, by a run recorded for the period", self._listed, True),
        )

    # 5
    def _heads(self) -> str:
        raw = canonical.loads(self._package.read("ledger/anchor-proofs.json", 256 << 20))
        proofs = {one["size"]: [bytes.fromhex(hash_) for hash_ in one["proof"]] for one in raw["proofs"]}
        start, _, end = self._bounds
        inside = {size: root for size, root in self._roots.items() if start < size < end}
        for size, root in inside.items():
            if size not in proofs:
                raise Malformed(f"An anchored head of size {size} has no proof that it lies before the end.", "Use --ledger with it.")
            verify_consistency(size, end, proofs[size], root, self._end.root)
        if self._roots.get(end, self._end.root) != self._end.root:
            raise Lie(f"Another root was anchored for {end} entries: this history differs from the one that was witnessed.")
        return f"{len(inside)} anchored heads; start: {self._consistency()}"

    # 6
    def _proofs(self) -> str:
        self._entries, self._leaf = read_proved_entries(self._package, self._manifest.files, self._end)
        _, _, end = self._bounds
        self.report.facts["entries"] = len(self._entries)
        return f"{len(self._entries):,} of {end - self._bounds[0]:,} entries travel, each proved"

    # 7
    def _listed(self) -> str:
        self._found: List[Tuple[Definition, Recorded]] = []
        views = self._package.read("views.json")
        for listed in self._manifest.raw["controls"]:
            definition = Definition.parse(self._package.read(f"controls/{listed['id']}.json"))
            recorded = self._recorded(listed)
            adopted = [
                _adopted_body(envelope) for index, envelope in sorted(self._entries.items())
                if index < recorded.run[0] and envelope.get("ref") == listed["id"] and _adopted_body(envelope)
            ]  # fmt: skip
            if not adopted or definition.id != listed["id"]:
                raise Lie(f"No entry that travels puts the control {listed['id']} into force before its run.")
            for body in (adopted[-1], recorded.body):
                if (body.get("sha"), body.get("control_version")) != (definition.sha, definition.version):
                    raise Lie(f"The definition of {definition.id} is not the one hashed in the ledger.")
            check_queries(definition, views)
            self._found.append((definition, recorded))
        return f"{len(self._found)} controls"

    def _recorded(self, listed: Mapping[str, Any]) -> Recorded:
        period, run = self._manifest.raw["period"], self._entries.get(listed["run"])
        if run is None or run["type"] != "procedure.run":
            raise Lie(f"Entry {listed['run']} does not travel, or is no run.")
        body = run.get("body", {})
        if (body.get("control"), body.get("from"), body.get("to")) != (listed["id"], period["from"], period["to"]):
            raise Lie(f"Entry {listed['run']} is no run of {listed['id']} for this period.")
        freeze = self._by_ref("population.frozen", body.get("freeze"), listed["run"])
        return Recorded((listed["run"], run), freeze, self._by_ref("sample.drawn", body.get("sample"), listed["run"]))

    def _by_ref(self, kind: str, ref: Any, before: int) -> "Optional[Tuple[int, Mapping[str, Any]]]":
        if not ref:
            return None
        for index, envelope in self._entries.items():
            if envelope["type"] == kind and envelope.get("ref") == ref and index < before:
                return index, envelope
        raise Lie(f"A run names {ref}, which does not travel.")

    # 8
    def _control_steps(self) -> "Iterator[Tuple[str, Callable[[], str]]]":
        for definition, recorded in self._found:
            yield f"{definition.id}: its sample, and what the ledger records of its run", partial(self._sampled, definition, recorded)

    def _sampled(self, definition: Definition, recorded: Recorded) -> str:
        body, folder = recorded.body, f"results/{definition.id}/"
        counts = Counts(*(int(body.get(name, 0)) for name in ("met", "deviations", "could_not_test")))
        same(f"{definition.id}, rows", body.get("rows"), counts.rows, recorded.run[0])
        result = str(body.get("result"))
        if result not in (NOT_IMPLEMENTED, DESIGN_GAP) or recorded.freeze is not None:
            same(f"{definition.id}, result", result, control_result(counts), recorded.run[0])
        summary = canonical.loads(self._package.read(folder + "result.json"))
        frozen = recorded.freeze[1].get("body", {}) if recorded.freeze else {}
        wanted = {
            "control": definition.id, "control_version": definition.version, "sha": definition.sha, "result": result, "rows": counts.rows,
            "met": counts.met, "deviations": counts.deviations, "could_not_test": counts.could_not_test,
            "unmatched": body.get("unmatched", 0), "sampled": len(recorded.sample[1]["body"]["rows"]) if recorded.sample else 0,
        }  # fmt: skip
        if recorded.freeze is not None:
            wanted.update(population_root=frozen.get("root"), items_root=body.get("items_root"))
            same(f"{definition.id}, rows of the population", frozen.get("rows"), counts.rows, recorded.freeze[0])
            self._unmatched(definition, recorded, folder, summary)
        for name, value in wanted.items():
            if summary.get(name) != value:
                raise Lie(f"{folder}result.json says {summary.get(name)!r} for {name}; the ledger says {value!r}.")
        drawn = self._drawn(definition, recorded, folder) if recorded.sample else 0
        note = check_sample_size(definition, recorded, counts.rows)
        self._results[definition.id] = result
        self.report.controls.append({**summary, "runs": 1})
        return f"{result}, as recorded for {counts.rows:,} rows; {drawn:,} drawn rows proved{note}"

    def _unmatched(self, definition: Definition, recorded: Recorded, folder: str, summary: Mapping[str, Any]) -> None:
        """Unmatched rows travel as the lines that the freeze's root covers."""
        assert recorded.freeze is not None
        body = recorded.freeze[1].get("body", {})
        lines = self._package.read(folder + "unmatched.jsonl").splitlines(keepends=True) if definition.reconcile else []
        root = root_of(map(leaf_hash, lines)).hex()
        same(f"{definition.id}, unmatched rows", body.get("unmatched", 0), len(lines), recorded.freeze[0])
        if lines or body.get("unmatched_root"):
            same(f"{definition.id}, root of unmatched rows", body.get("unmatched_root"), root, recorded.freeze[0])
        if summary.get("unmatched_root") != root:
            raise Lie(f"{folder}result.json has another root over unmatched rows than they give.")

    def _drawn(self, definition: Definition, recorded: Recorded, folder: str) -> int:
        """Every drawn row stands in the population, its item among the items, and its entry travels."""
        assert recorded.sample is not None and recorded.freeze is not None
        if recorded.sample[0] <= recorded.freeze[0] or recorded.sample[1]["body"].get("freeze") != recorded.freeze[1].get("ref"):
            raise Lie(f"The sample of {definition.id} was not drawn from its frozen population, after it.")
        check_seed(recorded, self._seeds)
        keys = [(row["idx"], row["ord"]) for row in recorded.sample[1]["body"]["rows"]]
        if len(set(keys)) != len(keys) or len(keys) != recorded.sample[1]["body"].get("n"):
            raise Lie(f"The sample of {definition.id} names a row twice, or another number of rows than it says.")
        rows = canonical.loads(self._package.read(folder + "places.json"))["rows"]
        places = [
            _Place(row["position"], [bytes.fromhex(h) for h in row["row_path"]], [bytes.fromhex(h) for h in row["item_path"]])
            for row in rows
        ]
        text = self._package.read(folder + "sample.csv").decode("utf-8")
        lines = list(csv.DictReader(io.StringIO(text, newline="")))
        if not len(keys) == len(places) == len(lines):
            raise Lie(f"{folder}: sample, places and drawn rows differ in number.")
        for number, (key, place, line) in enumerate(zip(keys, places, lines), 1):  # noqa: B905 - Python 3.9
            if (line["draw"], line["idx"], line["ord"]) != (str(number), str(key[0]), str(key[1])):
                raise Lie(f"{folder}sample.csv has another row than the ledger records as drawn in place {number}.")
            self._check_place(recorded, key, place, int(line["item"]), line["why"])
        return len(keys)

    def _check_place(self, recorded: Recorded, key: Tuple[int, int], place: _Place, item: int, why: str) -> None:
        assert recorded.freeze is not None
        leaf = self._leaf.get(key[0])
        if leaf is None or key[0] >= recorded.body["end_size"]:
            raise Lie(f"The entry {key[0]} of a drawn row does not travel, or came after the run.")
        body, row = recorded.freeze[1].get("body", {}), row_bytes(key[0], leaf, key[1])
        if item not in (MET, DEVIATION, COULD_NOT_TEST) or parse_row(row)[1] != leaf:
            raise Lie(f"The row of entry {key[0]} has the item {item}.")
        verify_inclusion(place.position, body["rows"], leaf_hash(row), place.row_path, bytes.fromhex(body["root"]))
        line = leaf_hash(item_line(key[0], key[1], item, why))
        verify_inclusion(place.position, body["rows"], line, place.item_path, bytes.fromhex(recorded.body["items_root"]))


def read_proved_entries(
    package: Package, names: "Iterable[str]", end: Checkpoint
) -> "Tuple[Dict[int, Mapping[str, Any]], Dict[int, bytes]]":
    """Envelope and leaf hash of each entry that travels with its proof, by index.

    Raises:
        Lie: an entry is not shown to be in the tree of `end`.
        Malformed: it is no envelope.
    """
    entries: Dict[int, Mapping[str, Any]] = {}
    leaves: Dict[int, bytes] = {}
    for name in names:
        if not name.startswith("entries/"):
            continue
        match = _ENTRY.fullmatch(name)
        if match is None:
            if not name.endswith(".tlog-proof") or not _ENTRY.fullmatch(name[: -len(".tlog-proof")] + ".json"):
                raise Lie(f"{name} is neither an entry nor a proof.")
            continue
        index = int(match.group(1))
        data = package.read(name, 65_535)
        proof = TlogProof.parse(package.read(f"entries/{index}.tlog-proof", MAX_PROOF_BYTES))
        if proof.index != index or Note.parse(proof.checkpoint).text != end.text():
            raise Lie(f"The proof of entry {index} is about another entry, or leads to another checkpoint than the end.")
        proof.verify(data)
        envelope = canonical.loads(data)
        check_envelope(envelope)
        entries[index], leaves[index] = envelope, leaf_hash(data)
    return entries, leaves


def _adopted_body(envelope: Mapping[str, Any]) -> Mapping[str, Any]:
    """Body of the adoption that an entry is or carries; empty where it is none."""
    body: Mapping[str, Any] = envelope.get("body", {})
    if envelope["type"] == "state.carried":
        inner: Mapping[str, Any] = body.get("body", {}) if body.get("of") == "control.adopted" else {}
        return inner
    return body if envelope["type"] == "control.adopted" else {}
