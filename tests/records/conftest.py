"""Records are tested over a home's own `records.db` and over PostgreSQL, where nodes share them: the same tests, the same answers."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import records_world

sys.path.append(str(Path(__file__).parents[1] / "serverhome"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test over both, but for those that are about the file itself."""
    shared = [] if metafunc.definition.get_closest_marker("own_file") else [pytest.param("shared", marks=pytest.mark.server)]
    metafunc.parametrize("home_kind", ["own", *shared], indirect=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[object]:
    """A PostgreSQL of this run's own."""
    from server_world import Postgres, missing_package

    if why := missing_package():
        pytest.skip(why)
    server = Postgres()
    yield server
    server.kill()  # nothing of it is read again: it need not write everything to disk first
    server.stop()


@pytest.fixture(autouse=True)
def home_kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """What `records_world.world` makes: a home with its own records, or one that shares them."""
    if request.param == "shared":
        monkeypatch.setenv("AFFIANT_TEST_DSN", request.getfixturevalue("postgres").dsn)
    records_world.KIND = request.param
    return str(request.param)
