"""What API, console and command line ask for that takes more than a record: control runs and packages, and in which order.

Order matters: record changes are brought into the ledger and signed over before a run reads it, so that what was just done is in it.
The same code serves control (analytics in a child) and a command that is alone (analytics in place). Leaves out: `app_runs`.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import Any

from affiant.api import PackageRequest, RunRequest
from affiant.catalog import Catalog
from affiant.kit.home import Home
from affiant.kit.keyring import Keyring
from affiant.operations import ProbeKey, save_probe_key
from affiant.records import LOCAL, NewKey, Records

Ask = Callable[[str, dict[str, Any]], Awaitable[Any]]


class Work:
    """Control runs and packages of one home.

    Args:
        ask: runs an analytic verb of `app_runs` with its arguments.
        settle: brings record changes into the ledger and signs over everything on disk.
        anchor: has the witnesses cosign what was signed; says what came of it.
    """

    def __init__(self, ask: Ask, settle: Callable[[], Awaitable[None]], anchor: Callable[[], Awaitable[str]]) -> None:
        self._ask, self._settle, self._anchor = ask, settle, anchor

    async def run_controls(self, request: RunRequest) -> list[dict[str, Any]]:
        """Run controls; gives one object a run, when every run is an entry under a signed checkpoint.

        Raises:
            AffiantError: as `app_runs.run_controls`.
        """
        await self._settle()
        arguments = {
            "period": request.period, "controls": list(request.controls), "as_of": request.as_of, "principal": request.principal,
        }  # fmt: skip
        lines: list[dict[str, Any]] = await self._ask("run", arguments)
        await self._settle()
        return lines

    async def run_now(self, principal: str, controls: tuple[str, ...]) -> list[dict[str, Any]]:
        """Run controls over the days of the current period up to today; see `app_runs.current_days`."""
        return await self.run_controls(RunRequest(controls, "", "", principal))

    async def build_package(self, request: PackageRequest) -> bytes:
        """Build an affidavit, its end checkpoint cosigned if a witness can be reached.

        Raises:
            AffiantError: as `affidavit.build`.
        """
        await self._settle()
        await self._anchor()
        by = f"system:{LOCAL}" if request.by == LOCAL else f"person:{request.by}"
        data: bytes = await self._ask("package", {"period": request.period, "principal": by, "mode": request.mode})
        await self._settle()
        return data


def probe_key_keeper(home: Home, keyring: Keyring) -> Callable[[NewKey], None]:
    """Keeps a key for probes, its secret sealed."""
    return lambda made: save_probe_key(home, keyring, ProbeKey(made.key.id, made.secret))


def adopt_library(home: Home, records: Records, catalog: Catalog) -> tuple[str, ...]:
    """Put the control versions of a catalog into force where they differ, keeping each version's bytes by hash; their ids."""
    controls = [control for control in catalog.controls.values() if control.implemented]
    for control in controls:
        keep_file(home, control.sha, control.canonical)
    return records.adopt_controls((control.id, control.version, control.sha, control.schedule_body) for control in controls)


def keep_file(home: Home, sha: str, data: bytes) -> None:
    """Put bytes into `HOME/files/` under their hash, whole or not at all."""
    path = home.files / sha
    if path.exists():
        return
    temporary = home.files / f".{sha}.tmp"
    with open(temporary, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
