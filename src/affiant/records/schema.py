"""Tables of records, as numbered migrations: of `HOME/records.db`, and the same of the nodes of a server home, in PostgreSQL.

Written for SQLite; `as_postgres` says what differs. An outbox is needed only where records and ledger lie apart; tables about nodes only
where there are several. Leaves out: statements that use them (`store`, `nodes`, `jobs`).
"""

from __future__ import annotations

from affiant.ledger.sealed import PLACED as SEALED_PLACED
from affiant.ledger.sealed import SCHEMA as SEALED

_COUNTERS = """
CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
INSERT INTO counters VALUES ('epoch', 1), ('bootstrapped', 0);"""

_OUTBOX = """
CREATE TABLE outbox_seq (id INTEGER PRIMARY KEY CHECK (id = 1), next INTEGER NOT NULL) STRICT;
INSERT INTO outbox_seq VALUES (1, 0);
CREATE TABLE outbox (
  id INTEGER PRIMARY KEY AUTOINCREMENT, seq INTEGER NOT NULL UNIQUE, data BLOB NOT NULL,
  mark INTEGER NOT NULL DEFAULT 0, ref TEXT NOT NULL DEFAULT '') STRICT;"""

_RECORDS = """
CREATE TABLE people (
  id TEXT PRIMARY KEY, roles TEXT NOT NULL, active INTEGER NOT NULL, password TEXT NOT NULL DEFAULT '',
  since_us INTEGER NOT NULL, failures INTEGER NOT NULL DEFAULT 0, failed_us INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE TABLE sessions (
  id TEXT PRIMARY KEY, token_hash TEXT NOT NULL UNIQUE, person TEXT NOT NULL REFERENCES people(id), csrf TEXT NOT NULL,
  opened_us INTEGER NOT NULL, seen_us INTEGER NOT NULL, expires_us INTEGER NOT NULL) STRICT;
CREATE TABLE links (
  token_hash TEXT PRIMARY KEY, person TEXT NOT NULL REFERENCES people(id), made_by TEXT NOT NULL, expires_us INTEGER NOT NULL) STRICT;
CREATE TABLE keys (
  id TEXT PRIMARY KEY, hash TEXT NOT NULL UNIQUE, owner TEXT NOT NULL, tenant TEXT NOT NULL,
  scope TEXT NOT NULL, created_us INTEGER NOT NULL, expires_us INTEGER NOT NULL DEFAULT 0,
  revoke_us INTEGER NOT NULL DEFAULT 0, revoke_epoch INTEGER NOT NULL DEFAULT 0, revoke_mono_ns INTEGER NOT NULL DEFAULT 0,
  revoke_boot TEXT NOT NULL DEFAULT '', revoked_us INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE TABLE changes (
  id TEXT PRIMARY KEY, kind TEXT NOT NULL, target TEXT NOT NULL, content TEXT NOT NULL, digest TEXT NOT NULL, before TEXT NOT NULL,
  author TEXT NOT NULL, emergency INTEGER NOT NULL, bootstrap INTEGER NOT NULL, reason TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('proposed', 'approved', 'activated', 'rejected')), awaits TEXT NOT NULL,
  proposed_us INTEGER NOT NULL, activated_us INTEGER NOT NULL DEFAULT 0, activated_by TEXT NOT NULL DEFAULT '') STRICT;
CREATE INDEX changes_open ON changes (state, kind, target);
CREATE TABLE approvals (
  change TEXT NOT NULL REFERENCES changes(id), by TEXT NOT NULL, at_us INTEGER NOT NULL, digest TEXT NOT NULL,
  PRIMARY KEY (change, by)) STRICT;
CREATE TABLE governed (
  kind TEXT NOT NULL, id TEXT NOT NULL, content TEXT NOT NULL, digest TEXT NOT NULL, change TEXT NOT NULL REFERENCES changes(id),
  author TEXT NOT NULL, approved_by TEXT NOT NULL, at_us INTEGER NOT NULL, PRIMARY KEY (kind, id)) STRICT;
CREATE TABLE usage_files (sha TEXT PRIMARY KEY, at_us INTEGER NOT NULL, by TEXT NOT NULL, rows INTEGER NOT NULL) STRICT;
CREATE TABLE usage_rows (
  provider TEXT NOT NULL, account TEXT NOT NULL, day INTEGER NOT NULL, requests INTEGER NOT NULL, tokens INTEGER NOT NULL,
  held INTEGER NOT NULL, source TEXT NOT NULL REFERENCES usage_files(sha), PRIMARY KEY (provider, account, day)) STRICT;
CREATE TABLE controls (
  id TEXT PRIMARY KEY, version INTEGER NOT NULL, sha TEXT NOT NULL, schedule TEXT NOT NULL, at_us INTEGER NOT NULL) STRICT;
CREATE TABLE tenant_keys (
  tenant TEXT NOT NULL, month INTEGER NOT NULL, sealed BLOB NOT NULL, made_us INTEGER NOT NULL,
  destroyed_us INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (tenant, month)) STRICT;
"""

_V2 = (
    SEALED
    + """
CREATE TABLE holds (
  id TEXT PRIMARY KEY, scope TEXT NOT NULL, why TEXT NOT NULL, by TEXT NOT NULL, from_us INTEGER NOT NULL,
  ended_us INTEGER NOT NULL DEFAULT 0) STRICT;
"""
)

_V3 = """
CREATE TABLE appeals (
  id TEXT PRIMARY KEY, exchange TEXT NOT NULL, why TEXT NOT NULL, by TEXT NOT NULL, at_us INTEGER NOT NULL,
  state TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'upheld', 'rejected')), decided_by TEXT NOT NULL DEFAULT '',
  decided_us INTEGER NOT NULL DEFAULT 0, decision TEXT NOT NULL DEFAULT '') STRICT;
CREATE INDEX appeals_exchange ON appeals (exchange);
"""

# Rows that are listed in the order in which they were made are numbered in it: a row's number in its file is no order that lasts.
_NUMBERED = ("keys", "changes", "approvals", "holds", "appeals")
_V4 = SEALED_PLACED + "".join(f"ALTER TABLE {table} ADD COLUMN place INTEGER NOT NULL DEFAULT 0;\n" for table in _NUMBERED)
_V4_FILL = "".join(f"UPDATE {table} SET place = rowid;\n" for table in ("sealed", *_NUMBERED))  # noqa: S608 - constants
_V4_INDEXES = "".join(f"CREATE INDEX {table}_place ON {table} (place);\n" for table in ("sealed", *_NUMBERED))

MIGRATIONS = (_COUNTERS + _OUTBOX + _RECORDS, _V2, _V3, _V4 + _V4_FILL + _V4_INDEXES)
"""Of `HOME/records.db`."""

_NODES = """
CREATE TABLE contact (
  node TEXT PRIMARY KEY, epoch INTEGER NOT NULL, workers INTEGER NOT NULL, seen TIMESTAMPTZ NOT NULL) STRICT;
CREATE TABLE jobs (name TEXT PRIMARY KEY, due_us INTEGER NOT NULL) STRICT;
CREATE TABLE kept (name TEXT PRIMARY KEY, data BLOB NOT NULL) STRICT;
"""


_SLICES = """
CREATE TABLE slices (
  limit_id TEXT COLLATE "C" NOT NULL, subject TEXT COLLATE "C" NOT NULL, win BIGINT NOT NULL, leased BIGINT NOT NULL,
  over_s BIGINT NOT NULL, PRIMARY KEY (limit_id, subject, win));
CREATE FUNCTION lease_slices(
  limits TEXT[], subjects TEXT[], wins BIGINT[], valued BIGINT[], debts BIGINT[], wants BIGINT[], overs BIGINT[])
RETURNS TABLE (number INT, given BIGINT) LANGUAGE plpgsql AS $$
DECLARE
  was BIGINT;
BEGIN
  FOR i IN 1 .. COALESCE(array_length(limits, 1), 0) LOOP
    INSERT INTO slices VALUES (limits[i], subjects[i], wins[i], 0, overs[i]) ON CONFLICT DO NOTHING;
    SELECT leased INTO was FROM slices WHERE limit_id = limits[i] AND subject = subjects[i] AND win = wins[i] FOR UPDATE;
    number := i;
    given := debts[i] + greatest(0, least(wants[i], valued[i] - was - debts[i]));
    UPDATE slices SET leased = was + given WHERE limit_id = limits[i] AND subject = subjects[i] AND win = wins[i];
    RETURN NEXT;
  END LOOP;
END $$;
"""

_LEASED_JOBS = """
ALTER TABLE jobs ADD COLUMN done_us BIGINT NOT NULL DEFAULT 0, ADD COLUMN holder TEXT COLLATE "C" NOT NULL DEFAULT '',
  ADD COLUMN until TIMESTAMPTZ NOT NULL DEFAULT '-infinity', ADD COLUMN tries BIGINT NOT NULL DEFAULT 1;
UPDATE jobs SET done_us = due_us;
"""


def as_postgres(script: str) -> str:
    """The same tables in PostgreSQL. Texts compare by bytes, as SQLite does, whatever the database's own order is."""
    script = script.replace(" STRICT;", ";").replace(" INTEGER", " BIGINT").replace(" BLOB", " BYTEA")
    return script.replace(" TEXT", ' TEXT COLLATE "C"')


POSTGRES_MIGRATIONS = (
    *(as_postgres(script) for script in (_COUNTERS + _RECORDS, _V2, _V3, _V4 + _V4_INDEXES + _NODES)),
    _SLICES,
    _LEASED_JOBS,
)
"""Of records that nodes share. They begin with version 4: there were none before."""

TABLES = (
    "counters", "people", "sessions", "links", "keys", "changes", "approvals", "governed", "usage_files", "usage_rows", "controls",
    "tenant_keys", "subject_keys", "sealed", "holds", "appeals",
)  # fmt: skip
"""Tables that both have, each after those that it refers to."""
