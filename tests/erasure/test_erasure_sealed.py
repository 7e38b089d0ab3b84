"""Sealed values: planted, looked at, proved, destroyed; then every byte of the home and of an older copy is searched for them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from affiant.kit.clock import FixedClock
from affiant.kit.errors import BadInput, Conflict, CouldNotLook, Forbidden, NotFound
from affiant.kit.halves import Halves, subjects_path
from affiant.kit.home import Home, create_home, open_home
from affiant.kit.keyring import create_keyring, open_keyring
from affiant.ledger import Draft, LedgerReader, Writer, verify_home
from affiant.proof.errors import Lie
from affiant.proof.hashes import verify_inclusion
from affiant.proof.sealed import check_reveal
from affiant.records import Records

NOW = 1_790_000_000_000_000
PLANTED = "wanda.planted-7f3a@example.org"
PEOPLE = [{"id": i, "roles": [r]} for i, r in (("ann", "admin"), ("bo", "compliance"), ("fay", "privacy"), ("gus", "auditor"))]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("AFFIANT_UNLOCK", f"file:{tmp_path / 'outside' / 'unlock'}")
    made = create_home(tmp_path / "home", "test.example/erasure", NOW, "n1")
    ring = create_keyring(made)
    Writer.create(made, ring, FixedClock(NOW)).close()
    Records(made, ring, FixedClock(NOW), create=True).close()
    with records(made) as opened:
        opened.apply({"people": [*PEOPLE, {"id": "wanda", "roles": ["consumer"]}]}, "ann")
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


def found_in(folder: Path, *needles: bytes) -> list[str]:
    """Files of a folder whose bytes hold one of the needles; also as hex, base64 would have it otherwise."""
    hits = []
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            data = path.read_bytes()
            hits += [str(path) for needle in needles if needle in data or needle.hex().encode() in data]
    return hits


def good(home: Home) -> None:
    report = verify_home(home)
    assert report.good, report.lines()


def test_a_value_is_sealed_shown_to_those_who_may_and_proves_itself(home: Home) -> None:
    """The home holds no clear byte of it; salt and value check against the entry, and another value does not."""
    with records(home) as r:
        r.sealed.set_contact("wanda", PLANTED, "ann")
        assert r.sealed.contact("wanda", "wanda").value == PLANTED
        with pytest.raises(Forbidden):
            r.sealed.contact("wanda", "gus")
        with pytest.raises(BadInput, match="address"):
            r.sealed.set_contact("wanda", "Wanda <w@example.org>", "wanda")
        shown = r.sealed.contact("wanda", "fay")
    assert found_in(home.root, PLANTED.encode(), shown.salt) == []
    reader = LedgerReader(home)
    [(index, event)] = reader.of_types("person.contact_set")
    check_reveal(event.body["contact"], shown.salt.hex(), shown.value)
    with pytest.raises(Lie):
        check_reveal(event.body["contact"], shown.salt.hex(), "somebody.else@example.org")
    head = reader.checkpoint()
    verify_inclusion(index, head.size, reader.leaf_hash(index), reader.inclusion(index, head.size), head.root)
    assert [event.body["by"] for _, event in reader.of_types("sealed.opened")] == ["wanda", "fay"]
    assert len([1 for _, event in reader.of_types("access.denied")]) == 1
    good(home)


def test_a_destroyed_key_takes_its_values_from_the_home_and_from_older_copies(home: Home, tmp_path: Path) -> None:
    """Neither the home, nor what lies outside, nor an older copy with all its keys gives the value back; all proofs still hold."""
    with records(home) as r:
        committed = r.sealed.set_contact("wanda", PLANTED, "ann")
        r.sealed.set_contact("gus", "gus@example.org", "ann")
        shown = r.sealed.contact("wanda", "wanda")
    half = Halves(home, open_keyring(home).master)
    outer = half.get("person/wanda")
    half.close()
    assert outer is not None
    proof = LedgerReader(home).prove(2)
    copy = tmp_path / "older"
    shutil.copytree(home.root, copy)
    with records(home) as r:
        with pytest.raises(Forbidden):
            r.sealed.destroy_subject("person/wanda", "asked for", "ann")
        assert r.sealed.destroy_subject("person/wanda", "asked for", "fay") == 1
        with pytest.raises(NotFound):
            r.sealed.contact("wanda", "wanda")
        assert r.sealed.contact("gus", "gus").value == "gus@example.org"
    secrets = (PLANTED.encode(), shown.salt, outer)
    assert found_in(home.root, *secrets) == []
    assert found_in(tmp_path / "outside", *secrets) == []
    good(home)
    assert LedgerReader(home).prove(2).splitlines()[0] == proof.splitlines()[0]
    [(_, event)] = LedgerReader(home).of_types("subject_key.destroyed")
    assert (event.ref, event.body["values"], event.body["reapplied"]) == ("person/wanda", 1, 0)
    # The older copy, with the unlock secret and everything else that there is today.
    older = open_home(copy)
    with records(older) as r:
        with pytest.raises(NotFound, match="destroyed"):
            r.sealed.contact("wanda", "wanda")
        assert r.sealed.reapply("fay") == ["person/wanda"]
        assert r.sealed.reapply("fay") == []
        assert r.sealed.contact("gus", "gus").value == "gus@example.org"
    assert found_in(copy, *secrets) == []
    with records(older) as r, r._units.read() as store:
        assert store.connection.execute("SELECT count(*) FROM sealed WHERE subject = 'person/wanda'").fetchone()[0] == 0
    good(older)
    assert committed in LedgerReader(older).entry(next(i for i, _ in LedgerReader(older).of_types("person.contact_set"))).decode()


def test_a_lost_store_of_halves_is_named_and_nothing_is_destroyed(home: Home) -> None:
    """Without the store outside, values cannot be opened, sealed, destroyed or taken for destroyed; with it back all is well."""
    with records(home) as r:
        r.sealed.set_contact("wanda", PLANTED, "ann")
    path = subjects_path(home)
    path.rename(path.with_suffix(".away"))
    with records(home) as r:
        for act in (
            lambda: r.sealed.contact("wanda", "wanda"), lambda: r.sealed.set_contact("gus", "g@example.org", "ann"),
            lambda: r.sealed.destroy_subject("person/wanda", "x", "fay"), lambda: r.sealed.reapply("fay"),
        ):  # fmt: skip
            with pytest.raises(CouldNotLook, match="halves"):
                act()
    path.with_suffix(".away").rename(path)
    with records(home) as r:
        assert r.sealed.contact("wanda", "wanda").value == PLANTED


def test_a_kill_between_commit_and_destruction_is_made_up_for_at_start(home: Home) -> None:
    """The event is there and the half outside still is: opening the records destroys it."""
    with records(home) as r:
        r.sealed.set_contact("wanda", PLANTED, "ann")
        half = r._halves.get("person/wanda")
        r.sealed.destroy_subject("person/wanda", "asked for", "fay")
        with r._halves._open(create=False).transaction() as c:
            c.execute("INSERT INTO halves VALUES (?, ?)", (r._halves._tag("person/wanda"), half))
    with records(home) as r:
        assert r._halves.get("person/wanda") is None


def test_a_sealed_field_given_in_the_clear_is_refused_before_it_is_written(home: Home) -> None:
    """Neither the outbox nor an error holds a value that should have been sealed."""
    with records(home) as r, r._units.write() as unit:
        with pytest.raises(BadInput) as caught:
            unit.emit(Draft("person.contact_set", {"contact": PLANTED, "subject": "person/wanda", "by": "ann"}, ref="wanda"))
        assert PLANTED not in str(caught.value)
    assert found_in(home.root, PLANTED.encode()) == []


def test_a_legal_hold_blocks_destroying_until_somebody_else_releases_it(home: Home) -> None:
    """Placed and released as events, by two people; under it nothing is destroyed."""
    with records(home) as r:
        r.sealed.set_contact("wanda", PLANTED, "ann")
        with pytest.raises(Forbidden):
            r.sealed.place_hold("all", "x", "ann")
        hold = r.sealed.place_hold("person/wanda", "case 17", "bo")
        with pytest.raises(Conflict, match=hold.id):
            r.sealed.destroy_subject("person/wanda", "asked for", "fay")
        with pytest.raises(Conflict, match="does not release"):
            r.sealed.release_hold(hold.id, "over", "bo")
        r.sealed.release_hold(hold.id, "over", "fay")
        assert r.sealed.destroy_subject("person/wanda", "asked for", "fay") == 1
        r.sealed.set_contact("wanda", "new@example.org", "ann")
        assert r.sealed.contact("wanda", "wanda").value == "new@example.org"
    kinds = [event.type for _, event in LedgerReader(home).of_types("hold.placed", "hold.released", "subject_key.destroyed")]
    assert kinds == ["hold.placed", "hold.released", "subject_key.destroyed"]


def test_the_store_of_halves_must_lie_outside_the_home(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path within the home is refused: a copy of the home would hold both halves."""
    monkeypatch.setenv("AFFIANT_SUBJECTS", f"file:{home.root / 'run' / 'subjects'}")
    with records(home) as r, pytest.raises(BadInput, match="lies in the home"):
        r.sealed.set_contact("wanda", PLANTED, "ann")
    assert replace(home) == home
