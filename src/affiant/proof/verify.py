"""The argument: why a package's results follow from a ledger that was not changed since it was signed and witnessed.

    1  the package can be read safely, and every file is the one that the manifest lists
    2  the manifest is signed by the log's key
    3  both checkpoints are signed by the same key for the same log
    4  the trust file, obtained elsewhere, names that key, and its quorum of witnesses cosigned the end (without one: not anchored)
    5  the entries that travel, hashed onto the left edge, give the end's root, and every root that was anchored on the way
    6  the start is a prefix of the end
    7  every entry is canonical, and every producer's numbers follow one another
    8  opening balances are those announced when the period opened
    9  every control adopted is here once, in the version hashed in the ledger, by its last run for this period
    10 every query stays inside the grammar
    11 one step a control: population, reconciliation, sample, procedure and result recomputed, equal to the ledger and to the files
    12 the pages show those results

It stops at the first thing that does not hold. What it cannot show: that an entry was true when written, and that nothing went
round the gateway. Leaves out: printing (`__main__`).
"""

from __future__ import annotations

import base64
import os
import sqlite3
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from typing import Any, Callable, Dict, Generator, Iterator, List, Optional, Sequence, Tuple

from . import grammar
from .anchors import Anchor, check_anchors, cosignature_texts, longest_gap_s, parse_anchor_file, span, utc, witness_keys
from .bundles import package_source
from .errors import CouldNotLook, Lie, Malformed, NotAnchored, ProofError
from .hashes import CompactRange, verify_consistency
from .logkeys import KEY_EVENTS, KEYS, LogKeys, following, parse_statements
from .note import Checkpoint, Note, VerifierKey
from .package import MANIFEST, SIGNATURE, Manifest, Package, manifest_text
from .pages import check_page
from .prior import check_prior, prior_head
from .rebuild import Filler, Leaves, Range, check_roots, join
from .recompute import Definition, Outcome, Recorded
from .recorded import check_sample_size, check_seed, describe, find_recorded
from .scan import Job, Piece, Source, scan
from .side import Shared, recompute_all, recompute_there
from .trust import TrustPolicy
from .views import SqliteEvidence, Views, views_digest

ENTRIES = "ledger/entries/"
SAMPLE_FILES = ("places.json", "unmatched.jsonl")
GOOD, LIE, BAD_INPUT, NOT_ANCHORED = 0, 1, 2, 3
EMPTY_VIEWS = b'{"format":"affiant-views/1","views":[]}'
Steps = Tuple[Tuple[str, Callable[[], str], bool], ...]
SourceOf = Callable[[str, int, int], Source]


@dataclass(frozen=True)
class Step:
    """One step of the argument: its number, what it claims, what was found, and whether it holds (`good`, `open`, `failed`)."""

    number: int
    claim: str
    found: str
    state: str


@dataclass
class Report:
    """What the verifier says."""

    steps: List[Step] = field(default_factory=list)
    controls: List[Dict[str, Any]] = field(default_factory=list)
    facts: Dict[str, Any] = field(default_factory=dict)
    verdict: str = ""
    exit_code: int = BAD_INPUT


class Verifier:
    """Runs the argument over one package.

    Args:
        package: opened.
        trust: the trust file's text, or None.
        anchors: cosigned checkpoints that the reader obtained elsewhere (bytes of signed notes).
        source_of: gives another source of the range's entries than the package, from (log's key, start, end).
        prior: the package of the period before, for opening balances.
        processes: how many to use; 0: as many as are good where there is much to do. The report is the same.
    """

    def __init__(
        self, package: Package, trust: Optional[str] = None, anchors: Sequence[bytes] = (), source_of: Optional[SourceOf] = None,
        prior: Optional[Package] = None, processes: int = 0,
    ) -> None:  # fmt: skip
        self.report = Report()
        self._package = package
        self._trust_text = trust
        self._own_anchors = anchors
        self._source_of = source_of
        self._prior = prior
        self._processes = processes
        self._results: Dict[str, str] = {}
        self._anchored = False
        self._stack = ExitStack()

    def run(self) -> Report:
        """The whole argument; never raises for what a package contains."""
        with self._stack:
            return self._run(self._steps())

    def _steps(self) -> "Steps":
        return (
            ("The package can be read safely, and every file is the one that its manifest lists", self._files, False),
            ("The manifest is signed by the log's key", self._signature, False),
            ("Both checkpoints are signed by that key, for one log", self._checkpoints, True),
            ("The trust file names the log, and its witnesses cosigned the end", self._trust, False),
            ("The entries give the root that was signed, and every root that was anchored", self._tree, True),
            ("The start is a prefix of the end", self._consistency, True),
            ("Every entry is canonical, and every producer's numbers follow one another", self._sequences, True),
            ("Opening balances are those announced when the period opened", self._carried, True),
            ("Every control is here in the version hashed in the ledger, by its last run for the period", self._definitions, True),
            ("Every query stays inside the grammar", self._grammar, True),
        )

    def _run(self, steps: "Steps") -> Report:
        try:
            for claim, check, signed in steps:
                self._step(claim, check, signed)
            for claim, control_check in self._control_steps():
                self._step(claim, control_check, True)
            self._last_step()
        except ProofError as error:
            self.report.exit_code = error.exit_code
            self.report.verdict = "REFUSED: " + str(error) if error.exit_code == LIE else "NOT CHECKED: " + str(error)
            return self.report
        self.report.exit_code = GOOD if self._anchored else NOT_ANCHORED
        self.report.verdict = (
            "GOOD: consistent in itself, and anchored by the trust file's witnesses."
            if self._anchored
            else "SELF-CONSISTENT, NOT ANCHORED: nothing outside vouches for this history; whoever holds the log's key could have made it."
        )
        return self.report

    def _last_step(self) -> None:
        self._step("The pages show these results", self._pages, True)

    def _step(self, claim: str, check: Callable[[], str], signed: bool) -> None:
        number = len(self.report.steps) + 1
        try:
            found = check()
        except NotAnchored as error:
            self.report.steps.append(Step(number, claim, str(error), "open"))
            return
        except (sqlite3.OperationalError, MemoryError, OSError) as error:
            raise CouldNotLook(
                f"This machine could not go on: {error!r}.", "Make room for temporary files (TMPDIR) and try again."
            ) from error
        except ProofError as error:
            self.report.steps.append(Step(number, claim, str(error), "failed"))
            # What was signed is a claim: where it cannot be read, the claim is false.
            if signed and not isinstance(error, (Lie, CouldNotLook)):
                raise Lie(error.message, error.next_step) from error
            raise
        except (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError, OverflowError) as error:
            self.report.steps.append(Step(number, claim, f"A field has another form than it must: {error!r}.", "failed"))
            raise Lie(f"A field has another form than it must: {error!r}.") from error
        self.report.steps.append(Step(number, claim, found, "good"))

    # 1
    def _files(self) -> str:
        package = self._package
        for name in (MANIFEST, SIGNATURE):
            if not package.has(name):
                raise Malformed(f"The package has no {name}.", "Is this an affidavit?")
        self._manifest = Manifest.parse(package.read(MANIFEST))
        raw = self._manifest.raw
        self.report.facts.update(
            id=raw["id"], origin=raw["origin"], demo=raw["demo"], mode=raw["mode"], by=raw["by"], built_at=raw["built_at"],
            period=raw["period"], range=raw["range"], manifest=self._manifest.digest, log=raw["log"],
            in_place=int(self._source_of is not None),
        )  # fmt: skip
        self._check_bounds()
        package.check_names(self._manifest.files)
        if raw["mode"] == "full" or self._source_of is not None:
            # Other processes read entries while this one reads the files besides.
            with scan(self._scan_job(), self._processes) as pieces:
                total = package.check_files(self._manifest.files, ENTRIES)
                self._join(pieces)
        else:
            total = package.check_files(self._manifest.files, ENTRIES)
        return f"{len(self._manifest.files)} files, {total:,} bytes; manifest {self._manifest.digest}"

    def _check_bounds(self) -> None:
        bounds = self._manifest.raw["range"]
        self._bounds = (bounds["start_size"], bounds["view_from"], bounds["end_size"])
        if not 0 <= self._bounds[0] <= self._bounds[1] < self._bounds[2]:
            raise Malformed("The manifest's range is empty or out of order.")

    def _scan_job(self) -> Job:
        """What to read of every entry, once."""
        (start, view_from, end), package = self._bounds, self._package
        if self._source_of is None:
            source: "Source | str" = package_source(package, self._manifest.files, start, end)
            if isinstance(source, str):
                raise Lie(f"{source} is missing: its entries belong to the range.")
            if sum(name.startswith(ENTRIES) for name in self._manifest.files) != len(source.members):  # type: ignore[attr-defined]
                raise Lie("The package has more bundles than its range.")
        else:
            source = self._source_of(str(self._manifest.raw["log"]), start, end)
        folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="affiant-verify-"))
        wanted, every = self._wanted_words()
        views = package.read("views.json") if package.has("views.json") else b""
        good = wanted and _are_views(views)
        self._job = Job(
            source, start, end, view_from, views if good else EMPTY_VIEWS, tuple(sorted(wanted)), every, folder, "pledge" in wanted
        )
        return self._job

    def _join(self, pieces: "Iterator[Piece]") -> None:
        """Put together what was read; what is found wrong in an entry is kept for the step that it belongs to."""
        start, view_from, end = self._bounds
        self._leaves = Leaves(os.path.join(self._job.folder, "leaves"), start, end)
        self._stack.callback(self._leaves.close)
        self._range = Range(start, end, view_from)
        join(pieces, self._range, self._leaves)
        if self._range.file_fault is not None:
            raise self._range.file_fault

    def _wanted_words(self) -> "Tuple[set[str], bool]":
        """Words of all queries, and whether one asks for all columns; read before they are checked, to fill no more than they can use."""
        words: "set[str]" = set()
        every = False
        for name in self._manifest.files:
            if name.startswith("controls/"):
                try:
                    for _, text in Definition.parse(self._package.read(name)).queries():
                        query = grammar.check(text)
                        words |= query.words
                        every = every or query.every
                except ProofError:
                    continue  # named where it is checked
        return words, every

    # 2
    def _signature(self) -> str:
        raw = self._manifest.raw
        self._log = VerifierKey.parse(raw["log"])
        if self._log.name != raw["origin"]:
            raise Lie("The manifest's log key has another name than the log.")
        note = Note.parse(self._package.read(SIGNATURE, 1 << 20))
        if note.text != manifest_text(raw["origin"], self._manifest.digest):
            raise Lie("The signed text is not about this manifest.")
        if not note.verify([self._log]):
            raise Lie("The manifest is not signed by the log's key.")
        statements = parse_statements(self._package.read(KEYS)) if self._package.has(KEYS) else []
        self._keys = LogKeys.ending_in(self._log, statements)
        return f"{self._log}{self._keys.describe()}"

    # 3
    def _checkpoints(self) -> str:
        bounds = self._manifest.raw["range"]
        self._end_note, self._end = self._checkpoint("ledger/end.checkpoint")
        self._start: Optional[Checkpoint] = None
        if bounds["start_size"]:
            _, self._start = self._checkpoint("ledger/start.checkpoint")
            if self._start.size != bounds["start_size"]:
                raise Lie("The start checkpoint has another size than the manifest says.")
        if self._end.size != bounds["end_size"] or not bounds["start_size"] <= bounds["view_from"] < bounds["end_size"]:
            raise Lie("The end checkpoint has another size than the manifest says, or the range is empty.")
        return f"entries {bounds['start_size']:,} to {bounds['end_size'] - 1:,} of {self._end.origin}"

    def _checkpoint(self, name: str) -> Tuple[Note, Checkpoint]:
        note = Note.parse(self._package.read(name, 1 << 20))
        head = Checkpoint.parse(note.text)
        if head.origin != self._log.name:
            raise Lie(f"{name} is not signed by the key that signed the manifest.")
        try:
            self._keys.check(note)
        except Lie as error:
            raise Lie(f"{name} is not signed by the key that signed the manifest, or one before it: {error.message}") from None
        return note, head

    # 4
    def _trust(self) -> str:
        policy = TrustPolicy.parse(self._trust_text) if self._trust_text is not None else None
        policy = policy and following(policy, self._keys.notes)[0]
        if policy is not None and self._log not in policy.logs:
            raise Lie(
                "The trust file does not name the key that signed this package.", "Compare it with the key that you were given elsewhere."
            )
        witnesses = list(policy.witnesses.values()) if policy else witness_keys(self._manifest.raw)
        notes = parse_anchor_file(self._package.read("ledger/anchors.json", 256 << 20)) if self._package.has("ledger/anchors.json") else []
        notes += [self._end_note, *(Note.parse(data) for data in self._own_anchors)]
        for note in notes[-len(self._own_anchors) :] if self._own_anchors else ():
            if policy is None or not policy.check_log(note).witnesses:
                raise Malformed("An anchor given is not cosigned by a witness of the trust file.", "Give the trust file with its key too.")
        found, self._roots = check_anchors(notes, self._end.origin, witnesses)
        self._seeds = cosignature_texts(notes, witnesses)
        self._stamped_heads()
        if self._prior is not None:
            head = prior_head(self._prior, self._end.origin)
            if not self._bounds[0] <= head.size <= self._end.size:
                raise Malformed(f"The prior affidavit ends at {head.size:,} entries, outside of this range.", "Give the one before this.")
            if self._roots.setdefault(head.size, head.root) != head.root:
                raise Lie(f"The prior affidavit has another root for {head.size:,} entries than was anchored.")
        anchors = [anchor for anchor in found if anchor.size <= self._end.size]
        self._note_anchors(anchors, policy is not None)
        if policy is None:
            raise NotAnchored(f"No trust file was given. {self._anchor_line(anchors, False)}", "Give --trust FILE.")
        try:
            verdict = policy.check(self._with_own_cosignatures(notes))
        except NotAnchored as error:
            raise NotAnchored(f"{error.message} {self._anchor_line(anchors, True)}", error.next_step) from None
        self._anchored = True
        names = ", ".join(f"{name} at {utc(signed.time_s)}" for name, signed in sorted(verdict.witnesses.items()))
        return f"end cosigned by {names}. {self._anchor_line(anchors, True)}"

    def _with_own_cosignatures(self, notes: Sequence[Note]) -> Note:
        """The end with cosignatures over the very same head that the reader obtained elsewhere."""
        whole = self._end_note
        for note in notes[-len(self._own_anchors) :] if self._own_anchors else ():
            for signature in note.signatures if note.text == whole.text else ():
                if signature not in whole.signatures:
                    whole = whole.with_line(signature.line())
        return whole

    def _stamped_heads(self) -> None:
        """Heads that were time-stamped must lie on this history too; the tokens are listed with the command that checks them."""
        for name in sorted(self._manifest.files):
            if name.startswith("stamps/") and name.endswith(".note"):
                token = name[: -len(".note")] + ".tsr"
                _, head = self._checkpoint(name)
                if not self._package.has(token) or self._roots.setdefault(head.size, head.root) != head.root:
                    raise Lie(f"{name} has no token, or another root than was anchored for {head.size} entries.")
                command = f"unzip -j PACKAGE {name} {token} && openssl ts -verify -data {name[7:]} -in {token[7:]} -CAfile AUTHORITY.pem"
                stamp = {"size": head.size, "authority": name[7:].partition("-")[2][: -len(".note")], "command": command}
                self.report.facts.setdefault("stamps", []).append(stamp)

    def _note_anchors(self, anchors: List[Anchor], trusted: bool) -> None:
        period = self._manifest.raw["period"]
        self.report.facts["anchors"] = {
            "count": len(anchors), "trusted": int(trusted), "first_time": anchors[0].time_s if anchors else 0,
            "first_size": anchors[0].size if anchors else 0,
            "longest_gap_s": longest_gap_s(anchors, period["from"], min(period["to"], self._manifest.raw["built_at"])),
        }  # fmt: skip

    def _anchor_line(self, anchors: List[Anchor], trusted: bool) -> str:
        if not anchors:
            return "First outside anchor: none."
        first = anchors[0]
        by = first.witness if trusted else f"{first.witness} (a key that only this package names)"
        gap = span(self.report.facts["anchors"]["longest_gap_s"])
        return f"First outside anchor: {utc(first.time_s)}, {first.size:,} entries, {by}; longest stretch of the period without one: {gap}."

    # 5
    def _tree(self) -> str:
        start, _, end = self._bounds
        lines = self._package.read("ledger/left-edge").decode("ascii").split() if self._start else []
        edge = CompactRange(start, [bytes.fromhex(line) for line in lines])
        if self._start and edge.root() != self._start.root:
            raise Lie("The left edge does not give the root of the start checkpoint.")
        for size, root in self._roots.items():
            if self._start and size == self._start.size and root != self._start.root:
                raise Lie("The start checkpoint has another root than was anchored.")
        check_roots(self._leaves, edge, self._roots, self._end.root)
        inside = sum(start < size <= end for size in self._roots)
        self.report.facts["entries"] = end - start
        return f"{end - start:,} entries rebuilt; root {self._end.root.hex()}; {inside} anchored roots on the way equal"

    # 6
    def _consistency(self) -> str:
        if self._start is None:
            return "the range begins with the ledger itself"
        proof = [base64.b64decode(line, validate=True) for line in self._package.read("ledger/consistency").split()]
        verify_consistency(self._start.size, self._end.size, proof, self._start.root, self._end.root)
        return f"from {self._start.size:,} to {self._end.size:,} by {len(proof)} hashes"

    # 7
    def _sequences(self) -> str:
        if self._range.entry_fault is not None:
            raise self._range.entry_fault
        self._keys.check_entries((idx, e.get("body", {})) for kind in KEY_EVENTS for idx, e in self._range.kept[kind].items())
        producers = self._range.producers
        before = f"; {producers.began_before} of them began before the range" if producers.began_before else ""
        return f"{len(producers.next_seq):,} producers without a gap{before}"

    # 8
    def _carried(self) -> str:
        count = self._range.check_carried()
        if not self._range.view_from:
            return "none: all history travels"
        words = f"{count:,} records carried into entry {self._range.view_from:,}"
        return f"{words}; {check_prior(self._prior, self._range)}" if self._prior is not None else words

    # 9
    def _definitions(self) -> str:
        listed = {control["id"]: control for control in self._manifest.raw["controls"]}
        period = self._manifest.raw["period"]
        adoptions = self._range.adoptions()
        missing = sorted(set(adoptions) - set(listed))
        if missing:
            raise Lie(f"The control {missing[0]} was adopted in the ledger and is missing from the package.")
        self._controls: List[Tuple[Definition, Recorded, int]] = []
        for control_id, control in sorted(listed.items()):
            recorded, runs = find_recorded(self._range, control_id, control, period)
            definition = Definition.parse(self._package.read(f"controls/{control_id}.json"))
            adopted = [body for idx, body in adoptions.get(control_id, []) if idx < recorded.run[0]]
            if definition.id != control_id or not adopted:
                raise Lie(f"The control {control_id} is not in force in the ledger, or its file is about another.")
            for sha, version in (
                (adopted[-1].get("sha"), adopted[-1].get("control_version")),
                (recorded.body["sha"], recorded.body["control_version"]),
            ):
                if sha != definition.sha or version != definition.version:
                    raise Lie(f"The definition of {control_id} is not the one hashed in the ledger.")
            self._controls.append((definition, recorded, runs))
        return f"{len(self._controls)} controls"

    # 10
    def _grammar(self) -> str:
        data = self._package.read("views.json")
        Views.parse(data)
        count = sum(check_queries(definition, data) for definition, _, _ in self._controls)
        return f"{count} queries over {len(self._job.tables().by_name)} views"

    # 11
    def _control_steps(self) -> "Iterator[Tuple[str, Callable[[], str]]]":
        """One step a control, in the order of where their runs end, while tables fill up behind them."""
        by_end = sorted(self._controls, key=lambda one: (one[1].body["end_size"], one[0].id))
        period = self._manifest.raw["period"]
        database = os.path.join(self._job.folder, "tables")
        with SqliteEvidence(self._job.tables(), database) as evidence:
            filler = Filler(self._job, self._range, evidence)
            for end, group in groupby(by_end, key=lambda one: one[1].body["end_size"]):
                waiting = list(group)
                outcomes = self._group(end, filler, waiting, database, period)
                self._stack.callback(outcomes.close)
                for definition, recorded, runs in waiting:
                    yield f"{definition.id} recomputed", partial(self._control, definition, recorded, runs, outcomes)

    def _group(
        self, end: int, filler: Filler, controls: "List[Tuple[Definition, Recorded, int]]", database: str, period: Any
    ) -> "Generator[Any, None, None]":
        """Fill the tables up to `end`, then recompute the controls whose runs ended there."""
        filler.fill(end)
        computed = filler.computed(period["from"], period["to"])
        shared = Shared(self._job, database, os.path.join(self._job.folder, "leaves"), computed)
        yield from recompute_all(recompute_there, shared, [(definition, recorded) for definition, recorded, _ in controls], self._processes)

    def _control(self, definition: Definition, recorded: Recorded, runs: int, outcomes: "Iterator[Callable[[], Outcome]]") -> str:
        outcome = next(outcomes)()
        check_seed(recorded, self._seeds)
        note = check_sample_size(definition, recorded, outcome.counts.rows)
        folder, listed = f"results/{definition.id}/", self._manifest.files
        known = {*outcome.files, *(SAMPLE_FILES if self._manifest.raw["mode"] == "sample" else ())}
        extra = [name for name in listed if name.startswith(folder) and name[len(folder) :] not in known]
        if extra:
            raise Lie(f"{extra[0]} is no part of the results of {definition.id}.")
        for name, digest in outcome.files.items():
            one = listed.get(folder + name)
            if one is None and self._manifest.raw["mode"] == "sample":
                continue
            if one is None or (one.sha256, one.size) != digest:
                raise Lie(f"{folder}{name} is not what was recomputed.")
        self._results[definition.id] = outcome.result
        self.report.controls.append({**outcome.summary(), "runs": runs})
        return describe(outcome, recorded, runs) + note

    # 12
    def _pages(self) -> str:
        results = self._results
        names = [name for name in self._manifest.files if name.startswith("pages/")]
        seen: "set[str]" = set()
        for name in names:
            seen |= check_page(name, self._package.read(name), results)
        for control_id in results:
            if control_id not in seen:
                raise Lie(f"No page shows the result of {control_id}.")
        return f"{len(names)} pages"


def check_queries(definition: Definition, views: bytes) -> int:
    """Check that a control's queries lie inside the grammar, and that the views file reads entries for them as the control's version
    says; gives their number.

    Raises:
        Lie: they do not.
    """
    words: "set[str]" = set()
    for what, text in definition.queries():
        try:
            words |= grammar.check(text).words
        except Malformed as error:
            raise Lie(f"The {what} query of {definition.id} is outside the grammar: {error.message}") from None
    if views_digest(views, words) != definition.views:
        raise Lie(f"The views file reads entries for {definition.id} in another way than its adopted version says.")
    return len(definition.queries())


def _are_views(data: bytes) -> bool:
    """Whether a file can be read as views; the step that checks it says why not."""
    try:
        Views.parse(data)
    except Malformed:
        return False
    return True
