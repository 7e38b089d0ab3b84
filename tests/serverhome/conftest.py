"""The servers of this folder's tests: started when the first test wants them, stopped at the end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from prune_world import OLD
from server_world import EmbeddedWorld, Postgres, ServerWorld, Storage, World, missing_package, unused_name

from affiant.kit.clock import CLOCK_ENV, ClockFile, open_clock


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    if why := missing_package():
        pytest.skip(why)
    server = Postgres()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def storage() -> Iterator[Storage]:
    if why := missing_package():
        pytest.skip(why)
    server = Storage()
    yield server
    server.stop()


@pytest.fixture
def servers(tmp_path: Path, postgres: Postgres, storage: Storage) -> ServerWorld:
    """A founded ledger on servers."""
    return ServerWorld(tmp_path, postgres, storage, unused_name())


@pytest.fixture
def clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ClockFile:
    """The time that this process and every process it starts goes by."""
    monkeypatch.setenv(CLOCK_ENV, str(tmp_path / "clock"))
    made = ClockFile(tmp_path / "clock")
    made.fix(OLD)
    return made


@pytest.fixture(params=["embedded", pytest.param("server", marks=pytest.mark.server)])
def aged(request: pytest.FixtureRequest, tmp_path: Path, clock: ClockFile) -> World:
    """A home of either kind that begins long ago."""
    if request.param == "embedded":
        return EmbeddedWorld(tmp_path, open_clock())
    postgres, storage = request.getfixturevalue("postgres"), request.getfixturevalue("storage")
    return ServerWorld(tmp_path, postgres, storage, unused_name(), open_clock())


@pytest.fixture(params=["embedded", pytest.param("server", marks=pytest.mark.server)])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    """A home of either kind."""
    if request.param == "embedded":
        return EmbeddedWorld(tmp_path)
    found = request.getfixturevalue("servers")
    assert isinstance(found, ServerWorld)
    return found
