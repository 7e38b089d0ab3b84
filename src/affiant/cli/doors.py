"""What `app` hands to the command line, so that commands start processes and mount the API without knowing those rooms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Protocol

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from affiant.kit.home import Home, Witness
    from affiant.ledger import Report


class LocalApi(Protocol):
    """The API of a home that nothing serves, mounted in this process under the home's lock."""

    def call(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        """One request; gives status and body."""
        ...

    def fetch(self, path: str, headers: dict[str, str], body: bytes, into: BinaryIO) -> tuple[int, bytes]:
        """One POST; the body of a good answer goes into a file as it comes, that of another is given with its status."""
        ...


class Init(Protocol):
    """Creates a home, its ledger in it or on servers, and gives its log verifier key."""

    def __call__(
        self, root: Path, origin: str, node: str, witnesses: tuple[Witness, ...], servers: Path | None = None
    ) -> tuple[Home, str]: ...


class Serve(Protocol):
    """Serves a home until told to stop."""

    def __call__(self, home: Path, *, workers: int, gateway_port: int, console_port: int, host: str, console_host: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Doors:
    """Args:
    init: creates a home.
    serve: runs it.
    local: opens the API of a home that nothing serves; leaving the context brings every record change into the ledger.
    migrate: moves the ledger of a home to the servers that a file names.
    join: makes a directory with a copy of a node's identity another node.
    """

    init: Init
    serve: Serve
    local: Callable[[Home], AbstractContextManager[LocalApi]]
    migrate: Callable[[Home, Path], Report]
    join: Callable[[Path, Path], Home]
