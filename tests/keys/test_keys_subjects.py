"""Halves of subjects' keys in a KV engine: against a real OpenBao, with every way in which it cannot be looked at."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from bao_world import MISSING, TOKEN, Bao, running_bao

from affiant.app import main
from affiant.cli.checks import run_checks
from affiant.kit import vault
from affiant.kit.clock import FixedClock
from affiant.kit.errors import AffiantError, BadInput, CouldNotLook, NotFound
from affiant.kit.halfstore import open_halves
from affiant.kit.home import Home, create_home, open_home
from affiant.kit.keyring import create_keyring, open_keyring
from affiant.kit.secretref import resolve
from affiant.kit.vaulthalves import VaultHalves
from affiant.ledger import LedgerReader, Writer, verify_home
from affiant.records import Records

pytestmark = pytest.mark.server
NOW = 1_790_000_000_000_000
PLANTED = "wanda.planted-7f3a@example.org"
PEOPLE = [{"id": i, "roles": [r]} for i, r in (("ann", "admin"), ("fay", "privacy"), ("gus", "auditor"), ("wanda", "consumer"))]
RULES = """
path "secret/data/subjects/*" { capabilities = ["create", "read"] }
path "secret/metadata/subjects/*" { capabilities = ["delete", "list"] }
"""


@pytest.fixture
def home(tmp_path: Path, bao: Bao, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home whose store of halves is Vault's, with a token that may do no more than is needed."""
    monkeypatch.setenv("AFFIANT_UNLOCK", f"file:{tmp_path / 'unlock'}")
    monkeypatch.setenv("AFFIANT_SUBJECTS", "vault:secret/subjects")
    monkeypatch.setenv("VAULT_TOKEN", bao.token("subjects", RULES))
    for name in listed(bao):
        bao.call("DELETE", f"secret/metadata/subjects/{name}")
    return make(tmp_path / "home", "test.example/subjects")


def make(root: Path, origin: str) -> Home:
    """A home with people."""
    made = create_home(root, origin, NOW, "n1")
    ring = create_keyring(made)
    Writer.create(made, ring, FixedClock(NOW)).close()
    Records(made, ring, FixedClock(NOW), create=True).close()
    with records(made) as opened:
        opened.apply({"people": PEOPLE}, "ann")
    return made


@contextmanager
def records(home: Home) -> Iterator[Records]:
    """The records of a home; on leaving, everything is in the ledger and signed."""
    ring = open_keyring(home)
    opened = Records(home, ring, FixedClock(NOW))
    try:
        yield opened
    finally:
        opened.close()
        with Writer.open(home, ring, FixedClock(NOW)) as writer:
            writer.pump_outbox()
            writer.checkpoint()


def listed(bao: Bao) -> list[str]:
    """Names in the store."""
    try:
        return [str(name) for name in bao.call("GET", "secret/metadata/subjects/?list=true")["data"]["keys"]]
    except OSError:  # 404
        return []


def halves(bao: Bao) -> list[str]:
    """The halves in the store, in hex."""
    return [str(bao.call("GET", f"secret/data/subjects/{name}")["data"]["data"]["half"]) for name in listed(bao) if name != "store"]


def found_in(folder: Path, needle: bytes) -> list[str]:
    return [str(path) for path in folder.rglob("*") if path.is_file() and needle in path.read_bytes()]


def test_a_destroyed_half_is_gone_from_vault_and_closes_older_copies_of_the_home(home: Home, bao: Bao, tmp_path: Path) -> None:
    """Sealed, opened, destroyed: no version of the half is left, neither home nor older copy opens the value, others still open."""
    with records(home) as r:
        r.sealed.set_contact("wanda", PLANTED, "ann")
        r.sealed.set_contact("wanda", PLANTED, "ann")
        assert r.sealed.contact("wanda", "wanda").value == PLANTED
        [half] = halves(bao)
        r.sealed.set_contact("gus", "gus@example.org", "ann")
    assert len(listed(bao)) == 3 and not any("wanda" in name or "person" in name for name in listed(bao))
    copy = tmp_path / "older"
    shutil.copytree(home.root, copy)
    assert found_in(home.root, bytes.fromhex(half)) == found_in(home.root, half.encode()) == []
    with records(home) as r:
        assert r.sealed.destroy_subject("person/wanda", "asked for", "fay") == 2
        assert half not in halves(bao) and len(listed(bao)) == 2
        with pytest.raises(NotFound):
            r.sealed.contact("wanda", "wanda")
        r.sealed.set_contact("wanda", "new@example.org", "wanda")
        assert r.sealed.contact("wanda", "wanda").value == "new@example.org"
        assert r.sealed.destroy_subject("person/wanda", "again", "fay") == 1
        assert r.sealed.contact("gus", "gus").value == "gus@example.org"
    older = open_home(copy)
    with records(older) as r:
        with pytest.raises(NotFound, match="destroyed"):
            r.sealed.contact("wanda", "wanda")
        assert r.sealed.reapply("fay") == ["person/wanda"] and r.sealed.reapply("fay") == []
        assert r.sealed.contact("gus", "gus").value == "gus@example.org"
    assert verify_home(older).good and verify_home(home).good


def _refused(home: Home, match: str) -> None:
    """Every verb says that it cannot look, and none says that something is gone."""
    with records(home) as r:
        verbs: tuple[Callable[[], object], ...] = (
            lambda: r.sealed.contact("wanda", "wanda"), lambda: r.sealed.set_contact("wanda", "w@example.org", "wanda"),
            lambda: r.sealed.set_contact("gus", "g@example.org", "gus"), lambda: r.sealed.destroy_subject("person/wanda", "x", "fay"),
            lambda: r.sealed.reapply("fay"),
        )  # fmt: skip
        for verb in verbs:
            with pytest.raises(CouldNotLook, match=match):
                verb()


_FAULTS: dict[str, tuple[dict[str, str], str]] = {
    "nobody answers": ({"VAULT_ADDR": "http://127.0.0.1:9"}, "did not answer"),
    "an unknown token": ({"VAULT_TOKEN": "wrong"}, "refuses this token"),
    "no token": ({"AFFIANT_VAULT_TOKEN": "env:NOT_SET_ANYWHERE"}, "NOT_SET_ANYWHERE is not set"),
    "no address": ({"VAULT_ADDR": ""}, "VAULT_ADDR is not set"),
    "another prefix": ({"AFFIANT_SUBJECTS": "vault:secret/elsewhere", "VAULT_TOKEN": TOKEN}, "is not at vault:secret/elsewhere"),
    "another mount": ({"AFFIANT_SUBJECTS": "vault:nothing/subjects", "VAULT_TOKEN": TOKEN}, "no engine"),
    "version 1": ({"AFFIANT_SUBJECTS": "vault:old/subjects", "VAULT_TOKEN": TOKEN}, "is not at|version 2"),
    "a file": ({"AFFIANT_SUBJECTS": "file:/nonexistent/subjects"}, "is not at"),
}


@pytest.mark.parametrize("name", _FAULTS)
def test_a_store_that_cannot_be_looked_at_is_an_error_and_nothing_is_lost(
    home: Home, bao: Bao, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Nothing is opened, sealed, destroyed or taken for destroyed; once it can be looked at again all is as before."""
    with records(home) as r:
        r.sealed.set_contact("wanda", PLANTED, "ann")
    before = (listed(bao), halves(bao))
    settings, match = _FAULTS[name]
    with monkeypatch.context() as wrong:
        for variable, value in settings.items():
            wrong.setenv(variable, value)
        _refused(home, match)
    assert (listed(bao), halves(bao)) == before
    with records(home) as r:
        assert r.sealed.contact("wanda", "wanda").value == PLANTED
    assert not list(LedgerReader(home).of_types("subject_key.destroyed"))


def test_a_deleted_half_is_not_taken_for_a_destroyed_one(home: Home, bao: Bao) -> None:
    """Deleted in Vault without destroying it, it says so; undeleted, the value is there; overwritten by something else, it says so."""
    with records(home) as r:
        r.sealed.set_contact("wanda", PLANTED, "ann")
    [name] = [each for each in listed(bao) if each != "store"]
    bao.call("DELETE", f"secret/data/subjects/{name}")
    with records(home) as r:
        with pytest.raises(CouldNotLook, match="was deleted"):
            r.sealed.contact("wanda", "wanda")
        with pytest.raises(CouldNotLook, match="was deleted"):
            r.sealed.destroy_subject("person/wanda", "x", "fay")
        assert r.sealed.reapply("fay") == []
    bao.call("POST", f"secret/undelete/subjects/{name}", {"versions": [1]})
    with records(home) as r:
        assert r.sealed.contact("wanda", "wanda").value == PLANTED
    bao.call("POST", f"secret/data/subjects/{name}", {"data": {"half": "00"}})
    with records(home) as r, pytest.raises(CouldNotLook, match="no half"):
        r.sealed.contact("wanda", "wanda")


def test_a_token_that_may_not_destroy_destroys_nothing(home: Home, bao: Bao, monkeypatch: pytest.MonkeyPatch) -> None:
    """The records do not say that a key was destroyed which Vault kept; the doctor names what the token may not."""
    with records(home) as r:
        r.sealed.set_contact("wanda", PLANTED, "ann")
    with monkeypatch.context() as wrong:
        wrong.setenv("VAULT_TOKEN", bao.token("reader", RULES.replace('"delete", ', "")))
        with records(home) as r:
            with pytest.raises(CouldNotLook, match="refuses this token"):
                r.sealed.destroy_subject("person/wanda", "x", "fay")
            assert r.sealed.contact("wanda", "wanda").value == PLANTED
        with closing(open_halves(home, open_keyring(home).master)) as store, pytest.raises(CouldNotLook, match="delete on secret/metadata"):
            store.look()
    assert not list(LedgerReader(home).of_types("subject_key.destroyed"))
    with closing(open_halves(home, open_keyring(home).master)) as store:
        assert store.look() == "Halves of subjects' keys lie at vault:secret/subjects."


def test_a_half_that_was_destroyed_without_a_word_in_the_records_is_told(home: Home, bao: Bao, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed between Vault and the commit: the value is gone, and the same command, or `erasures`, writes the event."""
    with records(home) as r:
        for person in ("wanda", "gus"):
            r.sealed.set_contact(person, f"{person}@example.org", person)
    destroy = VaultHalves.destroy

    def killed(store: VaultHalves, subject: str) -> bool:
        destroy(store, subject)
        raise KeyboardInterrupt

    with records(home) as r:
        monkeypatch.setattr(VaultHalves, "destroy", killed)  # a kill at this very place cannot be timed from outside
        for person in ("wanda", "gus"):
            with pytest.raises(KeyboardInterrupt):
                r.sealed.destroy_subject(f"person/{person}", "asked for", "fay")
        monkeypatch.setattr(VaultHalves, "destroy", destroy)
        with pytest.raises(NotFound, match="destroyed"):
            r.sealed.contact("wanda", "wanda")
        assert r.sealed.destroy_subject("person/wanda", "asked for", "fay") == 1
        assert r.sealed.reapply("fay") == ["person/gus"]
    events = [(event.ref, event.body["reapplied"]) for _, event in LedgerReader(home).of_types("subject_key.destroyed")]
    assert events == [("person/wanda", 0), ("person/gus", 1)]


def test_a_store_belongs_to_one_ledger(home: Home, bao: Bao, tmp_path: Path) -> None:
    """Another home that is pointed at it makes nothing there."""
    with records(home) as r:
        r.sealed.set_contact("wanda", PLANTED, "ann")
    other = make(tmp_path / "other", "test.example/other")
    before = listed(bao)
    with records(other) as r, pytest.raises(CouldNotLook, match="another ledger"):
        r.sealed.set_contact("wanda", PLANTED, "ann")
    assert listed(bao) == before


def test_an_engine_of_version_1_is_no_store(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would keep what is destroyed: nothing is sealed under a half there."""
    monkeypatch.setenv("AFFIANT_SUBJECTS", "vault:old/first")
    monkeypatch.setenv("VAULT_TOKEN", TOKEN)
    with records(home) as r, pytest.raises(CouldNotLook, match="version 2"):
        r.sealed.set_contact("wanda", PLANTED, "ann")
    assert not list(LedgerReader(home).of_types("person.contact_set"))


def test_a_sealed_vault_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is lost while it is sealed."""
    if MISSING:
        pytest.skip(MISSING)
    with running_bao() as own:
        for name, value in (("VAULT_ADDR", own.url), ("VAULT_TOKEN", TOKEN), ("AFFIANT_SUBJECTS", "vault:secret/subjects")):
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("AFFIANT_UNLOCK", f"file:{tmp_path / 'unlock'}")
        home = make(tmp_path / "home", "test.example/sealed")
        with records(home) as r:
            r.sealed.set_contact("wanda", PLANTED, "ann")
        own.call("POST", "sys/seal")
        _refused(home, "sealed")
        own.call("POST", "sys/unseal", {"key": own.unseal_key})
        with records(home) as r:
            assert r.sealed.contact("wanda", "wanda").value == PLANTED


def test_the_doctor_looks_at_the_store(home: Home, bao: Bao, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing sealed is a note, a store that is there is good, one that cannot be reached is not looked at."""

    def state() -> tuple[str, str]:
        [outcome] = [each for each in run_checks(home.root) if each.check == "subjects"]
        return outcome.state.value, outcome.what

    assert state()[0] == "note"
    with records(home) as r:
        r.sealed.set_contact("wanda", PLANTED, "ann")
    assert state() == ("good", "Halves of subjects' keys lie at vault:secret/subjects. 1 subjects have a key.")
    with monkeypatch.context() as wrong:
        wrong.setenv("VAULT_ADDR", "http://127.0.0.1:9")
        assert state()[0] == "not looked at" and "did not answer" in state()[1]
    bao.call("DELETE", "secret/metadata/subjects/store")
    assert state()[0] == "not looked at" and "is not at" in state()[1]


def test_halves_of_a_file_are_brought_into_vault(
    home: Home, bao: Bao, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every live one, none that was destroyed; repeated it changes nothing; the file is as it was; another half there is no overwriting."""
    words = ["ledger", "key", "subjects", "--home", str(home.root), "--to", "vault:secret/subjects"]
    with monkeypatch.context() as file:
        file.setenv("AFFIANT_SUBJECTS", f"file:{tmp_path / 'subjects'}")
        with records(home) as r:
            for person in ("wanda", "gus", "ann"):
                r.sealed.set_contact(person, f"{person}@example.org", person)
            r.sealed.destroy_subject("person/gus", "asked for", "fay")
        for _ in range(2):
            assert main(words) == 0
            assert json.loads(capsys.readouterr().out) == {"copied": 2, "set": "vault:secret/subjects"}
        assert main([*words[:-1], "file:elsewhere"]) == 2
    assert len(listed(bao)) == 3
    with records(home) as r:
        assert r.sealed.contact("wanda", "wanda").value == "wanda@example.org"
        with pytest.raises(NotFound):
            r.sealed.contact("gus", "gus")
        r.sealed.destroy_subject("person/ann", "asked for", "fay")
        r.sealed.set_contact("ann", "new@example.org", "ann")
    monkeypatch.setenv("AFFIANT_SUBJECTS", f"file:{tmp_path / 'subjects'}")
    capsys.readouterr()
    assert main(words) == 3
    assert "another half of the key of person/ann" in capsys.readouterr().err


@pytest.mark.parametrize("reference", ["vault:", "vault:secret", "vault:secret/", "vault:secret/../sys", "vault:secret/a#b", "http:x"])
def test_a_reference_of_another_form_is_refused(home: Home, monkeypatch: pytest.MonkeyPatch, reference: str) -> None:
    """Before anything is sealed."""
    monkeypatch.setenv("AFFIANT_SUBJECTS", reference)
    with pytest.raises(BadInput), records(home) as r:
        r.sealed.set_contact("wanda", PLANTED, "ann")


def test_a_list_longer_than_an_answer_is_read_whole(bao: Bao, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names of many subjects come in one answer; an answer that is cut is an error, not a shorter list."""
    client, where = vault.VaultClient.from_env(resolve), vault.KvPath("secret", "many")
    for number in range(40):
        client.kv_create(where / f"{number:064x}", {"half": "x"})
    assert len(client.kv_list(where)) == 40
    monkeypatch.setattr(vault, "MAX_LIST_BYTES", 1_000)
    with pytest.raises(AffiantError):
        client.kv_list(where)
    assert client.kv_read(where / f"{1:064x}") == {"half": "x"}
