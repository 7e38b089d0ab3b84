"""Keys and secrets that live in Vault: against a real OpenBao, in development mode, which each run starts and stops."""

from __future__ import annotations

from pathlib import Path

import pytest
from bao_world import Bao

from affiant.kit import secretref
from affiant.kit.clock import FixedClock
from affiant.kit.errors import BadInput, CouldNotLook, Forbidden, LedgerUnavailable, NotFound
from affiant.kit.home import Home, create_home
from affiant.kit.keyring import create_keyring, open_keyring, rewrap
from affiant.kit.vault import SecretPath, TransitPath
from affiant.ledger import Draft, LedgerReader, Writer, verify_home
from affiant.ledger.logkeys import new_key, rotate
from affiant.proof.note import Note

NOW = 1_790_000_000_000_000


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("AFFIANT_UNLOCK", f"file:{tmp_path / 'unlock'}")
    made = create_home(tmp_path / "home", "test.example/vault", NOW, "n1")
    Writer.create(made, create_keyring(made), FixedClock(NOW)).close()
    return made


pytestmark = pytest.mark.server


def test_the_log_is_handed_over_to_a_key_that_never_leaves_vault(bao: Bao, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Transit signs heads, rotates its version under the hand-over, and while it is away entries are kept and heads wait."""
    bao.call("POST", "transit/keys/log", {"type": "ed25519"})
    with Writer.open(home, open_keyring(home), FixedClock(NOW)) as writer:
        rotate(writer, writer.keyring, new_key("vault:transit/log"), 86_400, "system:local", "into Vault")
        assert len(Note.parse(writer.head.note).signatures) == 2
    ring = open_keyring(home)
    assert ring.log_seed == b""
    assert ring.held[-1].transit == "vault:transit/log@1"
    bao.call("POST", "transit/keys/log/rotate")
    with Writer.open(home, ring, FixedClock(NOW)) as writer:
        writer.append([Draft("job.run", {"due": 1, "ok": 1}, actor="system:test")])
        before = writer.head.size
        monkeypatch.setenv("VAULT_ADDR", "http://127.0.0.1:9")
        writer.use_keys(ring)
        with pytest.raises(LedgerUnavailable, match="did not answer"):
            writer.checkpoint()
        assert writer.head.size == before
        monkeypatch.setenv("VAULT_ADDR", bao.url)
        writer.use_keys(ring)
        writer.append([Draft("job.run", {"due": 2, "ok": 1}, actor="system:test")])
        assert writer.checkpoint().size == writer.size
        rotate(writer, ring, new_key("vault:transit/log"), 0, "system:local", "version 2")
    assert [held.transit for held in open_keyring(home).held] == ["", "", "vault:transit/log@2"]
    report = verify_home(home)
    assert report.good, report.lines()
    assert len(LedgerReader(home).log_keys().keys) == 3


def test_a_transit_key_that_can_be_exported_or_is_of_another_type_is_refused(bao: Bao) -> None:
    """Only an Ed25519 key that stays in Vault may sign the log."""
    bao.call("POST", "transit/keys/loose", {"type": "ed25519", "exportable": True})
    bao.call("POST", "transit/keys/rsa", {"type": "aes256-gcm96"})
    with pytest.raises(BadInput, match="exported"):
        new_key("vault:transit/loose")
    with pytest.raises(BadInput, match="type"):
        new_key("vault:transit/rsa")
    with pytest.raises(NotFound):
        new_key("vault:transit/nothing")


def test_provider_secrets_and_the_unlock_secret_come_from_vault(bao: Bao, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """A KV secret is read by reference, rotated without a restart, survives a short outage; it can unlock the keyring."""
    bao.call("POST", "secret/data/openai", {"data": {"api_key": "sk-one"}})
    assert secretref.resolve("vault:secret/openai#api_key") == "sk-one"
    bao.call("POST", "secret/data/openai", {"data": {"api_key": "sk-two"}})
    assert secretref.resolve("vault:secret/openai#api_key") == "sk-one"
    secretref.forget_secrets()
    assert secretref.resolve("vault:secret/openai#api_key") == "sk-two"
    with pytest.raises(NotFound, match="field"):
        secretref.resolve("vault:secret/openai#other")
    with pytest.raises(BadInput, match="names no secret"):
        secretref.check_ref("vault:secret/openai")
    bao.call("POST", "secret/data/unlock", {"data": {"value": "u" * 40}})
    ring = open_keyring(home)
    assert rewrap(home, "vault:secret/unlock#value") == "vault:secret/unlock#value"
    monkeypatch.setenv("AFFIANT_UNLOCK", "vault:secret/unlock#value")
    assert open_keyring(home) == ring
    monkeypatch.setenv("VAULT_TOKEN", "wrong")
    secretref.forget_secrets()
    with pytest.raises(Forbidden):
        secretref.resolve("vault:secret/openai#api_key")
    monkeypatch.setenv("VAULT_ADDR", "http://127.0.0.1:9")
    with pytest.raises(CouldNotLook):
        secretref.resolve("vault:secret/openai#api_key")


def test_references_to_vault_are_read_strictly() -> None:
    """Mount, path, field, name and version are taken apart, and nothing that could leave the path is accepted."""
    assert SecretPath.parse("kv/team/openai#key") == SecretPath("kv", "team/openai", "key")
    assert TransitPath.parse("vault:a/transit/log@3") == TransitPath("a/transit", "log", 3)
    for bad in ("vault:../sys#x", "vault:kv/a/../b#x", "vault:kv/a?x=1#y", "vault:kv#x", "vault:kv/a#"):
        with pytest.raises(BadInput):
            secretref.check_ref(bad)
    for bad in ("transit/log", "vault:log", "vault:transit/log@-1", "vault:transit/l og"):
        with pytest.raises(BadInput):
            TransitPath.parse(bad)
