"""What API, console and command line ask for that takes more than a record: control runs and packages, and in which order.

Order matters: record changes are brought into the ledger and signed over before a run reads it, so that what was just done is in it.
The same code serves control (analytics in a child) and a command that is alone (analytics in place). Leaves out: `app_runs`.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, BinaryIO

from affiant.api import PackageRequest, RunRequest
from affiant.api.context import AdoptControls
from affiant.catalog import Catalog, Control, load
from affiant.kit.errors import BadInput, NotFound
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
            "seed": request.seed,
        }  # fmt: skip
        lines: list[dict[str, Any]] = await self._ask("run", arguments)
        await self._settle()
        return lines

    async def run_now(self, principal: str, controls: tuple[str, ...]) -> list[dict[str, Any]]:
        """Run controls over the days of the current period up to today; see `app_runs.current_days`."""
        return await self.run_controls(RunRequest(controls, "", "", principal))

    async def build_package(self, request: PackageRequest) -> BinaryIO:
        """Build an affidavit, its end checkpoint cosigned if a witness can be reached; gives it as an open file without a name.

        Controls without a run for exactly that period are run before.

        Raises:
            AffiantError: as `affidavit.build`.
        """
        await self._settle()
        by = f"system:{LOCAL}" if request.by == LOCAL else f"person:{request.by}"
        missing: list[str] = await self._ask("missing", {"period": request.period})
        if missing:
            await self.run_controls(RunRequest(tuple(missing), request.period, "", by))
        await self._anchor()
        file = _taken(Path(await self._ask("package", {"period": request.period, "principal": by, "mode": request.mode})))
        try:
            await self._settle()
        except BaseException:
            file.close()
            raise
        return file


def _taken(path: Path) -> BinaryIO:
    """A file, open and without its name, so that nothing is left of it once it is closed."""
    file = open(path, "rb")  # noqa: SIM115 - closed by whoever sends it
    path.unlink()
    return file


def probe_key_keeper(home: Home, keyring: Keyring, records: Records) -> Callable[[NewKey], None]:
    """Keeps a key for probes, its secret sealed."""
    return lambda made: save_probe_key(home, keyring, ProbeKey(made.key.id, made.secret), records.kept)


def changed_controls(records: Records, catalog: Catalog) -> list[Control]:
    """Controls whose version in the catalog is not the one in force."""
    now = {each.id: (each.version, each.sha, list(each.schedule)) for each in records.adopted_controls()}
    return [
        control for control in catalog.controls.values()
        if control.implemented and now.get(control.id) != (control.version, control.sha, control.schedule_body)
    ]  # fmt: skip


def adopt_library(home: Home, records: Records, catalog: Catalog, names: tuple[str, ...] = (), by: str = "") -> tuple[str, ...]:
    """Put the control versions of a catalog into force where they differ, keeping each version's bytes by hash; their ids.

    Args:
        names: of which controls; none: of all.
        by: who does it; "" for a new home.

    Raises:
        NotFound: the catalog has no such control. BadInput: nothing writes its events yet.
        Forbidden: `by` may not.
    """
    for name in names:
        if name not in catalog.controls:
            raise NotFound(f"There is no control {name}.", f"Controls are: {', '.join(catalog.controls)}.")
        if not catalog.controls[name].implemented:
            raise BadInput(f"Nothing writes the events of {name} yet.", "It can be put into force in a version that does.")
    controls = [control for name, control in catalog.controls.items() if control.implemented and (not names or name in names)]
    for control in controls:
        keep_file(home, control.sha, control.canonical)
    return records.adopt_controls(((control.id, control.version, control.sha, control.schedule_body) for control in controls), by)


def adopter(home: Home, records: Records) -> AdoptControls:
    """What the API calls to put shipped versions into force."""

    def adopt(names: tuple[str, ...], by: str) -> list[dict[str, Any]]:
        catalog = load()
        return [
            {"id": name, "version": catalog.controls[name].version, "sha": catalog.controls[name].sha}
            for name in adopt_library(home, records, catalog, names, by)
        ]

    return adopt


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
