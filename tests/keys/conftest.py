"""The OpenBao of this folder's tests: started when the first test wants it, stopped at the end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from bao_world import MISSING, TOKEN, Bao, running_bao

from affiant.kit import secretref


@pytest.fixture(scope="session")
def started() -> Iterator[Bao]:
    if MISSING:
        pytest.skip(MISSING)
    with running_bao() as bao:
        yield bao


@pytest.fixture
def bao(started: Bao, monkeypatch: pytest.MonkeyPatch) -> Bao:
    monkeypatch.setenv("VAULT_ADDR", started.url)
    monkeypatch.setenv("VAULT_TOKEN", TOKEN)
    secretref.forget_secrets()
    return started
