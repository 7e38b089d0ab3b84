"""All SQL over records, once for SQLite and PostgreSQL. One `Store` wraps one connection; verbs call it inside a transaction (`unit`).

What is listed in the order of its making has a `place`, the next after the highest: transactions follow one another. Leaves out:
permission, validation, events on their way (`outbox`, `shared`). Rows come back as the nouns of `model`.
"""

from __future__ import annotations

import json
from typing import Any

from affiant.kit.sql import Connection, Row
from affiant.records.model import Adopted, Approval, Change, Content, Governed, Key, Person


def _key(row: Row) -> Key:
    return Key(
        row["id"], row["owner"], row["tenant"], tuple(json.loads(row["scope"])), row["created_us"], row["expires_us"],
        row["revoke_us"], row["revoked_us"],
    )  # fmt: skip


def _person(row: Row) -> Person:
    return Person(row["id"], tuple(json.loads(row["roles"])), bool(row["active"]), bool(row["password"]), row["since_us"])


def _governed(row: Row) -> Governed:
    return Governed(
        row["kind"], row["id"], json.loads(row["content"]), row["digest"], row["change"], row["author"], row["approved_by"], row["at_us"]
    )


class Store:
    """Statements over one open connection.

    Args:
        connection: held by the caller.
    """

    def __init__(self, connection: Connection) -> None:
        self._c = self.connection = connection

    def _one(self, sql: str, *values: Any) -> Row | None:
        row: Row | None = self._c.execute(sql, values).fetchone()
        return row

    def _all(self, sql: str, *values: Any) -> list[Row]:
        return self._c.execute(sql, values).fetchall()

    def _do(self, sql: str, *values: Any) -> int:
        return self._c.execute(sql, values).rowcount

    # -- counters

    def counter(self, name: str) -> int:
        row = self._one("SELECT value FROM counters WHERE name = ?", name)
        return int(row[0]) if row else 0

    def set_counter(self, name: str, value: int) -> None:
        self._do("INSERT INTO counters VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", name, value)

    # -- people, sessions, links

    def people(self) -> list[Person]:
        return [_person(row) for row in self._all("SELECT * FROM people ORDER BY id")]

    def person(self, person: str) -> Person | None:
        row = self._one("SELECT * FROM people WHERE id = ?", person)
        return _person(row) if row else None

    def put_person(self, person: str, roles: tuple[str, ...], active: bool, now_us: int) -> None:
        self._do(
            "INSERT INTO people (id, roles, active, since_us) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (id) DO UPDATE SET roles = excluded.roles, active = excluded.active",
            person, json.dumps(roles), int(active), now_us,
        )  # fmt: skip

    def sign_in_row(self, person: str) -> tuple[str, int, int] | None:
        """Password hash, failures since the last success, time of the last failure."""
        row = self._one("SELECT password, failures, failed_us FROM people WHERE id = ? AND active = 1", person)
        return (row["password"], row["failures"], row["failed_us"]) if row else None

    def set_failures(self, person: str, failures: int, at_us: int) -> None:
        self._do("UPDATE people SET failures = ?, failed_us = ? WHERE id = ?", failures, at_us, person)

    def set_password(self, person: str, password_hash: str) -> None:
        self._do("UPDATE people SET password = ?, failures = 0 WHERE id = ?", password_hash, person)

    def put_session(self, session: str, token_hash: str, person: str, csrf: str, now_us: int, expires_us: int) -> None:
        self._do("INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?)", session, token_hash, person, csrf, now_us, now_us, expires_us)

    def session_by_token(self, token_hash: str) -> Row | None:
        return self._one(
            "SELECT s.*, p.roles AS roles FROM sessions s JOIN people p ON p.id = s.person AND p.active = 1 WHERE token_hash = ?",
            token_hash,
        )

    def sessions_of(self, person: str) -> list[Row]:
        return self._all("SELECT id, opened_us, seen_us, expires_us FROM sessions WHERE person = ? ORDER BY opened_us", person)

    def session_person(self, session: str) -> str | None:
        row = self._one("SELECT person FROM sessions WHERE id = ?", session)
        return str(row[0]) if row else None

    def touch_session(self, session: str, now_us: int) -> None:
        self._do("UPDATE sessions SET seen_us = ? WHERE id = ?", now_us, session)

    def drop_session(self, session: str) -> None:
        self._do("DELETE FROM sessions WHERE id = ?", session)

    def sessions_over(self, now_us: int, idle_us: int) -> list[tuple[str, str]]:
        rows = self._all("SELECT id, person FROM sessions WHERE expires_us <= ? OR seen_us <= ?", now_us, now_us - idle_us)
        return [(row["id"], row["person"]) for row in rows]

    def put_link(self, token_hash: str, person: str, by: str, expires_us: int) -> None:
        self._do("INSERT INTO links VALUES (?, ?, ?, ?)", token_hash, person, by, expires_us)

    def take_link(self, token_hash: str) -> tuple[str, int] | None:
        """Use a link up: its person and expiry, or None if there is no such unused link."""
        row = self._one("DELETE FROM links WHERE token_hash = ? RETURNING person, expires_us", token_hash)
        return (row["person"], row["expires_us"]) if row else None

    def drop_links(self, person: str) -> None:
        self._do("DELETE FROM links WHERE person = ?", person)

    # -- keys

    def all_keys(self, owner: str = "") -> list[Key]:
        if owner:
            return [_key(row) for row in self._all("SELECT * FROM keys WHERE owner = ? ORDER BY place", owner)]
        return [_key(row) for row in self._all("SELECT * FROM keys ORDER BY place")]

    def key(self, key: str) -> Key | None:
        row = self._one("SELECT * FROM keys WHERE id = ?", key)
        return _key(row) if row else None

    def key_hashes(self) -> dict[str, str]:
        return {row["id"]: row["hash"] for row in self._all("SELECT id, hash FROM keys")}

    def put_key(self, key: Key, secret_hash: str) -> None:
        self._do(
            "INSERT INTO keys (id, hash, owner, tenant, scope, created_us, expires_us, place) VALUES (?, ?, ?, ?, ?, ?, ?, "
            "(SELECT COALESCE(MAX(place), 0) + 1 FROM keys))",
            key.id, secret_hash, key.owner, key.tenant, json.dumps(key.scope), key.created_us, key.expires_us,
        )  # fmt: skip

    def ask_revoke(self, key: str, at_us: int, epoch: int, mono_ns: int, boot: str) -> None:
        self._do(
            "UPDATE keys SET revoke_us = ?, revoke_epoch = ?, revoke_mono_ns = ?, revoke_boot = ? WHERE id = ?",
            at_us, epoch, mono_ns, boot, key,
        )  # fmt: skip

    def revoking(self) -> list[Row]:
        return self._all(
            "SELECT id, tenant, revoke_us, revoke_epoch, revoke_mono_ns, revoke_boot FROM keys "
            "WHERE revoke_us > 0 AND revoked_us = 0 ORDER BY revoke_epoch, id"
        )

    def end_revoke(self, key: str, at_us: int) -> None:
        self._do("UPDATE keys SET revoked_us = ? WHERE id = ?", at_us, key)

    # -- changes and governed records

    def _change(self, row: Row) -> Change:
        approvals = tuple(
            Approval(each["by"], each["at_us"], each["digest"])
            for each in self._all("SELECT by, at_us, digest FROM approvals WHERE change = ? ORDER BY place", row["id"])
        )
        return Change(
            row["id"], row["kind"], row["target"], json.loads(row["content"]), row["digest"], row["before"], row["author"],
            bool(row["emergency"]), bool(row["bootstrap"]), row["reason"], row["state"], row["awaits"], row["proposed_us"],
            row["activated_us"], row["activated_by"], approvals,
        )  # fmt: skip

    def change(self, change: str) -> Change | None:
        row = self._one("SELECT * FROM changes WHERE id = ?", change)
        return self._change(row) if row else None

    def changes(self, state: str, limit: int) -> list[Change]:
        if state:
            rows = self._all("SELECT * FROM changes WHERE state = ? ORDER BY place DESC LIMIT ?", state, limit)
        else:
            rows = self._all("SELECT * FROM changes ORDER BY place DESC LIMIT ?", limit)
        return [self._change(row) for row in rows]

    def open_change(self, kind: str, target: str, digest: str, before: str) -> Change | None:
        row = self._one(
            "SELECT * FROM changes WHERE state IN ('proposed', 'approved') AND kind = ? AND target = ? AND digest = ? AND before = ?",
            kind, target, digest, before,
        )  # fmt: skip
        return self._change(row) if row else None

    def put_change(self, change: Change, content: str) -> None:
        self._do(
            "INSERT INTO changes (id, kind, target, content, digest, before, author, emergency, bootstrap, reason, state, awaits, "
            "proposed_us, place) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, (SELECT COALESCE(MAX(place), 0) + 1 FROM changes))",
            change.id, change.kind, change.target, content, change.digest, change.before, change.author, int(change.emergency),
            int(change.bootstrap), change.reason, change.state, change.awaits, change.proposed_us,
        )  # fmt: skip

    def put_approval(self, change: str, by: str, at_us: int, digest: str) -> None:
        self._do(
            "INSERT INTO approvals (change, by, at_us, digest, place) VALUES (?, ?, ?, ?, "
            "(SELECT COALESCE(MAX(place), 0) + 1 FROM approvals))",
            change, by, at_us, digest,
        )  # fmt: skip

    def set_change_state(self, change: str, state: str) -> None:
        self._do("UPDATE changes SET state = ? WHERE id = ?", state, change)

    def end_change(self, change: str, by: str, at_us: int) -> None:
        self._do("UPDATE changes SET state = 'activated', activated_us = ?, activated_by = ? WHERE id = ?", at_us, by, change)

    def governed(self, kind: str, record: str) -> Governed | None:
        row = self._one("SELECT * FROM governed WHERE kind = ? AND id = ?", kind, record)
        return _governed(row) if row else None

    def all_governed(self, kind: str = "") -> list[Governed]:
        if kind:
            return [_governed(row) for row in self._all("SELECT * FROM governed WHERE kind = ? ORDER BY id", kind)]
        return [_governed(row) for row in self._all("SELECT * FROM governed ORDER BY kind, id")]

    def put_governed(self, record: Governed, content: str) -> None:
        self._do(
            "INSERT INTO governed VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (kind, id) DO UPDATE SET content = excluded.content, "
            "digest = excluded.digest, change = excluded.change, author = excluded.author, approved_by = excluded.approved_by, "
            "at_us = excluded.at_us",
            record.kind, record.id, content, record.digest, record.change, record.author, record.approved_by, record.at_us,
        )  # fmt: skip

    def drop_governed(self, kind: str, record: str) -> None:
        self._do("DELETE FROM governed WHERE kind = ? AND id = ?", kind, record)

    def state(self) -> dict[tuple[str, str], Content]:
        """Content in force of every governed record."""
        return {(row["kind"], row["id"]): json.loads(row["content"]) for row in self._all("SELECT kind, id, content FROM governed")}

    # -- appeals

    def appeals(self) -> list[tuple[Any, ...]]:
        """(id, exchange, why, by, at, state, decided by, decided at, decision), newest first."""
        names = "id, exchange, why, by, at_us, state, decided_by, decided_us, decision"
        return [tuple(row) for row in self._all(f"SELECT {names} FROM appeals ORDER BY place DESC")]  # noqa: S608 - a constant

    def put_appeal(self, appeal: str, exchange: str, why: str, by: str, now_us: int) -> None:
        self._do(
            "INSERT INTO appeals (id, exchange, why, by, at_us, place) VALUES (?, ?, ?, ?, ?, "
            "(SELECT COALESCE(MAX(place), 0) + 1 FROM appeals))",
            appeal, exchange, why, by, now_us,
        )  # fmt: skip

    def end_appeal(self, appeal: str, state: str, by: str, now_us: int, decision: str) -> None:
        self._do(
            "UPDATE appeals SET state = ?, decided_by = ?, decided_us = ?, decision = ? WHERE id = ?", state, by, now_us, decision, appeal
        )

    # -- subjects' keys, legal holds

    def live_subjects(self) -> int:
        """How many subjects have a key."""
        return int(self._all("SELECT count(*) FROM subject_keys WHERE destroyed_us = 0")[0][0])

    def holds(self) -> list[tuple[str, str, str, str, int]]:
        """(id, scope, why, by, from) of holds in force, oldest first."""
        return [tuple(row) for row in self._all("SELECT id, scope, why, by, from_us FROM holds WHERE ended_us = 0 ORDER BY place")]

    def put_hold(self, hold: str, scope: str, why: str, by: str, now_us: int) -> None:
        self._do(
            "INSERT INTO holds (id, scope, why, by, from_us, place) VALUES (?, ?, ?, ?, ?, "
            "(SELECT COALESCE(MAX(place), 0) + 1 FROM holds))",
            hold, scope, why, by, now_us,
        )  # fmt: skip

    def end_hold(self, hold: str, now_us: int) -> None:
        self._do("UPDATE holds SET ended_us = ? WHERE id = ?", now_us, hold)

    # -- usage, controls, tenant keys

    def usage_file(self, sha: str) -> int | None:
        row = self._one("SELECT rows FROM usage_files WHERE sha = ?", sha)
        return int(row[0]) if row else None

    def put_usage_file(self, sha: str, at_us: int, by: str, rows: int) -> None:
        self._do("INSERT INTO usage_files VALUES (?, ?, ?, ?)", sha, at_us, by, rows)

    def usage_row(self, provider: str, account: str, day: int) -> tuple[int, int, int] | None:
        row = self._one(
            "SELECT requests, tokens, held FROM usage_rows WHERE provider = ? AND account = ? AND day = ?", provider, account, day
        )
        return (row[0], row[1], row[2]) if row else None

    def put_usage_row(self, provider: str, account: str, day: int, requests: int, tokens: int, held: int, source: str) -> None:
        self._do(
            "INSERT INTO usage_rows VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (provider, account, day) DO UPDATE SET "
            "requests = excluded.requests, tokens = excluded.tokens, held = excluded.held, source = excluded.source",
            provider, account, day, requests, tokens, held, source,
        )  # fmt: skip

    def controls(self) -> list[Adopted]:
        rows = self._all("SELECT * FROM controls ORDER BY id")
        return [Adopted(row["id"], row["version"], row["sha"], tuple(json.loads(row["schedule"])), row["at_us"]) for row in rows]

    def put_control(self, control: Adopted) -> None:
        self._do(
            "INSERT INTO controls VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET version = excluded.version, sha = excluded.sha, "
            "schedule = excluded.schedule, at_us = excluded.at_us",
            control.id, control.version, control.sha, json.dumps(control.schedule), control.at_us,
        )  # fmt: skip

    def tenants(self) -> list[str]:
        rows = self._all("SELECT DISTINCT tenant FROM keys UNION SELECT DISTINCT tenant FROM tenant_keys WHERE destroyed_us = 0")
        return sorted(str(row[0]) for row in rows)

    def tenant_key(self, tenant: str, month: int) -> tuple[bytes, int] | None:
        """Sealed bytes and when it was destroyed (0: never), or None if it was never made."""
        row = self._one("SELECT sealed, destroyed_us FROM tenant_keys WHERE tenant = ? AND month = ?", tenant, month)
        return (bytes(row[0]), row[1]) if row else None

    def tenant_keys_from(self, month: int) -> list[tuple[str, int, bytes]]:
        rows = self._all(
            "SELECT tenant, month, sealed FROM tenant_keys WHERE month >= ? AND destroyed_us = 0 ORDER BY tenant, month", month
        )
        return [(row[0], row[1], bytes(row[2])) for row in rows]

    def put_tenant_key(self, tenant: str, month: int, sealed: bytes, now_us: int) -> None:
        self._do("INSERT INTO tenant_keys (tenant, month, sealed, made_us) VALUES (?, ?, ?, ?)", tenant, month, sealed, now_us)

    def destroy_tenant_key(self, tenant: str, month: int, now_us: int) -> int:
        return self._do(
            "UPDATE tenant_keys SET sealed = ?, destroyed_us = ? WHERE tenant = ? AND month = ? AND destroyed_us = 0",
            b"", now_us, tenant, month,
        )  # fmt: skip
