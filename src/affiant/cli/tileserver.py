"""A plain HTTP server over `HOME/ledger/`, or over a ledger on servers under the same names, for outside readers of the log.

Leaves out: everything but GET and HEAD of those resources.
"""

from __future__ import annotations

import http.server
import io
import re
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Any

from affiant.cli.shared import out, say
from affiant.kit.errors import Conflict, CouldNotLook, LedgerFault, LedgerUnavailable
from affiant.kit.home import Home
from affiant.ledger.archive import ARCHIVE, Archive, bundle_number
from affiant.ledger.logkeys import PUBLISHED
from affiant.ledger.retention import MINIMUM, minimum_index, published
from affiant.ledger.where import is_server_home

_TILE = re.compile(r"/tile/(?:[0-9]|[1-5][0-9]|6[0-3]|entries)/(?:x[0-9]{3}/)*[0-9]{3}(?:\.p/[0-9]{1,3})?")

_PLAIN = {"/checkpoint": "text/plain; charset=utf-8", f"/{MINIMUM}": "text/plain; charset=utf-8", f"/{PUBLISHED}": "application/json"}


class _Tiles(http.server.SimpleHTTPRequestHandler):
    """Serves the checkpoint, the minimum index, statements about keys, and tiles that are not pruned; nothing else in the folder."""

    protocol_version = "HTTP/1.1"
    _status = 0

    def __init__(self, *args: Any, home: Home, archive: Archive, **kwargs: Any) -> None:
        self._home, self._archive = home, archive
        super().__init__(*args, **kwargs)

    def send_response(self, code: int, message: str | None = None) -> None:
        self._status = int(code)
        super().send_response(code, message)

    def send_head(self) -> Any:
        known = self.path in _PLAIN or _TILE.fullmatch(self.path)
        if not known or not published(self.path[1:], minimum_index(self._home)):
            self.send_error(HTTPStatus.NOT_FOUND)
            return None
        archived = self._archived()
        return archived if archived is not None else super().send_head()

    def _archived(self) -> io.BytesIO | None:
        """A bundle out of the archive, as it lay in `ledger/` before."""
        number = bundle_number(self.path[1:])
        if number < 0 or (self._home.ledger / self.path[1:]).exists():
            return None
        try:
            data = self._archive.bundle(number)
        except LedgerFault:
            data = b""  # damaged: the file is not there either, which gives 404 and no wrong byte
        if not data:
            return None
        self.send_response(HTTPStatus.OK)
        self.send_header("content-type", "application/octet-stream")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        return io.BytesIO(data)

    def guess_type(self, path: Any) -> str:
        return _PLAIN.get(self.path, "application/octet-stream")

    def end_headers(self) -> None:
        self.send_header("cache-control", _caching(self.path, self._status == HTTPStatus.OK))
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        return  # a public file server; who reads is not recorded


class _Remote(http.server.BaseHTTPRequestHandler):
    """The same over a ledger that lies on servers.

    Args:
        find: gives the bytes of a resource, or None.
    """

    protocol_version = "HTTP/1.1"

    def __init__(self, *args: Any, find: Callable[[str], bytes | None], **kwargs: Any) -> None:
        self._find = find
        super().__init__(*args, **kwargs)

    def do_GET(self) -> None:
        self._answer(True)

    def do_HEAD(self) -> None:
        self._answer(False)

    def _answer(self, whole: bool) -> None:
        kind = _PLAIN.get(self.path, "application/octet-stream")
        try:
            data, status = self._find(self.path[1:]), HTTPStatus.OK
            if data is None:
                data, status = b"not found\n", HTTPStatus.NOT_FOUND
        except LedgerFault:
            data, status = b"damaged; its operator must look\n", HTTPStatus.INTERNAL_SERVER_ERROR  # no wrong byte
        except (CouldNotLook, LedgerUnavailable):
            data, status = b"the servers of this ledger cannot be reached; try again\n", HTTPStatus.SERVICE_UNAVAILABLE
        self.send_response(status)
        self.send_header("content-type", kind if status == HTTPStatus.OK else "text/plain; charset=utf-8")
        self.send_header("content-length", str(len(data)))
        self.send_header("cache-control", _caching(self.path, status == HTTPStatus.OK))
        self.end_headers()
        if whole:
            self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        return  # as above


def _caching(path: str, good: bool) -> str:
    return "public, max-age=31536000, immutable" if good and path.startswith("/tile/") else "no-cache"


def serve_tiles(home: Home, host: str, port: int) -> None:
    """Serve until Ctrl-C; prints one JSON line with the URL.

    Raises:
        Conflict: the address cannot be listened on.
        CouldNotLook: the ledger lies on servers that cannot be reached.
    """
    if not is_server_home(home):
        _serve(partial(_Tiles, directory=str(home.ledger), home=home, archive=Archive(home.root / ARCHIVE)), host, port, str(home.ledger))
        return
    from affiant.ledger.serverhome.published import resource
    from affiant.ledger.serverhome.reader import ServerReader

    with ServerReader(home) as reader:
        place = f"{reader.objects.name('')} and PostgreSQL"
        _serve(partial(_Remote, find=lambda path: resource(reader, path)), host, port, place)


def _serve(handler: Callable[..., Any], host: str, port: int, what: str) -> None:
    try:
        server = http.server.ThreadingHTTPServer((host, port), handler)
    except OSError as error:
        raise Conflict(f"Cannot listen on {host}:{port}: {error.strerror}.", "Give another --port (0: any free one).") from error
    with server:
        name, number = server.server_address[:2]
        url = f"http://{name if isinstance(name, str) else name.decode()}:{number}"
        out({"ready": True, "url": url})
        say(f"Serving {what} on {url} · Ctrl-C stops")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            say("stopped.")
