"""The argument over a receipt: one tenant's entries stand in a ledger that witnesses saw, and nothing of others travels with them.

    1  the receipt can be read safely, and every file is the one that its manifest lists
    2  the checkpoint is signed by the log's key
    3  the trust file names the log, and its witnesses cosigned the checkpoint (without one: not anchored)
    4  every entry is canonical, of the tenant, and in the tree of the checkpoint (C2SP proofs)

The manifest is not signed: it claims nothing that is not proved. Leaves out: whether these are all of the tenant's entries, which a receipt
cannot show.
"""

from __future__ import annotations

from typing import Callable, Dict, Iterator, List, Tuple

from .errors import Lie, Malformed
from .logkeys import KEYS, LogKeys, parse_statements
from .note import VerifierKey
from .package import MANIFEST, Manifest
from .sampled import read_proved_entries
from .verify import Steps, Verifier

NOT_SHOWN = ("that these are all entries of the tenant in the period: what was left out leaves no trace here",)
_OUTCOMES = ("exchange.closed", "exchange.interrupted")


class ReceiptVerifier(Verifier):
    """Runs the argument over a receipt; arguments as `Verifier`."""

    def _steps(self) -> Steps:
        return (
            ("The receipt can be read safely, and every file is the one that its manifest lists", self._listed_files, False),
            ("The checkpoint is signed by the log's key", self._head, True),
            ("The trust file names the log, and its witnesses cosigned the checkpoint", self._trust, False),
            ("Every entry is the tenant's own, and in the tree of the checkpoint", self._own_entries, True),
        )

    def _listed_files(self) -> str:
        self._manifest = Manifest.parse(self._package.read(MANIFEST))
        raw = self._manifest.raw
        self.report.facts.update(
            id=raw["id"], origin=raw["origin"], demo=raw["demo"], mode=raw["mode"], by=raw["by"], built_at=raw["built_at"],
            period=raw["period"], range=raw["range"], manifest=self._manifest.digest, log=raw["log"], tenant=raw.get("tenant", ""),
        )  # fmt: skip
        if type(raw.get("tenant")) is not str or not raw["tenant"]:
            raise Malformed("The receipt names no tenant.")
        self._check_bounds()
        self._package.check_names(self._manifest.files)
        total = self._package.check_files(self._manifest.files)
        return f"{len(self._manifest.files)} files, {total:,} bytes, for the tenant {raw['tenant']}"

    def _head(self) -> str:
        self._log = VerifierKey.parse(self._manifest.raw["log"])
        statements = parse_statements(self._package.read(KEYS)) if self._package.has(KEYS) else []
        self._keys = LogKeys.ending_in(self._log, statements)
        self._end_note, self._end = self._checkpoint("ledger/end.checkpoint")
        if self._end.size != self._bounds[2]:
            raise Lie("The checkpoint has another size than the manifest says.")
        return f"{self._end.size:,} entries of {self._end.origin}, {self._log}"

    def _own_entries(self) -> str:
        tenant = self._manifest.raw["tenant"]
        entries, _ = read_proved_entries(self._package, self._manifest.files, self._end)
        opened: Dict[str, int] = {}
        ended: Dict[str, int] = {}
        for index, envelope in entries.items():
            ref, kind = envelope.get("ref", ""), envelope["type"]
            if kind == "exchange.opened":
                opened[ref] = index
            elif kind in _OUTCOMES:
                ended[ref] = index
        for index, envelope in entries.items():
            bare = envelope["type"] == "exchange.interrupted" and "tenant" not in envelope and envelope.get("ref", "") in opened
            if envelope.get("tenant") != tenant and not bare:
                raise Lie(f"Entry {index} is not of the tenant {tenant}.")
        others = [name for name in self._manifest.files if not name.startswith("entries/") and name not in ("ledger/end.checkpoint", KEYS)]
        if others:
            raise Lie(f"{others[0]} is no part of a receipt.")
        self.report.facts["entries"], self.report.facts["exchanges"] = len(entries), len(opened)
        without = len(set(opened) - set(ended))
        tail = f"; {without:,} of them have no outcome here" if without else ", each with its outcome"
        return f"{len(entries):,} entries proved; {len(opened):,} exchanges opened{tail}"

    def _control_steps(self) -> "Iterator[Tuple[str, Callable[[], str]]]":
        nothing: "List[Tuple[str, Callable[[], str]]]" = []
        return iter(nothing)

    def _last_step(self) -> None:
        return
