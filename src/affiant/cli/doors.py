"""What `app` hands to the command line, so that commands start processes and mount the API without knowing those rooms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from affiant.kit.home import Home, Witness


class LocalApi(Protocol):
    """The API of a home that nothing serves, mounted in this process under the home's lock."""

    def call(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        """One request; gives status and body."""
        ...


class Init(Protocol):
    """Creates a home and gives its log verifier key."""

    def __call__(self, root: Path, origin: str, node: str, witnesses: tuple[Witness, ...]) -> tuple[Home, str]: ...


class Serve(Protocol):
    """Serves a home until told to stop."""

    def __call__(self, home: Path, *, workers: int, gateway_port: int, console_port: int, host: str, console_host: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Doors:
    """Args:
    init: creates a home.
    serve: runs it.
    local: opens the API of a home that nothing serves; leaving the context brings every record change into the ledger.
    """

    init: Init
    serve: Serve
    local: Callable[[Home], AbstractContextManager[LocalApi]]
