"""What the API needs from the rest of the house, as one value that the roof fills; plain values and callables only."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from affiant.kit.clock import Clock
from affiant.ledger import LedgerReader
from affiant.records import NewKey, Records


@dataclass(frozen=True, slots=True)
class RunRequest:
    """Which controls to run.

    Args:
        controls: ids; empty means all.
        period: `A..B`: UTC dates, both inclusive, or instants, half-open.
        as_of: instant; "" means now.
        principal: who asked, as the ledger's actor.
        seed: an auditor's own seed for the samples; "" lets this machine choose one.
    """

    controls: tuple[str, ...]
    period: str
    as_of: str
    principal: str
    seed: str = ""


@dataclass(frozen=True, slots=True)
class PackageRequest:
    """An affidavit to build.

    Args:
        period: as in `RunRequest`.
        by: person id, or the local credential.
        mode: full, sample, or auto.
    """

    period: str
    by: str
    mode: str = "auto"


RunControls = Callable[[RunRequest], Awaitable[list[dict[str, Any]]]]
BuildPackage = Callable[[PackageRequest], Awaitable[BinaryIO]]
AdoptControls = Callable[[tuple[str, ...], str], list[dict[str, Any]]]


def _unknown_status() -> dict[str, Any]:
    return {}


@dataclass(frozen=True, slots=True)
class Context:
    """All that the API stands on.

    Args:
        records: people, keys, changes.
        reader: the ledger for reading.
        clock: wall time.
        local_token: the home's local credential.
        run_controls: runs controls and gives one object a run, when every run is an entry.
        build_package: builds an affidavit and gives it as an open file.
        adopt_controls: puts the shipped versions of these controls (none named: all) into force where they differ, for a person;
            gives one object for each that changed.
        status: what processes, anchors and due items are like now; added to the API's own answer.
        save_probe_key: keeps a key for probes.
        due: what needs a person, as objects.
        console_url: where people sign in; "" where no console runs.
        secure: whether people reach the console by https (names the session cookie).
        max_unknown_denials: most refusals of unknown callers that are recorded a minute.
    """

    records: Records
    reader: LedgerReader
    clock: Clock
    local_token: str
    run_controls: RunControls
    build_package: BuildPackage
    adopt_controls: AdoptControls
    status: Callable[[], dict[str, Any]] = field(default=_unknown_status)
    save_probe_key: Callable[[NewKey], None] | None = None
    due: Callable[[], list[dict[str, Any]]] = field(default=list)
    console_url: str = ""
    secure: bool = False
    max_unknown_denials: int = 30
