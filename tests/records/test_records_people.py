"""Sign-in, sessions, leaving, keys, tenant-month keys and adopted controls."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from records_world import RING, START_US, resolve, world

from affiant.kit.clock import SystemClock
from affiant.kit.db import Database
from affiant.kit.errors import BadInput, Conflict, CouldNotLook, Forbidden, NoRoom, NotFound
from affiant.records import FaultyInput, Key, Records
from affiant.records.schema import MIGRATIONS
from affiant.records.store import Store

MINUTE_US = 60_000_000
PASSWORD = "correct horse battery"


def test_a_sign_in_link_works_once_and_for_fifteen_minutes(tmp_path: Path) -> None:
    """A link opens one session; used or late it is refused and recorded."""
    with world(tmp_path) as w:
        token = w.records.sign_in_link("cy", "ann")
        done = w.records.use_link(token)
        assert w.records.session(done.token) == done.session
        with pytest.raises(Forbidden, match="used or expired"):
            w.records.use_link(token)
        late = w.records.sign_in_link("cy", "local")
        w.clock.value_us += 15 * MINUTE_US
        with pytest.raises(Forbidden):
            w.records.use_link(late)
        assert [event.body["why"] for event in w.events("session.refused")] == ["link unknown or used", "link expired"]
        with pytest.raises(Forbidden):
            w.records.sign_in_link("cy", "gus")


@pytest.mark.own_file
def test_no_secret_lies_in_the_database(tmp_path: Path) -> None:
    """Session tokens, link tokens, key secrets, passwords and tenant keys are not in records.db or its log in the clear."""
    with world(tmp_path) as w:
        link = w.records.sign_in_link("cy", "ann")
        key = w.records.create_key("cy", ["chat"], "ann", "acme")
        w.records.set_password("cy", PASSWORD, "cy")
        session = w.records.sign_in("cy", PASSWORD)
        clear = w.records.tenant_key("acme", 202601)
        stored = b"".join(path.read_bytes() for path in w.home.root.glob("records.db*"))
        for secret in (link, key.secret, PASSWORD, session.token):
            assert secret.encode() not in stored
        assert clear not in stored


def test_passwords_rest_after_failures(tmp_path: Path) -> None:
    """After five wrong passwords even the right one rests for a quarter of an hour; what was typed as a name is not recorded."""
    with world(tmp_path) as w:
        with pytest.raises(BadInput, match="at least 12"):
            w.records.set_password("cy", "short", "cy")
        with pytest.raises(Forbidden):
            w.records.set_password("cy", PASSWORD, "gus")
        w.records.set_password("cy", PASSWORD, "cy")
        assert w.records.sign_in("cy", PASSWORD).session.roles == ("developer",)
        for _ in range(5):
            with pytest.raises(Forbidden, match="wrong"):
                w.records.sign_in("cy", "wrong horse battery")
        with pytest.raises(Forbidden, match="rests"):
            w.records.sign_in("cy", PASSWORD)
        w.clock.value_us += 15 * MINUTE_US
        w.records.sign_in("cy", PASSWORD)
        with pytest.raises(Forbidden, match="wrong"):
            w.records.sign_in("my secret typed as name", PASSWORD)
        assert "person" not in w.events("session.refused")[-1].body
        with pytest.raises(Forbidden, match="wrong"):
            w.records.sign_in("bo", "")


def test_sessions_end_when_idle_and_at_the_latest_after_twelve_hours(tmp_path: Path) -> None:
    """An idle hour ends a session; use keeps it alive up to its absolute end; each end is an event."""
    with world(tmp_path) as w:
        idle = w.records.use_link(w.records.sign_in_link("cy", "ann"))
        busy = w.records.use_link(w.records.sign_in_link("bo", "ann"))
        for _ in range(23):
            w.clock.value_us += 30 * MINUTE_US
            assert w.records.session(busy.token) is not None
        assert w.records.session(idle.token) is None
        w.clock.value_us += 30 * MINUTE_US
        assert w.records.session(busy.token) is None
        assert {event.ref for event in w.events("session.closed")} == {idle.session.id, busy.session.id}


def test_signing_out_is_for_the_owner_or_who_invites(tmp_path: Path) -> None:
    """Somebody else's session is ended by an admin only."""
    with world(tmp_path) as w:
        done = w.records.use_link(w.records.sign_in_link("cy", "ann"))
        with pytest.raises(Forbidden):
            w.records.sign_out(done.session.id, "di")
        w.records.sign_out(done.session.id, "ann")
        assert w.records.session(done.token) is None
        with pytest.raises(NotFound):
            w.records.sign_out(done.session.id, "cy")


def test_a_leaver_loses_everything_in_one_transaction(tmp_path: Path) -> None:
    """Roles, sessions, links, password and keys go together, and the person can do nothing any more."""
    with world(tmp_path) as w:
        w.records.set_password("cy", PASSWORD, "cy")
        session = w.records.sign_in("cy", PASSWORD)
        link = w.records.sign_in_link("cy", "ann")
        w.records.leave("cy", "bo")
        last = [event for event in w.events() if event.at_us == w.clock.now_us()][-4:]
        assert [event.type for event in last] == ["person.left", "session.closed", "key.revoke_requested", "key.revoked"]
        assert w.records.session(session.token) is None
        for attempt in (lambda: w.records.sign_in("cy", PASSWORD), lambda: w.records.use_link(link)):
            with pytest.raises(Forbidden):
                attempt()
        with pytest.raises(NotFound):
            w.records.propose("model", "x", {"provider": "sim", "upstream": "u", "version": "1"}, "cy")
        assert next(key for key in w.records.compile().keys if key.id == "k1").revoked == 1
        with pytest.raises(Conflict):
            w.records.leave("cy", "bo")
        with pytest.raises(NotFound):
            w.records.leave("nobody", "bo")


def test_keys_are_made_listed_rotated_and_revoked(tmp_path: Path) -> None:
    """A key's secret is shown once; rotation makes one and revokes one together; an owner may revoke their own."""
    with world(tmp_path) as w:
        made = w.records.create_key("eve", ["chat", "m1"], "di", "acme", START_US + MINUTE_US)
        assert w.events("key.created")[-1].body == {"owner": "eve", "scope": ["chat", "m1"], "expires": START_US + MINUTE_US}
        new = w.records.rotate_key(made.key.id, "di")
        assert new.secret != made.secret
        assert [(key.state, key.scope) for key in w.records.keys("eve")] == [("revoked", ("chat", "m1")), ("live", ("chat", "m1"))]
        with pytest.raises(Forbidden):
            w.records.revoke_key("k1", "eve")
        assert w.records.revoke_key(new.key.id, "eve").state == "revoked"
        with pytest.raises(Conflict):
            w.records.revoke_key(new.key.id, "eve")
        body = w.events("key.revoked")[-1].body
        assert body["workers"] == 0
        assert 0 <= body["elapsed_ms"] < 1_000


def test_a_key_with_several_faults_names_them_all(tmp_path: Path) -> None:
    """Owner, scope, tenant and expiry are judged together."""
    with world(tmp_path) as w:
        with pytest.raises(FaultyInput) as caught:
            w.records.create_key("x@y.example", ["no"], "ann", "a b", START_US)
        assert {fault.path for fault in caught.value.faults} == {"owner", "tenant", "expires", "models[0]"}
        with pytest.raises(Forbidden):
            w.records.create_key("eve", ["chat"], "eve")


def test_tenant_month_keys_exist_ahead_and_can_be_destroyed(tmp_path: Path) -> None:
    """This month's and the next one's keys exist for each tenant; a destroyed one is gone from file and log and never comes back."""
    with world(tmp_path) as w:
        keys = {(key.tenant, key.month) for key in w.records.compile().tenant_keys}
        assert keys == {(tenant, month) for tenant in ("-", "acme") for month in (202601, 202602)}
        w.clock.value_us += 31 * 86_400_000_000
        epoch = w.records.epoch
        keys = {(key.tenant, key.month) for key in w.records.compile().tenant_keys}
        assert ("acme", 202603) in keys
        assert ("acme", 202601) in keys
        assert w.records.epoch == epoch + 1
        with w.records._units.read() as store:
            row = store.tenant_key("acme", 202601)
        assert row is not None
        with pytest.raises(Forbidden):
            w.records.destroy_tenant_key("acme", 202601, "ann")
        w.records.destroy_tenant_key("acme", 202601, "fay")
        stored = b"".join(path.read_bytes() for path in w.home.root.glob("records.db*"))
        assert row[0] not in stored
        with pytest.raises(NotFound, match="destroyed"):
            w.records.tenant_key("acme", 202601)
        assert ("acme", 202601) not in {(key.tenant, key.month) for key in w.records.compile().tenant_keys}


def test_controls_are_adopted_when_new_or_changed(tmp_path: Path) -> None:
    """Adopting the same list again writes nothing; a new version or schedule writes one event."""
    with world(tmp_path) as w:
        schedule = [{"item": "probe", "every": "day", "minute": 10}]
        wanted = [("AUD-4.1", 1, "a" * 64, schedule), ("PI-5.1", 1, "b" * 64, [])]
        assert w.records.adopt_controls(wanted) == ("AUD-4.1", "PI-5.1")
        assert w.records.adopt_controls(wanted) == ()
        wanted[1] = ("PI-5.1", 2, "c" * 64, [])
        assert w.records.adopt_controls(wanted) == ("PI-5.1",)
        assert w.events("control.adopted")[0].body == {"control_version": 1, "sha": "a" * 64, "schedule": schedule}
        with pytest.raises(FaultyInput):
            w.records.adopt_controls([("x", 0, "short", [{"every": "year"}])])


def test_events_are_numbered_without_gaps_and_committed_with_their_rows(tmp_path: Path) -> None:
    """A verb that fails in its last step leaves neither row nor event nor a used number."""
    with world(tmp_path) as w:
        before = [event.seq for event in w.events()]
        with pytest.raises(Conflict):
            w.records.create_key("cy", ["chat"], "ann", key_id="k1")
        w.records.create_key("cy", ["chat"], "ann", key_id="k2")
        assert [event.seq for event in w.events()] == [*before, len(before)]
        assert before == list(range(len(before)))
        assert {event.producer for event in w.events()} == {"n1/records/0"}


@pytest.mark.own_file
def test_a_full_database_refuses_in_words_and_keeps_what_it_had(tmp_path: Path) -> None:
    """Where the disk gives no more room the verb fails with nothing changed."""
    with world(tmp_path) as w:
        with w.records._units.database.reading() as connection:
            pages = connection.execute("PRAGMA page_count").fetchone()[0]
            connection.execute(f"PRAGMA max_page_count = {pages}")
        count = len(w.events())
        with pytest.raises(NoRoom, match="cannot grow"):
            for _ in range(500):
                w.records.create_key("cy", ["chat"], "ann")
        kept = len(w.records.keys()) - 1
        assert len(w.events()) == count + kept


@pytest.mark.own_file
def test_a_missing_or_newer_database_is_refused(tmp_path: Path) -> None:
    """Records are never made anew over lost data, and a newer file is left alone."""
    with world(tmp_path) as w:
        home = w.home
    connection = sqlite3.connect(home.records_db)
    connection.execute("UPDATE schema_version SET version = 99")
    connection.commit()
    connection.close()
    with pytest.raises(BadInput, match="version 99"):
        Records(home, RING, SystemClock(), resolve=resolve)
    home.records_db.write_bytes(b"not a database at all" * 1000)
    with pytest.raises(BadInput, match="damaged"):
        Records(home, RING, SystemClock())
    home.records_db.unlink()
    with pytest.raises(CouldNotLook, match="not there"):
        Records(home, RING, SystemClock())


@pytest.mark.own_file
def test_an_earlier_file_keeps_the_order_of_its_rows(tmp_path: Path) -> None:
    """Rows from before they were numbered are numbered in the order in which they were made."""
    path = tmp_path / "records.db"
    before = Database(path, MIGRATIONS[:3])
    with before.transaction() as connection:
        for key in ("zz", "mm", "aa"):
            connection.execute(
                "INSERT INTO keys (id, hash, owner, tenant, scope, created_us) VALUES (?, ?, 'cy', '-', '[]', 1)", (key, key)
            )
    before.close()
    now = Database(path, MIGRATIONS)
    with now.transaction() as connection:
        store = Store(connection)
        store.put_key(Key("bb", "cy", "-", (), 1, 0, 0, 0), "hash")
        assert [key.id for key in store.all_keys()] == ["zz", "mm", "aa", "bb"]
    now.close()
