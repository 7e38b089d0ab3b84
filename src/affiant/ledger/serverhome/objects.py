"""Objects in S3-compatible storage that nobody can delete before their time: Object Lock in COMPLIANCE mode, written once.

A put says If-None-Match: *, so that an object is never written over; one that is there must hold the same bytes. Not every
storage that answers like S3 keeps such locks: `check_locks` tries to break one. A version goes only when its own lock is over. Leaves
out: which objects there are (`archive`), which may go (`pruning`).
"""

from __future__ import annotations

import base64
import hashlib
import html
import http.client
import re
import threading
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from affiant.kit.errors import AffiantError, BadInput, Conflict, CouldNotLook, LedgerFault, NotFound
from affiant.kit.secretref import resolve
from affiant.ledger.serverhome.config import ServerConfig
from affiant.ledger.serverhome.sigv4 import Credentials, encode_path, encode_query, signed_headers

TIMEOUT_S = 20.0
THREADS = 6
MAX_OBJECT_BYTES = 256 * (65_535 + 2)
PROBE = "lock-probe"
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
_RETRIED = (500, 502, 503, 504)
_LISTED = re.compile(rb"<(Version|DeleteMarker)>(.*?)</\1>", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers (lower case) and body of one answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def code(self) -> str:
        """The storage's error code, such as AccessDenied; the status where it names none."""
        start, end = self.body.find(b"<Code>"), self.body.find(b"</Code>")
        return self.body[start + 6 : end].decode("utf-8", "replace") if 0 <= start < end else str(self.status)


@dataclass(frozen=True, slots=True)
class Version:
    """One version of an object, or a marker that hides those before it. `key` is without the prefix."""

    key: str
    id: str
    size: int
    marker: bool


@dataclass(frozen=True, slots=True)
class Locked:
    """A version that stays: its lock ends at `until_us` (µs UTC; 0: a legal hold of the storage, which has no end)."""

    key: str
    version: str
    until_us: int


class ObjectStore:
    """One bucket and prefix. Safe for several threads, each with a connection of its own.

    Raises (any method):
        CouldNotLook: the storage cannot be reached or answers with an error.
    """

    def __init__(self, config: ServerConfig) -> None:
        parts = urlsplit(config.endpoint)
        self._tls = parts.scheme == "https"
        self._host = parts.netloc
        self._address = (parts.hostname or "", parts.port)
        self._config = config
        self._credentials = Credentials(resolve(config.access_key), resolve(config.secret_key))
        self._local = threading.local()
        self._connections: list[http.client.HTTPConnection] = []
        self._guard = threading.Lock()
        self.threads = ThreadPoolExecutor(THREADS, "objects")

    def close(self) -> None:
        """Let go of threads and connections."""
        self.threads.shutdown(wait=True, cancel_futures=True)
        with self._guard:
            for connection in self._connections:
                connection.close()
            self._connections.clear()

    # -- requests

    def _connection(self) -> http.client.HTTPConnection:
        found: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        if found is None:
            kind = http.client.HTTPSConnection if self._tls else http.client.HTTPConnection
            found = self._local.connection = kind(self._address[0], self._address[1], timeout=TIMEOUT_S)
            with self._guard:
                self._connections.append(found)
        return found

    def request(
        self, method: str, key: str, query: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Answer:
        """One signed request, tried again where that is safe: all of ours are."""
        path = f"/{self._config.bucket}" + (f"/{self._config.prefix}{key}" if key else "")
        text = f"{encode_path(path)}?{encode_query(query or {})}" if query else encode_path(path)
        digest = hashlib.sha256(body).hexdigest()
        last = ""
        for _ in range(3):
            sent = signed_headers(
                self._credentials, self._config.region, method, self._host, path, query or {}, headers or {}, digest, datetime.now(UTC)
            )
            connection = self._connection()
            try:
                connection.request(method, text, body or None, sent)
                response = connection.getresponse()
                data = response.read(MAX_OBJECT_BYTES + 1)
                answer = Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, data)
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                last = str(error) or type(error).__name__
                continue
            if len(data) > MAX_OBJECT_BYTES:
                connection.close()
                raise CouldNotLook(f"{self.name(key)} is larger than any object of a ledger.", "Look who wrote it.")
            if answer.status not in _RETRIED:
                return answer
            last = answer.code()
        raise CouldNotLook(f"The storage at {self._config.endpoint} cannot be used: {last}.", "Look at it; nothing is lost meanwhile.")

    def name(self, key: str) -> str:
        """An object's name for messages."""
        return f"s3://{self._config.bucket}/{self._config.prefix}{key}"

    def _failed(self, what: str, key: str, answer: Answer) -> AffiantError:
        return CouldNotLook(f"{what} {self.name(key)} failed: {answer.code()}.", "Check the storage and the rights of its access key.")

    # -- objects

    def get(self, key: str) -> bytes:
        """An object's bytes.

        Raises:
            NotFound: there is none.
        """
        answer = self.request("GET", key)
        if answer.status == 404:
            raise NotFound(f"{self.name(key)} is not there.", "Compare the bucket with a copy of it.")
        if answer.status != 200:
            raise self._failed("Reading", key, answer)
        return answer.body

    def put(self, key: str, data: bytes) -> bool:
        """Write an object once, locked.

        Returns:
            False if it was there already with the same bytes.

        Raises:
            LedgerFault: it is there with other bytes.
        """
        until = datetime.now(UTC).replace(microsecond=0) + SECOND + self._config.lock_days * DAY  # whole seconds, never less than promised
        headers = {
            "If-None-Match": "*",
            "Content-Type": "application/octet-stream",
            "Content-MD5": base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode(),
            "x-amz-object-lock-mode": "COMPLIANCE",
            "x-amz-object-lock-retain-until-date": until.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        answer = self.request("PUT", key, headers=headers, body=data)
        if answer.status == 200:
            return True
        if answer.status not in (409, 412):
            raise self._failed("Writing", key, answer)
        if self.get(key) != data:
            raise LedgerFault(
                f"{self.name(key)} is there with other bytes: another history was written under this prefix.",
                "Keep it as evidence; find out who else writes there. Nothing was replaced.",
            )
        return False

    def lock_of(self, key: str) -> tuple[str | None, datetime]:
        """(mode, end) of an object's lock; "" if it has none, None if there is no such object."""
        answer = self.request("HEAD", key)
        if answer.status == 404:
            return None, datetime.now(UTC)
        if answer.status != 200:
            raise self._failed("Looking at", key, answer)
        until = answer.headers.get("x-amz-object-lock-retain-until-date", "")
        mode = answer.headers.get("x-amz-object-lock-mode", "").upper()
        return mode if until else "", datetime.fromisoformat(until) if until else datetime.now(UTC)

    # -- versions

    def versions(self, prefix: str) -> Iterator[Version]:
        """Every version and marker of the objects whose names begin so, in the order in which the storage lists them."""
        query = {"versions": "", "prefix": self._config.prefix + prefix}
        while True:
            answer = self.request("GET", "", query)
            if answer.status != 200:
                raise self._failed("Listing", prefix, answer)
            for kind, body in _LISTED.findall(answer.body):
                key = _inside(body, b"Key").removeprefix(self._config.prefix)
                yield Version(key, _inside(body, b"VersionId"), int(_inside(body, b"Size") or 0), kind == b"DeleteMarker")
            if _inside(answer.body, b"IsTruncated") != "true":
                return
            query["key-marker"] = _inside(answer.body, b"NextKeyMarker")
            query["version-id-marker"] = _inside(answer.body, b"NextVersionIdMarker")

    def remove(self, version: Version) -> Locked | None:
        """Delete one version for good if its lock is over; a marker has none.

        Returns:
            Why it stays; None if it is gone.

        Raises:
            CouldNotLook: the storage refuses although no lock is on it.
        """
        named = {"versionId": version.id}
        if not version.marker:
            found = self.request("HEAD", version.key, named)
            if found.status == 404:
                return None
            if found.status != 200:
                raise self._failed("Looking at", version.key, found)
            if found.headers.get("x-amz-object-lock-legal-hold", "").upper() == "ON":
                return Locked(version.key, version.id, 0)
            until = found.headers.get("x-amz-object-lock-retain-until-date", "")
            if until and datetime.fromisoformat(until) > datetime.now(UTC):
                return Locked(version.key, version.id, int(datetime.fromisoformat(until).timestamp()) * 1_000_000)
        answer = self.request("DELETE", version.key, named)
        if answer.status not in (200, 204, 404):
            raise CouldNotLook(
                f"Deleting {self.name(version.key)} was refused: {answer.code()}, though its lock is over by the clock here.",
                "Give the access key DeleteObjectVersion, and compare the clocks of this machine and the storage.",
            )
        return None

    # -- the bucket

    def ensure_bucket(self) -> None:
        """Make the bucket with Object Lock, or check that the one there has it.

        Raises:
            BadInput: it is there without Object Lock.
        """
        answer = self.request("GET", "", {"object-lock": ""})
        if answer.status == 404 and answer.code() == "NoSuchBucket":
            made = self.request("PUT", "", headers={"x-amz-bucket-object-lock-enabled": "true"}, body=self._location())
            if made.status not in (200, 409):
                raise self._failed("Making the bucket of", "", made)
            answer = self.request("GET", "", {"object-lock": ""})
        if answer.status == 404 or (answer.status == 200 and b"<ObjectLockEnabled>Enabled<" not in answer.body):
            raise BadInput(f"The bucket {self._config.bucket} has no Object Lock.", "Make one with Object Lock; it cannot be added later.")
        if answer.status != 200:
            raise self._failed("Asking for Object Lock of", "", answer)

    def _location(self) -> bytes:
        if self._config.region == "us-east-1":
            return b""
        root = ElementTree.Element("CreateBucketConfiguration", xmlns="http://s3.amazonaws.com/doc/2006-03-01/")
        ElementTree.SubElement(root, "LocationConstraint").text = self._config.region
        return ElementTree.tostring(root)

    def check_locks(self) -> None:
        """Try to delete a locked object, to shorten its lock and to weaken it: all must be refused.

        Raises:
            BadInput: the storage answers like S3 but does not keep COMPLIANCE locks.
            Conflict: another probe under this prefix is not ours to judge.
        """
        self.put(PROBE, b"Affiant puts this here to see whether a locked object can be deleted.\n")
        found = self.request("GET", PROBE)
        version = found.headers.get("x-amz-version-id", "")
        if found.headers.get("x-amz-object-lock-mode", "").upper() != "COMPLIANCE" or not version:
            raise BadInput("The storage took a locked object but does not show its lock.", "Use one that supports Object Lock.")
        for what, answer in self.attacks(PROBE, version):
            if answer.status < 400:
                raise BadInput(f"The storage does not keep COMPLIANCE locks: {what} was allowed.", "Use one that does.")
        if self.get(PROBE) != found.body:
            raise Conflict("The probe changed while it was looked at.", "Try again.")

    def attacks(self, key: str, version: str) -> list[tuple[str, Answer]]:
        """What someone with this access key could try against one version of a locked object, and the answers."""
        soon = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        bypass = {"x-amz-bypass-governance-retention": "true"}
        return [
            ("deleting it", self.request("DELETE", key, {"versionId": version})),
            ("deleting it with a bypass", self.request("DELETE", key, {"versionId": version}, bypass)),
            ("shortening its lock", self._retention(key, version, "COMPLIANCE", soon)),
            ("weakening its lock", self._retention(key, version, "GOVERNANCE", soon)),
            ("suspending versioning", self._suspend()),
        ]

    def _retention(self, key: str, version: str, mode: str, until: str) -> Answer:
        body = (
            f'<Retention xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Mode>{mode}</Mode>'
            f"<RetainUntilDate>{until}</RetainUntilDate></Retention>"
        ).encode()
        headers = {"Content-MD5": base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()}
        return self.request("PUT", key, {"retention": "", "versionId": version}, headers, body)

    def _suspend(self) -> Answer:
        body = (
            b'<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Status>Suspended</Status></VersioningConfiguration>'
        )
        headers = {"Content-MD5": base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()}
        return self.request("PUT", "", {"versioning": ""}, headers, body)


def _inside(body: bytes, name: bytes) -> str:
    """Text of the first element of that name in an answer; "" where there is none."""
    _, found, rest = body.partition(b"<" + name + b">")
    return html.unescape(rest.partition(b"</" + name + b">")[0].decode("utf-8", "replace")) if found else ""
