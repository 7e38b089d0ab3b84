"""Entries out of a published log (C2SP tlog-tiles over HTTP), so that a sample-mode package is checked against all of them, in place.

Nothing that comes over the network is believed: every entry is hashed into the tree whose root the package's end checkpoint signs.
Leaves out: the argument (`proof.verify`).
"""

from __future__ import annotations

import http.client
import ssl
import urllib.parse
from dataclasses import dataclass

from affiant.kit.errors import BadInput
from affiant.proof.errors import CouldNotLook, Malformed
from affiant.proof.note import Checkpoint, Note
from affiant.proof.scan import Bundles, Source
from affiant.proof.tiles import TILE_WIDTH, bundle_path, unpack_bundle
from affiant.proof.verify import SourceOf

TIMEOUT_S = 30.0
MAX_BUNDLE_BYTES = TILE_WIDTH * 65_537
MAX_CHECKPOINT_BYTES = 1 << 20
_NEXT = "Ask the company where its ledger is published, or try again later."


class _Connection:
    """One kept-open HTTP connection to a log."""

    def __init__(self, url: str) -> None:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise BadInput(f"{url} is no http or https URL.", "Give the URL under which `checkpoint` and `tile/` lie.")
        self._prefix, self._url = parts.path.rstrip("/"), url
        if parts.scheme == "https":
            context = ssl.create_default_context()
            self._http: http.client.HTTPConnection = http.client.HTTPSConnection(
                parts.hostname, parts.port, timeout=TIMEOUT_S, context=context
            )
        else:
            self._http = http.client.HTTPConnection(parts.hostname, parts.port, timeout=TIMEOUT_S)

    def get(self, path: str, limit: int) -> bytes | None:
        """A file; None if there is none.

        Raises:
            CouldNotLook: the log does not answer, or with more than `limit` bytes.
        """
        for attempt in (1, 2):
            try:
                self._http.request("GET", f"{self._prefix}/{path}")
                answer = self._http.getresponse()
                data = answer.read(limit + 1)
                break
            except (OSError, http.client.HTTPException) as error:
                self._http.close()
                if attempt == 2:
                    raise CouldNotLook(f"{self._url}/{path} cannot be read: {error!r}.", _NEXT) from error
        if answer.status == 404:
            return None
        if answer.status != 200 or len(data) > limit:
            self._http.close()
            raise CouldNotLook(f"{self._url}/{path} answered {answer.status} with {len(data):,} bytes or more.", _NEXT)
        return data

    def close(self) -> None:
        self._http.close()


@dataclass(frozen=True)
class PublishedSource(Source):
    """Entries [start, end) of the log at `url`, which has `size` entries."""

    url: str
    start: int
    end: int
    size: int

    def open(self) -> PublishedBundles:
        return PublishedBundles(self)


class PublishedBundles(Bundles):
    """An open log. The range's bundles need not begin where the log's do, so that each reads one or two of these."""

    def __init__(self, source: PublishedSource) -> None:
        self._source, self._connection = source, _Connection(source.url)
        self._number, self._entries = -1, list[bytes]()

    def bundle(self, number: int) -> list[bytes]:
        first = self._source.start + number * TILE_WIDTH
        end = min(first + TILE_WIDTH, self._source.end)
        found: list[bytes] = []
        while first < end:
            own, at = divmod(first, TILE_WIDTH)
            part = self._log_bundle(own)[at : at + end - first]
            if not part:
                raise CouldNotLook(f"{self._source.url} has no entry {first}.", _NEXT)
            found += part
            first += len(part)
        return found

    def _log_bundle(self, number: int) -> list[bytes]:
        if number != self._number:
            width = min(TILE_WIDTH, self._source.size - number * TILE_WIDTH)
            data = self._connection.get(bundle_path(number, width), MAX_BUNDLE_BYTES) if width > 0 else None
            if data is None and width < TILE_WIDTH:
                # It was filled meanwhile.
                data = self._connection.get(bundle_path(number), MAX_BUNDLE_BYTES)
            if data is None:
                raise CouldNotLook(f"{self._source.url} has no {bundle_path(number)}.", _NEXT)
            self._number, self._entries = number, unpack_bundle(data)
        return self._entries

    def close(self) -> None:
        self._connection.close()


def published(url: str) -> SourceOf:
    """What `verify_file` takes as `source_of` for the log at a URL.

    Raises:
        BadInput: it is no URL.
    """
    _Connection(url).close()

    def source(_: str, start: int, end: int) -> Source:
        connection = _Connection(url)
        try:
            data = connection.get("checkpoint", MAX_CHECKPOINT_BYTES)
            size = Checkpoint.parse(Note.parse(data or b"").text).size
        except Malformed as error:
            raise CouldNotLook(f"{url} publishes no checkpoint: {error.message}", _NEXT) from error
        finally:
            connection.close()
        if size < end:
            raise CouldNotLook(f"{url} has {size:,} entries; the package speaks of {end:,}.", "It is another log, or was rolled back.")
        return PublishedSource(url, start, end, size)

    return source
