"""Sealed values on several nodes: with the halves of subjects' keys in Vault, what one destroys is gone on all, and from older copies."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("asyncpg", reason="the package asyncpg is not installed")

sys.path.append(str(Path(__file__).parents[1] / "keys"))

from bao_world import MISSING, TOKEN, Bao, running_bao
from server_world import ServerWorld
from test_shared_records import Nodes

from affiant.kit.errors import CouldNotLook, NotFound

pytestmark = pytest.mark.server
CLEAR = "cy.planted-19c4@example.com"


@pytest.fixture
def bao(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bao]:
    if MISSING:
        pytest.skip(MISSING)
    with running_bao() as own:
        for name, value in (("VAULT_ADDR", own.url), ("VAULT_TOKEN", TOKEN), ("AFFIANT_SUBJECTS", "vault:secret/subjects")):
            monkeypatch.setenv(name, value)
        yield own


@pytest.fixture
def nodes(bao: Bao, servers: ServerWorld) -> Iterator[Nodes]:
    """Two nodes that reach one Vault, with somebody who may forget."""
    made = Nodes(servers)
    made.a.apply({"people": [{"id": "fay", "roles": ["privacy"]}]}, "ann")
    change = made.a.changes("proposed")[0]
    made.b.approve(change.id, "bo")
    made.b.activate(change.id, "ann")
    yield made
    made.a.close()
    made.b.close()


def rows(nodes: Nodes) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    return nodes.servers.sql("SELECT * FROM @.subject_keys"), nodes.servers.sql("SELECT * FROM @.sealed")


def test_what_one_node_destroys_is_gone_on_all_and_from_an_older_copy(nodes: Nodes) -> None:
    """Sealed on one, opened on the other, destroyed there, gone on both; the rows of before, put back, open nothing."""
    a, b = nodes.a.sealed, nodes.b.sealed
    a.set_contact("cy", CLEAR, "cy")
    b.set_contact("bo", "bo@example.com", "bo")
    assert b.contact("cy", "cy").value == CLEAR and a.contact("bo", "bo").value == "bo@example.com"
    keys, values = rows(nodes)
    assert b.destroy_subject("person/cy", "asked for", "fay") == 1
    for side in (a, b):
        with pytest.raises(NotFound):
            side.contact("cy", "cy")
        assert side.contact("bo", "bo").value == "bo@example.com"
    assert [event.producer for event in nodes.events("subject_key.destroyed")] == ["n2/records/0"]

    nodes.servers.sql("DELETE FROM @.sealed")  # an older backup of PostgreSQL is restored
    nodes.servers.sql("DELETE FROM @.subject_keys")
    for key in keys:
        nodes.servers.sql("INSERT INTO @.subject_keys VALUES ($1, $2, $3, $4)", *key)
    for value in values:
        nodes.servers.sql("INSERT INTO @.sealed VALUES ($1, $2, $3, $4, $5, $6, $7, $8)", *value)
    for side in (a, b):
        with pytest.raises(NotFound, match="destroyed"):
            side.contact("cy", "cy")
        assert side.contact("bo", "bo").value == "bo@example.com"
    assert a.reapply("fay") == ["person/cy"] and b.reapply("fay") == []
    assert a.destroy_subject("person/bo", "asked for", "fay") == 1
    assert rows(nodes)[1] == []


def test_a_half_is_neither_in_postgresql_nor_in_its_log(nodes: Nodes, bao: Bao) -> None:
    """No byte of a half, nor of a value, is among PostgreSQL's files, its log of changes included."""
    nodes.a.sealed.set_contact("cy", CLEAR, "cy")
    nodes.b.sealed.contact("cy", "cy")
    names = [name for name in bao.call("GET", "secret/metadata/subjects/?list=true")["data"]["keys"] if name != "store"]
    half = str(bao.call("GET", f"secret/data/subjects/{names[0]}")["data"]["data"]["half"])
    nodes.servers.sql("CHECKPOINT")
    [(data,)] = nodes.servers.sql("SHOW data_directory")
    needles = (bytes.fromhex(half), half.encode(), CLEAR.encode())
    files = [path for path in Path(str(data)).rglob("*") if path.is_file()]
    assert any(path.parent.name == "pg_wal" for path in files)
    assert not [path for path in files for data in (path.read_bytes(),) if any(needle in data for needle in needles)]


def test_a_node_that_does_not_reach_vault_loses_nothing(nodes: Nodes, bao: Bao, monkeypatch: pytest.MonkeyPatch) -> None:
    """It cannot look, and holds up no other node; records go on there."""
    nodes.a.sealed.set_contact("cy", CLEAR, "cy")
    with monkeypatch.context() as wrong:
        wrong.setenv("VAULT_ADDR", "http://127.0.0.1:9")
        for verb in (
            lambda: nodes.b.sealed.contact("cy", "cy"), lambda: nodes.b.sealed.destroy_subject("person/cy", "x", "fay"),
            lambda: nodes.b.sealed.reapply("fay"), lambda: nodes.b.sealed.set_contact("bo", "bo@example.com", "bo"),
        ):  # fmt: skip
            with pytest.raises(CouldNotLook, match="did not answer"):
                verb()
        nodes.b.create_key("cy", ["m1"], "ann", key_id="k2")
    assert nodes.a.sealed.contact("cy", "cy").value == CLEAR
    assert nodes.b.sealed.contact("cy", "cy").value == CLEAR and not nodes.events("subject_key.destroyed")
