"""Compares a package with the log that its company publishes: does that log still begin with the same entries?

Reads checkpoint and hash tiles over HTTP (C2SP tlog-tiles); the root is computed here. Leaves out: the package itself (`proof.verify`).
"""

from __future__ import annotations

import urllib.error
import urllib.request
from functools import lru_cache
from pathlib import Path

from affiant.cli.shared import FINDING, GOOD, UNSEEN, out, say
from affiant.kit.errors import BadInput, CouldNotLook
from affiant.proof.errors import ProofError
from affiant.proof.hashes import node_hash, tree_root
from affiant.proof.logkeys import HandOver, parse_statement, parse_statements
from affiant.proof.note import Checkpoint, Note, VerifierKey
from affiant.proof.package import MANIFEST, Manifest, Package
from affiant.proof.tiles import TILE_WIDTH, tile_path

TIMEOUT_S = 20
MAX_BYTES = 64 * 1024


class PublishedLog:
    """A log served as tlog-tiles at a URL.

    Raises (any method):
        CouldNotLook: it does not answer, or not with a log.
    """

    def __init__(self, url: str) -> None:
        if not url.startswith(("http://", "https://")):
            raise BadInput(f"{url} is no http or https URL.", "Give the URL under which `checkpoint` and `tile/` lie.")
        self._url = url.rstrip("/")
        self._tile = lru_cache(4096)(self._read_tile)
        self.note = Note.parse(self._get("checkpoint"))
        self.checkpoint = Checkpoint.parse(self.note.text)

    def _get(self, path: str) -> bytes:
        try:
            with urllib.request.urlopen(f"{self._url}/{path}", timeout=TIMEOUT_S) as answer:  # noqa: S310 -- http(s) was checked above
                data: bytes = answer.read(MAX_BYTES + 1)
        except (urllib.error.URLError, OSError) as error:
            raise CouldNotLook(f"{self._url}/{path} cannot be read: {error}.", "Ask the company where its ledger is published.") from error
        if len(data) > MAX_BYTES:
            raise CouldNotLook(f"{self._url}/{path} is too large.", "Is it a tlog-tiles log?")
        return data

    def _read_tile(self, level: int, number: int) -> tuple[bytes, ...]:
        width = min(TILE_WIDTH, (self.checkpoint.size >> 8 * level) - number * TILE_WIDTH)
        data = self._get(tile_path(level, number, width))
        if len(data) != 32 * width:
            raise CouldNotLook(f"A tile of {self._url} has {len(data)} bytes.", "Is it a tlog-tiles log?")
        return tuple(data[at : at + 32] for at in range(0, len(data), 32))

    def _hash(self, level: int, index: int) -> bytes:
        tile_level, above = divmod(level, 8)
        first, count = index << above, 1 << above
        hashes = list(self._tile(tile_level, first // TILE_WIDTH)[first % TILE_WIDTH : first % TILE_WIDTH + count])
        while len(hashes) > 1:
            hashes = [node_hash(hashes[i], hashes[i + 1]) for i in range(0, len(hashes), 2)]
        return hashes[0]

    def signed_by(self, key: VerifierKey) -> bool:
        """Whether that key, or one that it handed over to since (`keys.json`, signed statements), signed the head."""
        if self.note.verify([key]):
            return True
        try:
            notes = parse_statements(self._get("keys.json"))
        except CouldNotLook:
            return False
        for statement in map(parse_statement, notes):
            if isinstance(statement, HandOver) and statement.old == key:
                key = statement.new
        return bool(self.note.verify([key]))

    def root(self, size: int) -> bytes:
        """Root over the first `size` entries."""
        return tree_root(size, self._hash)


def compare(file: Path, url: str) -> int:
    """Say whether the published log begins with what the package holds; gives an exit code."""
    try:
        with Package(str(file)) as package:
            manifest = Manifest.parse(package.read(MANIFEST))
            end = Checkpoint.parse(Note.parse(package.read("ledger/end.checkpoint")).text)
        log = PublishedLog(url)
        signed = log.signed_by(VerifierKey.parse(str(manifest.raw["log"])))
        same = log.checkpoint.origin == end.origin and signed and log.checkpoint.size >= end.size and log.root(end.size) == end.root
    except CouldNotLook as error:
        say(f"affiant: {error}")
        return UNSEEN
    except ProofError as error:
        say(f"affiant: {url} publishes no log that can be read: {error}")
        return UNSEEN
    out({"ledger": url, "size": log.checkpoint.size, "package_end": end.size, "same_history": same})
    say(f"The log published at {url} {'begins with the' if same else 'DOES NOT begin with the'} {end.size} entries of this package.")
    return GOOD if same else FINDING
